"""Says what the index holds of a catalog: a text for each table, each column and the values worth finding."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tools.catalog import Catalog, Column, Table

COLUMNS_NAMED = 60
"""A table's text names so many of its columns; more would drown its own name."""
_NAMESPACE = uuid.UUID("6f5d0d8e-6f0e-5f3b-9c55-3f3c3c1f8a57")


@dataclass(frozen=True)
class Entry:
    kind: Literal["table", "column", "value", "term", "instruction", "question"]
    table: str
    """Empty for what people wrote down: terms, instructions, saved questions."""
    column: str
    """Empty for those, and for a table."""
    text: str
    """What is searched; for a value, the value as the data spells it."""

    @cached_property
    def id(self) -> str:
        text = "" if self.kind in ("table", "column") else self.text
        return str(uuid.uuid5(_NAMESPACE, "\0".join((self.kind, self.table, self.column, text))))

    def digest(self, model: str) -> str:
        """Return what changes whenever the entry must be embedded again."""
        return hashlib.sha256(f"{model}\0{self.text}".encode()).hexdigest()[:32]


def entries_of(catalog: Catalog, *, values_kept: int) -> list[Entry]:
    """Return the entries of every table and column, and at most `values_kept` values.

    Values of columns with few of them come first: those are the categories that questions name.
    """
    entries = []
    for table in catalog:
        entries.append(Entry("table", table.name, "", _table_text(table)))
        entries += [Entry("column", table.name, column.name, _column_text(table, column)) for column in table.columns]
    return entries + list(_values(catalog, values_kept))


def _values(catalog: Catalog, kept: int) -> Iterator[Entry]:
    columns = [(len(column.values), table, column) for table in catalog for column in table.columns if column.values]
    for count, table, column in sorted(columns, key=lambda each: each[0]):
        if count > kept:
            return
        kept -= count
        yield from (Entry("value", table.name, column.name, value) for value in column.values if value.strip())


def _table_text(table: Table) -> str:
    columns = ", ".join(words(column.name) for column in table.columns[:COLUMNS_NAMED])
    return ". ".join(part for part in (words(table.name), table.description, columns) if part)


def _column_text(table: Table, column: Column) -> str:
    samples = ", ".join(column.samples[:3]) if column.kind == "text" else ""
    return ". ".join(
        part for part in (f"{words(table.name)} {words(column.name)}", column.description, samples) if part
    )


def words(name: str) -> str:
    """Return an identifier as words: `InvoiceLine` and `invoice_line` are `invoice line`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.sub(r"[\W_]+", " ", apart).lower().split())
