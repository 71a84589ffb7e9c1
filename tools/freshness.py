"""Finds how new the data of some tables is: the latest day that stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlglot import exp

from errors import AskError
from tools.catalog import Catalog, Table
from tools.quoted import quoted_column, quoted_table
from tools.recent import Recent
from tools.trials import Guard, Runner
from tools.wording import as_moment

HOLDS_SECONDS = 60.0
"""How long what was found for a table is taken for true."""
KEPT = 1_000
SECONDS = 1.0
"""For one table: a receipt is not worth more of a database's time."""
MOST_ROWS = 5_000_000
"""A larger table is not asked: without an index, the latest of its days costs a look at every row."""


class Freshness:
    """The newest days of one database's tables, each remembered for a minute."""

    def __init__(self, guard: Guard, runner: Runner, catalog: Catalog) -> None:
        self._guard = guard
        self._runner = runner
        self._catalog = catalog
        self._known: Recent[tuple[date | None]] = Recent(KEPT, seconds=HOLDS_SECONDS)

    async def newest(self, tables: Sequence[str], today: date) -> date | None:
        """Return the latest day in the date columns of these tables that is not after tomorrow; None where unknown.

        Days beyond tomorrow are plans, not data. One table that has no dates or does not answer in time says nothing.
        """
        days = [await self._of(name, today) for name in tables]
        return max((day for day in days if day is not None), default=None)

    async def _of(self, name: str, today: date) -> date | None:
        if (known := self._known.get(name)) is not None:
            return known[0]
        table = self._catalog.table(name)
        day = await self._ask(table, today) if table is not None else None
        self._known.put(name, (day,))
        return day

    async def _ask(self, table: Table, today: date) -> date | None:
        dated = [column.name for column in table.columns if column.kind == "date"]
        if not dated or (table.row_count or 0) > MOST_ROWS:
            return None
        latest = [exp.Max(this=quoted_column(name)) for name in dated]
        statement = exp.select(*latest).from_(quoted_table(table)).sql(dialect=self._catalog.dialect)
        try:
            query = await self._guard.check(statement)
            rows = await self._runner.run(query, limit=1, timeout=SECONDS, trial=True)
        except AskError:
            return None
        days = [day for value in rows.values[0] if (day := _day(value))] if rows.values else []
        return max((day for day in days if day <= today + timedelta(days=1)), default=None)


def _day(value: Any) -> date | None:
    moment = as_moment(value) if value is not None else None
    return moment.date() if moment else None
