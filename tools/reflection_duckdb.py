"""Reads a DuckDB file's tables from DuckDB's own catalogue functions.

SQLAlchemy has no DuckDB dialect of its own, and the one beside it reflects through PostgreSQL's catalogue, which
DuckDB only imitates.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from errors import DatabaseUnavailable
from tools.catalog import Column, Dialect, ForeignKey, Table
from tools.reflection_profile import Unanswered, declared_kind

log = logging.getLogger(__name__)

# A read-only DuckDB connection still reads other files and the host's variables unless told not to.
_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "lock_configuration": "true",
}
_TABLES = """
    SELECT schema_name, table_name, comment, FALSE, estimated_size FROM duckdb_tables()
    WHERE NOT internal AND database_name = current_database()
    UNION ALL
    SELECT schema_name, view_name, comment, TRUE, NULL FROM duckdb_views()
    WHERE NOT internal AND database_name = current_database()
    ORDER BY 1, 2
"""
_COLUMNS = """
    SELECT schema_name, table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns()
    WHERE NOT internal AND database_name = current_database() ORDER BY column_index
"""
_KEYS = """
    SELECT schema_name, table_name, constraint_type, constraint_column_names, referenced_table, referenced_column_names
    FROM duckdb_constraints()
    WHERE constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') AND database_name = current_database()
"""


@contextmanager
def open_duckdb(file: Path) -> Iterator[DuckDBSource]:
    """Open the file read-only; raises DatabaseUnavailable where it is no DuckDB file or another process writes it."""
    try:
        connection = duckdb.connect(str(file), read_only=True, config=_LOCKED)
    except duckdb.Error as error:
        log.debug("opening DuckDB failed: %s", type(error).__name__)
        if "lock" in str(error).lower():
            reason = f"The database {file.name} is being written by another program: close it there, then ask again."
        else:
            reason = f"The file {file.name} is not a DuckDB database, or this version of DuckDB cannot read it."
        raise DatabaseUnavailable(reason) from None
    try:
        yield DuckDBSource(connection)
    finally:
        connection.close()


class DuckDBSource:
    """One DuckDB file, open read-only."""

    dialect: Dialect = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._estimates: dict[str, int | None] = {}

    def rows(self, sql: str, seconds: float) -> list[tuple[Any, ...]]:
        """Return every row; raises Unanswered when it fails or takes longer than `seconds`."""
        cursor = self._connection.cursor()
        alarm = threading.Timer(seconds, cursor.interrupt)
        alarm.start()
        try:
            return cursor.execute(sql).fetchall()
        except duckdb.Error as error:
            raise Unanswered from error
        finally:
            alarm.cancel()
            cursor.close()

    def estimated_rows(self, table: Table) -> int | None:
        """Return DuckDB's own estimate of a table's rows, or None for a view."""
        return self._estimates.get(table.name)

    def tables(self) -> list[Table]:
        """Return the tables and views of every schema as they are declared, without counts, samples or values."""
        columns: dict[tuple[str, str], list[Column]] = {}
        primary, foreign = self._keys()
        for schema, table, name, type_text, nullable, comment in self._connection.execute(_COLUMNS).fetchall():
            columns.setdefault((schema, table), []).append(
                Column(
                    name=name,
                    type=type_text,
                    kind=declared_kind(type_text),
                    nullable=nullable,
                    primary_key=name in primary.get((schema, table), ()),
                    description=comment or "",
                )
            )
        tables = []
        for schema, name, comment, is_view, estimate in self._connection.execute(_TABLES).fetchall():
            if (schema, name) not in columns:
                continue  # A view whose tables are gone.
            table = Table(
                name=_full_name(schema, name),
                columns=tuple(columns[schema, name]),
                foreign_keys=tuple(foreign.get((schema, name), ())),
                description=comment or "",
                is_view=is_view,
                schema="" if schema == "main" else schema,
            )
            self._estimates[table.name] = estimate
            tables.append(table)
        return tables

    def _keys(self) -> tuple[dict[tuple[str, str], list[str]], dict[tuple[str, str], list[ForeignKey]]]:
        """Return each table's primary key and its foreign keys. DuckDB's lead nowhere but into their own schema."""
        primary: dict[tuple[str, str], list[str]] = {}
        foreign: dict[tuple[str, str], list[ForeignKey]] = {}
        for schema, table, kind, columns, referred_table, referred in self._connection.execute(_KEYS).fetchall():
            if kind == "PRIMARY KEY":
                primary[schema, table] = columns
            else:
                key = ForeignKey(tuple(columns), _full_name(schema, referred_table), tuple(referred))
                foreign.setdefault((schema, table), []).append(key)
        return primary, foreign


def _full_name(schema: str, name: str) -> str:
    return name if schema == "main" else f"{schema}.{name}"
