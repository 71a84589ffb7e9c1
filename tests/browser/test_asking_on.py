"""A person asks on while an answer's next questions are still being written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from agents.parts import Suggester
from agents.question import Draft, Followup, Question
from benchmarks.model_command import open_analyst
from benchmarks.model_server import MODEL, ModelServer, Received, serving
from settings import Settings
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import copied_home, opened, serve
from tests.browser.test_chat import FIVE, FOREVER
from tools.catalog import Found
from tools.sql_runner import Rows

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Slow:
    """Proposes next questions, but none before it is let."""

    suggester: Suggester
    may: asyncio.Event = field(default_factory=asyncio.Event)

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        await self.may.wait()
        return await self.suggester.suggest(question, draft, rows, found)


@dataclass(frozen=True)
class Asking:
    """A page, and a model that is slow to propose."""

    page: Page
    chat: ChatPage
    model: ModelServer
    slow: Slow

    @property
    def coming(self) -> list[Received]:
        """The requests for next questions, oldest first."""
        return [request for request in self.model.received if "followups" in str(request.body.get("response_format"))]


@asynccontextmanager
async def asking(browser: Browser, built_home: Path, tmp_path: Path, **settings: str) -> AsyncIterator[Asking]:
    home = copied_home(built_home, tmp_path)
    analyst = open_analyst(Settings.model_validate({"database_url": f"sqlite:///{home / 'sample.sqlite'}"}))
    slow = Slow(analyst.suggester)
    model = ModelServer(replace(analyst, suggester=slow))
    async with serving(model) as base_url:
        settings |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "sk-none-of-this", "QUAESTOR_MODEL": MODEL}
        with serve(home, **settings) as served:
            async with opened(browser, served.url) as page:
                chat = ChatPage(page)
                await chat.is_ready()
                yield Asking(page, chat, model, slow)


async def test_the_next_question_is_answered_while_the_next_questions_of_the_first_are_written(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    # One question at a time: what is still written for the first must make room for the second.
    async with asking(browser, built_home, tmp_path, QUAESTOR_QUESTIONS_AT_ONCE="1") as asked:
        chat = asked.chat
        first = await chat.ask(FIVE)
        await expect(first.rows).to_have_count(5)
        await expect(first.receipt).to_contain_text("Answered in")
        await expect(first.root.locator(".qs-coming")).to_be_visible()
        await expect(chat.stop_button).to_have_count(0)

        second = await chat.ask("How many customers are there?")
        await second.says("1,900 customers")
        async with asyncio.timeout(20):
            await asked.coming[0].broken_off.wait()
        await expect(first.root.locator(".qs-coming")).to_have_count(0)

        asked.slow.may.set()
        await expect(second.followups).to_have_count(3)
        await expect(second.root.locator(".qs-coming")).to_have_count(0)
        await expect(first.followups).to_have_count(0)
        await expect(first.receipt).to_contain_text("tokens")


async def test_stop_stops_the_question_that_is_asked_meanwhile(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    async with asking(browser, built_home, tmp_path) as asked:
        chat = asked.chat
        first = await chat.ask(FIVE)
        await chat.type(FOREVER)
        await expect(asked.page.locator(".qs-stage")).to_contain_text("Running the query")
        async with asyncio.timeout(20):
            await asked.coming[0].broken_off.wait()
        await expect(chat.stop_button).to_be_visible()
        await chat.stop_button.click()
        await expect((await chat.answer(1)).receipt).to_contain_text("Stopped")
        await expect(first.receipt).to_contain_text("Answered in")
        third = await chat.ask("How many customers are there?")
        await third.says("1,900 customers")


async def test_who_waits_gets_the_next_questions_and_may_click_one(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    async with asking(browser, built_home, tmp_path) as asked:
        first = await asked.chat.ask(FIVE)
        await first.root.get_by_role("button", name="Details").click()
        await expect(first.root.locator(".qs-waterfall")).to_contain_text("Telling the answer")
        await expect(first.root.locator(".qs-waterfall")).not_to_contain_text("Next questions")
        asked.slow.may.set()
        await expect(first.followups).to_have_count(3)
        await expect(first.root.locator(".qs-waterfall")).to_contain_text("Next questions")
        await expect(first.receipt).to_contain_text("tokens")
        await first.followups.first.click()
        await expect((await asked.chat.answer(1)).receipt).to_contain_text("Answered in")


async def test_an_edited_question_is_answered_while_its_next_questions_are_written(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    async with asking(browser, built_home, tmp_path) as asked:
        await asked.chat.ask(FIVE)
        await asked.chat.edit("How many customers are there?")
        await expect(asked.chat.answers.last).to_contain_text("1,900 customers")
        async with asyncio.timeout(20):
            await asked.coming[0].broken_off.wait()
        asked.slow.may.set()
        await expect((await asked.chat.answer()).followups).to_have_count(3)
        await expect(asked.chat.receipts).to_have_count(1)
