"""Counts rows by what is computed of each: how many products have an average rating above 4."""

from __future__ import annotations

from collections.abc import Sequence

from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import AnyOf, Condition, During, Each, Filter, Having, Related
from agents.offline.reading.reader import Reader


def by_each(r: Reader, filters: Sequence[Filter]) -> list[Filter]:
    """Return the filters with what each of the counted rows must come to among them; it is no longer a group's then.

    Conditions on the rows that the number is computed of go with it: "had more than 100 visitors in May".
    """
    counted = any(m.function == "count" and m.table == r.subject for m in r.measures)
    of_each = [h for h in r.having if h.measure not in r.measures]
    if not counted or not of_each:
        return list(filters)
    if len(r.measures) > 1 or any(not _belongs(r, h) for h in of_each):
        what = r.naming.say_table(r.subject)
        raise NotUnderstood(f"I cannot count {what} by a number of each here: ask which {what} they are.")
    left = list(filters)
    found: list[Filter] = []
    for having in of_each:
        inner = [f for f in left if _is_of(r, f, having.measure.table)]
        left = [f for f in left if f not in inner]
        where = tuple(c for f in inner for c in (f.where if isinstance(f, Related) else (f,)))
        found.append(Each(r.subject, having.measure, having.operator, having.values, where))
    r.having = [h for h in r.having if h not in of_each]
    return [*left, *found]


def _belongs(r: Reader, having: Having) -> bool:
    table = having.measure.table
    return table != r.subject and r.joins.to_one(table, r.subject) and not r.joins.is_ambiguous(table, r.subject)


def _is_of(r: Reader, part: Filter, table: str) -> bool:
    """Whether a condition is about the rows that are computed of, rather than about those that are counted."""
    match part:
        case Condition() | During():
            there = part.column.table
            return there == table or (not r.joins.to_one(r.subject, there) and r.joins.to_one(table, there))
        case AnyOf():
            return all(_is_of(r, option, table) for option in part.options)
        case Related():
            return part.table == table and part.operator == ">" and part.count == 0
    return False
