"""Finds out why a query found no rows: which filter empties it, and what the data holds instead."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Protocol

from asyncer import asyncify
from sqlglot import exp
from sqlglot.errors import SqlglotError

from errors import AskError
from tools.catalog import Catalog, Column, Table
from tools.quoted import quoted_column, quoted_table
from tools.sql_guard import SafeQuery
from tools.sql_runner import Rows
from tools.wording import in_words, say_time, say_value
from tools.zero_filters import Filter, Filters

log = logging.getLogger("quaestor.zero_rows")

SECONDS = 6.0
"""For everything: whoever found nothing waits no longer to hear why."""
EACH = 3.0
"""Seconds for one count."""
PAIRS = 10
"""Pairs of filters that are tried where no single one empties the query."""
VALUES_READ = 2_000
FEW = 8
"""So many values can be told."""
NEAREST = 3
ALIKE = 0.6
"""See difflib.SequenceMatcher.ratio: 1 is the same, 0.6 its own bound of what counts as a close match."""
TOLD = 2
"""Filters that are told of."""


class Guard(Protocol):
    async def check(self, sql: str) -> SafeQuery:
        """See tools.sql_guard.Guard."""


class Runner(Protocol):
    async def run(self, query: SafeQuery, *, limit: int | None = None, timeout: float | None = None) -> Rows:
        """See tools.sql_runner.SQLRunner."""


@dataclass(frozen=True)
class Instead:
    """A value that the data holds, near to one that it does not."""

    wanted: str
    value: str
    """As the data spells it."""
    rows: int
    """How many rows there are with it; never 0."""
    sql: str
    """The query with this value."""


@dataclass(frozen=True)
class Emptying:
    """Filters without which there would be rows."""

    filters: tuple[str, ...]
    """In words, one, or two that only together leave nothing."""
    rows: int
    """How many rows there are without them; of an aggregate, how many it would be made of."""
    instead: tuple[Instead, ...] = ()
    """Nearest first."""
    column: str | None = None
    """In words, where there is one column that the filter is about."""
    held: tuple[str, ...] = ()
    """All that the column holds, where that is little."""
    span: tuple[str, str] | None = None
    """The least and the greatest value that a bounded column holds, as people read them."""

    def __str__(self) -> str:
        """Return it as one or two sentences of plain text."""
        these = " and ".join(f"“{words}”" for words in self.filters)
        rows = _rows(self.rows)
        first = (
            f"Without the filter {these} there would be {rows}."
            if len(self.filters) == 1
            else f"The filters {these} leave nothing together: without both there would be {rows}."
        )
        if self.instead:
            values = " and ".join(f"“{one.value}” ({_rows(one.rows)})" for one in self.instead)
            return f"{first} The data does hold {values}."
        if self.held:
            return f"{first} The data holds {', '.join(self.held[:-1])} and {self.held[-1]} as {self.column}."
        if self.span:
            # What the data holds comes first: of "in 2019" it is the end that empties all, which alone would puzzle.
            return f"In the data, {self.column} goes from {self.span[0]} to {self.span[1]}. {first}"
        return first


def _rows(count: int) -> str:
    return f"{count:,} row" + ("s" if count != 1 else "")


def found_nothing(rows: Rows) -> bool:
    """Whether the rows are none, or one that only says so: nothing but 0 and empty values."""
    return not rows.values or (len(rows.values) == 1 and not any(rows.values[0]))


class ZeroRows:
    """Explains empty answers of one database. Every statement that it runs passes the guard and the runner."""

    def __init__(self, guard: Guard, runner: Runner, catalog: Catalog) -> None:
        self._guard = guard
        self._runner = runner
        self._catalog = catalog

    async def explain(self, sql: str) -> tuple[Emptying, ...]:
        """Return the filters that empty the query, the one with the fewest rows behind it first; () where unknown."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._explain(sql)
        except TimeoutError:
            return ()

    async def _explain(self, sql: str) -> tuple[Emptying, ...]:
        try:
            filters = await asyncify(Filters)(sql, self._catalog.dialect, self._catalog)
        except (SqlglotError, RecursionError):
            return ()
        places = [place for place, filter_ in enumerate(filters.all) if filter_.words]
        emptying = await self._without(filters, [(place,) for place in places])
        if not emptying:
            emptying = await self._without(filters, list(combinations(places, 2))[:PAIRS])
        fewest = sorted(emptying.items(), key=lambda item: item[1])[:TOLD]
        return tuple(await asyncio.gather(*(self._tell(filters, places, rows) for places, rows in fewest)))

    async def _without(self, filters: Filters, choices: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], int]:
        """Return how many rows there are without the filters at these places, where there are any."""
        statements = [await asyncify(filters.count_without)(places) for places in choices]
        counts = await asyncio.gather(*(self._count(statement) for statement in statements))
        return {places: rows for places, rows in zip(choices, counts, strict=True) if rows}

    async def _tell(self, filters: Filters, places: tuple[int, ...], rows: int) -> Emptying:
        told = [filters.all[place] for place in places]
        found = Emptying(tuple(filter_.words or "" for filter_ in told), rows)
        table, column = told[0].table, told[0].column
        if len(told) > 1 or table is None or column is None:
            return found
        found = replace(found, column=in_words(column.name).lower())
        if told[0].is_bound:
            return replace(found, span=await self._span(table, column))
        held = column.values or await self._values(table, column)
        if not told[0].wanted or set(told[0].wanted) <= set(held):
            return found
        if instead := await self._instead(filters, places[0], told[0], held):
            return replace(found, instead=instead)
        return replace(found, held=held if 1 < len(held) <= FEW else ())

    async def _instead(
        self, filters: Filters, place: int, filter_: Filter, held: tuple[str, ...]
    ) -> tuple[Instead, ...]:
        """Return the values near to the wanted ones with which there are rows."""
        near = [(old, new) for old in filter_.wanted if old not in held for new in nearest(old, held)]
        counts = await asyncio.gather(
            *[self._count(await asyncify(filters.count_with)(place, old, new)) for old, new in near]
        )
        found = [
            Instead(old, new, rows, filters.with_value(place, old, new))
            for (old, new), rows in zip(near, counts, strict=True)
            if rows
        ]
        return tuple(found[:NEAREST])

    async def _values(self, table: Table, column: Column) -> tuple[str, ...]:
        name = quoted_column(column.name)
        select = exp.select(name).distinct().from_(quoted_table(table)).where(name.copy().is_(exp.null()).not_())
        rows = await self._rows(select.limit(VALUES_READ).sql(dialect=self._catalog.dialect), VALUES_READ)
        return tuple(str(row[0]) for row in rows)

    async def _span(self, table: Table, column: Column) -> tuple[str, str] | None:
        name = quoted_column(column.name)
        select = exp.select(exp.Min(this=name), exp.Max(this=name.copy())).from_(quoted_table(table))
        rows = await self._rows(select.sql(dialect=self._catalog.dialect), 1)
        if not rows or rows[0][0] is None:
            return None
        lowest, highest = (say_time(v, "day") if column.kind == "date" else say_value(v) for v in rows[0])
        return lowest, highest

    async def _count(self, sql: str) -> int:
        rows = await self._rows(sql, 1)
        return int(rows[0][0]) if rows and rows[0] else 0

    async def _rows(self, sql: str, limit: int) -> tuple[tuple[Any, ...], ...]:
        """Return the rows; none where the guard or the database does not take the statement."""
        try:
            query = await self._guard.check(sql)
            return (await self._runner.run(query, limit=limit, timeout=EACH)).values
        except AskError as error:
            log.info("an empty answer could not be looked into: %s", error)
            return ()


def nearest(wanted: str, held: Sequence[str]) -> list[str]:
    """Return the values most like the wanted one, by their letters, nearest first; also those that begin like it."""
    folded = wanted.casefold()
    scored = []
    for value in held:
        other = value.casefold()
        score = difflib.SequenceMatcher(None, folded, other).ratio()
        if len(folded) > 2 and (other.startswith(folded) or folded in other.split() or other in folded.split()):
            score = max(score, ALIKE + 0.2)
        if score >= ALIKE:
            scored.append((-score, value))
    return [value for _, value in sorted(scored)[:NEAREST]]
