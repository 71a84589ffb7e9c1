"""Reads a PostgreSQL database, one statement in each read-only transaction, and always rolls back."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, cast

import psycopg
from psycopg import errors, pq
from psycopg.conninfo import make_conninfo
from psycopg.types.datetime import DateLoader, TimeLoader, TimestampLoader, TimestamptzLoader
from psycopg.types.string import TextLoader
from sqlalchemy.engine import URL

from errors import AskError, DatabaseUnavailable, NameMissing, SettingsInvalid, SQLFailed
from tools.catalog import Dialect
from tools.connections.pool import Pool
from tools.connections.statement import Fetched, Statement
from tools.connections.values import distinct_names, plain_rows

logger = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 5
_CANCEL_TIMEOUT = 2.0
_LOCK_WAIT = 5_000
_ROWS_AT_ONCE = 5
"""libpq holds so many rows raw, however wide they are."""

_BEGIN = """
BEGIN READ ONLY;
SET LOCAL statement_timeout = {timeout};
SET LOCAL lock_timeout = {lock};
SET LOCAL idle_in_transaction_session_timeout = {idle};
SET LOCAL standard_conforming_strings = on
"""
# The last line: the guard reads a backslash in a string as a backslash, so the server must too.

_CAN_WRITE = b"""
SELECT current_setting('is_superuser') = 'on' OR EXISTS (
    SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
)
"""

_MISSING = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)

_WHY_NOT = {
    "password authentication failed": "did not accept the user or the password. Check both in QUAESTOR_DATABASE_URL.",
    "no password supplied": "asks for a password. Add it to QUAESTOR_DATABASE_URL.",
    "pg_hba.conf": "does not let this user in from here. Check the server's pg_hba.conf and sslmode.",
    "too many": "has no connection left for us. Ask again in a moment.",
    "starting up": "is starting up. Ask again in a moment.",
    "sslmode": "cannot be asked: sslmode in QUAESTOR_DATABASE_URL is none that it knows.",
    "SSL": "and we could not agree on TLS. Check sslmode in QUAESTOR_DATABASE_URL.",
}
"""What is said of the server, by a part of libpq's complaint; the rest of it may name more than a person should see."""


class PostgreSQL:
    """One PostgreSQL database. Connections stay open between statements, and heal after the server restarts."""

    dialect: Dialect = "postgres"

    def __init__(self, url: URL) -> None:
        self._conninfo = _conninfo(url)
        self._place = f"PostgreSQL at {url.host or url.query.get('host') or 'localhost'}"
        self._database = url.database or url.username or ""
        self._idle: Pool[psycopg.Connection] = Pool()

    def probe(self) -> None:
        """Connect; raises DatabaseUnavailable where that fails, warns where our role may write."""
        statement = Statement(_CAN_WRITE.decode(), limit=1, timeout=10)
        if self.fetch(statement).values[0][0]:
            logger.warning(
                "The PostgreSQL role may write. Nothing Quaestor runs does, but give it a role with SELECT only: "
                "see docs/databases.md."
            )

    def fetch(self, statement: Statement) -> Fetched:
        """Return the statement's rows; raises SQLFailed, QueryTimedOut or DatabaseUnavailable."""
        sql = statement.sql.encode()
        with self._transaction(statement) as connection, connection.cursor() as cursor:
            # `stream` speaks the extended protocol, in which the server takes a single statement only.
            stream = cast("Generator[tuple[Any, ...]]", cursor.stream(sql, size=_ROWS_AT_ONCE))
            with closing(stream):
                values, truncated = plain_rows(stream, statement.limit)
            columns = [column.name for column in cursor.description or ()] or _described(connection, sql)
            return Fetched(distinct_names(columns), values, truncated)

    def plan(self, statement: Statement) -> None:
        """Let PostgreSQL plan the statement; raises SQLFailed with its complaint."""
        with self._transaction(statement) as connection, connection.cursor() as cursor:
            list(cursor.stream(b"EXPLAIN " + statement.sql.encode()))

    def close(self) -> None:
        """Close every connection."""
        self._idle.close()

    @contextmanager
    def _transaction(self, statement: Statement) -> Iterator[psycopg.Connection]:
        connection = self._begun(statement)
        try:
            with statement.stopped_by(lambda: _hang_up(connection)), _rolled_back(connection):
                yield connection
        except psycopg.Error as error:
            raise self._translated(error, statement) from error
        finally:
            if statement.stopped or connection.info.transaction_status != pq.TransactionStatus.IDLE:
                connection.close()
            else:
                self._idle.keep(connection)

    def _begun(self, statement: Statement) -> psycopg.Connection:
        while idle := self._idle.take():
            # An OperationalError: it is gone since the server was restarted.
            with suppress(psycopg.OperationalError):
                return _begun(idle, statement)
        try:
            return _begun(self._connect(), statement)
        except psycopg.Error as error:
            raise self._translated(error, statement) from error

    def _connect(self) -> psycopg.Connection:
        try:
            # Prepared statements would outlive their transaction, and a PgBouncer in between loses them.
            connection = psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            raise DatabaseUnavailable(self._why_not(str(error))) from error
        for name, loader in _LOADERS.items():
            connection.adapters.register_loader(name, loader)
        return connection

    def _translated(self, error: psycopg.Error, statement: Statement) -> AskError:
        if isinstance(error, errors.QueryCanceled):
            return statement.timed_out()
        if isinstance(error, errors.LockNotAvailable):
            return DatabaseUnavailable("Another program has locked what the query reads. Ask again in a moment.")
        if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "57P")[:3] in ("57P", "080"):
            return DatabaseUnavailable(f"{self._place} closed the connection. Ask again in a moment.")
        if error.diag.message_primary is None:
            return SQLFailed(str(error).split("\n")[0])
        hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
        return (NameMissing if isinstance(error, _MISSING) else SQLFailed)(error.diag.message_primary + hint)

    def _why_not(self, complaint: str) -> str:
        if "does not exist" in complaint:
            return f'{self._place} has no database or user as in QUAESTOR_DATABASE_URL (database "{self._database}").'
        for part, why in _WHY_NOT.items():
            if part in complaint:
                return f"{self._place} {why}"
        return f"{self._place} does not answer. Check the host and the port, and that the server runs."


def _conninfo(url: URL) -> str:
    """Return what libpq needs to connect; raises SettingsInvalid for an option that it does not know."""
    given: dict[str, str | int] = {
        # A network that swallows packets must not keep a thread for long.
        "connect_timeout": _CONNECT_TIMEOUT,
        "tcp_user_timeout": 20_000,
        "keepalives_idle": 20,
        "application_name": "quaestor",
    }
    given |= {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    parts = {"host": url.host, "port": url.port, "user": url.username, "password": url.password, "dbname": url.database}
    given |= {name: value for name, value in parts.items() if value is not None}
    try:
        return make_conninfo("", **(given | {"client_encoding": "utf8"}))
    except (psycopg.ProgrammingError, TypeError) as error:
        raise SettingsInvalid("QUAESTOR_DATABASE_URL holds an option that PostgreSQL does not know.") from error


def _begun(connection: psycopg.Connection, statement: Statement) -> psycopg.Connection:
    """Return the connection within a new transaction; it is closed where that fails."""
    milliseconds = max(1, int(statement.timeout * 1000))
    begin = _BEGIN.format(timeout=milliseconds, lock=min(milliseconds, _LOCK_WAIT), idle=milliseconds + 10_000)
    try:
        with statement.stopped_by(lambda: _hang_up(connection)):
            connection.execute(begin.encode())
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _rolled_back(connection: psycopg.Connection) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            connection.execute(b"ROLLBACK")


def _described(connection: psycopg.Connection, sql: bytes) -> list[str]:
    """Return the column names of a statement that had no rows: the stream does not tell them."""
    connection.pgconn.prepare(b"", sql)
    told = connection.pgconn.describe_prepared(b"")
    return [(told.fname(place) or b"").decode(errors="replace") for place in range(told.nfields)]


def _hang_up(connection: psycopg.Connection) -> None:
    """Ask the server to cancel, then cut the line: a server that is stuck must not keep our thread."""
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=_CANCEL_TIMEOUT)
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


class _Lenient:
    """Hands over as text what Python cannot hold: infinity, years before 1 and after 9999, 24:00."""

    def load(self, data: psycopg.abc.Buffer) -> object:
        try:
            return super().load(data)  # type: ignore[misc]  # the loader this is mixed into
        except psycopg.DataError:
            return bytes(data).decode()


class _Date(_Lenient, DateLoader):  # type: ignore[misc]
    pass


class _Time(_Lenient, TimeLoader):  # type: ignore[misc]
    pass


class _Timestamp(_Lenient, TimestampLoader):  # type: ignore[misc]
    pass


class _Timestamptz(_Lenient, TimestamptzLoader):  # type: ignore[misc]
    pass


_LOADERS: dict[str, type[psycopg.abc.Loader]] = {
    "date": _Date,
    "time": _Time,
    "timestamp": _Timestamp,
    "timestamptz": _Timestamptz,
    # PostgreSQL's own text keeps months, and the numbers in JSON, as they are.
    "interval": TextLoader,
    "json": TextLoader,
    "jsonb": TextLoader,
}
