"""Fills a database with the sample's rows."""

from __future__ import annotations

import os
import struct
import zlib
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, Table, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from data.rows import make_rows
from data.schema import describe, metadata
from data.trade import Row
from errors import DatabaseUnavailable

SEED = 1887
VERSION = 1
"""Raised whenever the tables or their rows change, so that a sample made by an older Quaestor is made anew."""

OURS = 0x5155
"""The upper half of a sample's application_id; nobody else's file is ever replaced."""


def ensure_sample(path: Path, as_of: date, seed: int = SEED) -> bool:
    """Make the SQLite sample for the day, unless the file already holds it; return whether it was made.

    The new file takes the old one's place in one step, so a reader sees the one or the other, whole. Raises
    DatabaseUnavailable rather than overwrite a file that is no sample of ours, and where none can be written.
    """
    held = _stamp(path)
    if held == _stamp_of(as_of, seed):
        return False
    if held is None and path.exists() and path.stat().st_size:
        raise DatabaseUnavailable(
            f"{path} is not a sample database, so it was left alone; move it away or name another file."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".sample-", dir=path.parent) as folder:
            fresh = Path(folder, path.name)
            fill(f"sqlite:///{fresh}", as_of, seed)
            os.replace(fresh, path)
    except (OSError, OperationalError) as error:
        why = error.orig if isinstance(error, OperationalError) else error.strerror
        raise DatabaseUnavailable(f"The sample database cannot be written to {path.parent}: {why}.") from error
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
    """Return what the file's header says it holds, application_id and user_version: the tables stay free of it."""
    made_by = zlib.crc32(f"{VERSION} {seed}".encode()) & 0xFFFF
    return OURS << 16 | made_by, int(as_of.strftime("%Y%m%d"))


def _put_stamp(connection: Connection, as_of: date, seed: int) -> None:
    application_id, user_version = _stamp_of(as_of, seed)
    connection.exec_driver_sql(f"PRAGMA application_id = {application_id}")
    connection.exec_driver_sql(f"PRAGMA user_version = {user_version}")


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return the stamp in the file's header, or None where the file is missing or no sample."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return None
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        return None
    # Where https://www.sqlite.org/fileformat2.html puts them.
    (user_version,) = struct.unpack_from(">i", header, 60)
    (application_id,) = struct.unpack_from(">i", header, 68)
    return (application_id, user_version) if application_id >> 16 == OURS else None
