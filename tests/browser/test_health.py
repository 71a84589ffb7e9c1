"""What stands beside the chat, at the real server."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.async_api import Browser

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Served, opened

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
    assert answered(offline) == before + 2, "what the chat asks is counted where the API's questions are"


def test_the_description_holds_our_own_paths_alone(offline: Served) -> None:
    described = httpx.get(f"{offline.url}/openapi.json").json()
    assert set(described["paths"]) == {"/api/ask", "/api/breakdown", "/healthz", "/readyz", "/metrics"}


def test_what_the_api_does_not_know_is_not_answered_with_the_chats_page(offline: Served) -> None:
    assert httpx.get(f"{offline.url}/api/nothing").json()["detail"].startswith("There is nothing here.")
    assert "<title>" in httpx.get(f"{offline.url}/nothing").text
