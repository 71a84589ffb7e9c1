"""Measures what a table's columns hold: rows, distinct values, samples, and what they are good for."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from tools.catalog import Column, Dialect, Kind, Table

log = logging.getLogger(__name__)

VALUES_KEPT = 5_000
"""A text column with more distinct values than this has none in the catalog."""
VALUE_LENGTH = 80
"""Text longer than this on average is prose, not a value that a question names."""
STATEMENT_SECONDS = 2.0
TOTAL_SECONDS = 20.0
"""What is not known of a database by then stays unknown: the first question should not wait for longer."""
COUNTED_ROWS = 200_000
"""In a larger table only text columns are looked through for their distinct values."""
SAMPLED_ROWS = 200
SAMPLES = 5
SAMPLE_LENGTH = 60
COLUMNS_AT_ONCE = 100
"""SQLite allows 2,000 columns in a result, PostgreSQL 1,664; a hundred keeps one statement short."""

_NUMBERS = (
    "INT INTEGER INT2 INT4 INT8 INT64 BIGINT SMALLINT TINYINT MEDIUMINT HUGEINT UBIGINT UINTEGER USMALLINT UTINYINT "
    "UHUGEINT SERIAL BIGSERIAL REAL FLOAT FLOAT4 FLOAT8 DOUBLE DECIMAL NUMERIC NUMBER DEC YEAR CURRENCY"
).split()
_TEXTS = (
    "CHAR VARCHAR TEXT NCHAR NVARCHAR CHARACTER STRING CLOB BPCHAR CITEXT NAME ENUM SET TINYTEXT MEDIUMTEXT LONGTEXT "
    "NATIVE NTEXT VARCHAR2 NVARCHAR2"
).split()
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(_NUMBERS, "number"),
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(("DATE", "DATETIME", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS", "TIMESTAMP_S"), "date"),
    **dict.fromkeys(("TIME", "TIMETZ"), "time"),
    **dict.fromkeys(("BOOL", "BOOLEAN"), "boolean"),
}
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?")
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_STRICT = ("postgres", "duckdb")
"""The dialects in which a column holds what it was declared for, and nothing else."""
_NOT_A_DATE = "NOT GLOB '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]*'"


class Unanswered(Exception):
    """A statement failed, or was not done in its time."""


class Source(Protocol):
    """A database that can be asked for rows, one statement at a time."""

    dialect: Dialect

    def rows(self, sql: str, seconds: float) -> list[tuple[Any, ...]]:
        """Return every row; raises Unanswered when it fails or takes longer than `seconds`."""

    def estimated_rows(self, table: Table) -> int | None:
        """Return the database's own estimate of a table's rows, or None."""


class Profiler:
    """Asks one source about its tables, and stops asking for more when the total time is up."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.dialect: Dialect = source.dialect
        self._until = time.monotonic() + TOTAL_SECONDS

    def ask(self, sql: str) -> list[tuple[Any, ...]] | None:
        """Return the rows, or None where the database does not answer in time."""
        seconds = min(STATEMENT_SECONDS, self._until - time.monotonic())
        if seconds <= 0:
            return None
        try:
            return self._source.rows(sql, seconds)
        except Unanswered:
            return None

    def profile(self, table: Table) -> Table:
        """Return the table with its row count, and its columns with kinds, samples and distinct values."""
        rows = self._count_rows(table)
        columns = self._with_samples(table)
        columns = [self._with_values(table, column) for column in columns]
        if rows is not None and rows <= COUNTED_ROWS:
            columns = list(self._with_counts(table, columns, rows))
        return replace(table, row_count=rows, columns=tuple(columns))

    def _count_rows(self, table: Table) -> int | None:
        counted = self.ask(f"SELECT COUNT(*) FROM {self.quoted(table)}")
        return int(counted[0][0]) if counted else self._source.estimated_rows(table)

    def quoted(self, table: Table) -> str:
        """Return the table's name as this database's SQL writes it."""
        return ".".join(quote(part, self.dialect) for part in table.parts)

    def _name(self, column: Column) -> str:
        return quote(column.name, self.dialect)

    def _with_samples(self, table: Table) -> list[Column]:
        sampled: list[Column] = []
        for columns in _batches(table.columns):
            names = ", ".join(self._sampled(column) for column in columns)
            rows = self.ask(f"SELECT {names} FROM {self.quoted(table)} LIMIT {SAMPLED_ROWS}") or []
            for position, column in enumerate(columns):
                values = [row[position] for row in rows if row[position] is not None]
                sampled.append(replace(column, kind=self._kind(table, column, values), samples=_samples(values)))
        return sampled

    def _sampled(self, column: Column) -> str:
        if self.dialect not in _STRICT:
            return self._name(column)
        # As text, because the drivers cannot read every value (infinite dates, zones without pytz).
        return "NULL" if "BYTEA" in column.type or "BLOB" in column.type else f"CAST({self._name(column)} AS VARCHAR)"

    def _kind(self, table: Table, column: Column, values: Sequence[Any]) -> Kind:
        """Return what the column is good for: its declaration says one thing, its values may say another."""
        if self.dialect in _STRICT:
            return column.kind
        if self.dialect == "mysql":
            flag = column.type.upper().startswith(("TINYINT(1)", "BIT(1)")) or column.kind == "boolean"
            return "boolean" if flag and all(value in (0, 1, b"\0", b"\1") for value in values) else column.kind
        kind = judge(column.kind, values)
        if kind == "date" and any(isinstance(value, str) for value in values):
            name = self._name(column)
            other = self.ask(f"SELECT 1 FROM {self.quoted(table)} WHERE {name} {_NOT_A_DATE} LIMIT 1")
            return "text" if other else "date"
        return kind

    def _with_values(self, table: Table, column: Column) -> Column:
        prose = bool(column.samples) and all(len(sample) == SAMPLE_LENGTH for sample in column.samples)
        if column.kind != "text" or prose:
            return column
        name = self._name(column)
        rows = self.ask(
            f"SELECT DISTINCT {name} FROM {self.quoted(table)} WHERE {name} IS NOT NULL LIMIT {VALUES_KEPT + 1}"
        )
        if rows is None or len(rows) > VALUES_KEPT:
            return column
        values = sorted({value for (value,) in rows if isinstance(value, str)})
        short = sum(map(len, values)) <= VALUE_LENGTH * len(values)
        return replace(column, distinct=len(rows), values=tuple(values) if short else ())

    def _with_counts(self, table: Table, columns: Sequence[Column], rows: int) -> Iterator[Column]:
        known = {column.name: column.distinct for column in columns}
        if len(table.primary_key) == 1:
            known[table.primary_key[0]] = rows
        # Long text and blobs cost much to compare and their count tells nothing.
        unknown = [c for c in columns if known[c.name] is None and (c.kind != "other" or c.type == "")]
        for batch in _batches(unknown):
            counts = ", ".join(f"COUNT(DISTINCT {self._name(column)})" for column in batch)
            answer = self.ask(f"SELECT {counts} FROM {self.quoted(table)}")
            if answer:
                known.update(zip((column.name for column in batch), answer[0], strict=True))
        return (replace(column, distinct=known[column.name]) for column in columns)


def quote(name: str, dialect: Dialect) -> str:
    """Return the name as an identifier of the dialect, whatever characters it holds."""
    mark = "`" if dialect == "mysql" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def declared_kind(type_text: str) -> Kind:
    """Return what a column of this declared type is good for."""
    if "[" in type_text:
        return "other"
    words = re.findall(r"[A-Z_0-9]+", type_text.upper().partition("(")[0])
    return next((_KINDS[word] for word in words if word in _KINDS), "other")


def judge(declared: Kind, values: Sequence[Any]) -> Kind:
    """Return what a SQLite column is good for: any column there may hold anything."""
    if not values:
        return declared
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) * 2 < len(values):
        return _judge_numbers(declared, values)
    if all(_ISO_DATE.fullmatch(text) for text in texts):
        return "date"
    if all(_TIME_OF_DAY.fullmatch(text) for text in texts):
        return "time"
    if declared == "number" and sum(bool(_NUMBER.fullmatch(text)) for text in texts) * 2 > len(texts):
        return "number"
    return "text"


def _judge_numbers(declared: Kind, values: Sequence[Any]) -> Kind:
    if any(isinstance(value, bytes) for value in values):
        return "other"
    if declared == "boolean" and all(value in (0, 1) for value in values if not isinstance(value, str)):
        return "boolean"
    return "text" if declared == "text" else "number"


def _samples(values: Iterable[Any]) -> tuple[str, ...]:
    texts = dict.fromkeys(as_text(value) for value in values if not isinstance(value, bytes | memoryview))
    return tuple(text[:SAMPLE_LENGTH] for text in list(texts)[:SAMPLES])


def as_text(value: Any) -> str:
    """Return a value as a person would read it."""
    match value:
        case datetime():
            return value.isoformat(" ")
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def _batches(columns: Sequence[Column]) -> Iterator[Sequence[Column]]:
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        yield columns[start : start + COLUMNS_AT_ONCE]
