"""Reads the tables of SQLite, PostgreSQL and MySQL through SQLAlchemy's inspection."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Connection, Inspector
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import SQLAlchemyError

from tools.catalog import Column, Dialect, ForeignKey, Table
from tools.reflection_profile import Unanswered, declared_kind

log = logging.getLogger(__name__)

CATALOGUE_SECONDS = 5.0
"""How long a question about the database's own catalogue may take."""
_SYSTEM_SCHEMAS = {"information_schema", "pg_catalog", "pg_toast"}


class SQLSource:
    """SQLite, PostgreSQL or MySQL, read through SQLAlchemy's inspection on one read-only connection."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self.dialect: Dialect = dialect
        self._connection = connection
        # The driver's own cursor: SQLAlchemy's would read a % or a : in a name as a parameter.
        self._driver: Any = connection.connection.dbapi_connection
        self._server_is_mariadb = getattr(connection.dialect, "is_mariadb", False)
        if dialect == "postgres":
            connection.exec_driver_sql("SET default_transaction_read_only = on")
        elif dialect == "mysql":
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")

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
            rows = self.rows(sql, CATALOGUE_SECONDS)
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

    def _hidden(self) -> set[tuple[str | None, str]]:
        """Return schema and name of the tables to leave out.

        They are a virtual table's shadows, a partitioned table's parts, and what our role may not read.
        """
        sql = {
            "sqlite": "SELECT NULL, name FROM pragma_table_list WHERE type = 'shadow'",
            "postgres": (
                "SELECT NULLIF(n.nspname, current_schema()), c.relname "
                "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE c.relispartition OR NOT has_schema_privilege(n.oid, 'USAGE') "
                "OR NOT has_any_column_privilege(c.oid, 'SELECT')"
            ),
        }.get(self.dialect)
        try:
            return {(row[0], row[1]) for row in self.rows(sql, CATALOGUE_SECONDS)} if sql else set()
        except Unanswered:
            return set()

    def _schema_tables(
        self, inspector: Inspector, schema: str | None, hidden: set[tuple[str | None, str]]
    ) -> list[Table]:
        views = set(inspector.get_view_names(schema))
        if self.dialect == "postgres":
            views |= set(inspector.get_materialized_view_names(schema))
        names = [name for name in {*inspector.get_table_names(schema), *views} if (schema, name) not in hidden]
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
                name=self._spelled(column["name"]),
                type=(type_text := self._type_text(column["type"])),
                kind="text" if isinstance(column["type"], sqlalchemy.Enum) else declared_kind(type_text),
                nullable=bool(column["nullable"]) and column["name"] not in primary_key,
                primary_key=column["name"] in primary_key,
                description=column.get("comment") or "",
            )
            for column in declared
        )

    def _spelled(self, name: str) -> str:
        # SQLAlchemy takes MySQL's column names out of SHOW CREATE TABLE and leaves their backticks doubled.
        return name.replace("``", "`") if self.dialect == "mysql" else name

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
        replace(table, foreign_keys=tuple(k for key in table.foreign_keys if (k := _resolved(key, table, known))))
        for table in tables
    ]


def _resolved(key: ForeignKey, table: Table, known: dict[str, Table]) -> ForeignKey | None:
    target = known.get(key.table.lower())
    if target is None or not all(table.column(name) for name in key.columns):
        return None
    referred = [target.column(name) for name in key.referred or target.primary_key]
    if len(referred) != len(key.columns) or not all(referred):
        return None
    return replace(key, table=target.name, referred=tuple(column.name for column in referred if column))
