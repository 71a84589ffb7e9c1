"""What a database holds, as values: tables, columns, keys, and the values worth knowing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Literal

Dialect = Literal["sqlite", "duckdb", "postgres", "mysql"]
"""The dialects we speak, under sqlglot's names."""

Kind = Literal["number", "text", "date", "time", "boolean", "other"]
"""What a column's values are good for. `date` covers dates and timestamps (also text that always holds ISO
dates); `time` is a time of day; `number` covers integers, decimals and floats."""


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    """As the database declares it, e.g. `VARCHAR(40)`."""
    kind: Kind = "other"
    nullable: bool = True
    primary_key: bool = False
    description: str = ""
    """The database's comment on the column, or the description that came with the index."""
    samples: tuple[str, ...] = ()
    """A few values as text, for a model's prompt."""
    distinct: int | None = None
    """How many distinct values the column holds; None when it was not counted."""
    values: tuple[str, ...] = ()
    """Every distinct value of a short text column (sorted), empty when there are too many or it is no text."""


@dataclass(frozen=True)
class ForeignKey:
    columns: tuple[str, ...]
    table: str
    """The table referred to, as `Table.name` spells it."""
    referred: tuple[str, ...]
    inferred: bool = False
    """True when the database does not declare it, but names and values show it."""


@dataclass(frozen=True)
class Table:
    name: str
    """As it must be written in SQL before quoting; `schema.name` where it lies outside the default schema."""
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    description: str = ""
    row_count: int | None = None
    """How many rows it holds; the database's own estimate, or None, where counting takes too long."""
    is_view: bool = False
    schema: str = ""
    """The schema it lies in, where that is not the default one; `name` then begins with it."""

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The name as it must be quoted in SQL, part by part: a table's own name may hold a dot."""
        return (self.schema, self.name[len(self.schema) + 1 :]) if self.schema else (self.name,)

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if c.primary_key)

    def column(self, name: str) -> Column | None:
        """Return the column of this name, whatever its case, or None."""
        return next((c for c in self.columns if c.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class Value:
    """A value as the data spells it, and the column that holds it."""

    table: str
    column: str
    text: str


@dataclass(frozen=True)
class SavedQuestion:
    """A question whose SQL a person has reviewed."""

    question: str
    sql: str
    same: bool = False
    """True when it asks the very same as the question it was found for."""
    counts_from: date | None = None
    """The day on which its SQL was written, where it is known: what its "last month" counts from."""


@dataclass(frozen=True)
class Term:
    """A word of the people who ask, and what they mean by it."""

    names: tuple[str, ...]
    """The word, and others that mean the same."""
    meaning: str
    is_synonym: bool = False
    """True where the meaning may stand in the word's place in a question: "takings = revenue"."""


@dataclass(frozen=True)
class Found:
    """What the index found for a question: the tables, nearest first, and values it seems to name."""

    tables: tuple[Table, ...]
    values: tuple[Value, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    """Table and column of the columns that the question seems to be about, nearest first."""
    saved: tuple[SavedQuestion, ...] = ()
    """Saved questions like this one, nearest first."""
    terms: tuple[Term, ...] = ()
    """What the words of the question mean here: those that it says first, then those near to it."""
    instructions: tuple[str, ...] = ()
    """What who keeps the database says on how its data is to be read."""


@dataclass(frozen=True)
class Catalog:
    """Everything known about one database."""

    name: str
    """What a person calls it: the file's stem, or the database's name on its server."""
    dialect: Dialect
    tables: tuple[Table, ...] = field(default=())

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables)

    def table(self, name: str) -> Table | None:
        """Return the table of this name, whatever its case, or None."""
        return self._by_name.get(name.lower())

    @cached_property
    def _by_name(self) -> dict[str, Table]:
        return {t.name.lower(): t for t in self.tables}
