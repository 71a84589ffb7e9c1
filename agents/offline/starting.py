"""Finds first questions for a database that nobody has asked anything yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import date

from agents.offline.analyst import Analyst
from agents.offline.english.vocabulary import NOT_ADDED
from agents.offline.plan import Group, Measure, Order, Plan, Related
from tools.catalog import Table

STARTERS = 6
_CONSIDERED = 40
"""Tables of a large database that first questions are looked for in."""


def first_questions(analyst: Analyst, today: date, near: Collection[str] = ()) -> tuple[str, ...]:
    """Return up to six questions, of different kinds, that the analyst reads as they are meant.

    Those about the tables `near` come first.
    """
    kinds = (_counts, _rankings, _over_time, _averages, _shares, _absences)
    streams = [iter(sorted(kind(analyst), key=lambda p: not _touches(p, near))) for kind in kinds]
    found: list[str] = []
    while streams and len(found) < STARTERS:
        for stream in list(streams):
            question = next((q for plan in stream if (q := _asked(plan, analyst, today)) and q not in found), None)
            if question is None:
                streams.remove(stream)
            else:
                found.append(question)
    return tuple(found[:STARTERS])


def _touches(plan: Plan, tables: Collection[str]) -> bool:
    of_filters = {f.table for f in plan.where if isinstance(f, Related)}
    return not {plan.subject, *of_filters, *(g.table for g in plan.groups)}.isdisjoint(tables)


def _asked(plan: Plan, analyst: Analyst, today: date) -> str | None:
    said = analyst.question_for(plan, today, first=True)
    return said[0] if said else None


def _entities(analyst: Analyst) -> list[Table]:
    """Return the tables that a person would ask about: what happens on dates first, then what others refer to.

    Left out are views, empty tables, those without a key and those that only link others, unless there is nothing else.
    """
    naming = analyst.lexicon.naming
    filled = [t for t in analyst.lexicon.catalog if not t.is_view and t.row_count != 0]
    tables = [t for t in filled if naming.key(t.name)] or filled  # A file of rows has no key.

    referred = _referred(analyst)

    def rank(table: Table) -> tuple[bool, bool, bool, int]:
        dated = any(c.kind == "date" for c in table.columns)
        return dated and len(table.foreign_keys) > 0, dated, referred[table.name] > 0, table.row_count or 0

    own = [t for t in tables if not is_link(analyst, t)]
    return sorted(own or tables, key=rank, reverse=True)[:_CONSIDERED]


def is_link(analyst: Analyst, table: Table) -> bool:
    """Whether a table only ties others together, like an order's items: nobody would ask how many there are."""
    dated = any(c.kind == "date" for c in table.columns)
    return len(table.foreign_keys) > 1 and not dated and not _has_name(analyst, table)


def _central(analyst: Analyst) -> list[Table]:
    """Return the tables whose rows have names, those first that most others refer to."""
    referred = _referred(analyst)
    named = [t for t in _entities(analyst) if _has_name(analyst, t)]
    return sorted(named, key=lambda t: (-referred[t.name], -(t.row_count or 0)))


def _referred(analyst: Analyst) -> Counter[str]:
    """Return how many foreign keys of other tables refer to each table."""
    return Counter(key.table for t in analyst.lexicon.catalog for key in t.foreign_keys if key.table != t.name)


def _has_name(analyst: Analyst, table: Table) -> bool:
    return analyst.lexicon.naming.label(table.name)[0] != analyst.lexicon.naming.key(table.name)


def _counts(analyst: Analyst) -> Iterator[Plan]:
    keyless = [t for t in analyst.lexicon.catalog if not analyst.lexicon.naming.key(t.name)]
    for table in dict.fromkeys([*_central(analyst), *_entities(analyst), *keyless]):
        yield Plan(table.name, measures=(Measure("count", table.name),))


def _rankings(analyst: Analyst) -> Iterator[Plan]:
    for table in _central(analyst):
        earned = analyst.earned(table.name) if (table.row_count or 0) > 5 else None
        if earned is not None and earned.table != table.name:
            yield _top(analyst, table, earned)
    for table in _entities(analyst):
        for key in table.foreign_keys:
            parent = analyst.lexicon.table(key.table)
            if _has_name(analyst, parent) and parent.name != table.name and (parent.row_count or 0) > 5:
                yield _top(analyst, parent, Measure("count", table.name))


def _top(analyst: Analyst, table: Table, by: Measure) -> Plan:
    ranked = (analyst.entity(table.name),)
    return Plan(table.name, measures=(by,), groups=ranked, order=(Order(by, True),), limit=5)


def _over_time(analyst: Analyst) -> Iterator[Plan]:
    for table in _entities(analyst):
        column = analyst.date_of(table.name)
        if column is not None and (table.row_count or 0) > 20:
            yield Plan(
                table.name,
                measures=(Measure("count", table.name),),
                groups=(Group(column.table, column.name, "month"),),
            )


def _averages(analyst: Analyst) -> Iterator[Plan]:
    for table in _entities(analyst):
        for column in sorted(analyst.amounts(table.name), key=lambda c: not _is_graded(analyst, table, c)):
            for group in analyst.groupings(table.name):
                yield Plan(table.name, measures=(Measure("avg", table.name, column),), groups=(group,))


def _is_graded(analyst: Analyst, table: Table, column: str) -> bool:
    """Whether the column's average says more than its sum: a rating, a price, an age."""
    return bool(NOT_ADDED & set(analyst.lexicon.naming.column(table.name, column)))


def _shares(analyst: Analyst) -> Iterator[Plan]:
    for table in _entities(analyst):
        for group in analyst.groupings(table.name):
            if group.column is not None:
                yield Plan(table.name, measures=(Measure("count", table.name),), groups=(group,), share=True)


def _absences(analyst: Analyst) -> Iterator[Plan]:
    for table in _entities(analyst):
        for key in table.foreign_keys:
            parent = analyst.lexicon.table(key.table)
            if _has_name(analyst, parent) and parent.name != table.name and analyst.lexicon.naming.key(parent.name):
                yield Plan(parent.name, columns=analyst.shown(parent.name), where=(Related(table.name, (), "=", 0),))
