"""Who comes when everybody is busy sees a place in the line, and is answered when the turn has come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import copied_home, opened, serve
from tests.browser.test_chat import FOREVER

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def two_pages(
    browser: Browser, built_home: Path, tmp_path: Path, **settings: str
) -> AsyncIterator[tuple[Page, ChatPage, Page, ChatPage]]:
    """Yield two people's pages; the first one's statement runs, and goes on until it is stopped."""
    with serve(copied_home(built_home, tmp_path), **settings) as served:
        async with opened(browser, served.url) as first, opened(browser, served.url) as second:
            one, other = ChatPage(first), ChatPage(second)
            await one.is_ready()
            await other.is_ready()
            await one.type(FOREVER)
            await expect(first.locator(".qs-stage")).to_contain_text("Running the query")
            yield first, one, second, other


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("QUAESTOR_QUESTIONS_AT_ONCE", "many questions at once, this one is next"),
        ("QUAESTOR_STATEMENTS_AT_ONCE", "the database is busy, this one is next"),
    ],
)
async def test_a_question_that_waits_sees_its_place_and_is_answered_in_its_turn(
    browser: Browser, built_home: Path, tmp_path: Path, setting: str, said: str
) -> None:
    async with two_pages(browser, built_home, tmp_path, **{setting: "1"}) as (_, one, second, other):
        await other.type("How many orders are there?")
        await expect(second.locator(".qs-stage")).to_contain_text("Waiting for a turn")
        await expect(second.locator(".qs-stage")).to_contain_text(said)
        await one.stop_button.click()
        await expect(one.receipts.first).to_contain_text("Stopped")
        await expect(other.receipts.first).to_contain_text("Answered in")
        await expect(other.answers.first).to_contain_text("orders")


async def test_a_question_past_the_line_is_turned_away_in_words_and_stands_where_it_was_typed(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    full = {"QUAESTOR_QUESTIONS_AT_ONCE": "1", "QUAESTOR_QUEUE_LIMIT": "0"}
    async with two_pages(browser, built_home, tmp_path, **full) as (_, one, second, other):
        await other.type("How many orders are there?")
        await expect(other.answers.first).to_contain_text("Too many questions are being asked right now")
        await expect(other.receipts.first).to_contain_text("Not answered")
        await expect(second.get_by_text("How many orders are there?")).to_be_visible()
        await one.stop_button.click()
        await expect(one.receipts.first).to_contain_text("Stopped")
        await other.type("How many orders are there?")
        await expect(other.receipts.last).to_contain_text("Answered in")
