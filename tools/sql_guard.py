"""Makes a `SafeQuery` of SQL that only reads what it may read, or refuses with a reason.

What is allowed is decided in guard_inspection. It happens in a process of its own, because sqlglot can be made to run
for very long on short texts and a Python thread cannot be stopped: the worker is killed at its deadline instead.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from asyncer import asyncify

from errors import SQLRefused
from tools.catalog import Catalog, Dialect
from tools.guard_text import MAX_CHARACTERS
from tools.guard_worker import describe

DEADLINE = 5.0
"""Seconds of waiting for one statement; its processor time is bounded in the worker, much lower."""
START_DEADLINE = 20.0
"""Seconds for a worker to start on a machine that is busy."""

_ROOT = Path(__file__).resolve().parent.parent
_UNCHECKED = "The SQL could not be checked in time, so it is not run: write it more simply."


@dataclass(frozen=True)
class SafeQuery:
    """SQL that the guard has let through; only `Guard.check` makes one."""

    sql: str
    """The very text that was checked; it is the text that runs."""
    dialect: Dialect
    tables: tuple[str, ...]
    """The catalog's names of the tables it reads."""


class Guard:
    """Checks SQL for one database. `catalog=None` takes any table name as known (catalogue tables excepted).

    Its worker starts with the first check and serves one statement at a time.
    """

    def __init__(self, dialect: Dialect, catalog: Catalog | None) -> None:
        self._dialect = dialect
        self._worker = _Worker(describe(dialect, catalog))
        self._turns = anyio.CapacityLimiter(1)

    async def check(self, sql: str) -> SafeQuery:
        """Return the query, safe to run; raises SQLRefused with the reason, also on anything unexpected.

        `SafeQuery.sql` is the text given, without the space around it and one semicolon at its end.
        """
        if len(sql) > MAX_CHARACTERS:
            raise SQLRefused(f"The SQL is longer than {MAX_CHARACTERS:,} characters: ask for less at once.")
        answer = await asyncify(self._worker.ask, limiter=self._turns)(sql)
        if "refused" in answer:
            raise SQLRefused(str(answer["refused"]))
        return SafeQuery(answer["sql"], self._dialect, tuple(answer["tables"]))

    async def aclose(self) -> None:
        """End the worker; a later check would start another."""
        await asyncify(self._worker.stop, limiter=self._turns)()


class _Worker:
    """One worker process, started when it is needed and again after it had to be killed."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = described
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: weakref.finalize[..., Any] | None = None
        # Two event loops may share a guard; a limiter belongs to one.
        self._lock = threading.Lock()

    def ask(self, sql: str) -> dict[str, Any]:
        """Return the worker's answer, or a refusal where none came."""
        with self._lock:
            try:
                return self._exchange(sql)
            except (OSError, ValueError, TimeoutError):
                self._end()
                return {"refused": _UNCHECKED}
            except BaseException:
                # An answer that nobody took would be read as the next statement's.
                self._end()
                raise

    def stop(self) -> None:
        with self._lock:
            self._end()

    def _exchange(self, sql: str) -> dict[str, Any]:
        if self._process is not None and self._process.poll() is not None:
            self._end()  # It died between two statements; nothing was lost.
        if self._process is None:
            self._start()
        assert self._process is not None
        return _converse(self._process, sql, DEADLINE)

    def _start(self) -> None:
        # Its own session keeps a Ctrl-C at the terminal away from it; it ends when its input closes.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.guard_worker"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        self._ending = weakref.finalize(self, _end, self._process)
        _converse(self._process, self._described, START_DEADLINE)

    def _end(self) -> None:
        if self._ending is not None:
            self._ending()
        self._process = self._ending = None


def _converse(process: subprocess.Popen[bytes], said: object, seconds: float) -> dict[str, Any]:
    """Say one line and return the line that comes back; raises OSError, ValueError or TimeoutError."""
    assert process.stdin is not None and process.stdout is not None
    line = memoryview(json.dumps(said).encode() + b"\n")
    while line:
        line = line[process.stdin.write(line) or 0 :]
    deadline = time.monotonic() + seconds
    heard = bytearray()
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    while not heard.endswith(b"\n"):
        if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
            raise TimeoutError
        piece = os.read(process.stdout.fileno(), 65_536)
        if not piece:
            raise BrokenPipeError
        heard += piece
    answer = json.loads(heard)
    if not isinstance(answer, dict):
        raise ValueError("the worker answered no object")
    return answer


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()
