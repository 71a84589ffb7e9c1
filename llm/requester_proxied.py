"""Posts bytes to one address through a proxy: over aiohttp, which knows how."""

from __future__ import annotations

import aiohttp
from yarl import URL

from llm.pool_faults import CallFailed, classify
from llm.requester_wire import HINTS, KEPT_SECONDS, LARGEST, Reply
from llm.wire import breakage_of, certificates, whole


class ProxiedWire:
    """One address, and the connections to it. It belongs to the event loop in which it was made."""

    def __init__(self, url: str, headers: dict[str, str], *, proxy: str, seconds: float) -> None:
        """Take what `requester_wire.Wire` takes, and the proxy's URL, which may hold a user and a password."""
        self._url, self._proxy = URL(url), URL(proxy)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=certificates(), keepalive_timeout=KEPT_SECONDS),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def post(self, body: bytes) -> Reply:
        """Return the reply; raises CallFailed where none came within the time limit. A redirect is not followed."""
        try:
            async with self._session.post(self._url, data=body, proxy=self._proxy, allow_redirects=False) as reply:
                told = [(name.lower(), value) for name, value in reply.raw_headers]
                hints = {HINTS[name]: value.decode("latin-1") for name, value in told if name in HINTS}
                is_short = (reply.content_length or LARGEST) < LARGEST
                return Reply(reply.status, hints or None, await (reply.read() if is_short else whole(reply)))
        except (aiohttp.ClientError, OSError) as error:
            raise CallFailed(classify(breakage_of(error))) from None

    async def close(self) -> None:
        """Close every connection; whoever still waits for a reply is told that the connection broke off."""
        await self._session.close()
