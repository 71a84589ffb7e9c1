"""Writes a job's answers and errors in a thread, whole lines at a time."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import orjson

from errors import FileUnusable

GATHER = 0.02
"""Seconds that answers gather before they are written; a kill loses no more than these."""

AHEAD = 2_048
"""Answers that may wait to be written."""


def input_of(fields: dict[str, Any]) -> Any:
    """Return what a line asks, in whichever of its three forms."""
    return fields.get("input", fields.get("question", fields.get("messages")))


class Writer:
    """Writes what is put; made by `open_writer`."""

    def __init__(self, save: Path, errors: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._files = (save, _appending(save)), (errors, _appending(errors))
        # deques: the loop appends and the thread pops without a lock.
        self._answers: deque[bytes] = deque()
        self._errors: deque[bytes] = deque()
        self._loop = loop
        self._wake, self._finishing = Event(), Event()
        self._room_again = asyncio.Event()
        self._failure: Exception | None = None
        self._thread = Thread(target=self._run, name="lines-writer")
        self._thread.start()

    def put_answer(self, line: bytes) -> None:
        self._answers.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def put_error(self, line: bytes) -> None:
        self._errors.append(line)
        if not self._wake.is_set():
            self._wake.set()

    @property
    def has_room(self) -> bool:
        """Whether less than `AHEAD` lines wait, and they can be written."""
        return self._failure is None and len(self._answers) + len(self._errors) < AHEAD

    async def room(self) -> None:
        """Return when less than `AHEAD` lines wait; raises FileUnusable where nothing can be written any more."""
        while self._failure is None and not self.has_room:
            self._room_again.clear()
            await self._room_again.wait()
        if self._failure:
            raise self._failure

    def finish(self) -> None:
        """Write the rest and return when it is written. It blocks."""
        self._finishing.set()
        self._wake.set()
        self._thread.join()

    def close(self) -> None:
        self.finish()
        for _, file in self._files:
            os.close(file)

    def _run(self) -> None:
        try:
            finishing = False
            while not finishing:
                self._wake.wait()
                self._wake.clear()
                finishing = self._finishing.wait(GATHER)
                # The answers first: a line that stands in both has been answered.
                for gathered, (path, file) in zip((self._answers, self._errors), self._files, strict=True):
                    _write(path, file, b"".join([gathered.popleft() for _ in range(len(gathered))]))
                self._tell_room()
        except Exception as failure:  # told by `room`, in the thread that can do something about it
            self._failure = failure
            self._tell_room()

    def _tell_room(self) -> None:
        # In a loop that a second Ctrl-C has closed nobody waits any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._room_again.set)


@contextmanager
def open_writer(save: Path, errors: Path, loop: asyncio.AbstractEventLoop) -> Iterator[Writer]:
    """Open both files, which exist, to append to; raises FileUnusable."""
    writer = Writer(save, errors, loop)
    try:
        yield writer
    finally:
        writer.close()


def append_lines(path: Path, lines: bytes) -> None:
    """Append whole lines to a file that exists; raises FileUnusable. It blocks."""
    file = _appending(path)
    try:
        _write(path, file, lines)
    finally:
        os.close(file)


def _appending(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be written: {error.strerror}.") from error


def _write(path: Path, file: int, lines: bytes) -> None:
    try:
        while lines:
            lines = lines[os.write(file, lines) :]
    except OSError as error:
        raise FileUnusable(
            f"{path} cannot be written any further: {error.strerror}. Mend that and go on with --resume."
        ) from error


def as_line(place: int, fields: dict[str, Any], found: dict[str, Any]) -> bytes:
    """Return the line that is written: its number, its "id" and what it asks, and what was found for it.

    A thread of its own would hold the loop up for as long: whoever writes JSON has the interpreter.
    """
    line = {"line": place}  # first: see lines.py
    if "id" in fields:
        line["id"] = fields["id"]
    line["input"] = input_of(fields)
    line |= found
    try:
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # an integer of more than 64 bits, half a surrogate pair, or what a driver alone knows
        return _by_python(line) + b"\n"


def _by_python(line: dict[str, Any]) -> bytes:
    try:
        return json.dumps(line, separators=(",", ":"), default=str).encode()
    except RecursionError:
        # What is nested a thousand deep nobody wrote by hand; the line's other parts stand.
        return _by_python({name: part for name, part in line.items() if not isinstance(part, dict | list)})
