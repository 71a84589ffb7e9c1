"""Understands questions about one database, and knows what its tables can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from itertools import zip_longest

from agents.offline.english.others import ENGLISH_ONLY, is_in_another_language
from agents.offline.english.words import split, stem
from agents.offline.meaning.lexicon import SYNONYM, Lexicon
from agents.offline.meaning.linking import link
from agents.offline.meaning.resolving import AskedBack, NotUnderstood, Resolver
from agents.offline.plan import Col, Condition, During, Group, Measure, Plan
from agents.offline.reading.loosening import loosened, moved
from agents.offline.reading.periods_kept import still_holds
from agents.offline.reading.reading import Reading, read
from agents.offline.reading.turns import (
    asks_anew,
    asks_for_another,
    asks_what_theirs_is,
    bare,
    change,
    is_about_those,
    is_elliptic,
    is_nounless,
)
from agents.offline.sql.statement import SQLBuilder
from agents.offline.telling.saying import Speaker
from tools.catalog import Catalog, Value

CHAIN = " → "
"""Joins the turns of a conversation in a reading: the first question, then what was changed."""

_FEW = 30
"""Values of a column, or rows of a table, that still make a good grouping."""
_FAR = 2
"""Foreign keys that a grouping may lie away."""
_DONE = {"sum": "added up", "avg": "averaged", "min": "compared", "max": "compared", "median": "put in order"}
_LONG_VALUE = 30
_PROSE = frozenset(
    "comment remark description note text body message email mail url website phone fax mobile address".split()
)
"""What columns are called that nobody groups by."""


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

    def question_for(self, plan: Plan, today: date, *, first: bool = False) -> tuple[str, str] | None:
        """Return a question that means just this plan, and the SQL it runs; None where there are no words for it.

        A `first` question says of what its numbers are; one that follows another need not.
        """
        for text in Speaker(self.lexicon, at_length=first).questions(plan):
            try:
                understood = self.understand(text, today)
                if self._same(understood.plan, plan):
                    return text, understood.sql
            except NotUnderstood:
                continue
        return None

    def _same(self, understood: Plan, meant: Plan) -> bool:
        """Whether two plans ask for the same; revenue is what the reader takes it to be for each grouping."""
        if understood.measures and self._is_revenue(understood) and _of_revenue(understood) == _of_revenue(meant):
            return True
        # A plan says some things in two ways, like its subject: what counts is the SQL.
        return self.build(_unsaid(understood)) == self.build(_unsaid(meant))

    def _is_revenue(self, plan: Plan) -> bool:
        """Whether it is what was earned by just the rows that the conditions are about, none counted twice."""
        table = plan.measures[0].table
        columns = [f.column for f in plan.where if isinstance(f, Condition | During)]
        one = all(self.lexicon.joins.to_one(table, c.table) for c in columns)
        return bool(plan.measures[0].said) and one and len(columns) == len(plan.where)

    def build(self, plan: Plan) -> str:
        return self._builder.build(plan)

    def understand(
        self, text: str, today: date, values: tuple[Value, ...] = (), before: str | None = None
    ) -> Understood:
        """Return what a question means: a change to the reading `before` it where it is one. Raises NotUnderstood."""
        try:
            return self._understand(text, today, values, before)
        except NotUnderstood:
            if is_in_another_language(text):
                raise NotUnderstood(ENGLISH_ONLY) from None
            raise

    def _understand(self, text: str, today: date, values: tuple[Value, ...], before: str | None) -> Understood:
        if before is None:
            return self._replay(text, today, values)
        chained = f"{before}{CHAIN}{text}"
        if is_about_those(text):
            return self._of_those(text, today, values, before)
        if is_elliptic(text):
            return self._replay(chained, today, values)
        try:
            if is_nounless(text) and not self.mentioned(text, today):
                with suppress(NotUnderstood):
                    return self._replay(chained, today, values)  # "how many were cancelled?" of those last month
            return self._replay(text, today, values)
        except AskedBack as unclear:
            measures = self._replay(before, today, values).plan.measures
            if not any((m.table, m.column) == (unclear.column.table, unclear.column.name) for m in measures):
                raise
            return self._replay(chained, today, values)  # the question before says it: "total fare by driver"
        except NotUnderstood as alone:
            if asks_anew(text) and self.mentioned(text, today):
                raise  # taken for a change, it would be answered with the rows of the question before
            try:
                changed = self._replay(chained, today, values)
            except NotUnderstood:
                raise alone from None
            base = self._replay(before, today, values).plan
            if replace(changed.plan, order=base.order) == base and asks_for_another(text, before):
                raise  # "which employee has been here the longest?" does not ask for the revenue by month, sorted
            if _wants_known(changed.plan) - _wants_known(base):
                raise  # "labour and parts per month" asks for both, not for the labour of jobs whose parts are known
            return changed

    def _of_those(self, text: str, today: date, values: tuple[Value, ...], before: str) -> Understood:
        """Return what is asked about the rows of the question before; declined where that would be other rows."""
        base = self._replay(before, today, values).plan
        if base.limit is not None:
            raise NotUnderstood("The list before was cut to its first rows, and I cannot ask about just these.")
        asked = self._replay(f"{before}{CHAIN}{text}", today, values)
        if asks_what_theirs_is(text) and (asked.plan.measures, asked.plan.groups) == (base.measures, base.groups):
            raise NotUnderstood("I cannot tell that of the rows before: ask again, and say whose it is.")
        return asked

    def _replay(self, text: str, today: date, values: tuple[Value, ...]) -> Understood:
        first, *changes = text.split(CHAIN)
        linked = link(first, self.lexicon, values, today)
        reading: Reading = read(linked.items, self.lexicon)
        assumed = [*_said(linked.corrections), *reading.assumptions]
        for changed in changes:
            if (there := moved(changed, reading.plan)) is not None:
                reading = there
                assumed += there.assumptions
                continue
            if (less := loosened(changed, reading.plan, self.lexicon)) is not None:
                reading = Reading(less, ())
                continue
            linked = link(bare(changed), self.lexicon, values, today)
            reading = change(reading.plan, linked.items, self.lexicon)
            assumed += [*_said(linked.corrections), *reading.assumptions]
        assumed += self._chosen(reading.plan, text, assumed)
        kept = tuple(a for a in dict.fromkeys(assumed) if still_holds(a, reading.plan))
        return Understood(reading.plan, self.build(reading.plan), kept, text)

    def _chosen(self, plan: Plan, text: str, assumed: Sequence[str]) -> list[str]:
        """Say which columns are computed with, where neither the question nor an assumption names them."""
        stems, told, naming = {w.stem for w in split(text)}, " ".join(assumed), self.lexicon.naming
        found = []
        for measure in plan.measures:
            if measure.column is None or measure.said or measure.function not in _DONE:
                continue
            column = (measure.table, measure.column)
            words = (*naming.column(*column), *naming.say_column(*column).lower().split())
            named = stems & {stem(w) for w in words}
            if not named and measure.column not in told and naming.say_column(*column) not in told:
                found.append(f"What is {_DONE[measure.function]} is {measure.table}.{measure.column}.")
        return found

    # what can be asked

    def mentioned(self, text: str, today: date) -> tuple[str, ...]:
        """Return the tables that a question names, also by a column that only one table has."""
        found: list[str] = []
        for item in link(text, self.lexicon, (), today).items:
            named = {m.table for m in item.tables if m.score >= SYNONYM}
            columns = {m.table for m in item.columns if m.score >= SYNONYM}
            found += sorted(named) or (sorted(columns) if len(columns) == 1 else [])
        return tuple(dict.fromkeys(found))

    def earned(self, table: str) -> Measure | None:
        """Return what sales brought in, for each row of the table."""
        found = self._resolver.money((table,))
        return replace(found, said="revenue") if found is not None else None

    def entity(self, table: str) -> Group:
        """Return the group of a table's rows, shown by their names."""
        return Group(table, shown=tuple(Col(table, name) for name in self.lexicon.naming.label(table)))

    def shown(self, table: str) -> tuple[Col, ...]:
        """Return the columns by which a table's rows are listed."""
        return self._resolver.shown(table)

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
        """Return what the table's rows can be grouped by: tables they belong to, few-valued columns, nearest first."""
        owners = self._owners(table, _FAR)
        tables = [self.entity(t) for t in owners if self._is_short_list(t)]
        mixed = [g for pair in zip_longest(self._categories(table), tables) for g in pair if g is not None]
        return [*mixed, *(group for owner in owners for group in self._categories(owner))]

    def _owners(self, table: str, far: int) -> list[str]:
        """Return the tables of which each row belongs to one row, nearest first."""
        if not far:
            return []
        keys = [k.table for k in self.lexicon.table(table).foreign_keys if k.table != table]
        near = [t for t in dict.fromkeys(keys) if not self.lexicon.joins.is_ambiguous(table, t)]
        return list(dict.fromkeys([*near, *(t for owner in near for t in self._owners(owner, far - 1) if t != table)]))

    def _is_short_list(self, table: str) -> bool:
        naming, rows = self.lexicon.naming, self.lexicon.table(table).row_count or 0
        return naming.key(table) not in (None, *naming.label(table)) and 1 < rows <= _FEW

    def _categories(self, table: str) -> list[Group]:
        naming, found = self.lexicon.naming, self.lexicon.table(table)
        return [
            Group(table, c.name)
            for c in found.columns
            if c.kind == "text"
            and 1 < len(c.values) <= _FEW
            and 2 * len(c.values) <= (found.row_count or 0)
            and not _is_prose(naming.column(table, c.name), c.values)
            and c.name not in naming.label(table)
            and not naming.is_key_like(naming.column(table, c.name))
            and self._resolver.yes(Col(table, c.name)) is None
        ]


def _said(corrections: tuple[tuple[str, str], ...]) -> list[str]:
    return [f"I read “{typed}” as “{taken}”." for typed, taken in corrections]


def _is_prose(words: Sequence[str], values: Sequence[str]) -> bool:
    sentences = sum(len(v.split()) > 3 for v in values)
    return bool(_PROSE & set(words)) or 2 * sentences > len(values) or any(len(v) > _LONG_VALUE for v in values)


def _wants_known(plan: Plan) -> set[Col]:
    """Return the columns that must have a value in each row."""
    return {f.column for f in plan.where if isinstance(f, Condition) and f.operator == "not null"}


def _of_revenue(plan: Plan) -> Plan:
    """Return the plan with whatever was called revenue as one and the same measure."""
    revenue = {m: replace(m, table="", column=m.said, times=None) for m in plan.measures if m.said}
    return replace(_with_measures(plan, revenue), subject="", where=tuple(sorted(plan.where, key=repr)))


def _unsaid(plan: Plan) -> Plan:
    return _with_measures(plan, {m: replace(m, said="") for m in plan.measures})


def _with_measures(plan: Plan, changed: Mapping[Measure, Measure]) -> Plan:
    order = tuple(replace(o, by=changed.get(o.by, o.by)) if isinstance(o.by, Measure) else o for o in plan.order)
    return replace(plan, measures=tuple(changed.get(m, m) for m in plan.measures), order=order)
