"""A stand-in for many model endpoints at once, so lean that the requester is measured and not its server.

It answers `POST /v1/chat/completions` with a small whole completion, which repeats the number that the request names
(`#000000042`), and counts what comes in at each port. `GET /counts` tells the counts.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Annotated, Any, cast

import httptools
import typer
import uvloop

from benchmarks.bench_servers import LOOPBACK

PATH = b"/v1/chat/completions"
MODEL = "stand-in"
DIGITS = 9
TICKS_PER_SECOND = 100
"""How finely requests are counted."""

_NUMBER = re.compile(rb"#(\d{%d})" % DIGITS)
_COMPLETION = json.dumps(
    {
        "id": "chatcmpl-%s",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "This is the answer to #%s."},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20},
    },
    separators=(",", ":"),
).encode()


def _response(status: bytes, body: bytes, headers: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
    return head % (status, len(body), headers) + body


def _refusal(status: bytes, message: str, headers: bytes = b"") -> bytes:
    return _response(status, json.dumps({"error": {"message": message, "type": "stand_in"}}).encode(), headers)


# The answer is put together from three pieces: its number is as long in every answer.
_BEFORE, _BETWEEN, _AFTER = _response(b"200 OK", _COMPLETION.replace(b"%s", b"0" * DIGITS)).split(b"0" * DIGITS)
_NO_NUMBER = b"0" * DIGITS
_RATE_LIMITED = _refusal(b"429 Too Many Requests", "Too many requests.")
_FAILED = _refusal(b"500 Internal Server Error", "It failed.")
_NOT_FOUND = _refusal(b"404 Not Found", "There is nothing at this path.")
_BAD_REQUEST = _refusal(b"400 Bad Request", "The request is not one for a chat completion.")


@dataclass(frozen=True)
class Manner:
    """How requests are met."""

    latency: float = 0.0
    """Seconds that every answer takes."""
    rate_limited: float = 0.0
    """The share of requests that are answered with 429."""
    failed: float = 0.0
    """The share that is answered with 500."""


class Tally:
    """What came in at one port."""

    def __init__(self, began: float) -> None:
        self._began = began
        self.ticks: list[int] = []
        """Requests for a completion, for each hundredth of a second since the server began."""
        self.statuses: Counter[int] = Counter()
        self.elsewhere = 0
        """Requests for another path."""
        self.connections = 0

    def count(self, now: float) -> None:
        tick = int((now - self._began) * TICKS_PER_SECOND)
        ticks = self.ticks
        if tick >= len(ticks):
            ticks.extend([0] * (tick + 1 - len(ticks)))
        ticks[tick] += 1

    def told(self) -> dict[str, Any]:
        return {
            "ticks": self.ticks,
            "statuses": dict(self.statuses),
            "elsewhere": self.elsewhere,
            "connections": self.connections,
        }


class Wheel:
    """Sends answers after the latency: they are due in the order in which they came, so one timer serves them all."""

    def __init__(self, latency: float, loop: asyncio.AbstractEventLoop) -> None:
        self._latency, self._loop = latency, loop
        self._waiting: deque[tuple[float, asyncio.Transport, bytes, bool]] = deque()

    def send(self, transport: asyncio.Transport, answer: bytes, is_last: bool) -> None:
        """Send the answer when it is due, and close the connection after the last one."""
        if not self._waiting:
            self._loop.call_later(self._latency, self._turn)
        self._waiting.append((self._loop.time() + self._latency, transport, answer, is_last))

    def _turn(self) -> None:
        waiting, now = self._waiting, self._loop.time()
        while waiting and waiting[0][0] <= now:
            _, transport, answer, is_last = waiting.popleft()
            if not transport.is_closing():
                transport.write(answer)
                if is_last:
                    transport.close()
        if waiting:
            self._loop.call_later(max(0.001, waiting[0][0] - now), self._turn)


class Endpoints:
    """All ports together: how they answer, and what came in at each."""

    def __init__(self, manner: Manner, loop: asyncio.AbstractEventLoop) -> None:
        self.manner = manner
        self.wheel = Wheel(manner.latency, loop) if manner.latency else None
        self.began = time.monotonic()
        self.tallies: dict[int, Tally] = {}
        self.proxied: dict[bytes, Tally] = {}
        """By the whole URL, which a proxy is asked for: each port is one, too, on the way to all of them."""
        self._random = Random(4)

    def told(self) -> dict[str, Any]:
        ports = {str(port): tally.told() for port, tally in self.tallies.items()}
        return {"ticks_per_second": TICKS_PER_SECOND, "now": time.monotonic() - self.began, "ports": ports}

    def completion(self, body: bytes, tally: Tally) -> bytes:
        """Return the response to a request for a completion, and count it."""
        tally.count(time.monotonic())
        manner = self.manner
        if manner.rate_limited or manner.failed:
            chance = self._random.random()
            if chance < manner.rate_limited:
                tally.statuses[429] += 1
                return _RATE_LIMITED
            if chance < manner.rate_limited + manner.failed:
                tally.statuses[500] += 1
                return _FAILED
        if not body.startswith(b"{") or b'"messages"' not in body:
            tally.statuses[400] += 1
            return _BAD_REQUEST
        tally.statuses[200] += 1
        found = _NUMBER.search(body)
        number = found[1] if found else _NO_NUMBER
        return b"".join((_BEFORE, number, _BETWEEN, number, _AFTER))


class Connection(asyncio.Protocol):
    """One connection: requests may come in pieces, one after the other, or several at once."""

    def __init__(self, endpoints: Endpoints, tally: Tally) -> None:
        self._endpoints, self._tally = endpoints, tally
        self._answers: list[bytes] = []
        self._is_last = False
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are transports without inheriting from it.
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)
        self._tally.connections += 1

    def connection_lost(self, error: Exception | None) -> None:
        # The parser keeps its protocol alive, and the collector is off.
        del self._parser

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._answers.append(_BAD_REQUEST)
            self._is_last = True
        if not self._answers:
            return
        answers = self._answers[0] if len(self._answers) == 1 else b"".join(self._answers)
        self._answers.clear()
        if self._endpoints.wheel:
            self._endpoints.wheel.send(self._transport, answers, self._is_last)
        else:
            self._transport.write(answers)
            if self._is_last:
                self._transport.close()

    # What the parser calls, in the order in which it does.

    def on_message_begin(self) -> None:
        self._path = self._body = b""

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self._is_last = True
        tally = self._tally if self._path == PATH else self._endpoints.proxied.get(self._path)
        if tally is not None and self._parser.get_method() == b"POST":
            self._answers.append(self._endpoints.completion(self._body, tally))
        elif self._path == b"/counts":
            self._answers.append(_response(b"200 OK", json.dumps(self._endpoints.told()).encode()))
        else:
            self._tally.elsewhere += 1
            self._answers.append(_NOT_FOUND)


@asynccontextmanager
async def serving_fast(ports: list[int], manner: Manner) -> AsyncIterator[Endpoints]:
    """Serve every port until the block is left."""
    loop = asyncio.get_running_loop()
    endpoints = Endpoints(manner, loop)
    async with AsyncExitStack() as servers:
        for port in ports:
            tally = endpoints.tallies[port] = Tally(endpoints.began)
            endpoints.proxied[b"http://%b:%d%b" % (LOOPBACK.encode(), port, PATH)] = tally
            server = await loop.create_server(partial(Connection, endpoints, tally), LOOPBACK, port, backlog=4096)
            await servers.enter_async_context(server)
        yield endpoints


def fast_model(
    ports: Annotated[str, typer.Option(help="Comma-separated; each is an endpoint.")],
    latency_ms: Annotated[float, typer.Option(min=0, help="What every answer takes.")] = 0.0,
    rate_limited: Annotated[float, typer.Option(min=0, max=1, help="The share answered with 429.")] = 0.0,
    failed: Annotated[float, typer.Option(min=0, max=1, help="The share answered with 500.")] = 0.0,
) -> None:
    """Serve it until it is stopped."""

    async def serve() -> None:
        async with serving_fast(
            [int(port) for port in ports.split(",")], Manner(latency_ms / 1e3, rate_limited, failed)
        ):
            # Nothing here is ever garbage in cycles.
            gc.disable()
            await asyncio.Event().wait()

    uvloop.run(serve())


if __name__ == "__main__":
    typer.run(fast_model)
