"""Reads a stream at leisure: its first token at once, then whatever came within each interval."""

from __future__ import annotations

import asyncio
import math
import socket
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import aiohttp

from llm.chat_events import Event, Events
from llm.chat_gather import Gathered
from llm.pool_faults import Breakage, CallFailed, classify
from llm.wire import breakage_of

INTERVAL_LONGEST = 1.0
INTERVALS_PER_LAG = 5.0
"""An interval is at least this many times as long as the event loop is late: a busy loop sends fewer, larger chunks."""
LAG_SMOOTHING = 0.1

ENOUGH = 64 * 1024
"""Bytes that are read before the interval is over: a fast stream does not wait in the kernel."""

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

    async def rest(self) -> None:
        """Let about an interval pass, and learn from how late the timer fires."""
        clock = asyncio.get_running_loop().time
        now = clock()
        due = self.tick_after(now)
        await asyncio.sleep(due - now)
        self.woke(clock() - due)

    def tick_after(self, now: float) -> float:
        """Return when to read next: of the ticks that all streams share, the one nearest to an interval from now.

        What one stream's piece has used is still in the processor's caches for the next one's: one that comes alone
        costs several times as much.
        """
        seconds = self.seconds
        return seconds * math.ceil(now / seconds + 0.5)

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
    reply: aiohttp.ClientResponse, gathered: Gathered, interval: Interval, patience: Patience
) -> AsyncGenerator[list[Event]]:
    """Yield what the stream brings, gathered; closes the reply at the end.

    Between two readings it rests, and the kernel collects: the event loop is not woken for a single token. Raises
    CallFailed when patience ends, for a fault that the endpoint reports, for a connection that breaks off, and for
    what is no event.
    """
    clock = asyncio.get_running_loop().time
    events = Events()
    limit, is_over = patience.end, False
    if (connection := reply.connection) and (transport := connection.transport):
        # The end may come during a rest, and then the next request has the connection before the rest is over.
        connection.add_callback(partial(_hear, transport))
    try:
        while not is_over:
            if clock() >= patience.end:
                # What is there already is read without waiting, and only a wait is timed out.
                raise CallFailed(classify(Breakage.TIMEOUT))
            piece = await _next_piece(reply.content, limit)
            has_arrived, fault = _gather(events, piece, gathered)
            is_over = not piece or events.has_ended or fault is not None
            if (gathered.has_something or is_over) and (taken := gathered.take()):
                with _unheard(reply) as has_more:
                    yield taken
                    if has_more and not is_over:
                        await interval.rest()
            if fault is not None:
                raise fault
            if has_arrived:
                limit = min(patience.end, clock() + patience.idle)
        await _drain(reply.content)
    finally:
        reply.close()


async def _next_piece(content: aiohttp.StreamReader, limit: float) -> bytes:
    """Return what has come, waiting for it where nothing has; nothing is the end. Raises CallFailed."""
    if content.exception() is not None and (left := content._read_nowait(-1)):
        return left  # aiohttp itself would raise first, and what came before the connection broke would be lost.
    try:
        async with asyncio.timeout_at(limit):
            return await content.readany()
    except TimeoutError:
        raise CallFailed(classify(Breakage.TIMEOUT)) from None
    except (aiohttp.ClientError, OSError) as error:
        raise CallFailed(classify(breakage_of(error))) from None


def _gather(events: Events, piece: bytes, gathered: Gathered) -> tuple[bool, CallFailed | None]:
    """Return whether the piece made an event whole, and what is wrong with it: what came before that still counts."""
    has_arrived = False
    try:
        for event in events.feed(piece) if piece else events.end():
            has_arrived = True
            if event.get("error"):
                return has_arrived, CallFailed(classify(200, event))
            gathered.add(event)
    except Exception:  # Whatever reading raises: it was no event of this protocol.
        return has_arrived, CallFailed(classify(Breakage.GARBLED))
    return has_arrived, None


async def _drain(content: aiohttp.StreamReader) -> None:
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while await content.readany():
                pass


@contextmanager
def _unheard(reply: aiohttp.ClientResponse) -> Iterator[bool]:
    """Leave what comes to the kernel; yields whether anything may come, or the whole reply is here already."""
    transport = reply.connection and reply.connection.transport
    if transport is None or transport.is_closing():
        yield False
        return
    # Of the transport and not of aiohttp's protocol, whose parser would hold back all but one piece afterwards. And
    # rather not paused: libuv stops watching a socket only when something has come, so each pause wakes the loop for
    # nothing, once more, and that was a quarter of all that woke it.
    if not (is_quiet := _wakes_at(transport, ENOUGH)):
        transport.pause_reading()
    try:
        yield True
    finally:
        if not transport.is_closing() and not (is_quiet and _wakes_at(transport, 1)):
            transport.resume_reading()


def _hear(transport: asyncio.Transport) -> None:
    """Have the kernel wake the loop for whatever comes."""
    _wakes_at(transport, 1)


def _wakes_at(transport: asyncio.Transport, waiting: int) -> bool:
    """Have the kernel wake the loop once so many bytes wait, or the end has come; False where it does not do that."""
    if sys.platform != "linux" or transport.is_closing():
        return False
    try:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, waiting)
    except OSError:
        return False
    return True
