"""What stands beside the chat, at the real server."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Served, copied_home, opened, serve

COUNT = "How many customers are there?"


def answered(served: Served) -> float:
    metrics = httpx.get(f"{served.url}/metrics").text
    found = re.search(r'^quaestor_questions_total\{status="answered"\} (\S+)$', metrics, re.MULTILINE)
    assert found
    return float(found[1])


def asked(served: Served, question: str) -> str:
    return str(httpx.post(f"{served.url}/api/ask", json={"question": question}).json()["status"])


def test_a_server_that_is_up_says_that_it_is_well(offline: Served) -> None:
    # The chat's page answers on every path that is nobody's, so a status of 200 alone would say nothing.
    assert httpx.get(f"{offline.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{offline.url}/readyz").json()["status"] == "ready"


@pytest.mark.asyncio(loop_scope="session")
async def test_the_chat_and_the_api_ask_at_one_desk(browser: Browser, offline: Served) -> None:
    before = answered(offline)
    assert asked(offline, COUNT) == "answered"
    assert answered(offline) == before + 1
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        await chat.ask(COUNT)
    # It is counted when its next questions are there, too.
    async with asyncio.timeout(20):
        while answered(offline) != before + 2:  # noqa: ASYNC110  # What the chat asks is counted where the API's is.
            await asyncio.sleep(0.05)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_question_that_found_no_database_is_asked_again_with_a_click(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    home = copied_home(built_home, tmp_path)
    database, away = home / "sample.sqlite", tmp_path / "away.sqlite"
    with serve(home, QUAESTOR_DATABASE_URL=f"sqlite:///{database}") as served:
        async with opened(browser, served.url) as page:
            chat = ChatPage(page)
            await chat.is_ready()
            database.rename(away)
            failed = await chat.ask(COUNT)
            await failed.says("cannot be opened")
            await expect(failed.followups).to_have_text(["Ask again"])
            away.rename(database)
            await failed.followups.click()
            await (await chat.answer(1)).says("There are 1,900 customers")


def test_the_description_holds_our_own_paths_alone(offline: Served) -> None:
    described = httpx.get(f"{offline.url}/openapi.json").json()
    assert set(described["paths"]) == {"/api/ask", "/api/breakdown", "/healthz", "/readyz", "/metrics"}


def test_what_the_api_does_not_know_is_not_answered_with_the_chats_page(offline: Served) -> None:
    assert httpx.get(f"{offline.url}/api/nothing").json()["detail"].startswith("There is nothing here.")
    assert "<title>" in httpx.get(f"{offline.url}/nothing").text
