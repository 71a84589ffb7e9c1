"""The history: what was asked and answered is there again, with its evidence, in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import copied_home, serve
from tests.servers import new_history

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def history_url(postgres_url: str) -> str:
    """A database of its own with the schema that deploy/ ships."""
    return new_history(postgres_url)


async def test_a_conversation_can_be_taken_up_again_with_its_evidence(
    browser: Browser, built_home: Path, tmp_path: Path, history_url: str
) -> None:
    home = copied_home(built_home, tmp_path)
    with serve(home, QUAESTOR_USERS="ann:plum", DATABASE_URL=history_url) as served:
        page = await browser.new_page()
        await page.goto(served.url)
        chat = ChatPage(page)
        await chat.sign_in("ann", "plum")
        await chat.is_ready()
        asked = await chat.ask("Which five products earned the most last quarter?")
        await expect(asked.rows).to_have_count(5)
        rows = await asked.rows.all_inner_texts()
        await expect(page).to_have_url(re.compile("/thread/"))
        await expect(asked.root.locator(".positive-feedback-off")).to_be_visible()
        await is_kept(history_url, elements=4)

        await page.reload()
        again = await chat.answer()
        await expect(again.rows).to_have_count(5)
        assert await again.rows.all_inner_texts() == rows
        await expect(again.chart).to_be_visible()
        await expect(again.followups).to_have_count(3)
        await again.root.get_by_role("button", name="How was this worked out?").click()
        await expect(again.root.locator(".qs-step").last).to_contain_text("Keep the first 5 rows.")
        second = await chat.ask("and by store?")
        assert "store" in (await second.sql()).lower()
        await page.close()


async def test_a_thumbs_down_becomes_a_case_to_be(
    browser: Browser, built_home: Path, tmp_path: Path, history_url: str
) -> None:
    home = copied_home(built_home, tmp_path)
    with serve(home, QUAESTOR_USERS="ann:plum", DATABASE_URL=history_url) as served:
        page = await browser.new_page()
        await page.goto(served.url)
        chat = ChatPage(page)
        await chat.sign_in("ann", "plum")
        await chat.is_ready()
        asked = await chat.ask("How many customers are there?")
        sql = await asked.sql()
        await is_kept(history_url, elements=2)
        await asked.root.locator(".negative-feedback-off").click()
        await page.locator("#feedback textarea, [role=dialog] textarea").fill("Only those who bought")
        async with page.expect_response(lambda response: response.url.endswith("/feedback")):
            await page.locator("#submit-feedback").click()
        await page.close()
    [line] = (home / "doubtful.jsonl").read_text(encoding="utf-8").splitlines()
    doubt = json.loads(line)
    assert datetime.fromisoformat(doubt.pop("when")).tzinfo is not None
    assert " ".join(doubt.pop("sql").split()) == " ".join(sql.split())
    assert doubt == {
        "question": "How many customers are there?",
        "comment": "Only those who bought",
        "database": "sample",
    }


async def is_kept(history_url: str, elements: int) -> None:
    """Wait until the answer's elements have been written: Chainlit writes behind the answer."""
    async with await psycopg.AsyncConnection.connect(history_url, autocommit=True) as connection, asyncio.timeout(15):
        while True:
            cursor = await connection.execute('SELECT COUNT(*) FROM "Element"')
            if (await cursor.fetchone() or (0,))[0] >= elements:
                return
            await asyncio.sleep(0.05)
