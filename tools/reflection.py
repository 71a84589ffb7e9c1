"""Reads what a database holds into a `Catalog`: structure, comments, counts, samples and values."""

from __future__ import annotations

import logging
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote as percent_encode

import sqlalchemy
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from sqlalchemy.pool import NullPool

from errors import DatabaseUnavailable
from tools.catalog import Catalog, Dialect, Table
from tools.connections.address import database_file, database_name, dialect_of, read_url
from tools.reflection_descriptions import describe
from tools.reflection_keys import infer_keys
from tools.reflection_profile import Profiler, Source
from tools.reflection_sql import SQLSource

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5
SILENCE_SECONDS = 60
"""How long a server may say nothing where only the driver can give it up; statements have deadlines of their own."""
FILE_DIALECTS: tuple[Dialect, ...] = ("sqlite", "duckdb")

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and how much there is. It may be called from any thread."""

_DRIVERS = {"postgres": "postgresql+psycopg", "mysql": "mysql+pymysql"}


class StructuredSource(Source, Protocol):
    """A source that also knows its tables."""

    def tables(self) -> list[Table]:
        """Return the tables as they are declared, without counts, samples or values."""


def read_catalog(database_url: str, *, descriptions: Path | None = None, progress: Progress | None = None) -> Catalog:
    """Return what the database holds, tables in the order of their names. It blocks: call it in a thread.

    `descriptions` is a TOML file (see `reflection_descriptions`). Raises DatabaseUnavailable where the database cannot
    be reached or read or holds no table, and SettingsInvalid where the URL or the descriptions cannot be used.
    """
    with _open(database_url) as source:
        declared = _tables(source, database_url)
        profiler = Profiler(source)
        profiled = []
        for done, table in enumerate(declared, start=1):
            profiled.append(profiler.profile(table))
            if progress:
                progress("Reading tables", done, len(declared))
        tables = infer_keys(profiled, profiler)
    return Catalog(database_name(database_url), source.dialect, describe(tables, descriptions))


def read_declared(database_url: str) -> list[Table]:
    """Return the tables as they are declared, quickly: nothing is counted. It raises what `read_catalog` raises."""
    with _open(database_url) as source:
        return _tables(source, database_url)


def _tables(source: StructuredSource, database_url: str) -> list[Table]:
    tables = source.tables()
    if not tables:
        raise DatabaseUnavailable(
            f"The database {database_name(database_url)} holds no tables that may be read: "
            "fill it, grant SELECT on them, or name another one."
        )
    return tables


@contextmanager
def _open(database_url: str) -> Iterator[StructuredSource]:
    url, dialect = read_url(database_url), dialect_of(database_url)
    if dialect == "duckdb":
        from tools.reflection_duckdb import open_duckdb

        with open_duckdb(database_file(url)) as source:
            yield source
        return
    engine = _engine(url, dialect)
    try:
        with warnings.catch_warnings():
            # Types that SQLAlchemy does not know are kept as "other"; nobody needs to hear of it.
            warnings.simplefilter("ignore", SAWarning)
            with engine.connect() as connection:
                yield SQLSource(connection, dialect)
    except SQLAlchemyError as error:
        log.debug("reading the schema failed: %s", type(error).__name__)
        raise DatabaseUnavailable(_why(url, dialect, error)) from None
    finally:
        engine.dispose()


def _engine(url: URL, dialect: Dialect) -> Engine:
    if dialect == "sqlite":
        file = database_file(url)
        return sqlalchemy.create_engine("sqlite://", creator=lambda: _connect_sqlite(file), poolclass=NullPool)
    limits = {"connect_timeout": CONNECT_SECONDS}
    if dialect == "mysql":  # Its driver would wait for ever for the greeting of what is no MySQL.
        limits["read_timeout"] = SILENCE_SECONDS
    return sqlalchemy.create_engine(
        url.set(drivername=_DRIVERS[dialect]), connect_args=limits, poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )


def _connect_sqlite(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{percent_encode(str(file))}?mode=ro", uri=True, timeout=CONNECT_SECONDS, check_same_thread=False
    )
    # Files from elsewhere hold text that is no UTF-8; a replaced letter is better than no answer.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _why(url: URL, dialect: Dialect, error: SQLAlchemyError) -> str:
    """Return one sentence that says why the database cannot be read; never the URL, which may hold a password."""
    complaint = str(getattr(error, "orig", error)).lower()
    if dialect == "sqlite":
        file = Path(url.database or "").name
        if "not a database" in complaint or "malformed" in complaint:
            return f"The file {file} is not a SQLite database, or it is damaged."
        return f"The database file {file} cannot be read ({complaint})."
    name = url.database or url.username
    if "password" in complaint or "authentication" in complaint or "access denied" in complaint:
        return f"The database {name} refused the user name or the password in QUAESTOR_DATABASE_URL."
    if "does not exist" in complaint or "unknown database" in complaint:
        return f"The server has no database {name}: check the name in QUAESTOR_DATABASE_URL."
    where = url.host or "localhost"
    return (
        f"The database {name} on {where} does not answer: check that it runs and that QUAESTOR_DATABASE_URL is right."
    )
