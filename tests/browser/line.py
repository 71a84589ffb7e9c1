"""The page's connection to its server, which a test may cut, or hold at a moment that passes too soon to be seen."""

from __future__ import annotations

import asyncio
import re
from functools import partial

from playwright.async_api import Page, WebSocketRoute


class Line:
    """The connection; what the server sends goes on to the page, unless it is held."""

    def __init__(self) -> None:
        self._ends: list[tuple[WebSocketRoute, WebSocketRoute]] = []
        self._opened = asyncio.Event()
        self._awaited: set[str] = set()
        """What has yet to pass before the rest is held."""
        self._is_held = False
        self._held: list[tuple[WebSocketRoute, str | bytes]] = []

    async def put_into(self, page: Page) -> None:
        """Become the connection of a page that is open; it is loaded anew."""
        await page.route_web_socket(re.compile("/ws/socket.io/"), self._take)
        await page.reload()

    def _take(self, page_end: WebSocketRoute) -> None:
        server_end = page_end.connect_to_server()
        server_end.on_message(partial(self._pass_on, page_end))
        self._ends.append((page_end, server_end))
        self._opened.set()

    def _pass_on(self, page_end: WebSocketRoute, message: str | bytes) -> None:
        if self._is_held:
            self._held.append((page_end, message))
            return
        page_end.send(message)
        passed = {words for words in self._awaited if words in str(message)}
        self._is_held = bool(passed) and passed == self._awaited
        self._awaited -= passed

    def hold_after(self, *words: str) -> None:
        """Let nothing more through when messages with each of these have passed, in whichever order."""
        self._awaited = set(words)

    def let_go(self) -> None:
        """Let through what was held."""
        self._is_held, held, self._held = False, self._held, []
        for page_end, message in held:
            page_end.send(message)

    async def cut(self) -> None:
        """Cut it, what is held included; it is open again when the page has noticed and come back."""
        self._opened.clear()
        self._is_held = False
        self._held.clear()
        while self._ends:
            for end in self._ends.pop():
                await end.close()

    async def is_back(self) -> None:
        async with asyncio.timeout(20):
            await self._opened.wait()
