"""The history: what was asked and answered is there again, with its evidence, in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path

import psycopg
import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import ROOT, copied_home, serve

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def history_url(postgres_url: str) -> str:
    """A database of its own with the schema that deploy/ ships."""
    name = f"history_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = re.sub(r"/postgres(?=\?|$)", f"/{name}", postgres_url)
    with psycopg.connect(url) as connection:
        connection.execute((ROOT / "deploy" / "history.sql").read_text())
    return url


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
        rows = await asked.rows.all_inner_texts()
        await expect(page).to_have_url(re.compile("/thread/"))
        await expect(asked.root.locator(".positive-feedback-off")).to_be_visible()
        await _is_kept(history_url)

        await page.reload()
        again = await chat.answer()
        assert await again.rows.all_inner_texts() == rows
        await expect(again.chart).to_be_visible()
        await expect(again.followups).to_have_count(3)
        second = await chat.ask("and by store?")
        assert "store" in (await second.sql()).lower()
        await page.close()


async def _is_kept(history_url: str) -> None:
    """Wait until the answer's three elements have been written: Chainlit writes behind the answer."""
    async with await psycopg.AsyncConnection.connect(history_url, autocommit=True) as connection, asyncio.timeout(15):
        while True:
            cursor = await connection.execute('SELECT COUNT(*) FROM "Element"')
            if (await cursor.fetchone() or (0,))[0] >= 3:
                return
            await asyncio.sleep(0.05)
