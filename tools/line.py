"""Lets so many turns run at once; who comes later waits, first come first served, and is told their place."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from errors import TooBusy

TellPlace = Callable[[int], Awaitable[None]]
"""Takes a place in the line: 1 is next, and 0 when the turn has come."""

SHARE_WORTH_TELLING = 5
"""A place is told again when a fifth of those before it are gone: two thousand who wait cost no more than fifty."""

LONGEST_RETRY = 60.0
"""Seconds after which anybody who was turned away may try again."""


@dataclass(eq=False)
class _Waiter:
    place: int
    """The last one told."""
    is_told: bool
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    has_turn: bool = False


class Line:
    """A line before something that takes only so many at once."""

    def __init__(self, at_once: int, most_waiting: int | None = None, *, seconds_between: float = 1.0) -> None:
        """Take how many turns run at once, how many may wait (None: all), and how often a place may be told."""
        self.at_once = at_once
        self.most_waiting = most_waiting
        self.in_turn = 0
        """How many turns are running."""
        self._people: deque[_Waiter] = deque()
        self._behind: deque[_Waiter] = deque()
        self._seconds_between = seconds_between
        self._ticking: asyncio.TimerHandle | None = None
        self._seconds_a_turn = 1.0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._people) + len(self._behind)

    @asynccontextmanager
    async def turn(self, tell_place: TellPlace | None = None, *, behind: bool = False) -> AsyncIterator[None]:
        """Wait for a turn and keep it for the block; raises TooBusy at once where too many wait already.

        Who has to wait is told their place, is told again as it falls, and is told 0 when the turn has come. What goes
        `behind` gets a turn only when nobody else wants it, and is told nothing.
        """
        await self._enter(tell_place, behind)
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds_a_turn += (time.monotonic() - began - self._seconds_a_turn) / 10
            self._pass_on()

    async def _enter(self, tell_place: TellPlace | None, behind: bool) -> None:
        if self.in_turn < self.at_once:  # A turn that ends goes to who waits, so a free one means that nobody does.
            self.in_turn += 1
            return
        if self.most_waiting is not None and self.waiting >= self.most_waiting:
            raise self._too_busy()
        line = self._behind if behind else self._people
        waiter = _Waiter(len(line) + 1, is_told=tell_place is not None and not behind)
        line.append(waiter)
        try:
            await self._wait(waiter, tell_place)
        except BaseException:
            if waiter.has_turn:
                self._pass_on()
            else:
                line.remove(waiter)
            raise

    async def _wait(self, waiter: _Waiter, tell_place: TellPlace | None) -> None:
        if tell_place is None or not waiter.is_told:
            await waiter.wake.wait()
            return
        self._tick_soon()
        while not waiter.has_turn:
            await tell_place(waiter.place)
            await waiter.wake.wait()
            waiter.wake.clear()
        await tell_place(0)

    def _pass_on(self) -> None:
        """Give the turn that has ended to who waits longest."""
        if line := self._people or self._behind:
            waiter = line.popleft()
            waiter.has_turn = True
            waiter.wake.set()
        else:
            self.in_turn -= 1

    def _tick_soon(self) -> None:
        if self._ticking is None:
            self._ticking = asyncio.get_running_loop().call_later(self._seconds_between, self._tick)

    def _tick(self) -> None:
        """Wake everybody whose place has become another; one pass over the line, however many wait."""
        self._ticking = None
        for place, waiter in enumerate(self._people, 1):
            if waiter.is_told and waiter.place - place >= max(1, waiter.place // SHARE_WORTH_TELLING):
                waiter.place = place
                waiter.wake.set()
        if self._people:
            self._tick_soon()

    def _too_busy(self) -> TooBusy:
        seconds = self._seconds_a_turn * self.waiting / self.at_once
        return TooBusy(min(max(1.0, seconds), LONGEST_RETRY))
