"""Reads what a database holds into a `Catalog`: structure, comments, counts, samples and values."""

from __future__ import annotations

import logging
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote as percent_encode

import sqlalchemy
from sqlalchemy.engine import URL, Connection, Engine, Inspector, make_url
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import ArgumentError, SAWarning, SQLAlchemyError
from sqlalchemy.pool import NullPool

from errors import DatabaseUnavailable, SettingsInvalid
from tools.catalog import Catalog, Column, Dialect, ForeignKey, Table
from tools.descriptions import describe
from tools.key_inference import infer_keys
from tools.profiling import Profiler, Source, Unanswered, declared_kind

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5
FILE_DIALECTS: tuple[Dialect, ...] = ("sqlite", "duckdb")

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and how much there is. It may be called from any thread."""

_DIALECTS: dict[str, Dialect] = {
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "postgresql": "postgres",
    "postgres": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgres": "postgresql+psycopg", "mysql": "mysql+pymysql"}
_SYSTEM_SCHEMAS = {"information_schema", "pg_catalog", "pg_toast"}


class StructuredSource(Source, Protocol):
    """A source that also knows its tables."""

    def tables(self) -> list[Table]:
        """Return the tables as they are declared, without counts, samples or values."""


def read_catalog(database_url: str, *, descriptions: Path | None = None, progress: Progress | None = None) -> Catalog:
    """Return what the database holds, tables in the order of their names. It blocks: call it in a thread.

    `descriptions` is a TOML file (see `tools.descriptions`). Raises DatabaseUnavailable where the database cannot be
    reached or read or holds no table, and SettingsInvalid where the URL or the descriptions cannot be used.
    """
    url = parse_url(database_url)
    with _open(url) as source:
        declared = _tables(source, url)
        profiler = Profiler(source)
        profiled = []
        for done, table in enumerate(declared, start=1):
            profiled.append(profiler.profile(table))
            if progress:
                progress("Reading tables", done, len(declared))
        tables = infer_keys(profiled, profiler)
    return Catalog(database_name(url), source.dialect, describe(tables, descriptions))


def read_declared(url: URL) -> list[Table]:
    """Return the tables as they are declared, quickly: nothing is counted. It raises what `read_catalog` raises."""
    with _open(url) as source:
        return _tables(source, url)


def _tables(source: StructuredSource, url: URL) -> list[Table]:
    tables = source.tables()
    if not tables:
        raise DatabaseUnavailable(
            f"The database {database_name(url)} holds no tables: fill it first, or name another one."
        )
    return tables


def parse_url(database_url: str) -> URL:
    """Return the URL in parts; raises SettingsInvalid, without repeating the URL, where it is none of ours."""
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        raise SettingsInvalid(
            "The database URL cannot be read: write it like sqlite:///shop.db or postgresql://user@host/shop."
        ) from None
    if url.get_backend_name() not in _DIALECTS:
        raise SettingsInvalid(
            f"Databases of the kind {url.get_backend_name()} cannot be asked: the URL may begin with "
            "sqlite, duckdb, postgresql, mysql or mariadb."
        )
    if not url.database or url.database == ":memory:":
        raise SettingsInvalid("The database URL names no database: write it like sqlite:///shop.db.")
    return url


def dialect_of(url: URL) -> Dialect:
    """Return which of our dialects the URL's database speaks."""
    return _DIALECTS[url.get_backend_name()]


def database_name(url: URL) -> str:
    """Return what a person calls the database: the file's stem, or its name on the server."""
    name = url.database or ""
    return Path(name).stem if dialect_of(url) in FILE_DIALECTS else name


def database_file(url: URL) -> Path:
    """Return the file that a SQLite or DuckDB URL names; raises DatabaseUnavailable where there is none."""
    file = Path((url.database or "").removeprefix("file:"))
    if file.is_dir():
        raise DatabaseUnavailable(f"{file.name} is a folder, not a database file.")
    if not file.exists():
        raise DatabaseUnavailable(f"There is no database file {file.name}: check the path in the database URL.")
    return file


@contextmanager
def _open(url: URL) -> Iterator[StructuredSource]:
    if dialect_of(url) == "duckdb":
        from tools.duckdb_source import open_duckdb

        with open_duckdb(database_file(url), database_name(url)) as source:
            yield source
        return
    engine = _engine(url)
    try:
        with warnings.catch_warnings():
            # Types that SQLAlchemy does not know are kept as "other"; nobody needs to hear of it.
            warnings.simplefilter("ignore", SAWarning)
            with engine.connect() as connection:
                yield _SQLSource(connection, dialect_of(url))
    except SQLAlchemyError as error:
        log.debug("reading the schema failed: %s", type(error).__name__)
        raise DatabaseUnavailable(_why(url, error)) from None
    finally:
        engine.dispose()


def _engine(url: URL) -> Engine:
    dialect = dialect_of(url)
    if dialect == "sqlite":
        file = database_file(url)
        return sqlalchemy.create_engine("sqlite://", creator=lambda: _connect_sqlite(file), poolclass=NullPool)
    return sqlalchemy.create_engine(
        url.set(drivername=_DRIVERS[dialect]),
        connect_args={"connect_timeout": CONNECT_SECONDS},
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
    )


def _connect_sqlite(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{percent_encode(str(file))}?mode=ro", uri=True, timeout=CONNECT_SECONDS, check_same_thread=False
    )
    # Files from elsewhere hold text that is no UTF-8; a replaced letter is better than no answer.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _why(url: URL, error: SQLAlchemyError) -> str:
    """Return one sentence that says why the database cannot be read; never the URL, which may hold a password."""
    complaint = str(getattr(error, "orig", error)).lower()
    name = database_name(url)
    if dialect_of(url) == "sqlite":
        if "not a database" in complaint or "malformed" in complaint:
            return f"The file {Path(url.database or '').name} is not a SQLite database, or it is damaged."
        return f"The database file {Path(url.database or '').name} cannot be read: {complaint}."
    if "password" in complaint or "authentication" in complaint or "access denied" in complaint:
        return f"The database {name} refused the user name or the password in the database URL."
    if "does not exist" in complaint or "unknown database" in complaint:
        return f"The server has no database {name}: check the name in the database URL."
    where = url.host or "localhost"
    return f"The database {name} on {where} does not answer: check that it runs and that the URL is right."


class _SQLSource:
    """SQLite, PostgreSQL or MySQL, read through SQLAlchemy's inspection on one read-only connection."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self.dialect: Dialect = dialect
        self._connection = connection
        # The driver's own cursor: SQLAlchemy's would read a % or a : in a name as a parameter.
        self._driver: Any = connection.connection.dbapi_connection
        self._server_is_mariadb = getattr(connection.dialect, "is_mariadb", False)
        if dialect == "postgres":
            self._execute("SET default_transaction_read_only = on")
        elif dialect == "mysql":
            self._execute("SET SESSION TRANSACTION READ ONLY")

    def rows(self, sql: str, seconds: float) -> list[tuple[Any, ...]]:
        try:
            self._limit(seconds)
            return self._execute(sql)
        except Exception as error:  # each driver has its own tree
            log.debug("unanswered: %s (%s)", sql, type(error).__name__)
            raise Unanswered from error

    def _limit(self, seconds: float) -> None:
        match self.dialect:
            case "sqlite":
                until = time.monotonic() + seconds
                self._driver.set_progress_handler(lambda: time.monotonic() > until, 10_000)
            case "postgres":
                self._execute(f"SET statement_timeout = {int(seconds * 1000) + 1}")
            case "mysql":
                limit = f"max_statement_time = {seconds:.3f}"
                self._execute(
                    f"SET {limit}" if self._server_is_mariadb else f"SET max_execution_time = {int(seconds * 1000) + 1}"
                )

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        cursor = self._driver.cursor()
        try:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            cursor.close()

    def estimated_rows(self, table: Table) -> int | None:
        schema, name = table.schema, table.parts[-1]
        literal = "'" + name.replace("'", "''") + "'"
        where = f"'{schema.replace(chr(39), chr(39) * 2)}'" if schema else None
        match self.dialect:
            case "postgres":
                sql = (
                    "SELECT c.reltuples::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                    f"WHERE c.relname = {literal} AND n.nspname = {where or 'current_schema()'}"
                )
            case "mysql":
                sql = (
                    "SELECT table_rows FROM information_schema.tables "
                    f"WHERE table_name = {literal} AND table_schema = {where or 'database()'}"
                )
            case _:
                return None
        try:
            rows = self.rows(sql, CONNECT_SECONDS)
        except Unanswered:
            return None
        return int(rows[0][0]) if rows and rows[0][0] is not None and rows[0][0] >= 0 else None

    def tables(self) -> list[Table]:
        inspector = sqlalchemy.inspect(self._connection)
        default = inspector.default_schema_name
        schemas: list[str | None] = [None]
        if self.dialect == "postgres":
            schemas += [s for s in inspector.get_schema_names() if s != default and s not in _SYSTEM_SCHEMAS]
        hidden = self._hidden()
        tables = [table for schema in schemas for table in self._schema_tables(inspector, schema, hidden)]
        return sorted(_with_known_keys(tables), key=lambda table: table.name.lower())

    def _hidden(self) -> set[str]:
        """Return the tables that only serve another: a virtual table's shadows, a partitioned table's parts."""
        sql = {
            "sqlite": "SELECT name FROM pragma_table_list WHERE type = 'shadow'",
            "postgres": "SELECT relname FROM pg_class WHERE relispartition",
        }.get(self.dialect)
        try:
            return {row[0] for row in self.rows(sql, CONNECT_SECONDS)} if sql else set()
        except Unanswered:
            return set()

    def _schema_tables(self, inspector: Inspector, schema: str | None, hidden: set[str]) -> list[Table]:
        views = set(inspector.get_view_names(schema))
        if self.dialect == "postgres":
            views |= set(inspector.get_materialized_view_names(schema))
        names = [name for name in {*inspector.get_table_names(schema), *views} if name not in hidden]
        columns = _each(inspector, "columns", schema, names)
        keys = _each(inspector, "pk_constraint", schema, names)
        foreign = _each(inspector, "foreign_keys", schema, names)
        comments = _each(inspector, "table_comment", schema, names) if self.dialect != "sqlite" else {}
        return [
            Table(
                name=f"{schema}.{name}" if schema else name,
                columns=self._columns(columns[name], (keys.get(name) or {}).get("constrained_columns", ())),
                foreign_keys=tuple(_foreign_key(key) for key in foreign.get(name) or ()),
                description=(comments.get(name) or {}).get("text") or "",
                is_view=name in views,
                schema=schema or "",
            )
            for name in names
            if columns.get(name)
        ]

    def _columns(self, declared: Sequence[Any], primary_key: Sequence[str]) -> tuple[Column, ...]:
        return tuple(
            Column(
                name=column["name"],
                type=(type_text := self._type_text(column["type"])),
                kind="text" if isinstance(column["type"], sqlalchemy.Enum) else declared_kind(type_text),
                nullable=bool(column["nullable"]) and column["name"] not in primary_key,
                primary_key=column["name"] in primary_key,
                description=column.get("comment") or "",
            )
            for column in declared
        )

    def _type_text(self, declared: Any) -> str:
        try:
            return str(declared.compile(dialect=self._connection.dialect))
        except SQLAlchemyError:
            return ""  # Declared without a type, or with one that SQLAlchemy does not know.


def _each(inspector: Inspector, what: str, schema: str | None, names: list[str]) -> dict[str, Any]:
    """Return what the inspector says of each table, without those that cannot be read (a broken view, say)."""
    if not names:
        return {}
    try:
        every = getattr(inspector, f"get_multi_{what}")(schema=schema, filter_names=names, kind=ObjectKind.ANY)
        return {name: answer for (_, name), answer in every.items()}
    except Exception:  # one unreadable table fails them all
        inspector.clear_cache()
    answers = {}
    for name in names:
        try:
            answers[name] = getattr(inspector, f"get_{what}")(name, schema=schema)
        except Exception as error:  # SQLAlchemy parses DDL with assertions
            log.info("%s is left out, its %s cannot be read: %s", name, what, type(error).__name__)
    return answers


def _foreign_key(declared: Any) -> ForeignKey:
    schema, table = declared["referred_schema"], declared["referred_table"]
    return ForeignKey(
        tuple(declared["constrained_columns"]),
        f"{schema}.{table}" if schema else table,
        tuple(declared["referred_columns"]),
    )


def _with_known_keys(tables: Sequence[Table]) -> list[Table]:
    """Return the tables with each foreign key spelled as its table is, and without those that lead nowhere."""
    known = {table.name.lower(): table for table in tables}
    return [
        replace(table, foreign_keys=tuple(k for key in table.foreign_keys if (k := _resolved(key, known))))
        for table in tables
    ]


def _resolved(key: ForeignKey, known: dict[str, Table]) -> ForeignKey | None:
    target = known.get(key.table.lower())
    if target is None:
        return None
    referred = [target.column(name) for name in key.referred or target.primary_key]
    if len(referred) != len(key.columns) or not all(referred):
        return None
    return replace(key, table=target.name, referred=tuple(column.name for column in referred if column))
