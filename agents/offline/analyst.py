"""Understands questions about one database, and knows what its tables can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from agents.offline.lexicon import Lexicon
from agents.offline.linking import link
from agents.offline.plan import Col, Group, Plan
from agents.offline.reading import Reading, read
from agents.offline.resolving import NotUnderstood, Resolver
from agents.offline.saying import Speaker
from agents.offline.sql import SQLBuilder
from agents.offline.turns import bare, change, is_elliptic
from tools.catalog import Catalog, Value

CHAIN = " → "
"""Joins the turns of a conversation in a reading: the first question, then what was changed."""

_FEW = 30
"""Distinct values of a column that still make a good grouping."""
_FEW_ROWS = 60
"""Rows of a table that still do."""


@dataclass(frozen=True)
class Understood:
    plan: Plan
    sql: str
    assumptions: tuple[str, ...]
    reading: str
    """The question as it stands on its own."""


class Analyst:
    """Its lexicon is built once, which takes some milliseconds; a question takes a few."""

    def __init__(self, catalog: Catalog) -> None:
        self.lexicon = Lexicon(catalog)
        self._builder = SQLBuilder(self.lexicon)
        self._resolver = Resolver(self.lexicon)

    def question_for(self, plan: Plan, today: date) -> tuple[str, str] | None:
        """Return a question that means just this plan, and its SQL; None where there are no words for it."""
        try:
            sql = self.build(plan)
        except NotUnderstood:
            return None
        for text in Speaker(self.lexicon).questions(plan):
            try:
                if self.understand(text, today).sql == sql:
                    return text, sql
            except NotUnderstood:
                continue
        return None

    def build(self, plan: Plan) -> str:
        return self._builder.build(plan)

    def understand(
        self, text: str, today: date, values: tuple[Value, ...] = (), before: str | None = None
    ) -> Understood:
        """Return what a question means: a change to the reading `before` it where it is one. Raises NotUnderstood."""
        if before is None:
            return self._replay(text, today, values)
        chained = f"{before}{CHAIN}{text}"
        if is_elliptic(text):
            return self._replay(chained, today, values)
        try:
            return self._replay(text, today, values)
        except NotUnderstood as alone:
            try:
                return self._replay(chained, today, values)
            except NotUnderstood:
                raise alone from None

    def _replay(self, text: str, today: date, values: tuple[Value, ...]) -> Understood:
        first, *changes = text.split(CHAIN)
        linked = link(first, self.lexicon, values, today)
        reading: Reading = read(linked.items, self.lexicon)
        assumed = [*_said(linked.corrections), *reading.assumptions]
        for changed in changes:
            linked = link(bare(changed), self.lexicon, values, today)
            reading = change(reading.plan, linked.items, self.lexicon)
            assumed += [*_said(linked.corrections), *reading.assumptions]
        return Understood(reading.plan, self.build(reading.plan), tuple(dict.fromkeys(assumed)), text)

    # what can be asked

    def entity(self, table: str) -> Group:
        """Return the group of a table's rows, shown by their names."""
        return Group(table, shown=tuple(Col(table, name) for name in self.lexicon.naming.label(table)))

    def date_of(self, table: str) -> Col | None:
        column = self._resolver.date_near((table,))
        return column if column is not None and self.lexicon.column(column).kind == "date" else None

    def amounts(self, table: str) -> list[str]:
        """Return the columns worth averaging: numbers that are no keys, years or flags."""
        found = self.lexicon.table(table)
        keys = (
            {c for key in found.foreign_keys for c in key.columns}
            | set(found.primary_key)
            | {self.lexicon.naming.key(table)}
        )
        return [
            c.name
            for c in found.columns
            if c.kind == "number"
            and c.name not in keys
            and (c.distinct or 3) > 2
            and not self._counts_nothing(table, c.name)
        ]

    def _counts_nothing(self, table: str, column: str) -> bool:
        words = self.lexicon.naming.column(table, column)
        return "year" in words or self.lexicon.naming.is_key_like(words)

    def groupings(self, table: str) -> list[Group]:
        """Return what the table's rows can be grouped by: the few-valued columns and the tables they belong to."""
        owners = [k.table for k in self.lexicon.table(table).foreign_keys if k.table != table]
        owners = [t for t in dict.fromkeys(owners) if not self.lexicon.joins.is_ambiguous(table, t)]
        few = [t for t in owners if self.lexicon.naming.key(t) and (self.lexicon.table(t).row_count or 0) <= _FEW_ROWS]
        beyond = [group for owner in owners for group in self._categories(owner)]
        return [*self._categories(table), *map(self.entity, few), *beyond]

    def _categories(self, table: str) -> list[Group]:
        naming, found = self.lexicon.naming, self.lexicon.table(table)
        return [
            Group(table, c.name)
            for c in found.columns
            if c.kind == "text"
            and 1 < len(c.values) <= _FEW
            and 2 * len(c.values) <= (found.row_count or 0)
            and c.name not in naming.label(table)
            and not naming.is_key_like(naming.column(table, c.name))
        ]


def _said(corrections: tuple[tuple[str, str], ...]) -> list[str]:
    return [f"I read “{typed}” as “{taken}”." for typed, taken in corrections]
