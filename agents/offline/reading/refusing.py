"""Declines plans whose parts can be joined but do not belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from agents.offline.english.times import Period
from agents.offline.english.vocabulary import SOLD
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col, Condition, During, Filter, Measure, Pick, Related
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_money import sold_lines

_AHEAD = re.compile(r"\b(?:next|tomorrow)\b")


def refuse_leftovers(r: Reader) -> None:
    """Decline a question word that asks for something more at the end, and a comparison with one period only."""
    *_, before, last = [None, None, *r.items]
    if last is not None and last.kind == "relative" and before is not None and before.kind in {"and", "in", "of"}:
        raise NotUnderstood(f"I did not understand “{before.text} {last.text}” in this question.")
    for item, following in pairwise(r.items):
        if item.kind == "versus" and following.kind == "period" and not r.periods:
            unit = following.text.split()[-1]
            both = f"this {unit} versus last {unit}" if following.text.startswith("last") else "2026 versus 2025"
            raise NotUnderstood(f"Name both periods to compare, like “{both}”.")
        if item.kind == "versus" and not r.periods and len(r.measures) + len(r.columns) < 2:
            raise r.not_understood(item)


def group_by_listed(r: Reader, measures: Sequence[Measure]) -> bool:
    """Whether rows are listed with a number for each: "shops and their number of employees"."""
    named = next((n for n, i in enumerate(r.items) if i.kind == "name" and r.resolver.table(i) == r.subject), None)
    number = next((n for n, i in enumerate(r.items) if i.kind in {"count", "aggregate"}), None)
    if named is None or number != named + 2 or r.items[named + 1].text not in {"and", "with", "along with"}:
        return False
    bare = not (r.groups or r.columns or r.having or r.ranking or r.share)
    return bare and bool(measures) and all(m.table != r.subject for m in measures)


def refuse_only(r: Reader, filters: Sequence[Filter]) -> None:
    """Decline "who only ordered online": that there is such a row does not say that there is no other."""
    start = next((i.position for i in r.items if i.kind == "name" and r.resolver.table(i) == r.subject), 0)
    only = any(i.only and i.position > start for i in r.items)
    if only and any(isinstance(f, Related) and not f.absent for f in filters):
        raise NotUnderstood("I cannot tell yet who did “only” this: ask who did it, or who did not do something else.")


def _refuse_sums(r: Reader, measures: Sequence[Measure]) -> None:
    for measure in measures:
        column = Col(measure.table, measure.column) if measure.column is not None else None
        if (
            column is not None
            and measure.since is None
            and measure.function in {"sum", "avg", "median"}
            and not r.resolver.is_numeric(column)
        ):
            said = r.naming.say_column(column.table, column.name)
            raise NotUnderstood(f"I cannot add up the {said}: it is not a number.")
        if column is not None and measure.function == "sum" and measure.times is None and _is_of_one(r, column):
            said = r.naming.say_column(column.table, column.name)
            raise NotUnderstood(f"The {said} is that of one: adding it up says nothing.")


def _is_of_one(r: Reader, column: Col) -> bool:
    """Whether a cost is one piece's, of which each row has some, and nobody asked for the unit cost by its name."""
    words = r.naming.column(column.table, column.name)
    said = {w for i in r.items if i.kind == "name" for w in i.text.lower().split()}
    pieces = r.resolver.quantity(column.table)
    return words[0] == "unit" and len(words) > 1 and "unit" not in said and pieces not in (None, column.name)


def refuse_own_count(r: Reader, measures: Sequence[Measure]) -> None:
    """Decline to count what the groups are: of people managed by each employee the employee would be the only one."""
    for group in r.groups:
        if group.column is None and any(m.function == "count" and m.table == group.table for m in measures):
            one = r.naming.say_table(group.table, many=False)
            raise NotUnderstood(f"I did not understand what to count for each {one}.")


def refuse_ranked_of_each(r: Reader) -> None:
    """Decline "average order per customer in the top 3 cities": a number of each, and what is ranked is no such row."""
    each = {g.table for g in r.groups if g.column is None}
    if r.ranking is not None and not r.subject_named and any(c.table in each for c in r.columns):
        one = next(r.naming.say_table(c.table, many=False) for c in r.columns if c.table in each)
        raise NotUnderstood(f"I did not understand what to rank beside a number for each {one}: ask for one of both.")


def refuse_what_is_to_come(measures: Sequence[Measure], filters: Sequence[Filter]) -> None:
    """Decline "revenue next year": nobody has earned it yet."""
    ahead = next((f.period.words for f in filters if isinstance(f, During) and _AHEAD.search(f.period.words)), None)
    if ahead is not None and measures and all(m.said for m in measures):
        raise NotUnderstood(f"The data does not hold what {ahead} will bring: ask for a time that has been.")


def refuse_strangers(r: Reader, measures: Sequence[Measure], related: Sequence[str]) -> None:
    """Decline rows that only share an owner nobody named, ranks within groups, and sales found in other tables."""
    _refuse_sums(r, measures)
    for measure in measures:
        tied = r.joins.to_one(measure.table, r.subject) or r.joins.to_one(r.subject, measure.table)
        alone = len(measures) == 1 and not r.groups and r.ranking is None and r.subject_named
        if alone and not tied and measure.function in {"sum", "avg", "median"}:
            one, other = r.naming.say_table(measure.table), r.naming.say_table(r.subject)
            raise NotUnderstood(f"What you ask to compute belongs to {one}, not to {other}.")
    named = {m.table for i in r.items for m in i.tables}
    pairs = [(m.table, g.table) for m in measures for g in r.groups] + [(r.subject, table) for table in related]
    for one, other in pairs:
        owner = _shared_owner(r, one, other)
        if owner is not None and owner not in named:
            first, second = r.naming.say_table(one), r.naming.say_table(other)
            raise NotUnderstood(f"I find nothing that ties {first} to {second}: both only belong to the same {owner}.")
    grouped = {g.table for g in r.groups if g.column is None}
    counted = {m.table for m in measures}
    if r.ranking is not None and r.subject_named and r.groups and r.subject not in grouped | counted:
        raise NotUnderstood(f"I cannot rank {r.naming.say_table(r.subject)} within each group yet.")
    _refuse_other_ways(r, related)


def _shared_owner(r: Reader, one: str, other: str) -> str | None:
    """Return the table where the way between two tables turns from owners to what they own, or None."""
    way = r.joins.path(one, other) or ()
    for step, following in pairwise(way):
        if step.to_one and not following.to_one:
            return step.target
    return None


def through_sales(r: Reader, filters: Sequence[Filter]) -> list[Filter]:
    """Return the conditions with those on what was bought asked of the sales: not of reviews, that lead there too."""
    lines = sold_lines(r) if any(i.stem in SOLD for i in r.items) else None
    if lines is None or any(m.table != r.subject for m in r.measures):
        return list(filters)
    found: list[Filter] = []
    for f in filters:
        table = f.column.table if isinstance(f, Condition) else f.table if isinstance(f, Related) else lines
        far = table != lines and not r.joins.to_one(r.subject, table) and r.joins.to_one(lines, table)
        if far and isinstance(f, Condition):
            f = Related(lines, (f,))
        elif far and isinstance(f, Related) and f.count == 0 and f.operator in {">", "="}:
            f = replace(f, table=lines)
        found.append(f)
    return found


def _refuse_other_ways(r: Reader, related: Sequence[str]) -> None:
    """Decline who bought what, where the shortest way between them is not what was sold, like reviews."""
    if not any(i.stem in SOLD for i in r.items):
        return
    lines = sold_lines(r)
    for table in related:
        way = [s.target for s in (r.joins.path(r.subject, table) or ())]
        if lines is not None and len(way) > 1 and lines not in way and lines != table:
            between = " and ".join(r.naming.say_table(t) for t in way[:-1])
            raise NotUnderstood(
                f"I would find {r.naming.say_table(table)} through {between} only, not through what was sold."
            )


def refuse_contradictions(filters: Sequence[Filter]) -> None:
    """Decline where one value would have to lie in two places: "above 40 and below 30" means two rows."""
    for f in filters:
        if isinstance(f, Related):
            refuse_contradictions(f.where)
    dated = {f.column for f in filters if isinstance(f, During)}
    if any(isinstance(f, Pick) and f.by in dated for f in filters):
        raise NotUnderstood("I cannot tell the latest within a period yet: leave one of both out.")
    bounds: dict[Col, tuple[float, float]] = {}
    for f in filters:
        if isinstance(f, Condition) and f.operator in {">", ">=", "<", "<="} and isinstance(f.values[0], int | float):
            low, high = bounds.get(f.column, (float("-inf"), float("inf")))
            value = float(f.values[0])
            bounds[f.column] = (max(low, value), high) if f.operator in {">", ">="} else (low, min(high, value))
    spans = [f for f in filters if isinstance(f, During) and not f.negated]
    for n, one in enumerate(spans):
        if any(other.column == one.column and not _overlap(one.period, other.period) for other in spans[n + 1 :]):
            raise NotUnderstood("Nothing happens in both of these periods: ask for one, or to compare them.")
    equal = [(f.column, f.values) for f in filters if isinstance(f, Condition) and f.operator == "="]
    excluded = {(f.column, f.values) for f in filters if isinstance(f, Condition) and f.operator == "!="}
    if excluded & set(equal):
        raise NotUnderstood("I cannot compare those that are so with those that are not: ask for a number per value.")
    if any(low > high for low, high in bounds.values()) or len({c for c, _ in equal}) != len(set(equal)):
        raise NotUnderstood("No single row can fulfil these conditions together: ask for each of them by itself.")


def _overlap(one: Period, other: Period) -> bool:
    starts_before = one.start is None or other.end is None or one.start < other.end
    return starts_before and (other.start is None or one.end is None or other.start < one.end)
