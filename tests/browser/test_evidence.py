"""What an answer rests on, to be chosen otherwise; and what is offered where there is none, or more than one."""

from __future__ import annotations

import csv
import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Served, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOCUSED_TOP = "document.activeElement.closest('.ai-message') && document.activeElement.getBoundingClientRect().top"
"""How far down the page what has the focus stands; null outside of an answer."""


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
        await expect(answer.receipt).to_contain_text(re.compile(r"offline analyst · data up to \d+ \w+ 2026"))
        await answer.receipt.get_by_role("button", name="Details").click()
        details = answer.root.locator(".qs-details")
        await expect(details).to_contain_text(re.compile(r"Read from .*order_items \([\d,]+ rows\)"))
        await expect(details.locator("li").last).to_contain_text("Next questions")
        stages = await details.locator("li").all_inner_texts()
        assert [stage.split("\n")[0] for stage in stages[-3:]] == ["Running it", "Telling the answer", "Next questions"]
        assert all(re.search(r"\d m?s$", stage) for stage in stages), stages


async def test_an_unclear_question_is_asked_back_and_a_click_answers_it(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        asked_back = await chat.ask("How many orders from Lisbon?")
        await asked_back.says("customer's city as well as a store's city.*they find different rows")
        await expect(asked_back.receipt).to_have_text("Asked back, rather than guessed.")
        await expect(asked_back.followups).to_have_text(
            ["How many orders from customer city Lisbon?", "How many orders from store city Lisbon?"]
        )
        await asked_back.followups.nth(1).click()
        answer = await chat.answer(1)
        await expect(answer.rows).to_have_count(1)
        await expect(answer.premises.filter(has_text="city is Lisbon")).to_have_count(1)


async def test_an_empty_answer_says_which_filter_empties_it_and_what_there_is(
    browser: Browser, offline: Served
) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        empty = await chat.ask("SELECT name FROM customers WHERE city = 'Lisbonn'")
        await expect(empty.root).to_contain_text(re.compile("Without the filter “city is Lisbonn” there would be"))
        await expect(empty.root).to_contain_text("does hold “Lisbon”")
        await empty.followups.filter(has_text="city = 'Lisbon'").click()
        await expect((await chat.answer(1)).rows.first).to_be_visible()


async def test_the_rows_come_down_as_a_file_whole_and_unrounded(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("Which ten customers have the highest revenue?")
        async with page.expect_download() as downloading:
            await answer.root.get_by_role("button", name="CSV").click()
        download = await downloading.value
        assert download.suggested_filename == "Which-ten-customers-have-the-highest-revenue.csv"
        with (await download.path()).open(encoding="utf-8-sig", newline="") as file:
            head, *rows = csv.reader(file)
        assert head == ["customer", "revenue"]
        assert len(rows) == 10, "the second page's, too"
        assert await answer.rows.first.inner_text() == f"{rows[0][0]}\t{float(rows[0][1]):,.2f}"


async def test_a_file_holds_the_rows_that_the_answer_leaves_out(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("SELECT order_item_id, order_id FROM order_items")
        await expect(answer.root).to_contain_text("1,000")
        async with page.expect_download() as downloading:
            await answer.root.get_by_role("button", name="CSV").click()
        with (await (await downloading.value).path()).open(encoding="utf-8-sig", newline="") as file:
            assert len(list(csv.reader(file))) > 20_000
        await expect(answer.root.get_by_text("the query finds more")).to_have_count(0)
        cut = await chat.ask(
            "SELECT a.order_item_id AS a, b.order_id AS b FROM order_items a JOIN orders b ON b.order_id <= 5"
        )
        async with page.expect_download():
            await cut.root.get_by_role("button", name="CSV").click()
        await expect(cut.root.get_by_role("status")).to_have_text(
            "The file holds the first 100,000 rows; the query finds more."
        )


async def test_an_empty_text_is_told_from_no_value(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("SELECT '' AS a, NULL AS b, 0 AS c")
        await expect(answer.rows.locator("td")).to_have_text(["(empty)", "\N{EN DASH}", "0"])


async def test_a_text_longer_than_its_cell_opens_at_a_click(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask(f"SELECT '{'beans ' * 40}' AS note, 'short' AS word")
        await expect(answer.rows.get_by_role("button")).to_have_count(1)
        row, note = answer.rows.first, answer.rows.get_by_role("button", name="beans")
        closed = await chat.is_still(answer.note) and await row.bounding_box()
        await note.click()
        await expect(note).to_have_attribute("aria-expanded", "true")
        opened_up = await row.bounding_box()
        assert closed and opened_up and opened_up["height"] > 2 * closed["height"], "all its lines are seen"
        await note.click()
        await expect(note).to_have_attribute("aria-expanded", "false")


async def test_many_rows_are_turned_over_in_long_pages_where_that_is_wanted(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("SELECT order_id FROM orders ORDER BY order_id LIMIT 120")
        await expect(answer.root).to_contain_text("page 1 of 15")
        for _ in range(7):
            await answer.root.get_by_role("button", name="Next rows").click()
        await expect(answer.rows.first).to_have_text("57")
        await answer.root.get_by_role("button", name="50 a page").click()
        await expect(answer.root).to_contain_text("page 2 of 3")
        await expect(answer.rows).to_have_count(50)
        await expect(answer.rows.nth(6)).to_have_text("57")


async def test_an_investigation_shows_each_of_its_queries(browser: Browser, modelled: Served) -> None:
    async with opened(browser, modelled.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        await page.locator("#command-Investigate").click()
        report = await chat.ask("Revenue by month this year")
        await expect(report.root).to_contain_text(re.compile(r"went from .+ \(1\)\. .+ \(3\)\. The rows show"))
        await expect(report.root.locator(".qs-query")).to_have_count(3)
        query = report.root.locator(".qs-query").first
        await expect(query).to_contain_text(re.compile(r"\(1\).*11 rows", re.DOTALL))
        await query.get_by_role("button").click()
        await expect(query.locator("tbody tr")).to_have_count(11)
        await expect(query.locator("pre")).to_contain_text("SELECT")
        # The next question is one like any other again.
        await expect((await chat.ask("How many customers are there?")).rows).to_have_count(1)


async def test_the_keyboard_goes_through_an_answer_in_the_order_in_which_it_is_seen(
    browser: Browser, offline: Served
) -> None:
    async with opened(browser, offline.url, height=1400) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("How many orders were there last month?")
        await expect(answer.followups).to_have_count(3)
        await chat.is_still(answer.followups.last)
        tops: list[float] = []
        await page.locator("#theme-toggle").focus()
        for _ in range(30):
            await page.keyboard.press("Tab")
            if (top := await page.evaluate(FOCUSED_TOP)) is not None:
                tops.append(top)
            elif tops:
                break  # Past the answer.
        assert len(tops) >= 8
        assert tops == sorted(tops), "the chips and the next questions stand under the rows"
