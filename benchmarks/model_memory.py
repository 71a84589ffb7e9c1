"""Remembers the stand-in's replies by the request, and how long its calls for each question took."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from benchmarks.model_wire import Part, Reply

QUESTIONS_KEPT = 50_000


class Replies:
    """Replies by the body of their request: the same one is worked out once, however many ask at the same time."""

    def __init__(self, most: int) -> None:
        """Keep at most so many; 0 remembers nothing."""
        self._most = most
        self._kept: OrderedDict[bytes, asyncio.Future[Reply]] = OrderedDict()

    async def get(self, body: bytes, work_out: Callable[[], Awaitable[Reply]]) -> Reply:
        """Return the reply to a body; one that cannot be worked out is tried again by the next who asks."""
        if not self._most:
            return await work_out()
        if (known := self._kept.get(body)) is not None:
            self._kept.move_to_end(body)
            return known.result() if known.done() else await asyncio.shield(known)
        # A task of its own: who asked first may leave before the others have their reply.
        working = self._kept[body] = asyncio.ensure_future(work_out())
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        working.add_done_callback(lambda done: self._forget_failed(body, done))
        return await asyncio.shield(working)

    def _forget_failed(self, body: bytes, done: asyncio.Future[Reply]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._kept.pop(body, None)


class OwnTime:
    """The seconds of the model's own calls, by question and task.

    The pace depends on a reply's length alone, so people who ask the same question at the same time find the same
    times. Two apps that are measured on the same stand-in have tasks of their own.
    """

    def __init__(self) -> None:
        self._seconds: OrderedDict[str, dict[str, float]] = OrderedDict()

    def note(self, part: Part, seconds: float) -> None:
        self._seconds.setdefault(part.question, {})[part.task] = seconds
        self._seconds.move_to_end(part.question)
        if len(self._seconds) > QUESTIONS_KEPT:
            self._seconds.popitem(last=False)

    def before(self, part: Part) -> float:
        """Return the seconds of the calls that a person waited for before this one."""
        known = self._seconds.get(part.question, {})
        return sum(known.get(task, 0.0) for task in part.after)
