"""Makes one call twice where the first is late, and goes on with whichever answers first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from llm.pool_faults import CallFailed
from llm.pool_turn import Turn

T = TypeVar("T")

_AHEAD = 64
"""Items that a lane may be ahead of whoever reads them."""
_AGAIN = 0.25
"""After what share of its lateness a late call for which there was no second one looks again."""
_GRAIN = 0.05
"""Seconds between two such looks at least."""
GOODBYE_SECONDS = 2.0
"""How long a call that has lost may take to end, before it is cancelled again."""


class _Lane(Generic[T]):
    """One of the two calls, in a task of its own: a generator must be run from beginning to end by one task."""

    def __init__(self, turn: Turn, call: Callable[[Turn], AsyncGenerator[T]]) -> None:
        self.turn = turn
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done with the first item, the end or the fault."""
        self.fault: BaseException | None = None
        self._items: asyncio.Queue[tuple[T] | None] = asyncio.Queue(_AHEAD)
        self._is_stopped = False
        self.task = asyncio.create_task(self._go(call))

    async def _go(self, call: Callable[[Turn], AsyncGenerator[T]]) -> None:
        try:
            async with self.turn, aclosing(call(self.turn)) as items:
                async for item in items:
                    await self._items.put((item,))
                    self._tell()
        except Exception as error:
            self.fault = error
        except asyncio.CancelledError as error:
            if self.task.cancelling():  # We, or the end of the loop; then nobody may be there to make room for the end.
                raise
            # The call has ended as cancelled by itself: whoever reads is to hear of it, and not to wait for ever.
            self.fault = error
        await self._items.put(None)
        self._tell()

    def _tell(self) -> None:
        if not self.first.done():
            self.first.set_result(None)

    async def items(self) -> AsyncGenerator[T]:
        while (item := await self._items.get()) is not None:
            yield item[0]
        if self.fault is not None:
            raise self.fault

    def stop(self) -> None:
        """Let the task end, which gives its turn back; it may take a while to say goodbye."""
        if not self._is_stopped:  # A second cancel would cut the goodbye short.
            self._is_stopped = True
            self.task.cancel()


class Goodbyes:
    """The calls that have lost and are still ending: who reads the winner does not wait for them."""

    def __init__(self) -> None:
        # Not a task group: it would wrap what is raised where the pool is used.
        self._tasks: set[asyncio.Task[None]] = set()

    def say(self, lane: _Lane[T]) -> None:
        """End this call, beside whatever else goes on."""
        lane.stop()
        task = asyncio.create_task(_see_off(lane), name="goodbye")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Return when all have ended, which takes no longer than twice GOODBYE_SECONDS."""
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _see_off(lane: _Lane[T]) -> None:
    try:
        ended, _ = await asyncio.wait([lane.task], timeout=GOODBYE_SECONDS)
        if not ended:
            lane.task.cancel()
            await asyncio.wait([lane.task], timeout=GOODBYE_SECONDS)
    finally:
        # A task that was cancelled before it ran has not given its turn back.
        lane.turn.leave()


async def race(
    turn: Turn,
    call: Callable[[Turn], AsyncGenerator[T]],
    late: float,
    hedge: Callable[[list[Turn]], Turn | None],
    goodbyes: Goodbyes,
) -> AsyncGenerator[T]:
    """Yield the items of the call that answers first ("The Tail at Scale", Dean and Barroso, 2013: hedged requests).

    The second call is made where the first has not answered after `late` seconds and `hedge`, which is told the turns
    so far, returns its turn. One that fails leaves the race to the other, which may be joined by a third; where all
    do, the first one's failure is raised. Those that lose end beside, with their `goodbyes`.
    """
    lanes = waited = [_Lane(turn, call)]
    try:
        winner = await _winner(lanes, call, late, hedge)
        if winner is not lanes[0] and lanes[0].fault is None:
            lanes[0].turn.overtaken()
        waited = [winner]
        for lane in lanes:
            if lane is not winner:
                goodbyes.say(lane)
        async with aclosing(winner.items()) as items:
            async for item in items:
                yield item
    finally:
        await _end(waited)


async def _end(lanes: list[_Lane[T]]) -> None:
    """Return when all have ended."""
    for lane in lanes:
        lane.stop()
    try:
        await asyncio.wait([lane.task for lane in lanes])
    finally:
        # A task that was cancelled before it ran has not given its turn back.
        for lane in lanes:
            lane.turn.leave()


async def _winner(
    lanes: list[_Lane[T]],
    call: Callable[[Turn], AsyncGenerator[T]],
    late: float,
    hedge: Callable[[list[Turn]], Turn | None],
) -> _Lane[T]:
    timeout: float | None = late
    again = max(late * _AGAIN, _GRAIN)
    while True:
        running = [lane for lane in lanes if not lane.first.done()]
        first = asyncio.FIRST_COMPLETED
        done, _ = await asyncio.wait([lane.first for lane in running], timeout=timeout, return_when=first)
        # One that runs alone by now is late: it is looked after until there is another beside it.
        timeout = again if len(running) - len(done) == 1 else None
        if not done:
            second = hedge([lane.turn for lane in lanes])
            if second is not None:
                lanes.append(_Lane(second, call))
                timeout = None
            continue
        ahead = next((lane for lane in lanes if lane.first.done() and lane.fault is None), None)
        if ahead is not None:
            return ahead
        fault = lanes[0].fault
        if fault is not None and all(lane.first.done() for lane in lanes):
            raise fault
        broken = next((lane.fault for lane in lanes if lane.fault and not isinstance(lane.fault, CallFailed)), None)
        if broken is not None:
            raise broken
