"""Reads a SQLite file over connections that cannot write."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from errors import AskError, DatabaseUnavailable, NameMissing, SQLFailed
from tools.catalog import Dialect
from tools.connections.pool import Pool
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

_SPILL = 2 * 2**30
"""Bytes of the disk that may go while a statement sorts or groups: past it, SQLite would sort on after its deadline."""

_BETWEEN_LOOKS = 0.1
"""Seconds between two looks at the disk, which may fill by some 100 MB in them."""

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

_MISSING = ("no such table", "no such column")
"""How SQLite begins to say so; it has no code for it."""

_File = tuple[int, int, int, int]
"""Its device, its inode, its size, and when it was last written."""


@dataclass(frozen=True)
class _Opened:
    """A connection, and the file as it was then."""

    connection: sqlite3.Connection
    file: _File | None
    """None where the connection would not see what others write: it serves one statement."""

    def close(self) -> None:
        self.connection.close()


class SQLite:
    """One SQLite file. A connection is kept for the next statement as long as the file is the same and untouched.

    SQLite itself sees what other programs write through it. It cannot see that a file was replaced or overwritten.
    """

    dialect: Dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: Pool[_Opened] = Pool()

    def probe(self) -> None:
        """Read the schema; raises DatabaseUnavailable where the file holds no SQLite database."""
        self.fetch(Statement("SELECT name FROM sqlite_master", limit=1, timeout=10))

    def fetch(self, statement: Statement) -> Fetched:
        """Return the statement's rows; raises SQLFailed, QueryTimedOut or DatabaseUnavailable."""
        # A cursor that is not read to its end would hold the file's read lock.
        with self._reading(statement) as connection, closing(connection.execute(statement.sql)) as cursor:
            names = [column[0] for column in cursor.description or ()]
            return fetched(names, cursor, statement.limit)

    def plan(self, statement: Statement) -> None:
        """Let SQLite compile the statement; raises SQLFailed with its complaint."""
        with self._reading(statement) as connection:
            connection.execute("EXPLAIN QUERY PLAN " + statement.sql).fetchall()

    def close(self) -> None:
        """Close every connection."""
        self._idle.close()

    @contextmanager
    def _reading(self, statement: Statement) -> Iterator[sqlite3.Connection]:
        deadline = time.monotonic() + statement.timeout
        spilled = _spilling()

        def must_end() -> bool:
            # SQLite forgets an interrupt that comes before its statement has begun.
            return statement.stopped or time.monotonic() > deadline or spilled()

        try:
            with self._taken() as connection, statement.stopped_by(connection.interrupt):
                connection.set_progress_handler(must_end, _OPCODES_BETWEEN_CHECKS)
                yield connection
        except (sqlite3.Error, sqlite3.Warning) as error:
            if _code(error) == sqlite3.SQLITE_INTERRUPT and not statement.stopped and time.monotonic() < deadline:
                raise SQLFailed("The query needed more disk than it may use. Ask for less at once.") from error
            raise self._translated(error, statement) from error

    @contextmanager
    def _taken(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection; after a statement that failed it is not kept."""
        file = self._file()
        opened = self._idle.take()
        if opened is None or file is None or opened.file != file:
            if opened is not None:
                opened.close()
            opened = self._open(file)
        try:
            yield opened.connection
        except BaseException:
            opened.close()
            raise
        if opened.file is None:
            opened.close()
        else:
            self._idle.keep(opened)

    def _file(self) -> _File | None:
        """Return which file it is, and when it was written; None where there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _open(self, file: _File | None) -> _Opened:
        connection = self._connect("mode=ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            connection.close()
            if _code(error) not in _CANNOT_WRITE_BESIDE or not self._is_settled():
                raise
            # In WAL mode SQLite needs to write beside the file even to read it. Where it may not, and nobody
            # else has the file open, it can be read as a file that does not change.
            connection, file = self._connect("mode=ro&immutable=1"), None
        _lock(connection)
        return _Opened(connection, file)

    def _connect(self, options: str) -> sqlite3.Connection:
        address = f"file:{quote(str(self._path))}?{options}"
        connection = sqlite3.connect(
            address,
            uri=True,
            timeout=_LOCK_WAIT,
            isolation_level=None,
            check_same_thread=False,  # One thread after the other has it.
            cached_statements=0,  # Hardly a statement comes twice, and each would keep its memory.
        )
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
        return (NameMissing if str(error).startswith(_MISSING) else SQLFailed)(str(error))


def _spilling() -> Callable[[], bool]:
    """Return what tells whether more than _SPILL of SQLite's temporary disk has gone since now."""
    folder = _temporary()
    free = shutil.disk_usage(folder).free
    look = time.monotonic() + _BETWEEN_LOOKS

    def spilled() -> bool:
        nonlocal look
        if (now := time.monotonic()) < look:
            return False
        look = now + _BETWEEN_LOOKS
        return free - shutil.disk_usage(folder).free > _SPILL

    return spilled


def _temporary() -> str:
    """Return the folder of SQLite's temporary files ("Temporary Files Used By SQLite", 5)."""
    named = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp")
    return next((path for path in named if path and os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK)), ".")


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
