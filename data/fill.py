"""Fills a database with the sample's rows."""

from __future__ import annotations

import os
import sqlite3
import zlib
from contextlib import closing
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, Table, create_engine
from sqlalchemy.engine import make_url

from data.rows import make_rows
from data.schema import describe, metadata
from data.trade import Row

SEED = 1887
VERSION = 1
"""Raised whenever the tables or their rows change, so that a sample made by an older Quaestor is made anew."""


def ensure_sample(path: Path, as_of: date, seed: int = SEED) -> bool:
    """Make the SQLite sample for the day, unless the file already holds it; return whether it was made.

    The new file takes the old one's place in one step, so a reader sees the one or the other, whole.
    """
    if _stamp(path) == _stamp_of(as_of, seed):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        fill(f"sqlite:///{fresh}", as_of, seed)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    return True


def fill(database_url: str, as_of: date, seed: int = SEED) -> dict[str, int]:
    """Create the tables in the database and fill them; return how many rows each one holds.

    Raises SQLAlchemyError when the database cannot be reached or already holds one of the tables.
    """
    rows = make_rows(seed, as_of)
    engine = create_engine(make_url(database_url))
    describe()
    try:
        with engine.begin() as connection:
            metadata.create_all(connection, checkfirst=False)
            insert = _copy if engine.dialect.name == "postgresql" else _insert
            for table in metadata.sorted_tables:
                insert(connection, table, rows[table.name])
            if engine.dialect.name == "sqlite":
                _put_stamp(connection, as_of, seed)
    finally:
        engine.dispose()
    return {table.name: len(rows[table.name]) for table in metadata.sorted_tables}


def _written(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.computed is None]


def _insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    columns = _written(table)
    marks = ", ".join("?" * len(columns))
    # The driver's own executemany: SQLAlchemy's would turn every date and price into a Python value and back.
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})", rows)


def _copy(connection: Connection, table: Table, rows: list[Row]) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(_written(table))}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _stamp_of(as_of: date, seed: int) -> tuple[int, int]:
    """What the file's header says it holds: the tables stay free of it."""
    return zlib.crc32(f"sample {VERSION} {seed}".encode()) >> 1, int(as_of.strftime("%Y%m%d"))


def _put_stamp(connection: Connection, as_of: date, seed: int) -> None:
    application_id, user_version = _stamp_of(as_of, seed)
    connection.exec_driver_sql(f"PRAGMA application_id = {application_id}")
    connection.exec_driver_sql(f"PRAGMA user_version = {user_version}")


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return the file's stamp, or None where there is no readable database."""
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            (application_id,) = database.execute("PRAGMA application_id").fetchone()
            (user_version,) = database.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError:
        return None
    return application_id, user_version
