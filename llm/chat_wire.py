"""Reads a stream at leisure: its first token at once, then whatever came within each interval."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx2
import openai

from llm.chat_events import Event, Events
from llm.chat_gather import Gathered

INTERVAL_LONGEST = 1.0
INTERVALS_PER_LAG = 5.0
"""An interval is at least this many times as long as the event loop is late: a busy loop sends fewer, larger chunks."""
LAG_SMOOTHING = 0.1

PIECE_BYTES = 16 * 1024
"""What the SDK's transport hands over at once; a piece this large may have left another one behind."""
DRAIN_SECONDS = 0.1
"""How long the end of the body may take after [DONE]; a body read to its end gives its connection back."""


class Interval:
    """How long tokens are gathered: `base` seconds, and up to a second while the event loop is late.

    All streams of a model share one, and tell it how late they woke up.
    """

    def __init__(self, base: float) -> None:
        self._base = base
        self._lag = 0.0

    @property
    def seconds(self) -> float:
        return max(self._base, min(INTERVAL_LONGEST, INTERVALS_PER_LAG * self._lag))

    def woke(self, late: float) -> None:
        """Learn from a timer that fired `late` seconds after its time."""
        self._lag += (max(late, 0.0) - self._lag) * LAG_SMOOTHING


@dataclass(frozen=True)
class Patience:
    """How long a stream may take."""

    end: float
    """When it must be over, on the event loop's clock."""
    idle: float
    """Seconds for one silence after it has begun. Comments that keep the connection alive do not break a silence."""


async def arriving(
    response: httpx2.Response, gathered: Gathered, interval: Interval, patience: Patience
) -> AsyncGenerator[list[Event]]:
    """Yield what the stream brings, gathered; closes the response at the end.

    Between two readings it rests, while the transport collects: nobody is woken for a single token. Raises
    TimeoutError when patience ends, openai.APIError for a fault that the endpoint reports, openai.APIConnectionError
    for a connection that breaks off, and ValueError for what is no event.
    """
    clock = asyncio.get_running_loop().time
    events, rest = Events(), _Rest(response)
    limit, is_over = patience.end, False
    try:
        async with aclosing(_pieces(response)) as pieces:
            while not is_over:
                if clock() >= patience.end:
                    raise TimeoutError  # What is there already is read without waiting, and only a wait is timed out.
                async with asyncio.timeout_at(limit):
                    piece = await anext(pieces, None)
                has_arrived, fault = _gather(events, piece, gathered, response)
                is_over = piece is None or events.has_ended or fault is not None
                if (gathered.has_something or is_over) and (taken := gathered.take()):
                    yield taken
                    if not is_over and len(piece or b"") < PIECE_BYTES:
                        await rest.rest(interval)
                if fault is not None:
                    raise fault
                if has_arrived:
                    limit = min(patience.end, clock() + patience.idle)
            await _drain(pieces)
    finally:
        await response.aclose()


def _gather(
    events: Events, piece: bytes | None, gathered: Gathered, response: httpx2.Response
) -> tuple[bool, Exception | None]:
    """Return whether the piece made an event whole, and what is wrong with it: what came before that still counts."""
    has_arrived = False
    try:
        for event in events.end() if piece is None else events.feed(piece):
            has_arrived = True
            if error := event.get("error"):
                raise openai.APIError("The endpoint reported an error.", response.request, body=error)
            gathered.add(event)
    except Exception as fault:
        return has_arrived, fault
    return has_arrived, None


async def _pieces(response: httpx2.Response) -> AsyncGenerator[bytes]:
    """Yield the body, in the SDK's own words where it fails."""
    try:
        async with aclosing(response.aiter_bytes()) as pieces:
            async for piece in pieces:
                yield piece
    except httpx2.TimeoutException as error:
        raise openai.APITimeoutError(request=response.request) from error
    except httpx2.RequestError as error:
        raise openai.APIConnectionError(request=response.request) from error


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    with suppress(TimeoutError, openai.APIConnectionError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in pieces:
                pass


class _Rest:
    """Rests between two readings of a body; its end ends the rest."""

    def __init__(self, response: httpx2.Response) -> None:
        self._woken: asyncio.Future[None] | None = None
        self._is_over = False
        if reader := reader_of(response):
            reader.on_eof(self._end)

    async def rest(self, interval: Interval) -> None:
        if self._is_over:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + interval.seconds
        self._woken = loop.create_future()
        timer = loop.call_at(due, self._wake)
        try:
            await self._woken
        finally:
            timer.cancel()
        if not self._is_over:
            interval.woke(loop.time() - due)

    def _end(self) -> None:
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)


def reader_of(response: httpx2.Response) -> aiohttp.StreamReader | None:
    """Return aiohttp's reader under the SDK's response, which knows when the body has ended.

    None where another transport is under it, or the SDK has changed: then an answer's end waits for an interval's.
    """
    stream: Any = response.stream
    stream = getattr(stream, "_stream", stream)
    content = getattr(getattr(stream, "_aiohttp_response", None), "content", None)
    return content if isinstance(content, aiohttp.StreamReader) else None
