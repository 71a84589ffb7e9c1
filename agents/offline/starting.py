"""Finds first questions for a database that nobody has asked anything yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from agents.offline.analyst import Analyst
from agents.offline.plan import Group, Measure, Order, Plan, Related
from tools.catalog import Table

STARTERS = 6


def first_questions(analyst: Analyst, today: date) -> tuple[str, ...]:
    """Return up to six questions, of different kinds, that the analyst reads as they are meant."""
    streams = [kind(analyst) for kind in (_counts, _rankings, _per_month, _averages, _shares, _absences)]
    found: list[str] = []
    while streams and len(found) < STARTERS:
        for stream in list(streams):
            question = next((q for plan in stream if (q := _asked(plan, analyst, today)) and q not in found), None)
            if question is None:
                streams.remove(stream)
            else:
                found.append(question)
    return tuple(found[:STARTERS])


def _asked(plan: Plan, analyst: Analyst, today: date) -> str | None:
    said = analyst.question_for(plan, today)
    return said[0] if said else None


def _entities(analyst: Analyst) -> list[Table]:
    """Return tables whose rows have a key: what happens on dates first, then the fullest; no views, nothing empty."""
    naming = analyst.lexicon.naming
    tables = [t for t in analyst.lexicon.catalog if naming.key(t.name) and not t.is_view and t.row_count != 0]

    def rank(table: Table) -> tuple[bool, bool, int]:
        dated = any(c.kind == "date" for c in table.columns)
        return dated and len(table.foreign_keys) > 0, dated, table.row_count or 0

    return sorted(tables, key=rank, reverse=True)


def _has_name(analyst: Analyst, table: Table) -> bool:
    return analyst.lexicon.naming.label(table.name)[0] != analyst.lexicon.naming.key(table.name)


def _counts(analyst: Analyst) -> Iterator[Plan]:
    keyless = [t for t in analyst.lexicon.catalog if not analyst.lexicon.naming.key(t.name)]
    for table in [*sorted(_entities(analyst), key=lambda t: not _has_name(analyst, t)), *keyless]:
        yield Plan(table.name, measures=(Measure("count", table.name),))


def _rankings(analyst: Analyst) -> Iterator[Plan]:
    for table in _entities(analyst):
        for key in table.foreign_keys:
            parent = analyst.lexicon.table(key.table)
            if _has_name(analyst, parent) and parent.name != table.name and (parent.row_count or 0) > 5:
                measure = Measure("count", table.name)
                yield Plan(
                    parent.name,
                    measures=(measure,),
                    groups=(analyst.entity(parent.name),),
                    order=(Order(measure, True),),
                    limit=5,
                )


def _per_month(analyst: Analyst) -> Iterator[Plan]:
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
        for column in analyst.amounts(table.name):
            for group in analyst.groupings(table.name):
                yield Plan(table.name, measures=(Measure("avg", table.name, column),), groups=(group,))


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
                yield Plan(
                    parent.name, columns=analyst.entity(parent.name).shown, where=(Related(table.name, (), "=", 0),)
                )
