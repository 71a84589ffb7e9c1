"""What a page sends that is no question of today, and what it leaves undone: the real server, with a history."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx

from tests.browser.conftest import Served
from tests.login_fixture import joined
from tests.test_chat_intruder import bob, history, served

__all__ = ["bob", "history", "served"]

TOLD: tuple[Any, ...] = (None, "", 7, [], {}, {"message": None}, {"message": {"id": 7}})
"""What no page tells with an event."""


async def test_a_page_that_breaks_off_while_it_comes_takes_over_nothing_from_itself(
    bob: httpx.AsyncClient, served: Served
) -> None:
    before = len(served.log.read_text())
    for milliseconds in range(0, 40, 2):
        async with joined(bob, thread=str(uuid.uuid4()), breaks_off=True):
            await asyncio.sleep(milliseconds / 1_000)
    async with joined(bob):
        assert "Traceback" not in served.log.read_text()[before:]


async def test_what_no_page_sends_is_a_line_in_the_log(bob: httpx.AsyncClient, served: Served) -> None:
    before = len(served.log.read_text())
    async with joined(bob) as page:
        for event in ("client_message", "edit_message", "chat_settings_change", "audio_chunk", "message_favorite"):
            for told in TOLD:
                await page.socket.emit(event, told)
        await page.send("Which product has the lowest price?")
        await page.until("task_end")
    logged = served.log.read_text()[before:]
    assert "a page sent a client_message that no page sends" in logged
    assert "Traceback" not in logged


async def test_a_changed_question_that_the_server_has_forgotten_is_asked_anew(bob: httpx.AsyncClient) -> None:
    async with joined(bob) as page:
        await page.send("Which product has the lowest price?", event="edit_message")
        async with asyncio.timeout(30):
            while "has the lowest price" not in str(await page.events.get()):
                pass
