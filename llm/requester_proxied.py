"""Posts bytes to one address through a proxy: over aiohttp, which knows how."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from yarl import URL

from llm.pool_faults import Breakage, CallFailed, classify
from llm.requester_wire import HINTS, KEPT_SECONDS, LARGEST, LOOKS, Reply
from llm.wire import breakage_of, certificates, whole


class ProxiedWire:
    """One address, and the connections to it. It belongs to the event loop in which it was made."""

    def __init__(self, url: str, headers: dict[str, str], *, proxy: str, seconds: float) -> None:
        """Take what `requester_wire.Wire` takes, and the proxy's URL, which may hold a user and a password."""
        self._url, self._proxy, self._seconds = URL(url), URL(proxy), seconds
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=certificates(), keepalive_timeout=KEPT_SECONDS),
            headers=headers,
            # A timer for each request is a twentieth of what it costs; here one looks at all of them.
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._loop = asyncio.get_running_loop()
        self._began: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._timer = self._loop.call_later(seconds / LOOKS, self._look)

    async def post(self, body: bytes) -> Reply:
        """Return the reply, as `requester_wire.Wire` does; one task makes one request at a time."""
        task = asyncio.current_task()
        assert task is not None
        self._began[task] = self._loop.time()
        try:
            async with self._session.post(self._url, data=body, proxy=self._proxy, allow_redirects=False) as reply:
                told = [(name.lower(), value) for name, value in reply.raw_headers]
                hints = {HINTS[name]: value.decode("latin-1") for name, value in told if name in HINTS}
                is_short = (reply.content_length or LARGEST) < LARGEST
                return Reply(reply.status, hints or None, await (reply.read() if is_short else whole(reply)))
        except (aiohttp.ClientError, OSError) as error:
            raise CallFailed(classify(breakage_of(error))) from None
        except asyncio.CancelledError:
            # As asyncio.timeout tells its own cancellation from another one that came meanwhile.
            if task not in self._late or task.uncancel():
                raise
            raise CallFailed(classify(Breakage.TIMEOUT)) from None
        finally:
            del self._began[task]
            self._late.discard(task)

    def _look(self) -> None:
        """End the requests that take too long."""
        self._timer = self._loop.call_later(self._seconds / LOOKS, self._look)
        late = self._loop.time() - self._seconds
        for task, began in self._began.items():
            if began <= late and task not in self._late:
                self._late.add(task)
                task.cancel()

    async def close(self) -> None:
        """Close every connection; whoever still waits for a reply is told that the connection broke off."""
        self._timer.cancel()
        await self._session.close()
