"""Reads a SQLite file over connections that cannot write, one for each statement."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from errors import AskError, DatabaseUnavailable, SQLFailed
from tools.catalog import Dialect
from tools.connections.statement import Fetched, Statement
from tools.connections.values import fetched

_LIMITS = {
    # A progress handler does not stop one huge scalar function; a bound on its result does.
    sqlite3.SQLITE_LIMIT_LENGTH: 16 * 2**20,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}

_OPCODES_BETWEEN_CHECKS = 10_000
"""Well under a millisecond of work between two looks at the clock."""

_LOCK_WAIT = 2.0
"""Seconds to wait while another program writes."""

_FORBIDDEN_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})

_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})

_WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})

_RTREE_TABLES = ("_node", "_rowid", "_parent")

_CANNOT_WRITE_BESIDE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})

_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "is locked by another program that writes to it. Ask again in a moment.",
    sqlite3.SQLITE_LOCKED: "is locked by another program that writes to it. Ask again in a moment.",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened. Check that the file and its folder can be read.",
    sqlite3.SQLITE_PERM: "cannot be opened. Check the file's permissions.",
    sqlite3.SQLITE_IOERR: "cannot be read from its disk. Check the disk, and ask again.",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database. Check the path in QUAESTOR_DATABASE_URL.",
    sqlite3.SQLITE_CORRUPT: "is damaged. Restore it from a backup.",
}
"""What is said of the file, by SQLite's primary error code."""


class SQLite:
    """One SQLite file. Opening takes about 100 µs, so a statement gets a connection of its own and leaves nothing."""

    dialect: Dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path

    def probe(self) -> None:
        """Read the schema; raises DatabaseUnavailable where the file holds no SQLite database."""
        self.fetch(Statement("SELECT name FROM sqlite_master", limit=1, timeout=10))

    def fetch(self, statement: Statement) -> Fetched:
        """Return the statement's rows; raises SQLFailed, QueryTimedOut or DatabaseUnavailable."""
        with self._reading(statement) as connection:
            cursor = connection.execute(statement.sql)
            names = [column[0] for column in cursor.description or ()]
            return fetched(names, cursor, statement.limit)

    def plan(self, statement: Statement) -> None:
        """Let SQLite compile the statement; raises SQLFailed with its complaint."""
        with self._reading(statement) as connection:
            connection.execute("EXPLAIN QUERY PLAN " + statement.sql).fetchall()

    def close(self) -> None:
        """Nothing stays open."""

    @contextmanager
    def _reading(self, statement: Statement) -> Iterator[sqlite3.Connection]:
        deadline = time.monotonic() + statement.timeout

        def must_end() -> bool:
            # SQLite forgets an interrupt that comes before its statement has begun.
            return statement.stopped or time.monotonic() > deadline

        try:
            with closing(self._open()) as connection, statement.stopped_by(connection.interrupt):
                connection.set_progress_handler(must_end, _OPCODES_BETWEEN_CHECKS)
                yield connection
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self._translated(error, statement) from error

    def _open(self) -> sqlite3.Connection:
        connection = self._connect("mode=ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            connection.close()
            if _code(error) not in _CANNOT_WRITE_BESIDE or not self._is_settled():
                raise
            # In WAL mode SQLite needs to write beside the file even to read it. Where it may not, and nobody
            # else has the file open, it can be read as a file that does not change.
            connection = self._connect("mode=ro&immutable=1")
        _lock(connection)
        return connection

    def _connect(self, options: str) -> sqlite3.Connection:
        address = f"file:{quote(str(self._path))}?{options}"
        connection = sqlite3.connect(address, uri=True, timeout=_LOCK_WAIT, isolation_level=None)
        # Files written by other programs hold text in any encoding.
        connection.text_factory = lambda text: text.decode(errors="replace")
        return connection

    def _is_settled(self) -> bool:
        beside = (self._path.with_name(self._path.name + suffix) for suffix in ("-wal", "-journal"))
        return not any(path.exists() and path.stat().st_size for path in beside)

    def _translated(self, error: Exception, statement: Statement) -> AskError:
        code = _code(error)
        if code == sqlite3.SQLITE_INTERRUPT:
            return statement.timed_out()
        if code in _UNAVAILABLE:
            return DatabaseUnavailable(f"{self._path.name} {_UNAVAILABLE[code]}")
        return SQLFailed(str(error))


def _code(error: Exception) -> int:
    """Return SQLite's primary error code, or 0 where Python itself complains."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _lock(connection: sqlite3.Connection) -> None:
    """Shut every way to write, to reach another file or to build something huge."""
    connection.execute("PRAGMA query_only = ON")
    for limit, most in _LIMITS.items():
        connection.setlimit(limit, most)
    connection.set_authorizer(_authorize)


def _authorize(action: int, first: str | None, second: str | None, _database: str | None, _source: str | None) -> int:
    if action in _READS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_OK
    # json_each and full-text tables declare their columns by what looks like an update of the schema.
    if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
        return sqlite3.SQLITE_OK
    # R*Tree tables prepare their writes before their first read. mode=ro and query_only hold back any that would run.
    if action in _WRITES and (first or "").endswith(_RTREE_TABLES):
        return sqlite3.SQLITE_OK
    # Full-text tables ask whether the file has changed.
    if action == sqlite3.SQLITE_PRAGMA and first == "data_version" and second is None:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
