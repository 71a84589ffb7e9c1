"""Posts bytes to one address over connections that it keeps: HTTP/1.1 on the event loop itself, and little else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, cast
from urllib.parse import quote, urlsplit

import httptools

from llm.pool_faults import Breakage, CallFailed, classify

KEPT_SECONDS = 4.0
"""How long a connection may lie idle: servers that close theirs soonest (uvicorn, Node) do so after five."""
LARGEST = 64 * 2**20
"""Bytes of a reply; no answer is so long."""
LOOKS = 10
"""How often within the time limit the requests under way are looked at: one timer for all of them."""

_AS_THEY_ARE = "/?%:@!$&'()*+,;=~"
"""Characters of a path and a query that are not quoted (RFC 3986); what is quoted already stays so."""
_LIMITS = (f"x-ratelimit-{part}-{what}" for part in ("limit", "remaining", "reset") for what in ("requests", "tokens"))
HINTS = {name.encode(): name for name in ("retry-after", "retry-after-ms", *_LIMITS)}
"""The headers that say how long to wait, in small letters, as they come and as they are told."""


class Reply(NamedTuple):
    """What came back, whatever its status."""

    status: int
    headers: dict[str, str] | None
    """Those that say how long to wait, by their names in small letters; None where there are none."""
    body: bytes


class Wire:
    """One address and the connections to it. It belongs to the event loop in which it was made."""

    def __init__(self, url: str, headers: dict[str, str], *, seconds: float) -> None:
        """Take the whole URL, http or https, and the headers of every request; `seconds` are for one request."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._tls = _tls() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_AS_THEY_ARE)
        host = f"[{self._host}]" if ":" in self._host else self._host.encode("idna").decode()
        lines = {"Host": f"{host}:{parts.port}" if parts.port else host, **headers}
        written = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._head = f"POST {target} HTTP/1.1\r\n{written}Content-Length: ".encode("latin-1")
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._connections: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._timer = self._loop.call_later(seconds / LOOKS, self._look)

    def post(self, body: bytes) -> Awaitable[Reply]:
        """Return the reply; raises CallFailed where none came within the time limit, give or take a tenth.

        A redirect is a reply like any other, and is not followed.
        """
        began, idle = self._loop.time(), self._idle
        request = b"%b%d\r\n\r\n%b" % (self._head, len(body), body)
        # The last one lies idle for the shortest time: where it is too old, all are.
        if idle and began - idle[-1].since < KEPT_SECONDS:
            return idle.pop().send(request, began)
        return self._post_anew(request, began)

    async def _post_anew(self, request: bytes, began: float) -> Reply:
        connection = await self._connect()
        return await connection.send(request, began)

    def free(self, connection: _Connection) -> None:
        """The connection may be given another request."""
        self._idle.append(connection)

    async def _connect(self) -> _Connection:
        connection = _Connection(self._loop, self)
        with _translated():
            async with asyncio.timeout(self._seconds):
                await self._loop.create_connection(
                    lambda: connection,
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
        self._connections.add(connection)
        return connection

    def lost(self, connection: _Connection) -> None:
        """The connection is gone, whoever closed it."""
        self._connections.discard(connection)
        with suppress(ValueError):
            self._idle.remove(connection)

    def _look(self) -> None:
        """End the requests that take too long, and the connections that nobody has needed for a while."""
        self._timer = self._loop.call_later(min(self._seconds / LOOKS, 1.0), self._look)
        now = self._loop.time()
        late, unused = now - self._seconds, now - KEPT_SECONDS
        for connection in list(self._connections):
            if (waiter := connection.waiter) is not None:
                if waiter.cancelled():
                    connection.close()
                elif connection.since <= late:
                    connection.fail(Breakage.TIMEOUT)
            elif connection.since <= unused:
                connection.close()

    async def close(self) -> None:
        """Close every connection; whoever still waits for a reply is told that the connection broke off."""
        self._timer.cancel()
        for connection in list(self._connections):
            connection.fail(Breakage.RESET)
        # A transport lets go of its socket in the loop's next turn.
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    __slots__ = (
        "_ends_with_connection",
        "_headers",
        "_is_framed",
        "_loop",
        "_parser",
        "_pieces",
        "_size",
        "_transport",
        "_wire",
        "since",
        "waiter",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, wire: Wire) -> None:
        self._loop = loop
        self._wire = wire
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self.waiter: asyncio.Future[Reply] | None = None
        """Whom the reply is for; None between requests."""
        self.since = 0.0
        """When the request began, or the last one ended."""
        self._headers: dict[str, str] | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_framed = self._ends_with_connection = False

    def send(self, request: bytes, since: float) -> asyncio.Future[Reply]:
        """Send a request that began then; the reply, or CallFailed, will be in what comes back."""
        assert self._transport is not None
        self.waiter = waiter = self._loop.create_future()
        self.since = since
        self._transport.write(request)
        return waiter

    def fail(self, breakage: Breakage) -> None:
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(CallFailed(classify(breakage)))
        self.close()

    def close(self) -> None:
        self._wire.lost(self)
        if self._transport is not None:
            # What is left to be said on it concerns nobody any more, a TLS farewell included.
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports inherit nothing.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.fail(Breakage.GARBLED)

    def connection_lost(self, error: Exception | None) -> None:
        # A reply that says nothing of its length ends with the connection (RFC 9112, 6.3).
        if self.waiter is not None and error is None and self._ends_with_connection:
            self._reply(may_stay=False)
        self.fail(Breakage.RESET)

    # httptools

    def on_message_begin(self) -> None:
        self._headers, self._size = None, 0
        self._is_framed = self._ends_with_connection = False
        self._pieces.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in HINTS:
            if self._headers is None:
                self._headers = {}
            self._headers[HINTS[name]] = value.decode("latin-1")
        elif name in (b"content-length", b"transfer-encoding"):
            self._is_framed = True

    def on_headers_complete(self) -> None:
        self._ends_with_connection = not self._is_framed and self._parser.get_status_code() >= 200

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > LARGEST:
            self.fail(Breakage.GARBLED)

    def on_message_complete(self) -> None:
        # 100 and 103 only announce the reply.
        if self._parser.get_status_code() >= 200:
            self._reply(may_stay=self._parser.should_keep_alive())

    def _reply(self, *, may_stay: bool) -> None:
        waiter, self.waiter = self.waiter, None
        self._ends_with_connection = False  # A 204 says nothing of its length either, and has ended.
        if waiter is None or waiter.done():
            # Nobody waits for it, so what follows could not be trusted to be anybody's.
            self.close()
            return
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        waiter.set_result(Reply(self._parser.get_status_code(), self._headers, body))
        if may_stay:
            self.since = self._loop.time()
            self._wire.free(self)
        else:
            self.close()


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@contextmanager
def _translated() -> Iterator[None]:
    """Raise CallFailed for whatever keeps a connection from being made."""
    try:
        yield
    except TimeoutError:
        raise CallFailed(classify(Breakage.TIMEOUT)) from None
    except ssl.SSLCertVerificationError:
        raise CallFailed(classify(Breakage.CERTIFICATE)) from None
    except (OSError, ssl.SSLError, UnicodeError):
        raise CallFailed(classify(Breakage.CONNECT)) from None
