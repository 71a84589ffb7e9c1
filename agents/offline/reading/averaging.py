"""Reads the average of what is added up or counted for each thing: spend per customer, orders per day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agents.offline.meaning.lexicon import EXACT
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col, Group, Measure
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_money import counted_daily, is_added

_CYCLES = frozenset({"month of year", "weekday", "hour"})
"""Parts of the calendar that come again: each of them has an average of its own."""
_SPANS = frozenset({"day", "week", "month"})
_SPENT_DAILY = frozenset("calorie calories consumption energy hour production step".split())
"""What many rows of a day come to together: "hours per day" are those of all its entries."""


def average_of_each(r: Reader, measures: Sequence[Measure]) -> list[Measure]:
    """Return the measures with "average revenue per customer" as the revenue divided by the number of customers.

    The average of a number that single rows have, like a rating per product, stays one for each product.
    """
    if len(measures) != 1 or measures[0].function != "avg":
        return list(measures)
    measure, counts = measures[0], measures[0].column is None
    if not counts and any(g.grain in _CYCLES and _is_sum(r, measure, g) for g in r.groups):
        raise NotUnderstood("I cannot average over days or hours of one name yet: ask for the total of each.")
    each = _each(r, measure)
    if each is None or not (counts or _is_sum(r, measure, each)) or r.ranking is not None or r.periods or r.having:
        if counts:
            raise NotUnderstood("I can only compute the average number of something per day, or per thing it is of.")
        return list(measures)
    r.groups.remove(each)
    what = each.grain or r.naming.say_table(each.table)
    them = f"{what}s" if each.grain else what
    r.assumptions.append(f"The average is over the {them} that have any: the whole, divided by how many they are.")
    found = replace(measure, each=each)
    r.measures = [found]
    return [found]


def _each(r: Reader, measure: Measure) -> Group | None:
    """Return what the average is said to be of: a table's rows, other than those that are computed with, or days."""
    if not r.groups or not any(i.kind == "per" and i.text in {"per", "for each", "each", "for every"} for i in r.items):
        return None
    group = r.groups[0]
    if group.column is None:
        owns = group.table != measure.table and r.joins.to_one(measure.table, group.table)
        return group if owns and r.naming.key(group.table) else None
    return group if group.grain is not None and group.grain not in _CYCLES else None


def _is_sum(r: Reader, measure: Measure, each: Group) -> bool:
    """Whether money is meant that sales brought in, or what is counted daily, not a number that each row has."""
    column = Col(measure.table, measure.column or "")
    daily = counted_daily(r, Measure("count", column.table)) == Measure("sum", column.table, column.name)
    if measure.since is not None:
        return False
    if r.lexicon.is_flat and each.grain in _SPANS and _SPENT_DAILY & set(r.naming.column(column.table, column.name)):
        return is_added(r, column)
    if measure.said or (daily and each.grain is not None):
        return True
    named = [i for i in r.items if any(m.col == column for m in i.columns)]
    named += [i for i in r.items if r.resolver.is_money(i.text) and r.resolver.table(i) == measure.table]
    exact = any(m.score >= EXACT for i in named for m in i.columns if m.col == column)
    return bool(named) and not exact and all(r.resolver.is_money(i.text) for i in named) and is_added(r, column)
