"""Makes a `SafeQuery` of SQL that only reads what it may read, or refuses with a reason.

What is allowed is decided in guard_inspection. It happens in a process of its own, because sqlglot can be made to run
for very long on short texts and a Python thread cannot be stopped: the worker is killed at its deadline instead.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from asyncer import asyncify

from errors import NameUnknown, SQLRefused
from llm.batcher import Batcher
from tools.catalog import Catalog, Dialect
from tools.guard_premises import Premise
from tools.guard_text import MAX_CHARACTERS
from tools.guard_worker import describe
from tools.recent import Recent

DEADLINE = 5.0
"""Seconds of waiting for one statement; its processor time is bounded in the worker, much lower."""
START_DEADLINE = 20.0
"""Seconds for a worker to start on a machine that is busy."""

_ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 8
"""Statements in one exchange with the worker. More of them gain little and wait for each other's worst."""
SAID_AHEAD = 32_768
"""Bytes said at most before the first answer is heard: a pipe takes them, so neither side waits for the other."""
VERDICTS_KEPT = 2_000
VERDICTS_CHARACTERS = 2_000_000

_BROKEN = (OSError, ValueError, RecursionError)
"""What is raised where a worker does not answer, or not as it should; a TimeoutError is an OSError."""

Verdict = dict[str, Any]
"""What the worker said of a statement: {"sql", "tables", "premises"}, or {"refused", "unknown"}."""
UNCHECKED: Verdict = {"refused": "The SQL could not be checked in time, so it is not run: write it more simply."}


@dataclass(frozen=True)
class SafeQuery:
    """SQL that the guard has let through; only `Guard.check` makes one."""

    sql: str
    """The very text that was checked; it is the text that runs."""
    dialect: Dialect
    tables: tuple[str, ...]
    """The catalog's names of the tables it reads."""
    premises: tuple[Premise, ...] = field(default=(), compare=False)
    """What its answer takes for granted, for people to read; the guard does not go by it."""


class Guard:
    """Checks SQL for one database. `catalog=None` takes any table name as known (catalogue tables excepted).

    Its worker starts with the first check and inspects one statement after the other. What the worker said of a text
    is remembered, because nothing else than the text and the catalog, which are the same, could change it.
    """

    def __init__(self, dialect: Dialect, catalog: Catalog | None) -> None:
        self._dialect = dialect
        self._worker = _Worker(describe(dialect, catalog))
        self._turns = anyio.CapacityLimiter(1)
        self._inspect = Batcher(self._ask_worker, most=AT_ONCE)
        self._verdicts: Recent[Verdict] = Recent(VERDICTS_KEPT, characters=VERDICTS_CHARACTERS)

    async def check(self, sql: str) -> SafeQuery:
        """Return the query, safe to run; raises SQLRefused with the reason, also on anything unexpected.

        It is NameUnknown where the catalog does not hold a table or a column that the SQL names.
        `SafeQuery.sql` is the text given, without the space around it and one semicolon at its end.
        """
        if len(sql) > MAX_CHARACTERS:
            raise SQLRefused(f"The SQL is longer than {MAX_CHARACTERS:,} characters: ask for less at once.")
        verdict = self._verdicts.get(sql) or await self._inspect(sql)
        if "refused" in verdict:
            raise (NameUnknown if verdict.get("unknown") else SQLRefused)(str(verdict["refused"]))
        premises = tuple((kind, words, about) for kind, words, about in verdict["premises"])
        return SafeQuery(verdict["sql"], self._dialect, tuple(verdict["tables"]), premises)

    async def aclose(self) -> None:
        """End the worker; a later check would start another."""
        async with self._turns:
            await asyncify(self._worker.stop)()

    async def _ask_worker(self, statements: Sequence[str]) -> list[Verdict]:
        async with self._turns:
            verdicts = await self._worker.ask(statements)
        for sql, verdict in zip(statements, verdicts, strict=True):
            if verdict is not UNCHECKED:  # Another moment may have the time.
                self._verdicts.put(sql, verdict)
        return verdicts


class _Worker:
    """One worker process, started when it is needed and again after it had to be killed; one asks it at a time.

    The event loop itself waits for what it says: a thread that did would be woken, and wake the loop in its turn.
    """

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = described
        self._command = [sys.executable, "-m", "tools.guard_worker"]
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: weakref.finalize[..., Any] | None = None

    async def ask(self, statements: Sequence[str]) -> list[Verdict]:
        """Return the worker's verdict of each statement, in their order; UNCHECKED where none came.

        Whichever statement brings the worker down, those after it are asked of a new one.
        """
        verdicts: list[Verdict] = []
        try:
            while len(verdicts) < len(statements) and (process := await self._running()):
                try:
                    await _exchange(process, statements, verdicts)
                except _BROKEN:
                    self.stop()
                    verdicts.append(UNCHECKED)
        except BaseException:
            # An answer that nobody took would be read as the next statement's.
            self.stop()
            raise
        return verdicts + [UNCHECKED] * (len(statements) - len(verdicts))

    def stop(self) -> None:
        """Kill the worker, where there is one."""
        if self._ending is not None:
            self._ending()
        self._process = self._ending = None

    async def _running(self) -> subprocess.Popen[bytes] | None:
        """Return the worker, started where there is none; None where it does not start."""
        if self._process is not None and self._process.poll() is not None:
            self.stop()  # It died between two statements; nothing was lost.
        if self._process is None:
            try:
                process = self._process = await self._start()
                self._ending = weakref.finalize(self, _end, process)
                await _say(process, _line(self._described), START_DEADLINE)
                await _Heard(process).answer(START_DEADLINE)
            except _BROKEN:
                self.stop()
        return self._process

    async def _start(self) -> subprocess.Popen[bytes]:
        """Return a new worker; where we are stopped while a thread starts it, nobody has it, and it is ended."""
        started: list[subprocess.Popen[bytes]] = []
        is_stopped = False

        def start() -> subprocess.Popen[bytes]:
            started.append(process := _start(self._command))
            if is_stopped:
                _end(process)
            return process

        try:
            return await asyncify(start)()
        except BaseException:
            is_stopped = True
            for process in started:
                _end(process)
            raise


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # Its own session keeps a Ctrl-C at the terminal away from it; it ends when its input closes.
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
    )
    for pipe in _pipes(process):
        os.set_blocking(pipe, False)
    return process


def _line(said: object) -> bytes:
    return json.dumps(said).encode() + b"\n"


async def _exchange(process: subprocess.Popen[bytes], statements: Sequence[str], verdicts: list[Verdict]) -> None:
    """Say the statements that have no verdict yet, as many as fit into the pipe, and add theirs as they come.

    Raises OSError, ValueError or TimeoutError; the statement that it happened at is the first without a verdict.
    """
    left = statements[len(verdicts) :]
    lines = _fitting(left, _ahead(process))
    await _say(process, b"".join(lines), DEADLINE)
    heard = _Heard(process)
    for statement in left[: len(lines)]:
        verdict = await heard.answer(DEADLINE)
        if not _is_about(statement, verdict):
            raise ValueError("the worker answered no verdict, or that of another statement")
        verdicts.append(verdict)


def _is_about(statement: str, verdict: Verdict) -> bool:
    if "refused" in verdict:
        return True
    sql = verdict.get("sql")
    lists = (verdict.get("tables"), verdict.get("premises"))
    return isinstance(sql, str) and sql in statement and all(isinstance(told, list) for told in lists)


def _ahead(process: subprocess.Popen[bytes]) -> int:
    """Return how many bytes the worker may be told before it is heard.

    A pipe takes 64 KiB, but a page or two where the pipes of one user take much memory (pipe-user-pages-soft).
    """
    if sys.platform != "linux":
        return SAID_AHEAD
    return min(SAID_AHEAD, fcntl.fcntl(_pipes(process)[0], fcntl.F_GETPIPE_SZ) // 2)


def _fitting(statements: Sequence[str], most: int) -> list[bytes]:
    """Return the lines of the first statements, at least one, up to so many bytes."""
    lines = [_line(statements[0])]
    size = len(lines[0])
    for statement in statements[1:]:
        line = _line(statement)
        if (size := size + len(line)) > most:
            break
        lines.append(line)
    return lines


def _pipes(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Return where the worker is told something, and where it is heard."""
    assert process.stdin is not None and process.stdout is not None
    return process.stdin.fileno(), process.stdout.fileno()


async def _say(process: subprocess.Popen[bytes], lines: bytes, seconds: float) -> None:
    """Tell the worker; raises OSError, which TimeoutError is one of."""
    loop, (pipe, _) = asyncio.get_running_loop(), _pipes(process)
    until, is_late, left = loop.time() + seconds, False, memoryview(lines)
    while left:
        try:
            left = left[os.write(pipe, left) :]
        except BlockingIOError:
            if is_late:
                raise TimeoutError from None
            is_late = not await _ready(pipe, loop.add_writer, loop.remove_writer, until)


class _Heard:
    """What a worker says after it was asked, a line of JSON for each statement."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        _, self._pipe = _pipes(process)
        self._bytes = bytearray()

    async def answer(self, seconds: float) -> dict[str, Any]:
        """Return the next answer, waiting for it; raises OSError, which TimeoutError is one of, or ValueError."""
        loop = asyncio.get_running_loop()
        until, is_late = loop.time() + seconds, False
        while (end := self._bytes.find(b"\n")) < 0:
            if is_late:
                raise TimeoutError
            is_late = not await _ready(self._pipe, loop.add_reader, loop.remove_reader, until)
            with suppress(BlockingIOError):
                piece = os.read(self._pipe, 65_536)
                if not piece:
                    raise BrokenPipeError
                self._bytes += piece
        answer = json.loads(self._bytes[:end])
        del self._bytes[: end + 1]
        if not isinstance(answer, dict):
            raise ValueError("the worker answered no object")
        return answer


async def _ready(
    pipe: int, watch: Callable[[int, Callable[[], None]], object], leave: Callable[[int], object], until: float
) -> bool:
    """Return once the pipe can be read, or written, as the loop's two methods say.

    False where it was not `until` then, by the loop's clock; look once more, because a loop that is late finds that its
    time is over before it finds what came in time.
    """
    is_ready = asyncio.Event()
    watch(pipe, is_ready.set)
    try:
        async with asyncio.timeout_at(until):
            return await is_ready.wait()
    except TimeoutError:
        return False
    finally:
        leave(pipe)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()
