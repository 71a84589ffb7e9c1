"""Finds the table of what a verb says has happened, where two tables are tied in several ways: enrolled in courses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from agents.offline.english.words import root
from agents.offline.meaning.joins import Step
from agents.offline.meaning.lexicon import SYNONYM, Meaning
from agents.offline.plan import Group, Measure
from agents.offline.reading.reader import Reader


def event_between(r: Reader, one: str, other: str) -> str | None:
    """Return the table of the verb's event that leads to one row of both tables, where the shortest way is no event.

    Sailors lead workshops by a key, and enrol in them: "enrolled" says which of both is meant.
    """
    way = r.joins.path(one, other)
    if one == other or not way or (not r.joins.is_ambiguous(one, other) and len(way) > 1 and not _turns(way)):
        return None
    said = {m.table for i in r.items if i.kind == "verb" for m in i.tables if m.score >= SYNONYM}
    fits = [t for t in said - {one, other} if r.joins.to_one(t, one) and r.joins.to_one(t, other)]
    return fits[0] if len(fits) == 1 else None


def through_events(r: Reader, measures: Sequence[Measure]) -> list[Measure]:
    """Return the measures with what the verb says counted, where what is counted and its groups meet only there."""
    found = []
    for measure in measures:
        events = [t for g in r.groups if (t := event_between(r, measure.table, g.table))]
        if measure.function == "count" and events:
            r.assumptions.append(f"What is counted are {r.naming.say_table(events[0])}.")
            measure = replace(measure, table=events[0])
        found.append(measure)
    return found


def keys_said(r: Reader, measures: Sequence[Measure]) -> None:
    """Group by the key that the verb is of, where several lead there: `closed_by` of "what each clerk closed"."""
    for n, group in enumerate(r.groups):
        counted = measures[0].table if len(measures) == 1 else group.table
        if group.column is not None or counted == group.table or not r.joins.is_ambiguous(counted, group.table):
            continue
        keys = {k.columns[0] for k in r.lexicon.table(counted).foreign_keys if k.table == group.table}
        said = {m.column for i in r.items for m in i.columns if m.table == counted and m.score >= SYNONYM} & keys
        if len(said) == 1:
            r.groups[n] = Group(counted, said.pop())


def name_happened(r: Reader) -> None:
    """Read "delivered last month" as the day of delivery, where a date as well as a status says delivered."""
    for n, item in enumerate(r.items[:-1]):
        following = next((i for i in r.items[n + 1 :] if i.kind not in {"in", "of"}), None)
        said = item.text.lower()
        bare = not item.held and any((m.value or "").lower() in {f"{said}ed", f"{said}d"} for m in item.values)
        dated = following is not None and following.kind == "period" and (said.endswith("ed") or bare)
        if not dated or not item.values or item.quoted or item.tables:
            continue
        tables = {m.table for m in item.values}
        dates = [
            Meaning(t, c.name, score=SYNONYM)
            for t in tables
            for c in r.lexicon.table(t).columns
            if c.kind == "date" and _same(r.naming.column(t, c.name)[0], said)
        ]
        if len(dates) == 1:
            meant = tuple(dates)
            r.items[n] = replace(item, kind="verb", values=(), columns=meant, meanings=meant)


def _same(word: str, said: str) -> bool:
    return word[:_SAME] == said[:_SAME] or root(word) == root(said)


_SAME = 6
"""Letters in which "delivered" and "delivery" are the same."""


def _turns(way: Sequence[Step]) -> bool:
    """Whether a way leads up to an owner of both and down again."""
    return any(step.to_one and not following.to_one for step, following in pairwise(way))
