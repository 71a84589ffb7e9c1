"""A page that is away for a moment loses nothing, and one that is gone leaves nothing running."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Served, copied_home, falls_idle, opened, serve
from tests.browser.line import Line
from tests.browser.test_chat import FIVE, FOREVER
from tests.browser.test_history import history_url

__all__ = ["history_url"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def chatting(browser: Browser, served: Served) -> AsyncIterator[tuple[Page, ChatPage, Line]]:
    async with opened(browser, served.url) as page:
        line = Line()
        await line.put_into(page)
        chat = ChatPage(page)
        await chat.is_ready()
        yield page, chat, line


async def test_an_answer_that_ends_while_the_line_is_cut_is_there_when_it_is_back(
    browser: Browser, modelled: Served
) -> None:
    async with chatting(browser, modelled) as (page, chat, line):
        whole = await (await chat.ask(FIVE)).words.inner_text()
        line.hold_after("Telling the answer")  # Else the words may have come when the page is looked at.
        await chat.type(FIVE)
        await expect(page.locator(".qs-stage")).to_contain_text("Telling the answer")
        await line.cut()
        answer = await chat.answer(1)
        await expect(answer.words).to_have_text(whole)
        await expect(answer.receipt).to_contain_text("Answered in")
        await expect(answer.rows).to_have_count(5)
        await expect(answer.chart).to_be_visible()
        await expect(answer.followups).to_have_count(3)


async def test_a_question_that_outlasts_a_cut_goes_on_and_can_be_stopped(browser: Browser, offline: Served) -> None:
    async with chatting(browser, offline) as (page, chat, line):
        await chat.type(FOREVER)
        await expect(page.locator(".qs-stage")).to_contain_text("Running the query")
        await line.cut()
        await line.is_back()
        await expect(page.locator(".qs-stage")).to_contain_text("Running the query")
        await chat.stop_button.click()
        await expect(chat.receipts.first).to_contain_text("Stopped")
        await falls_idle(offline)


async def test_a_question_can_be_edited_after_a_cut(browser: Browser, offline: Served) -> None:
    async with chatting(browser, offline) as (_, chat, line):
        await chat.ask("How many orders are there?")
        await line.cut()
        await line.is_back()
        await chat.edit("How many customers are there?")
        await expect(chat.answers.last).to_contain_text("customers")
        await expect(chat.receipts.last).to_contain_text("Answered in")


async def test_a_page_that_is_closed_leaves_no_statement_in_the_database(browser: Browser, offline: Served) -> None:
    async with chatting(browser, offline) as (page, chat, _):
        await chat.type(FOREVER)
        await expect(page.locator(".qs-stage")).to_contain_text("Running the query")
    await falls_idle(offline)


async def test_a_new_chat_stops_the_statement_of_the_old_one_at_once(browser: Browser, offline: Served) -> None:
    async with chatting(browser, offline) as (page, chat, _):
        await chat.type(FOREVER)
        await expect(page.locator(".qs-stage")).to_contain_text("Running the query")
        await page.locator("#new-chat-button").click()
        await chat.is_ready()
        await falls_idle(offline)


async def test_a_conversation_that_is_loaded_anew_while_it_is_answered_goes_on(
    browser: Browser, built_home: Path, tmp_path: Path, history_url: str
) -> None:
    home = copied_home(built_home, tmp_path)
    with serve(home, QUAESTOR_USERS="ann:plum", DATABASE_URL=history_url) as served:
        page = await browser.new_page()
        await page.goto(served.url)
        chat = ChatPage(page)
        await chat.sign_in("ann", "plum")
        await chat.is_ready()
        await chat.type(FOREVER)
        await expect(page.locator(".qs-stage")).to_contain_text("Running the query")
        await expect(page).to_have_url(re.compile("/thread/"))
        await page.reload()
        await expect(page.locator(".qs-stage")).to_contain_text("Running the query")
        await chat.stop_button.click()
        await expect(chat.receipts.first).to_contain_text("Stopped")
        await falls_idle(served)
        await page.close()
