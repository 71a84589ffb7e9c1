"""Runs one guarded query on one database, within its limits, and can cancel it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import anyio
from anyio import CancelScope, CapacityLimiter
from asyncer import asyncify

from errors import SQLFailed
from tools.catalog import Dialect
from tools.connections.address import database_file, dialect_of, read_url
from tools.connections.duckdb import DuckDB
from tools.connections.mysql import MySQL
from tools.connections.postgres import PostgreSQL
from tools.connections.sqlite import SQLite
from tools.connections.statement import Fetched, Statement
from tools.line import Line, TellPlace
from tools.sql_guard import SafeQuery

T = TypeVar("T")

_GRACE = 3.0
"""Seconds a database has, after the statement's deadline, to stop it by itself before we do."""


@dataclass(frozen=True)
class Rows:
    columns: tuple[str, ...]
    """Each name once, none empty: a second `a` is `a_2`."""
    values: tuple[tuple[Any, ...], ...]
    """Plain values: int, float, str, bool, None, date, datetime, time, Decimal, bytes. A text or bytes of more than
    10,000 is cut and ends in "…"; lists and mappings are JSON text."""
    truncated: bool
    """True when the database had more rows than we kept."""
    seconds: float
    """How long the database took."""


class Database(Protocol):
    """A database's driver: it blocks, keeps to the statement's deadline, and lets itself be stopped."""

    dialect: Dialect

    def probe(self) -> None:
        """Return when the database answers; raises DatabaseUnavailable otherwise."""

    def fetch(self, statement: Statement) -> Fetched:
        """Return the statement's rows."""

    def plan(self, statement: Statement) -> None:
        """Let the database plan the statement without running it."""

    def close(self) -> None:
        """Close every connection."""


class SQLRunner:
    """Runs queries on one database. Cancelling the task that waits in `run` stops the statement in the database."""

    def __init__(self, database: Database, *, row_limit: int, timeout: float, threads: int) -> None:
        """Take the most rows of an answer, the most seconds of a statement, and how many may run at once."""
        self._database = database
        self._row_limit = row_limit
        self._timeout = timeout
        self.line = Line(threads)
        """The statements that run, and those that wait for it."""
        self._trials = Line(max(1, threads // 2))
        self._threads = CapacityLimiter(threads)

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    async def probe(self) -> None:
        """Return when the database answers; raises DatabaseUnavailable otherwise.

        Logs a warning where the database would let our role write.
        """
        # A thread beside the statements': whether the database answers must not wait for them.
        await asyncify(self._database.probe)()

    async def run(
        self,
        query: SafeQuery,
        *,
        limit: int | None = None,
        timeout: float | None = None,
        dry_run: bool = False,
        trial: bool = False,
        tell_place: TellPlace | None = None,
    ) -> Rows:
        """Return at most `limit` rows. Raises SQLFailed, QueryTimedOut or DatabaseUnavailable.

        `timeout` can only shorten the runner's own; it counts from the statement's start, not while it waits for its
        turn, of which `tell_place` is told. A `dry_run` lets the database plan the statement before it runs. A `trial`
        is a statement that nobody waits for: it goes behind the others, and trials take half of the turns at most.
        """
        statement = self._statement(query, limit, timeout)

        def fetch() -> Rows:
            if dry_run:
                self._database.plan(statement)
            began = time.perf_counter()
            found = self._database.fetch(statement)
            return Rows(found.columns, found.values, found.truncated, time.perf_counter() - began)

        async with self._turn(trial, tell_place):
            return await self._in_thread(fetch, statement)

    async def dry_run(self, query: SafeQuery) -> None:
        """Let the database plan the query (EXPLAIN) without running it; raises SQLFailed with its complaint."""
        statement = self._statement(query, 0, None)
        async with self._turn():
            await self._in_thread(lambda: self._database.plan(statement), statement)

    async def aclose(self) -> None:
        """Close every connection."""
        await asyncify(self._database.close)()

    def _statement(self, query: SafeQuery, limit: int | None, timeout: float | None) -> Statement:
        if query.dialect != self.dialect:
            raise SQLFailed(f"The query was checked for {query.dialect}, but this database speaks {self.dialect}.")
        return Statement(
            query.sql,
            limit=self._row_limit if limit is None else max(0, limit),
            timeout=self._timeout if timeout is None else min(timeout, self._timeout),
        )

    @asynccontextmanager
    async def _turn(self, trial: bool = False, tell_place: TellPlace | None = None) -> AsyncIterator[None]:
        if trial:
            async with self._trials.turn(), self.line.turn(behind=True):
                yield
        else:
            async with self.line.turn(tell_place):
                yield

    async def _in_thread(self, work: Callable[[], T], statement: Statement) -> T:
        """Return what `work` returns from a thread of ours; a cancel stops the statement and sees the thread out."""
        finished = anyio.Event()
        outcome: list[T] = []
        failure: list[Exception] = []

        async def carry_out() -> None:
            try:
                outcome.append(await asyncify(work, limiter=self._threads)())
            except Exception as error:
                failure.append(error)
            finally:
                finished.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(carry_out)
            try:
                with anyio.move_on_after(statement.timeout + _GRACE):
                    await finished.wait()
                if not finished.is_set():
                    await asyncify(statement.stop)()
                    await finished.wait()
            except anyio.get_cancelled_exc_class():
                # Its own thread: all of ours may be busy with what is to be stopped. It goes on where the cancel comes
                # again, as asyncio.gather passes it on: a shield of anyio's holds only its own scopes off.
                stopping = asyncio.get_running_loop().run_in_executor(None, statement.stop)
                with CancelScope(shield=True):
                    await asyncio.shield(stopping)
                raise
        if failure and statement.stopped:
            raise statement.timed_out() from failure[0]
        if failure:
            raise failure[0]
        return outcome[0]


def open_runner(database_url: str, *, row_limit: int = 1_000, timeout: float = 30.0, threads: int = 8) -> SQLRunner:
    """Return a runner for the database; raises DatabaseUnavailable or SettingsInvalid in one clear sentence.

    A file is looked at here; whether a server answers is known after `probe`.
    """
    return SQLRunner(_database(database_url), row_limit=row_limit, timeout=timeout, threads=threads)


def _database(database_url: str) -> Database:
    url = read_url(database_url)
    match dialect_of(database_url):
        case "sqlite":
            return SQLite(database_file(url))
        case "duckdb":
            return DuckDB(database_file(url))
        case "postgres":
            return PostgreSQL(url)
        case "mysql":
            return MySQL(url)
