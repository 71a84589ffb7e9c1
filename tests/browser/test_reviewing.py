"""An answer is saved as reviewed on the page, and answers from then on; only who may save is offered it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import TODAY, Served, copied_home, opened, serve
from tests.browser.test_editing import edit

pytestmark = pytest.mark.asyncio(loop_scope="session")

IS_SEEN = """button => {
    const { x, y, width, height } = button.getBoundingClientRect();
    return button.contains(document.elementFromPoint(x + width / 2, y + height / 2));
}"""


async def test_an_answer_is_saved_and_labelled_as_reviewed_from_then_on(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    knowledge = tmp_path / "knowledge"
    with serve(copied_home(built_home, tmp_path), QUAESTOR_KNOWLEDGE=str(knowledge)) as served:
        async with opened(browser, served.url) as page:
            chat = ChatPage(page)
            await chat.is_ready()
            answer = await chat.ask("How many orders were cancelled last month?")
            await answer.receipt.get_by_role("button", name="Save as reviewed").click()
            form = answer.root.locator(".qs-save")
            await form.get_by_role("textbox").fill("How many orders did people call off lately?")
            await form.get_by_role("button", name="Save").click()
            await expect(form.get_by_role("alert")).to_contain_text("holds fixed dates")
            await form.get_by_role("textbox").fill("How many orders did people call off last month?")
            await form.get_by_role("button", name="Save").click()
            await expect(answer.receipt.get_by_role("status")).to_contain_text("its period is counted from that day")

            answer = await chat.ask("How many orders were cancelled?")
            await expect(answer.receipt).not_to_contain_text("Reviewed SQL")
            sql = await answer.sql()
            await answer.receipt.get_by_role("button", name="Save as reviewed").click()
            form = answer.root.locator(".qs-save")
            await expect(form.get_by_role("textbox")).to_have_value("How many orders were cancelled?")
            await form.get_by_role("textbox").fill("How many orders did people call off?")
            await form.get_by_role("button", name="Save").click()
            await expect(answer.receipt.get_by_role("status")).to_have_text("Saved as reviewed")

        async with opened(browser, served.url) as page:
            chat = ChatPage(page)
            await chat.is_ready()
            answer = await chat.ask("Show me the number of orders that people did call off")
            await expect(answer.receipt).to_contain_text("Reviewed SQL")
            await expect(answer.receipt.get_by_role("button", name="Save as reviewed")).to_have_count(0)
            assert await answer.sql() == sql
    moving, line = map(json.loads, (knowledge / "questions.jsonl").read_text(encoding="utf-8").splitlines())
    assert line["question"] == "How many orders did people call off?"
    assert moving["counts_from"] == TODAY.isoformat()


async def test_on_a_telephone_all_of_what_saves_is_seen_when_it_opens(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url, width=390, height=844) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        field = await edit(await chat.ask("How many orders were placed in 2025?"))
        await field.fill("SELECT status, COUNT(*) AS orders FROM orders GROUP BY status")
        await field.press("Control+Enter")
        answer = await chat.answer(1)  # No next questions stand below it.
        await expect(answer.chart).to_be_visible()
        await answer.receipt.get_by_role("button", name="Save as reviewed").click()
        button = answer.root.locator(".qs-save").get_by_role("button", name="Cancel")
        await chat.is_still(button)
        assert await button.evaluate(IS_SEEN), "the field for the next question lies over it"


async def test_with_a_login_only_reviewers_may_save(browser: Browser, built_home: Path, tmp_path: Path) -> None:
    more = {"QUAESTOR_KNOWLEDGE": str(tmp_path / "knowledge"), "QUAESTOR_REVIEWERS": "ann"}
    with serve(copied_home(built_home, tmp_path), QUAESTOR_USERS="ann:plum,bob:pear", **more) as served:
        for name, password, offered in (("ann", "plum", 1), ("bob", "pear", 0)):
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(served.url)
            chat = ChatPage(page)
            await chat.sign_in(name, password)
            await chat.is_ready()
            answer = await chat.ask("How many orders were cancelled?")
            await expect(answer.receipt.get_by_role("button", name="Details")).to_be_visible()
            await expect(answer.receipt.get_by_role("button", name="Save as reviewed")).to_have_count(offered)
            await context.close()


async def test_what_the_glossary_took_a_word_to_mean_is_said(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "glossary.md").write_text("- takings = revenue\n")
    with serve(copied_home(built_home, tmp_path), QUAESTOR_KNOWLEDGE=str(tmp_path / "knowledge")) as served:
        async with opened(browser, served.url) as page:
            chat = ChatPage(page)
            await chat.is_ready()
            answer = await chat.ask("What were our takings in 2025?")
            await expect(answer.root.locator(".qs-assumed")).to_contain_text(
                "By the glossary, “takings” means “revenue”."
            )
