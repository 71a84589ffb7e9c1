"""Sends JSON to endpoints over one HTTP session, and tells every failure as the pool understands it."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp
import httpx2
from asyncer import asyncify
from yarl import URL

from endpoints import Endpoint, is_address
from errors import SettingsInvalid
from llm.pool_faults import Breakage, CallFailed, Fault, classify
from llm.wire_proxies import check_proxies, proxy_of

CONNECT_SECONDS = 5.0
ANSWER_LARGEST = 16 * 2**20
"""Bytes of an answer; one that is longer has no end."""
COMPLAINT_BYTES = 65_536
COMPLAINT_SECONDS = 2.0
"""How much of a refusal is read, and how long: its status alone says the most."""


class Wire:
    """Posts to endpoints; `open_wire` makes one. It belongs to the event loop in which it was made."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._proxy_of = cache(proxy_of)

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes) -> aiohttp.ClientResponse:
        """Return the reply, whose body is a stream, once its headers are here; whoever has it must close it.

        It sets no limit to how long that takes. Raises CallFailed.
        """
        reply = await self._send("POST", url, headers, body)
        if reply.content_type == "application/json":  # It was asked for events, and says why there are none.
            raise CallFailed(_fault_in(_parsed(await _beginning(reply)), reply), reply.headers)
        return reply

    async def get(self, url: URL, headers: Mapping[str, str]) -> None:
        """Return when the address answers with a success; raises CallFailed."""
        (await self._send("GET", url, headers, None)).close()

    async def post_json(
        self, url: URL, headers: Mapping[str, str], body: bytes
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """Return the reply's JSON object, and its headers; raises CallFailed, also for anything else than an object."""
        reply = await self._send("POST", url, headers, body)
        try:
            raw = await whole(reply)
        except (aiohttp.ClientError, OSError) as error:
            raise CallFailed(classify(breakage_of(error))) from None
        finally:
            reply.close()
        answer = _parsed(raw)
        if answer is None or answer.get("error"):  # Some that fail say so in the body alone.
            raise CallFailed(_fault_in(answer, reply), reply.headers)
        return answer, reply.headers

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None
    ) -> aiohttp.ClientResponse:
        try:
            # Whoever is redirected sends the key along: an address is right, or it is mended in the settings.
            reply = await self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False, proxy=self._proxy_of(str(url.origin()))
            )
        except (aiohttp.ClientError, OSError) as error:
            raise CallFailed(classify(breakage_of(error))) from None
        if reply.ok and reply.status < 300:
            return reply
        raise CallFailed(classify(reply.status, await _beginning(reply)), reply.headers)


async def whole(reply: aiohttp.ClientResponse) -> bytes:
    """Return the body; raises CallFailed for one without an end, and whatever reading raises."""
    pieces, size = [], 0
    async for piece in reply.content.iter_any():
        pieces.append(piece)
        if (size := size + len(piece)) > ANSWER_LARGEST:
            raise CallFailed(classify(Breakage.GARBLED))
    return b"".join(pieces)


async def _beginning(reply: aiohttp.ClientResponse) -> bytes:
    """Return what there is soon of a body that holds no answer."""
    try:
        with suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(COMPLAINT_SECONDS):
                return await reply.content.read(COMPLAINT_BYTES)
    finally:
        reply.close()
    return b""


def _parsed(raw: bytes) -> dict[str, Any] | None:
    """Return the JSON object, or None where it is none."""
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _fault_in(answer: dict[str, Any] | None, reply: aiohttp.ClientResponse) -> Fault:
    return classify(reply.status, answer) if answer and answer.get("error") else classify(Breakage.GARBLED)


@asynccontextmanager
async def open_wire(connect: float = CONNECT_SECONDS) -> AsyncIterator[Wire]:
    """Yield a wire; its connections close at the end. `connect` is the seconds that a connection may take.

    Raises SettingsInvalid where the environment names a proxy or certificates that cannot be used.
    """
    check_proxies()
    verified_by = await asyncify(certificates)()
    async with aiohttp.ClientSession(
        # How many may be under way is the pool's to say, and the line's before the questions.
        connector=aiohttp.TCPConnector(limit=0, ssl=verified_by),
        timeout=aiohttp.ClientTimeout(total=None, connect=connect, sock_read=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Its own way to the environment's proxies takes two threads for each request, and reads ~/.netrc.
        trust_env=False,
    ) as session:
        yield Wire(session)


@cache
def certificates() -> ssl.SSLContext:
    """Return what certificates are checked against: what the SDK's client takes, which finds more than Python does.

    Raises SettingsInvalid where the environment names some that cannot be read.
    """
    try:
        return httpx2.create_ssl_context()
    except OSError:
        raise SettingsInvalid(
            "SSL_CERT_FILE or SSL_CERT_DIR names certificates that cannot be read: name a PEM file, or unset it."
        ) from None


def breakage_of(error: Exception) -> Breakage:
    """Return how a request broke, of what aiohttp or the socket raised."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return Breakage.CERTIFICATE
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.ClientHttpProxyError():
            return Breakage.CONNECT
        case TimeoutError():
            return Breakage.TIMEOUT
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL():
            return Breakage.GARBLED
        case _:
            return Breakage.RESET


def without_credentials(endpoint: Endpoint) -> tuple[str, str | None]:
    """Return the address without its user and password, and these as a Basic header: HTTP clients log addresses.

    Raises SettingsInvalid for what is no address.
    """
    if not is_address(endpoint.base_url):
        where = endpoint.settings.base_url
        raise SettingsInvalid(f"{where} is no address: write it like http://localhost:11434/v1.")
    parts = urlsplit(endpoint.base_url.strip())
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit(parts._replace(netloc=host)).rstrip("/")
    if parts.username is None:
        return url, None
    both = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return url, "Basic " + base64.b64encode(both.encode()).decode()
