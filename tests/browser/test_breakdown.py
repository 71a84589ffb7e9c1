"""How an answer was worked out: its query step by step, loaded when somebody asks for it."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Locator, Request, Route, expect

from tests.browser.chat_page import Answered, ChatPage
from tests.browser.conftest import Served, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIVE = "Which five products earned the most last quarter?"
ABOVE_AVERAGE = "SELECT name FROM products WHERE unit_price > (SELECT AVG(unit_price) FROM products) ORDER BY name"
NOTHING = "SELECT name FROM products WHERE unit_price > 100000"


def breakdown_of(answer: Answered) -> Locator:
    return answer.root.get_by_role("region", name="How this was worked out")


async def open_steps(answer: Answered) -> Locator:
    """Ask how it was worked out; return the steps."""
    await breakdown_of(answer).get_by_role("button", name="How was this worked out?").click()
    steps = breakdown_of(answer).locator(".qs-step")
    await steps.first.wait_for()
    return steps


async def test_an_answer_is_worked_out_step_by_step_when_somebody_asks(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        calls: list[str] = []
        page.on("request", lambda request: calls.append(request.url) if _is_call(request) else None)
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask(FIVE)
        await expect(answer.rows).to_have_count(5)
        shown = await answer.rows.all_inner_texts()
        assert calls == [], "the steps ran before anybody asked for them"

        steps = await open_steps(answer)
        await expect(steps.first).to_contain_text("Start with all rows of")
        await expect(steps.filter(has_text="Keep the rows where placed at is from 1 July 2026")).to_have_count(1)
        await expect(steps.last).to_contain_text("Keep the first 5 rows.")
        await expect(steps.last.locator(".qs-step-rows")).to_have_text(re.compile(r"^\d+ rows → 5$"))
        assert await steps.last.locator("tbody tr").all_inner_texts() == shown

        await expect(steps.last.locator("pre")).to_have_count(0)
        await steps.last.get_by_role("button", name="SQL").click()
        await expect(steps.last.locator("pre")).to_have_text(re.compile(r"LIMIT 5$"))

        await breakdown_of(answer).get_by_role("button", name="How was this worked out?").click()
        await expect(steps).to_have_count(0)
        await open_steps(answer)
        assert len(calls) == 1, "what is known is not asked for again"


async def test_the_steps_stay_when_the_next_question_is_asked(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        first = await chat.ask(FIVE)
        count = await (await open_steps(first)).count()
        second = await chat.ask("How many customers are there?")
        await expect(breakdown_of(first).locator(".qs-step")).to_have_count(count)
        await expect(breakdown_of(second).locator(".qs-step")).to_have_count(0)


async def test_a_query_within_the_query_is_told_on_the_side(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask(ABOVE_AVERAGE)
        steps = await open_steps(answer)
        await expect(breakdown_of(answer).locator(".qs-part")).to_have_text(["First, on the side", "The query itself"])
        await expect(steps.filter(has_text="unit price is above what step 2 found")).to_have_count(1)


async def test_a_step_that_leaves_nothing_shows_where_the_rows_were_lost(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        steps = await open_steps(await chat.ask(NOTHING))
        await expect(steps.nth(1)).to_contain_text("Keep the rows where unit price is above 100,000.")
        await expect(steps.nth(1).locator(".qs-step-rows")).to_have_text(re.compile(r"^\d+ rows → 0$"))
        await expect(steps.nth(1).locator("table")).to_have_count(0)


async def test_steps_that_cannot_be_loaded_say_so_and_can_be_asked_for_again(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask(FIVE)

        async def away(route: Route) -> None:
            await route.fulfill(json={"success": True, "response": {"trouble": "The database is away."}})

        await page.route("**/project/action", away)
        asking = breakdown_of(answer).get_by_role("button", name="How was this worked out?")
        await asking.click()
        await expect(breakdown_of(answer).locator(".qs-complaint")).to_have_text("The database is away.")
        await page.unroute("**/project/action")
        await asking.click()
        await open_steps(answer)


async def test_what_was_declined_has_no_steps(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        await expect(breakdown_of(await chat.ask("What was the weather yesterday?"))).to_have_count(0)


def _is_call(request: Request) -> bool:
    return request.url.endswith("/project/action")
