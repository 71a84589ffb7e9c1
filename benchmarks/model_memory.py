"""Remembers the stand-in's replies by the request, and how long its calls for each question took."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.model_wire import Part, Reply, ToolCall

QUESTIONS_KEPT = 50_000


class Replies:
    """Replies by what was asked: the same is worked out once, however many ask it at the same time."""

    def __init__(self, most: int, file: Path | None = None) -> None:
        """Keep at most so many, 0 for none; with a file, those of earlier runs are known, and new ones are added.

        A file knows nothing of the code that worked its replies out: delete it where that has changed.
        """
        self._most = most
        self._kept: OrderedDict[bytes, asyncio.Future[Reply]] = OrderedDict()
        self._file = file
        self._written = dict(map(_read_line, file.read_text().splitlines())) if file and file.exists() else {}

    async def get(self, asked: bytes, work_out: Callable[[], Awaitable[Reply]]) -> Reply:
        """Return the reply to what was asked; one that cannot be worked out is tried again by the next who asks."""
        if not self._most:
            return await work_out()
        if (known := self._kept.get(asked)) is not None:
            self._kept.move_to_end(asked)
            return known.result() if known.done() else await asyncio.shield(known)
        # A task of its own: who asked first may leave before the others have their reply.
        working = self._kept[asked] = asyncio.ensure_future(self._look_up(asked, work_out))
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        working.add_done_callback(lambda done: self._forget_failed(asked, done))
        return await asyncio.shield(working)

    async def _look_up(self, asked: bytes, work_out: Callable[[], Awaitable[Reply]]) -> Reply:
        key = hashlib.sha256(asked).hexdigest()
        if (written := self._written.get(key)) is not None:
            return written
        reply = await work_out()
        # How many stamps there are is the run's, not the request's.
        if self._file is not None and not reply.stamps:
            with self._file.open("a") as file:
                file.write(json.dumps({"key": key, **asdict(reply)}) + "\n")
        return reply

    def _forget_failed(self, asked: bytes, done: asyncio.Future[Reply]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._kept.pop(asked, None)


def what_is_asked(body: Mapping[str, Any]) -> bytes:
    """Return what a reply depends on: not the model's name, nor whether it is streamed."""
    return repr([body.get(name) for name in ("messages", "response_format", "tools", "tool_choice")]).encode()


def _read_line(line: str) -> tuple[str, Reply]:
    about = json.loads(line)
    calls = tuple(ToolCall(**call) for call in about["tool_calls"])
    part = about["part"] and Part(about["part"]["question"], about["part"]["task"], tuple(about["part"]["after"]))
    return about["key"], Reply(about["text"], calls, part=part)


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
