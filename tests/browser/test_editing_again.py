"""SQL is edited in a conversation that is taken up again from the history, for the question that was asked there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import copied_home, serve
from tests.browser.test_editing import CANCELLED, NOTE, edit
from tests.browser.test_history import is_kept
from tests.servers import new_history

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def edited_history_url(postgres_url: str) -> str:
    return new_history(postgres_url)


async def test_an_answer_of_the_history_is_edited_and_saved_by_another_server(
    browser: Browser, built_home: Path, tmp_path: Path, edited_history_url: str
) -> None:
    home, knowledge = copied_home(built_home, tmp_path), tmp_path / "knowledge"
    login = {"QUAESTOR_USERS": "ann:plum", "QUAESTOR_REVIEWERS": "ann", "DATABASE_URL": edited_history_url}
    context = await browser.new_context()
    page = await context.new_page()
    with serve(home, QUAESTOR_KNOWLEDGE=str(knowledge), **login) as served:
        await page.goto(served.url)
        chat = ChatPage(page)
        await chat.sign_in("ann", "plum")
        await chat.is_ready()
        await chat.ask(CANCELLED)
        await is_kept(edited_history_url, elements=3)
        thread = page.url.rsplit("/", 1)[-1]
        cookies = await context.cookies()
        assert cookies
    with serve(home, QUAESTOR_KNOWLEDGE=str(knowledge), **login) as served:
        await page.goto(f"{served.url}/thread/{thread}")
        chat = ChatPage(page)
        first = await chat.answer(0)
        field = await edit(first)
        await field.fill((await field.input_value()).replace("'cancelled'", "'completed'"))
        await field.press("Control+Enter")
        second = await chat.answer(1)
        await expect(second.root).to_contain_text(NOTE)
        assert "'completed'" in await second.sql()
        await second.receipt.get_by_role("button", name="Save as reviewed").click()
        form = second.root.locator(".qs-save")
        await expect(form.get_by_role("textbox")).to_have_value(CANCELLED)
        await form.get_by_role("button", name="Save").click()
        await expect(second.receipt.get_by_role("status")).to_contain_text("Saved as reviewed")
        third = await chat.ask("and by store?")
        await expect(third.root).to_contain_text("that a person edited in the SQL before hold here")
        assert "'completed'" in await third.sql()
        again = await chat.ask(CANCELLED)
        await expect(again.receipt).to_contain_text("Reviewed SQL")
        await page.reload()
        kept = await chat.answer(1)
        await expect(kept.root).to_contain_text(NOTE)
        assert CANCELLED in await kept.understood()
    await context.close()
    [line] = (knowledge / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["question"] == CANCELLED
    assert json.loads(line)["by"] == "ann"
