"""Gathers calls that arrive together into one call (dynamic batching).

Where nothing runs, a call runs now; where a run is under way, the next one takes the whole queue. So a lone caller
never waits for others to come, and batches grow with the load by themselves. A fixed window (Clipper's delayed
batching; Crankshaw et al., NSDI 2017, section 4.3.2) makes everybody wait for it instead, and continuous batching
(Orca; Yu et al., OSDI 2022) lets calls join a run that is under way, which only a model that runs step by step can do.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class _Call(Generic[T, R]):
    item: T
    answer: asyncio.Future[R]


class Batcher(Generic[T, R]):
    """Calls `run` with at most `most` items at a time, in the order in which they came.

    `run` returns one answer per item, in their order. An exception in an answer's place is raised for that item
    alone; one that `run` raises reaches every caller of the batch. Only `run` knows whether it is worth asking for
    each item again, so nothing is retried here.

    At most `at_once` runs are under way side by side. It serves one event loop at a time.
    """

    def __init__(
        self, run: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], *, most: int, at_once: int = 1
    ) -> None:
        if most < 1 or at_once < 1:
            raise ValueError("a batch needs room for one item, and one run")
        self._run = run
        self._most = most
        self._at_once = at_once
        self._waiting: deque[_Call[T, R]] = deque()
        self._runs: set[asyncio.Task[None]] = set()

    async def __call__(self, item: T) -> R:
        """Return the item's answer; raises what `run` gave or raised for it.

        A caller that is cancelled leaves the queue. A run that has begun goes on for the others.
        """
        call = _Call[T, R](item, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        # A run that has found the queue empty is done before its callback tells so.
        if sum(not run.done() for run in self._runs) < self._at_once:
            # A task of its own and with nothing of the caller's context, because it also serves those who come after.
            task = asyncio.create_task(self._serve(), name="batch", context=contextvars.Context())
            self._runs.add(task)
            task.add_done_callback(self._ended)
        return await call.answer

    async def _serve(self) -> None:
        while batch := self._next_batch():
            await self._answer(batch)

    def _next_batch(self) -> list[_Call[T, R]]:
        batch: list[_Call[T, R]] = []
        while self._waiting and len(batch) < self._most:
            call = self._waiting.popleft()
            if not call.answer.done():  # A caller that was cancelled waits no more.
                batch.append(call)
        return batch

    async def _answer(self, batch: Sequence[_Call[T, R]]) -> None:
        try:
            answers = await self._run([call.item for call in batch])
            if len(answers) != len(batch):
                raise ValueError(f"{len(answers)} answers came for {len(batch)} items")
        except Exception as error:
            answers = [error] * len(batch)
        except asyncio.CancelledError:
            _cancel(batch)
            raise
        for call, answer in zip(batch, answers, strict=True):
            if call.answer.done():
                continue
            if isinstance(answer, Exception):
                call.answer.set_exception(answer)
            else:
                call.answer.set_result(answer)

    def _ended(self, run: asyncio.Task[None]) -> None:
        self._runs.discard(run)
        if run.cancelled() and not self._runs:  # The loop is ending: nobody may wait for a run that never comes.
            _cancel(self._waiting)
            self._waiting.clear()


def _cancel(calls: Sequence[_Call[T, R]] | deque[_Call[T, R]]) -> None:
    for call in calls:
        call.answer.cancel()
