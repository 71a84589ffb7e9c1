"""Reads a MySQL or MariaDB database, one statement in each read-only transaction, and always rolls back."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import time
from typing import Any, TypeAlias

import pymysql
from pymysql.constants import ER, FIELD_TYPE
from pymysql.converters import conversions
from pymysql.cursors import SSCursor
from sqlalchemy.engine import URL

from errors import AskError, DatabaseUnavailable, NameMissing, SettingsInvalid, SQLFailed
from tools.catalog import Dialect
from tools.connections.pool import Pool
from tools.connections.statement import Fetched, Statement
from tools.connections.values import fetched

logger = logging.getLogger(__name__)
_CONNECT_TIMEOUT = 5
"""Seconds for the way to the server, and for each word of its greeting: silence must not keep a thread."""
_LOCK_WAIT = 5
_KILL_TIMEOUT = 2

_OPTIONS = frozenset(
    {"unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity", "charset"}
)

_MODE = "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,STRICT_TRANS_TABLES"
"""The server's own mode may change what quotes and backslashes mean; the guard has read them in MySQL's default."""

_CAN_WRITE = """
SELECT COUNT(*) FROM (
    SELECT grantee, privilege_type FROM information_schema.user_privileges
    UNION ALL SELECT grantee, privilege_type FROM information_schema.schema_privileges
    UNION ALL SELECT grantee, privilege_type FROM information_schema.table_privileges
) AS granted
WHERE privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'CREATE', 'DROP', 'ALTER', 'FILE', 'SUPER')
  AND grantee = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''',
                       SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')
"""

_TIMED_OUT = {ER.QUERY_TIMEOUT, ER.STATEMENT_TIMEOUT, ER.QUERY_INTERRUPTED}

_MISSING = {ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR}

_LOCKED = {ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK}

_LOST = {2006, 2013, ER.SERVER_SHUTDOWN, 1927}  # gone away, lost, shutting down, killed

_WHY_NOT = {
    ER.ACCESS_DENIED_ERROR: "did not accept the user or the password. Check both in QUAESTOR_DATABASE_URL.",
    1698: "did not accept the user or the password. Check both in QUAESTOR_DATABASE_URL.",
    ER.DBACCESS_DENIED_ERROR: "does not let this user read the database. Grant it SELECT, or name another database.",
    ER.BAD_DB_ERROR: "has no database of this name. Check the end of QUAESTOR_DATABASE_URL.",
    ER.CON_COUNT_ERROR: "has no connection left for us. Ask again in a moment.",
    ER.TOO_MANY_USER_CONNECTIONS: "has no connection left for us. Ask again in a moment.",
}
"""What is said of the server when it does not let us in, by its error code."""

_Connection: TypeAlias = "pymysql.Connection[SSCursor]"


class MySQL:
    """One MySQL or MariaDB database. Connections stay open between statements, and heal after the server restarts."""

    dialect: Dialect = "mysql"

    def __init__(self, url: URL) -> None:
        self._arguments = _arguments(url)
        self._place = f"MySQL at {url.host or 'localhost'}"
        self._idle: Pool[_Connection] = Pool()

    def probe(self) -> None:
        """Connect; raises DatabaseUnavailable where that fails, warns where our user may write."""
        if self.fetch(Statement(_CAN_WRITE, limit=1, timeout=10)).values[0][0]:
            logger.warning(
                "The MySQL user may write. Nothing Quaestor runs does, but give it a user with SELECT only: "
                "see docs/databases.md."
            )

    def fetch(self, statement: Statement) -> Fetched:
        """Return the statement's rows; raises SQLFailed, QueryTimedOut or DatabaseUnavailable."""
        with self._transaction(statement) as connection, _cursor(connection) as cursor:
            cursor.execute(statement.sql)
            found = fetched([column[0] for column in cursor.description or ()], cursor, statement.limit)
            if found.truncated:
                # The protocol has no way to leave the rest unread but to hang up.
                connection.close()
            return found

    def plan(self, statement: Statement) -> None:
        """Let the server plan the statement; raises SQLFailed with its complaint."""
        with self._transaction(statement) as connection, _cursor(connection) as cursor:
            cursor.execute("EXPLAIN " + statement.sql)
            cursor.fetchall()

    def close(self) -> None:
        """Close every connection."""
        self._idle.close()

    @contextmanager
    def _transaction(self, statement: Statement) -> Iterator[_Connection]:
        connection = self._begun(statement)
        try:
            with statement.stopped_by(lambda: self._kill(connection)), _rolled_back(connection):
                yield connection
        except pymysql.MySQLError as error:
            raise self._translated(error, statement) from error
        finally:
            if statement.stopped or not connection.open:
                _close(connection)
            else:
                self._idle.keep(connection)

    def _begun(self, statement: Statement) -> _Connection:
        while idle := self._idle.take():
            # A MySQLError: it is gone since the server was restarted.
            with suppress(pymysql.MySQLError):
                return self._begin(idle, statement)
        try:
            return self._begin(_unhurried(self._connect()), statement)
        except pymysql.MySQLError as error:
            raise self._translated(error, statement) from error

    def _begin(self, connection: _Connection, statement: Statement) -> _Connection:
        """Return the connection within a new transaction; it is closed where that fails."""
        try:
            with statement.stopped_by(lambda: self._kill(connection)):
                _begin(connection, statement.timeout)
        except BaseException:
            _close(connection)
            raise
        return connection

    def _connect(self, **more: Any) -> _Connection:
        try:
            return pymysql.connect(**{**self._arguments, **more})
        except (pymysql.MySQLError, OSError) as error:
            code = error.args[0] if error.args else 0
            why = _WHY_NOT.get(code, "does not answer. Check the host and the port, and that the server runs.")
            raise DatabaseUnavailable(f"{self._place} {why}") from error

    def _kill(self, connection: _Connection) -> None:
        """Have the server end the connection, then cut the line: a server that is stuck must not keep our thread."""
        with suppress(pymysql.MySQLError, DatabaseUnavailable):
            other = self._connect(connect_timeout=_KILL_TIMEOUT, read_timeout=_KILL_TIMEOUT)
            with other, other.cursor() as cursor:
                cursor.execute(f"KILL {connection.thread_id()}")  # type: ignore[no-untyped-call]
        line: socket.socket | None = getattr(connection, "_sock", None)
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _translated(self, error: pymysql.MySQLError, statement: Statement) -> AskError:
        code, complaint = (*error.args, None, None)[:2]
        if code in _TIMED_OUT:
            return statement.timed_out()
        if code in _LOCKED:
            return DatabaseUnavailable("Another program has locked what the query reads. Ask again in a moment.")
        if code in _LOST or isinstance(error, pymysql.InterfaceError):
            return DatabaseUnavailable(f"{self._place} closed the connection. Ask again in a moment.")
        return (NameMissing if code in _MISSING else SQLFailed)(str(complaint or error))


def _unhurried(connection: _Connection) -> _Connection:
    """Return the connection without the greeting's time limit: a statement has its own, in the server."""
    connection._read_timeout = None  # type: ignore[attr-defined]  # pymysql has no other way once it is connected
    return connection


def _begin(connection: _Connection, timeout: float) -> None:
    if "mariadb" in str(connection.get_server_info()).lower():  # type: ignore[no-untyped-call]
        deadline = f"max_statement_time = {timeout:.3f}"
    else:
        deadline = f"max_execution_time = {max(1, int(timeout * 1000))}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET SESSION {deadline}, SESSION sql_mode = '{_MODE}', "
            f"SESSION lock_wait_timeout = {_LOCK_WAIT}, SESSION innodb_lock_wait_timeout = {_LOCK_WAIT}"
        )
        # A statement that commits by itself (CREATE, DROP) leaves the transaction, but not the session.
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.execute("START TRANSACTION READ ONLY")


@contextmanager
def _rolled_back(connection: _Connection) -> Iterator[None]:
    try:
        yield
    finally:
        if connection.open:
            try:
                connection.rollback()
            except pymysql.MySQLError:
                _close(connection)


@contextmanager
def _cursor(connection: _Connection) -> Iterator[SSCursor]:
    """Lend a cursor that reads rows as they come, not all of them at once."""
    cursor = connection.cursor()
    try:
        yield cursor
    finally:
        if not connection.open and (unread := getattr(cursor, "_result", None)) is not None:
            # pymysql would go on reading from the closed connection when the cursor is collected.
            unread.unbuffered_active = False
        cursor.close()


def _close(connection: _Connection) -> None:
    if connection.open:
        with suppress(pymysql.MySQLError):
            connection.close()


def _arguments(url: URL) -> dict[str, Any]:
    """Return what pymysql needs to connect; raises SettingsInvalid for an option that it would not know."""
    if unknown := sorted(set(url.query) - _OPTIONS):
        raise SettingsInvalid(
            f"QUAESTOR_DATABASE_URL holds the option {unknown[0]}, which is none of {', '.join(sorted(_OPTIONS))}."
        )
    options: dict[str, Any] = {name: _option(str(value)) for name, value in url.query.items()}
    return options | {
        "host": url.host or "localhost",
        "port": url.port or 3306,
        "user": url.username,
        "password": url.password or "",
        "database": url.database,
        "charset": "utf8mb4",
        "connect_timeout": _CONNECT_TIMEOUT,
        "read_timeout": _CONNECT_TIMEOUT,
        "local_infile": False,
        "cursorclass": SSCursor,
        "conv": conversions | {FIELD_TYPE.TIME: _time},
    }


def _option(value: str) -> str | bool:
    return {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)


def _time(text: bytes | str) -> time | str:
    """Return a time of day as such; MySQL's TIME may also be a span such as -838:59:59, which stays text."""
    written = text.decode() if isinstance(text, bytes) else text
    try:
        return time.fromisoformat(written)
    except ValueError:
        return written
