"""Opens a chat page's connection and asks on it as a browser does, at a small part of a browser's cost.

It speaks engine.io 4 and socket.io 5 over one websocket: `0` opens, `2` and `3` are ping and pong, `40` joins, `41`
leaves, `42["event", …]` tells an event, `43` acknowledges one. Frames are searched, never parsed.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp

from benchmarks.measures import Visit

SOCKET = "/ws/socket.io/?EIO=4&transport=websocket"

_CLOSING = aiohttp.ClientWSTimeout(ws_close=2.0)

SPOKEN = frozenset({"stream_start", "stream_token", "new_message", "update_message"})
"""The events that may bring words of an answer."""

_STAMP = re.compile(r"t(\d{8,16})(?!\d)")
_OWN = re.compile(r"\bm(\d+) t\d{8}")
_COMING = re.compile(r'"coming":\s?(true|false)')
_STATUS = re.compile(r'"status":\s?"(declined|refused|failed|stopped)"')


class PageGone(Exception):
    """The page has no connection (any more)."""


class Stamps:
    """Reads the stand-in model's stamps in the words that arrive; a text that is sent again counts once."""

    def __init__(self, visit: Visit, intended: float) -> None:
        """Take the moment at which the question was meant to be asked, in seconds of the monotonic clock."""
        self._visit, self._intended = visit, intended
        self._last = 0

    def read(self, text: str) -> None:
        found = [int(stamp) for stamp in _STAMP.findall(text)]
        if not found or found[-1] <= self._last:
            return
        now = time.monotonic()
        if self._visit.first_token is None:
            self._visit.first_token = 1e3 * (now - self._intended)
            own = _OWN.search(text)
            self._visit.own = float(own[1]) if own else None
        self._visit.transits.extend(1e3 * now - stamp / 1e3 for stamp in found if stamp > self._last)
        self._last = found[-1]


class Page:
    """An open page; `open_page` makes one."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def ask(self, visit: Visit, intended: float) -> None:
        """Ask a question, read until nothing more of it comes, and note how it went. Raises PageGone.

        Where an app takes the next question before that, its work still goes on: the question has not ended.
        """
        message = {
            "id": str(uuid.uuid4()),
            "threadId": "",
            "name": "User",
            "type": "user_message",
            "output": visit.question,
            "createdAt": datetime.now(UTC).isoformat(),
        }
        await self._tell("client_message", {"message": message, "fileReferences": []})
        stamps, has_begun, is_coming = Stamps(visit, intended), False, False
        while visit.may_ask is None or is_coming:
            name, frame = await self._event()
            if name in SPOKEN:
                stamps.read(frame)
                # The run that answers names our message as its parent. What greets us may still be at work beside it,
                # and says when it begins and ends, too.
                has_begun = has_begun or message["id"] in frame
            elif name == "task_end" and has_begun:
                visit.may_ask = 1e3 * (time.monotonic() - intended)
            elif name == "element":
                if coming := _COMING.search(frame):
                    is_coming = coming[1] == "true"
                if status := _STATUS.search(frame):
                    visit.failure = status[1]
        visit.whole = 1e3 * (time.monotonic() - intended)
        if visit.failure is None and visit.first_token is None:
            visit.failure = "no answer"

    async def wait(self, until: float) -> None:
        """Stay on the page without asking, until a moment of the monotonic clock. Raises PageGone."""
        while (left := until - time.monotonic()) > 0:
            try:
                await self._frame(left)
            except TimeoutError:
                return

    async def join(self) -> None:
        """Do what a page does when it opens, until the server is ready for a question. Raises PageGone."""
        await self._frame()
        session = {"sessionId": str(uuid.uuid4()), "clientType": "webapp", "userEnv": "{}"}
        await self._socket.send_str("40" + json.dumps({**session, "chatProfile": "", "threadId": ""}))
        if not (answer := await self._frame()).startswith("40"):
            raise PageGone(f"The server did not let us in: {answer[:200]}")
        await self._tell("connection_successful")
        while (await self._event())[0] != "task_end":
            pass

    async def _tell(self, *event: object) -> None:
        try:
            await self._socket.send_str("42" + json.dumps(event))
        except (ConnectionError, aiohttp.ClientError) as error:
            raise PageGone("The connection broke.") from error

    async def _event(self) -> tuple[str, str]:
        """Return the next event's name, and the frame that told it."""
        while True:
            frame = await self._frame()
            if not frame.startswith("42"):
                continue
            start = frame.index("[")
            if start > 2:  # The server waits for an acknowledgement.
                await self._socket.send_str(f"43{frame[2:start]}[]")
            return frame[start + 2 : frame.index('"', start + 2)], frame

    async def _frame(self, seconds: float | None = None) -> str:
        while True:
            message = await self._socket.receive(seconds)
            if message.type is aiohttp.WSMsgType.TEXT:
                frame: str = message.data
                if frame != "2":
                    return frame
                await self._socket.send_str("3")
            elif message.type is not aiohttp.WSMsgType.BINARY:
                raise PageGone("The connection ended.")


@asynccontextmanager
async def open_page(http: aiohttp.ClientSession, url: str) -> AsyncIterator[Page]:
    """Yield a page of the chat at `url`, ready for a question; it is closed like a browser's tab. Raises PageGone."""
    try:
        socket = await http.ws_connect(url.rstrip("/") + SOCKET, max_msg_size=0, timeout=_CLOSING)
    except (aiohttp.ClientError, OSError) as error:
        raise PageGone(f"No connection: {error}") from error
    async with socket:
        page = Page(socket)
        await page.join()
        yield page
