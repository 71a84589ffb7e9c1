"""Reads "new customers": those of a period by their own date, else by the first thing that they did."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.meaning.lexicon import EXACT, SYNONYM, Meaning
from agents.offline.meaning.people import are_people
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col, First, Measure, Order, Plan
from agents.offline.reading.reader import Reader

_NOT_SINCE = frozenset({"birth", "born", "updated", "modified", "due", "expiry"})
"""Words of dates that do not say since when there is a row."""


_AGAIN = frozenset({"returning", "recurring", "repeat", "repeating"})
"""Words for people who came more than once: who these are nobody has said, and they are no returns."""


def name_new(r: Reader) -> None:
    """Leave out "new" of "new customers this year", where their own date says it; else count who came first then."""
    for item in r.items:
        if item.stated and item.text.lower() in _AGAIN:
            raise r.not_understood(item)  # "how many customers are returning"
    for n, item in enumerate(r.items[:-1]):
        noun = r.items[n + 1]
        table = r.resolver.table(noun) if noun.kind == "name" else None
        if item.text.lower() in _AGAIN and table is not None and are_people(r, table):
            raise r.not_understood(item)
        if item.kind != "unknown" or item.text.lower() != "new" or table is None:
            continue
        elsewhere = _others(r, table)
        if _has_own_date(r, table) and not elsewhere:
            if any(i.kind in {"period", "grain"} for i in r.items):
                del r.items[n]
        elif are_people(r, table) and (first := _first(r, table, elsewhere)) is not None:
            done = (Meaning(first.table, score=EXACT),)
            r.items[n : n + 2] = [replace(noun, tables=done, columns=(), values=(), meanings=done)]
            r.first, things = first, r.naming.say_table(first.table)
            r.assumptions.append(
                f"New {r.naming.say_table(table)} are counted where their first of the {things} is, by {first.date}."
            )
        return


def count_the_first(r: Reader, plan: Plan) -> Plan:
    """Return the plan with people counted where they were new, instead of everything that they did."""
    if r.first is None:
        return plan
    counted = Measure("count", r.first.table)
    if plan.measures != (counted,) or plan.compare is not None or plan.share:
        raise NotUnderstood("I can only count who is new: ask how many there were, by month or by something else.")
    key = Col(r.first.table, r.first.key)
    new = Measure("distinct", key.table, key.name, said=f"new {r.naming.say_table(r.first.of)}")
    order = tuple(Order(new, o.descending) if o.by == counted else o for o in plan.order)
    return replace(plan, measures=(new,), order=order, where=(*plan.where, r.first))


def _others(r: Reader, table: str) -> set[str]:
    """Return the other tables that the question names, unless the people belong to them: campaigns, but no towns."""
    named = {m.table for i in r.items if i.kind == "name" for m in i.tables if m.score >= SYNONYM}
    return {t for t in named if not r.joins.to_one(table, t)}


def _has_own_date(r: Reader, table: str) -> bool:
    """Whether one date says since when there is a row: the only one, or the only one that each row has."""
    columns = [Col(table, c.name) for c in r.lexicon.table(table).columns if c.kind == "date"]
    dates = [d for d in columns if not _NOT_SINCE & set(r.naming.column(table, d.name))]
    kept = dates if len(dates) == 1 else [d for d in dates if not r.lexicon.column(d).nullable]
    return len(kept) == 1 and r.resolver.date(table) == kept[0]


def _first(r: Reader, table: str, elsewhere: set[str]) -> First | None:
    """Return the first row of the one thing that the people do, which also belongs to what else is named."""
    found = []
    for step in r.joins.steps_from(table):
        date = r.resolver.date(step.target)
        tied = all(step.target == t or r.joins.to_one(step.target, t) for t in elsewhere)
        once = not r.joins.is_ambiguous(step.target, table)
        if not step.to_one and len(step.target_columns) == 1 and date is not None and tied and once:
            found.append(First(step.target, step.target_columns[0], date.name, table))
    return found[0] if len(found) == 1 else None
