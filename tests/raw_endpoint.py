"""A server of bare bytes: what it says to each request is the test's, HTTP or not."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext, SSLError
from typing import Any

CLOSE = b""
"""Among the pieces of a reply: the connection is closed here."""

Piece = bytes | asyncio.Event
"""What is said, or what is waited for before more is."""


def reply(body: object, status: str = "200 OK", **headers: str) -> bytes:
    """Return a whole reply of HTTP/1.1; a name's underscores are hyphens in the header."""
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(written)}\r\n{named}\r\n".encode() + written


def completion(text: object, finish: str | None = "stop", **message: object) -> dict[str, Any]:
    """Return the JSON of an answer."""
    said = {"role": "assistant", "content": text, **message}
    return {"choices": [{"index": 0, "message": said, "finish_reason": finish}], "usage": {"total_tokens": 3}}


@dataclass
class RawEndpoint:
    """Says `script`, a reply in pieces for each request, then `always` to every other; None says nothing.

    `always` may be a function of the request's body.
    """

    port: int = 0
    scheme: str = "http"
    script: deque[Sequence[Piece] | None] = field(default_factory=deque)
    always: list[bytes] | Callable[[dict[str, Any]], bytes] | None = field(
        default_factory=lambda: [reply(completion("well"))]
    )
    heads: list[str] = field(default_factory=list)
    """The requests that came in, without their bodies."""
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request is here."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client has closed its connection."""

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1"

    def will_say(self, *replies: Sequence[Piece] | bytes | None) -> None:
        self.script.extend([said] if isinstance(said, bytes) else said for said in replies)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        self.left.set()
        writer.close()
        with suppress(ConnectionError, SSLError):
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = next(line for line in head.splitlines() if line.startswith("Content-Length: "))
        self.bodies.append(await reader.readexactly(int(size.partition(" ")[2])))
        self.heads.append(head)
        self.asked.set()
        said = self.script.popleft() if self.script else self.always
        for piece in [said(json.loads(self.bodies[-1]))] if callable(said) else said or ():
            if piece is CLOSE:
                return False
            if isinstance(piece, asyncio.Event):
                await piece.wait()
                continue
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return True


@asynccontextmanager
async def raw_endpoint(tls: SSLContext | None = None) -> AsyncIterator[RawEndpoint]:
    """Yield a running one on a free port; at its end every client has gone."""
    endpoint = RawEndpoint(scheme="https" if tls else "http")
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        await endpoint.serve(reader, writer)
        serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()
        if serving:
            await asyncio.wait(serving, timeout=5)
