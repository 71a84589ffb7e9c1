"""Makes a job's files ready: no other run writes to them, and they hold whole lines of this job alone."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import orjson

from errors import FileUnusable
from jobs.lines_writer import input_of

Share = tuple[int, int]
"""(k, n): the k-th of n processes, which has every n-th line; (0, 1) has them all."""

LOCK_SECONDS = 10.0
"""How long the processes of a run that was killed may take to go."""

BEGINNING = b'{"line":'


class Places:
    """A set of places, a bit each: a million take 125 kB."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def __contains__(self, place: int) -> bool:
        byte = place >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (place & 7) & 1)

    def add(self, place: int) -> None:
        byte = place >> 3
        if byte >= len(self._bits):
            self._bits.extend(bytes(byte + 1 - len(self._bits) + 1024))
        self._bits[byte] |= 1 << (place & 7)


@dataclass
class Claim:
    """The files, for as long as it is open."""

    done: Places
    """The places that an earlier run has answered."""
    _closing: ExitStack

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()


def claim_files(requests: Path, save: Path, errors: Path, *, resume: bool) -> Claim:
    """Claim the files for this run: an open `Claim` of files that exist and hold whole lines of answers alone.

    With `resume`, torn lines are cut out of the answers, and the errors are emptied. Raises FileUnusable where another
    run has the files, where they hold something and `resume` is not given, or where they are not this job's.
    """
    save, errors = save.resolve(), errors.resolve()
    with ExitStack() as closing:
        source = closing.enter_context(open_requests(requests))
        if len({requests.resolve(), save, errors}) < 3:
            raise FileUnusable("Name three different files for the requests, the answers and the errors.")
        _lock(save, closing)
        with ExitStack() as workers:
            _lock(errors, workers)  # which the processes of a run hold to their end
        done = Places()
        if resume:
            answers = _read_answers(save)
            _check_belongs(source, requests, save, answers)
            _cut_out(save, answers.torn, closing)
            if errors.stat().st_size:
                _truncate(errors, 0)
            done = answers.done
        for path in () if resume else (save, errors):
            if path.stat().st_size:
                raise FileUnusable(f"{path} already holds lines: go on with --resume, or name another file.")
        return Claim(done, closing.pop_all())


@contextmanager
def join_files(errors: Path) -> Iterator[None]:
    """Hold the files as one of the processes of the run that has claimed them: the next run waits for its end."""
    with ExitStack() as closing:
        _lock(errors.resolve(), closing, fcntl.LOCK_SH)
        yield


def places_done(save: Path) -> Places:
    """Return the places that are answered; raises FileUnusable."""
    return _read_answers(save).done


@contextmanager
def open_requests(path: Path) -> Iterator[BinaryIO]:
    """Open the input; raises FileUnusable."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        yield file


def _lock(path: Path, closing: ExitStack, kind: int = fcntl.LOCK_EX) -> None:
    """Make the file where it does not exist, and lock it until `closing` closes."""
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise FileUnusable(f"{path} cannot be written: {error.strerror}.") from error
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            # A run that cuts a line out puts a new file in this one's place.
            if os.path.samestat(os.fstat(file), path.stat()):
                closing.callback(os.close, file)
                return
        except BlockingIOError:
            pass
        os.close(file)
        if time.monotonic() > until:
            raise FileUnusable(f"Another run is writing to {path}: wait for its end, or name another file.")
        time.sleep(0.05)


@dataclass
class _Answers:
    done: Places = field(default_factory=Places)
    torn: list[tuple[int, int]] = field(default_factory=list)
    """Where lines are torn or there for a second time: first byte, and the byte behind the last."""
    size: int = 0
    last: dict[str, Any] | None = None


def _read_answers(save: Path) -> _Answers:
    answers = _Answers()
    try:
        with save.open("rb") as file:
            for line in file:
                record = _parse(line)
                if record is None and line[: len(BEGINNING)] != BEGINNING[: len(line)]:
                    raise FileUnusable(f"{save} holds something else than this job's answers: name another file.")
                if record is None or record["line"] in answers.done:
                    answers.torn.append((answers.size, answers.size + len(line)))
                else:
                    answers.done.add(record["line"])
                    answers.last = record
                answers.size += len(line)
    except OSError as error:
        raise FileUnusable(f"{save} cannot be read: {error.strerror}.") from error
    return answers


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the line's record, or None for one that is torn."""
    if not (line.endswith(b"\n") and line.startswith(BEGINNING)):
        return None
    try:
        record = orjson.loads(line)
    except ValueError:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return None
    return record if isinstance(record["line"], int) and record["line"] > 0 else None


def _check_belongs(source: BinaryIO, requests: Path, save: Path, answers: _Answers) -> None:
    """Raise FileUnusable where the last answer is not to the line of the input that it names."""
    if answers.last is None:
        return
    line = next(islice(source, answers.last["line"] - 1, None), b"")
    try:
        fields = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
        same = input_of(fields) == answers.last.get("input")
    except (ValueError, AttributeError):
        same = False
    if not same:
        raise FileUnusable(
            f"{save} holds answers to other lines than those of {requests}: "
            "go on with the file that it was begun with, or name another file for the answers."
        )


def _cut_out(save: Path, torn: list[tuple[int, int]], closing: ExitStack) -> None:
    """Take the torn pieces out of the file, all of them or, where it is killed meanwhile, none."""
    size = save.stat().st_size
    if not torn:
        return
    if len(torn) == 1 and torn[0][1] == size:
        _truncate(save, torn[0][0])
        return
    mended = save.with_name(f".{save.name}.mended")
    try:
        with save.open("rb") as old, mended.open("wb") as new:
            _lock(mended, closing)
            for start, end in zip([0, *(end for _, end in torn)], [*(start for start, _ in torn), size], strict=True):
                _copy(old, new, start, end)
            shutil.copymode(save, mended)
            new.flush()
            os.fsync(new.fileno())
        mended.replace(save)
    except OSError as error:
        with suppress(OSError):
            mended.unlink()
        raise FileUnusable(f"{save} cannot be mended: {error.strerror}.") from error


def _copy(old: BinaryIO, new: BinaryIO, start: int, end: int) -> None:
    old.seek(start)
    while piece := old.read(min(end - start, 1 << 20)):
        new.write(piece)
        start += len(piece)


def _truncate(path: Path, size: int) -> None:
    try:
        os.truncate(path, size)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be written: {error.strerror}.") from error
