"""Reads a DuckDB file through worker processes, which can be killed where a query cannot be interrupted."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

from errors import DatabaseUnavailable, NameMissing, SQLFailed
from tools.catalog import Dialect
from tools.connections.duckdb_worker import Ask, Reply
from tools.connections.pool import Pool
from tools.connections.statement import Fetched, Statement

_ROOT = Path(__file__).parents[2]
"""Where the worker finds this package."""

_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""What a worker sees of our environment: no key and no password."""

_REPLY_BYTES = 512 * 2**20

_PLAIN_TYPES = {
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "time"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("decimal", "Decimal"),
}


class DuckDB:
    """One DuckDB file. A worker opens it for one statement and closes it again, so others may write in between."""

    dialect: Dialect = "duckdb"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._workers: Pool[_Worker] = Pool()

    def probe(self) -> None:
        """Open the file in a first worker, which stays; raises DatabaseUnavailable where it holds no database."""
        self.fetch(Statement("SELECT 1", limit=1, timeout=30))

    def fetch(self, statement: Statement) -> Fetched:
        """Return the statement's rows; raises SQLFailed, QueryTimedOut or DatabaseUnavailable."""
        reply = self._ask("fetch", statement)
        values = tuple(tuple(row) for piece in reply["values"] for row in _unpickled(piece))
        return Fetched(tuple(reply["columns"]), values, bool(reply["truncated"]))

    def plan(self, statement: Statement) -> None:
        """Let DuckDB plan the statement; raises SQLFailed with its complaint."""
        self._ask("plan", statement)

    def close(self) -> None:
        """End the workers."""
        self._workers.close()

    def _ask(self, verb: str, statement: Statement) -> Reply:
        worker = self._worker()
        try:
            with statement.stopped_by(worker.kill):
                reply = worker.ask(Ask(verb=verb, sql=statement.sql, limit=statement.limit), statement)
        except BaseException:
            worker.close()
            raise
        self._workers.keep(worker)
        if complaint := reply.get("unavailable"):
            raise DatabaseUnavailable(_unavailable(self._path.name, complaint))
        if complaint := reply.get("failed"):
            raise (NameMissing if reply.get("missing") else SQLFailed)(complaint)
        return reply

    def _worker(self) -> _Worker:
        while worker := self._workers.take():
            if worker.lives:
                return worker
            worker.close()
        return _Worker(self._path)


class _Worker:
    """A process that answers one statement at a time until it is killed or we are gone."""

    def __init__(self, path: Path) -> None:
        # A killed worker leaves what it spilled, so the folder is ours to remove.
        self._spill = tempfile.mkdtemp(prefix="quaestor-duckdb-")
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tools.connections.duckdb_worker", str(path), self._spill, str(theirs.fileno())],
                cwd=_ROOT,
                env={name: os.environ[name] for name in _INHERITED if name in os.environ},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,  # closes when we die, however we die; the worker ends with it
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def ask(self, ask: Ask, statement: Statement) -> Reply:
        """Return the reply; raises QueryTimedOut at the deadline and SQLFailed where the worker died of the query."""
        try:
            self._connection.send_bytes(pickle.dumps(ask))
            if not self._connection.poll(statement.timeout):
                raise statement.timed_out()
            reply: Reply = _unpickled(self._connection.recv_bytes(_REPLY_BYTES))
            return reply
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise SQLFailed("The query needed more memory than it may use. Ask for less at once.") from error

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._connection.close()
        shutil.rmtree(self._spill, ignore_errors=True)


class _Plain(pickle.Unpickler):
    """Makes plain values only: the worker reads files of unknown origin, and may not run code here."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN_TYPES:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no plain value")


def _unpickled(written: bytes) -> Any:
    return _Plain(io.BytesIO(written)).load()


def _unavailable(name: str, complaint: str) -> str:
    if "Could not set lock" in complaint:
        return f"{name} is open for writing in another program. Close it there, or ask again later."
    if "not a valid DuckDB" in complaint:
        return f"{name} is not a DuckDB database. Check the path in QUAESTOR_DATABASE_URL."
    if "version number" in complaint:
        return f"{name} was written by another version of DuckDB than this one reads."
    return f"{name} cannot be opened. Check that the file is there, whole and readable."
