"""What stands under an answer: what it takes for granted, to be chosen otherwise, and what it cost."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Served, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_another_period_is_a_choice_in_the_receipt(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("Which five products earned the most last quarter?")
        await expect(answer.premises).to_have_text(
            [re.compile("1 July 2026 to 30 September 2026"), re.compile("sum of line total"), re.compile("first 5")]
        )
        await answer.premises.nth(0).click()
        await page.get_by_role("menuitem", name="last year").click()
        again = await chat.answer(1)
        await expect(again.premises.nth(0)).to_contain_text("1 January 2025 to 31 December 2025")
        assert "2025-01-01" in await again.sql()
        await again.premises.nth(2).click()
        await page.get_by_role("menuitem", name="top 10").click()
        await expect((await chat.answer(2)).note).to_have_text("10 rows")


async def test_a_filter_is_taken_away_from_the_receipt(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("How many orders were placed online in 2025?")
        await answer.premises.filter(has_text="channel is online").click()
        await page.get_by_role("menuitem", name="without the filter on channel").click()
        again = await chat.answer(1)
        await expect(again.premises).to_have_text([re.compile("1 January 2025 to 31 December 2025")])
        assert "online" not in await again.sql()


async def test_the_receipt_tells_how_new_the_data_is_and_where_the_time_went(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("Which five products earned the most last quarter?")
        await expect(answer.receipt).to_contain_text(re.compile(r"5 rows · data up to \d+ \w+ 2026"))
        await answer.receipt.get_by_role("button", name="Details").click()
        details = answer.root.locator(".qs-details")
        await expect(details).to_contain_text(re.compile(r"Read from .*order_items \([\d,]+ rows\)"))
        stages = await details.locator("li").all_inner_texts()
        assert [stage.split("\n")[0] for stage in stages[-3:]] == ["Running it", "Telling the answer", "Next questions"]
        assert all(re.search(r"\d m?s$", stage) for stage in stages), stages
