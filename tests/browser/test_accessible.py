"""The page for those who do not see it, or not well: names, contrast and all else that axe-core looks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Served, copied_home, opened, serve
from tests.browser.test_chat import FIVE, FOREVER

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOT_OURS = {
    # Chainlit's page has one on its greeting only.
    "page-has-heading-one"
}

NAMELESS = """() => [...document.querySelectorAll('button')]
    .filter((button) => !button.textContent.trim() && !button.getAttribute('aria-label'))
    .map((button) => button.outerHTML)"""

IS_STILL = """() => document.getAnimations().every((moving) =>
    moving.playState === 'finished' || moving.effect.getTiming().iterations === Infinity)"""
"""What still fades in has too little contrast."""


async def faults(page: Page) -> list[str]:
    """Return what axe-core finds wrong with the page, each fault with its elements."""
    await page.wait_for_function(IS_STILL)
    found = await Axe().run(page)
    return [
        f"{fault['id']}: {[node['html'] for node in fault['nodes']]}"
        for fault in found.response["violations"]
        if fault["id"] not in NOT_OURS
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_greeting_and_an_answer_can_be_read_and_used_by_everyone(
    theme: str, browser: Browser, offline: Served
) -> None:
    async with opened(browser, offline.url) as page:
        await page.emulate_media(reduced_motion="reduce")
        await page.evaluate("theme => localStorage.setItem('vite-ui-theme', theme)", theme)
        await page.reload()
        chat = ChatPage(page)
        await chat.is_ready()
        await expect(page.locator("html")).to_have_class(theme)
        assert await faults(page) == []
        answer = await chat.ask(FIVE)
        await expect(answer.chart).to_be_visible()
        await expect(answer.followups).to_have_count(3)
        assert await faults(page) == []
        await answer.sql()
        assert await faults(page) == []


async def test_the_login_can_be_read_and_used_by_everyone(browser: Browser, built_home: Path, tmp_path: Path) -> None:
    with serve(copied_home(built_home, tmp_path), QUAESTOR_USERS="ann:plum") as served:
        page = await browser.new_page(reduced_motion="reduce")
        await page.goto(served.url)
        await page.get_by_role("button", name="Show the password").click()
        await expect(page.get_by_role("button", name="Hide the password")).to_be_visible()
        assert await faults(page) == []
        chat = ChatPage(page)
        await chat.sign_in("ann", "plum")
        await chat.is_ready()
        assert await faults(page) == []
        assert await page.evaluate(NAMELESS) == []
        await page.close()


async def test_every_button_has_a_name_also_after_the_page_has_been_drawn_anew(
    browser: Browser, offline: Served
) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        for _ in range(2):
            await expect(page.get_by_role("button", name="Send")).to_be_visible()
            await chat.ask(FIVE)
            asked = page.locator("[data-step-type=user_message]")
            await chat.is_still(asked)
            await asked.hover()
            await expect(page.get_by_role("button", name="Edit the question")).to_be_visible()
            assert await page.evaluate(NAMELESS) == []
            await page.get_by_role("button", name="New chat").click()
            await chat.is_ready()
            assert await page.evaluate(NAMELESS) == []


async def test_a_running_answer_can_be_stopped_by_name(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        await chat.type(FOREVER)
        await page.get_by_role("button", name="Stop").click()
        await expect(page.get_by_role("button", name="Send")).to_be_visible()


async def test_an_investigation_can_be_read_and_used_by_everyone(browser: Browser, modelled: Served) -> None:
    async with opened(browser, modelled.url) as page:
        await page.emulate_media(reduced_motion="reduce")
        chat = ChatPage(page)
        await chat.is_ready()
        await page.get_by_role("button", name="Investigate").click()
        report = await chat.ask("Revenue by month this year")
        await report.root.locator(".qs-query").first.get_by_role("button").click()
        await expect(report.root.locator(".qs-query tbody tr").first).to_be_visible()
        assert await faults(page) == []
