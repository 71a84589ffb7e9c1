"""A person asks on while an answer's next questions are still being written."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from agents.parts import Suggester
from agents.question import Draft, Followup, Question
from benchmarks.model_command import open_analyst
from benchmarks.model_server import MODEL, ModelServer, Received, serving
from settings import Settings
from tests.browser.chat_page import Answered, ChatPage
from tests.browser.conftest import copied_home, opened, serve
from tests.browser.test_chat import FIVE, FOREVER
from tests.browser.test_history import history_url
from tools.catalog import Found
from tools.sql_runner import Rows

__all__ = ["history_url"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Slow:
    """Proposes next questions, but none before it is let."""

    suggester: Suggester
    may: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is asked for some."""

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        self.asked.set()
        await self.may.wait()
        return await self.suggester.suggest(question, draft, rows, found)


@dataclass(frozen=True)
class Told:
    """A server, and its model that is slow to propose."""

    url: str
    model: ModelServer
    slow: Slow

    @property
    def coming(self) -> list[Received]:
        """The requests for next questions, oldest first."""
        return [request for request in self.model.received if "followups" in str(request.body.get("response_format"))]


@asynccontextmanager
async def told(built_home: Path, folder: Path, **settings: str) -> AsyncIterator[Told]:
    home = copied_home(built_home, folder)
    analyst = open_analyst(Settings.model_validate({"database_url": f"sqlite:///{home / 'sample.sqlite'}"}))
    slow = Slow(analyst.suggester)
    model = ModelServer(replace(analyst, suggester=slow))
    async with serving(model) as base_url:
        settings |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "sk-none-of-this", "QUAESTOR_MODEL": MODEL}
        with serve(home, **settings) as served:
            yield Told(served.url, model, slow)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def by(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    # One question at a time, and nobody may wait: what is still written for one must first make room for the next.
    full = {"QUAESTOR_QUESTIONS_AT_ONCE": "1", "QUAESTOR_QUEUE_LIMIT": "0"}
    async with told(built_home, tmp_path_factory.mktemp("slow"), **full) as told_by:
        yield told_by


@asynccontextmanager
async def asking(browser: Browser, by: Told) -> AsyncIterator[tuple[Page, ChatPage]]:
    by.slow.may.clear()
    by.slow.asked.clear()
    by.model.received.clear()
    async with opened(browser, by.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        yield page, chat
    by.slow.may.set()  # Else a page that has gone might hold the one place for ten seconds.


async def ask_first(chat: ChatPage, by: Told) -> Answered:
    """Return the answer to a first question, when its next questions are being written."""
    answer = await chat.ask(FIVE)
    async with asyncio.timeout(20):
        await by.slow.asked.wait()
    return answer


async def is_dropped(by: Told) -> None:
    """Wait until nobody waits for the first answer's next questions any more."""
    async with asyncio.timeout(20):  # A page that is closed may be back for ten seconds.
        await by.coming[0].broken_off.wait()


async def test_the_next_question_is_answered_while_the_next_questions_of_the_first_are_written(
    browser: Browser, by: Told
) -> None:
    async with asking(browser, by) as (_, chat):
        first = await ask_first(chat, by)
        await expect(first.rows).to_have_count(5)
        await expect(first.receipt).to_contain_text("Answered in")
        await expect(first.root.locator(".qs-coming")).to_be_visible()
        await expect(chat.stop_button).to_have_count(0)

        second = await chat.ask("How many customers are there?")
        await second.says("1,900 customers")
        await is_dropped(by)
        await expect(first.root.locator(".qs-coming")).to_have_count(0)

        by.slow.may.set()
        await expect(second.followups).to_have_count(3)
        await expect(second.root.locator(".qs-coming")).to_have_count(0)
        await expect(first.followups).to_have_count(0)
        await expect(first.receipt).to_contain_text("tokens")


async def test_stop_stops_the_question_that_is_asked_meanwhile(browser: Browser, by: Told) -> None:
    async with asking(browser, by) as (page, chat):
        first = await ask_first(chat, by)
        await chat.type(FOREVER)
        await expect(page.locator(".qs-stage")).to_contain_text("Running the query")
        await is_dropped(by)
        await expect(chat.stop_button).to_be_visible()
        await chat.stop_button.click()
        await expect((await chat.answer(1)).receipt).to_contain_text("Stopped")
        await expect(first.receipt).to_contain_text("Answered in")
        third = await chat.ask("How many customers are there?")
        await third.says("1,900 customers")


async def test_who_waits_gets_the_next_questions_and_may_click_one(browser: Browser, by: Told) -> None:
    async with asking(browser, by) as (_, chat):
        first = await ask_first(chat, by)
        await first.root.get_by_role("button", name="Details").click()
        await expect(first.root.locator(".qs-waterfall")).to_contain_text("Telling the answer")
        await expect(first.root.locator(".qs-waterfall")).not_to_contain_text("Next questions")
        by.slow.may.set()
        await expect(first.followups).to_have_count(3)
        await expect(first.root.locator(".qs-waterfall")).to_contain_text("Next questions")
        await expect(first.receipt).to_contain_text("tokens")
        await first.followups.first.click()
        await expect((await chat.answer(1)).receipt).to_contain_text("Answered in")


async def test_what_a_person_looks_at_stays_where_it_is_when_the_next_questions_come(
    browser: Browser, by: Told
) -> None:
    async with asking(browser, by) as (page, chat):
        await page.set_viewport_size({"width": 390, "height": 844})
        first = await ask_first(chat, by)
        tab = first.root.get_by_role("tab", name="Understood")
        await chat.is_still(tab)  # The page brings the question to its top first.
        await tab.evaluate("tab => tab.scrollIntoView({ block: 'center' })")  # Else it may stand at the very edge.
        await tab.click()
        stood = await chat.is_still(tab)
        by.slow.may.set()
        await expect(first.followups).to_have_count(3)
        assert await chat.is_still(tab) == stood
        await expect(tab).to_be_in_viewport(ratio=0.9)  # At the edge a fraction of a pixel may be hidden.


async def test_the_keyboard_stays_where_it_is_when_the_next_questions_come(browser: Browser, by: Told) -> None:
    async with asking(browser, by) as (page, chat):
        first = await ask_first(chat, by)
        details = first.root.locator(".qs-receipt .qs-more").first
        await details.focus()
        await page.keyboard.press("Enter")
        await expect(details).to_have_text("Less")
        by.slow.may.set()
        await expect(first.followups).to_have_count(3)
        await expect(first.followups.first).to_be_enabled()
        await expect(details).to_be_focused()
        await first.root.get_by_role("tab", name="Understood").focus()
        await expect(details).not_to_be_focused()


async def test_a_choice_that_is_open_stays_open_when_the_next_questions_come(browser: Browser, by: Told) -> None:
    async with asking(browser, by) as (page, chat):
        first = await ask_first(chat, by)
        await first.premises.nth(0).click()
        choice = page.get_by_role("menuitem", name="last year")
        await expect(choice).to_be_visible()
        by.slow.may.set()
        await expect(first.followups).to_have_count(3)
        await choice.click()
        await expect((await chat.answer(1)).premises.nth(0)).to_contain_text("1 January 2025 to 31 December 2025")
        await expect(choice).to_have_count(0)


async def test_an_edited_question_is_answered_while_its_next_questions_are_written(browser: Browser, by: Told) -> None:
    async with asking(browser, by) as (_, chat):
        await ask_first(chat, by)
        await chat.edit("How many customers are there?")
        await expect(chat.answers.last).to_contain_text("1,900 customers")
        await is_dropped(by)
        by.slow.may.set()
        await expect((await chat.answer()).followups).to_have_count(3)
        await expect(chat.receipts).to_have_count(1)


@pytest.mark.parametrize("leave", ["new chat", "close"])
async def test_nothing_more_is_written_for_a_page_that_has_gone(leave: str, browser: Browser, by: Told) -> None:
    async with asking(browser, by) as (page, chat):
        await ask_first(chat, by)
        if leave == "new chat":
            await page.locator("#new-chat-button").click()
            await chat.is_ready()
        else:
            await page.close()
        await is_dropped(by)


async def test_next_questions_reach_a_conversation_that_was_loaded_anew_and_are_kept_with_it(
    browser: Browser, built_home: Path, tmp_path: Path, history_url: str
) -> None:
    async with told(built_home, tmp_path, QUAESTOR_USERS="ann:plum", DATABASE_URL=history_url) as by:
        page = await browser.new_page()
        await page.goto(by.url)
        chat = ChatPage(page)
        await chat.sign_in("ann", "plum")
        await chat.is_ready()
        await ask_first(chat, by)
        await expect(page).to_have_url(re.compile("/thread/"))
        await page.reload()
        answer = await chat.answer()
        await expect(answer.root.locator(".qs-coming")).to_be_visible()
        by.slow.may.set()
        await expect(answer.followups).to_have_count(3)
        offered = await answer.followups.all_inner_texts()
        assert await kept_questions(history_url) == offered
        await page.close()


async def kept_questions(history_url: str) -> list[str]:
    """Return the next questions that the history holds, as soon as it does."""
    query = """SELECT props FROM "Element" WHERE name = 'Next'"""
    async with await psycopg.AsyncConnection.connect(history_url, autocommit=True) as connection, asyncio.timeout(15):
        while (row := await (await connection.execute(query)).fetchone()) is None:  # noqa: ASYNC110  # It tells nobody.
            await asyncio.sleep(0.05)
    props = row[0] if isinstance(row[0], dict) else json.loads(row[0])
    assert props["coming"] is False, "it is kept when nothing more comes"
    return [str(question) for question in props["questions"]]
