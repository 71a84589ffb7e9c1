"""Reads profit and margin: what is left of the revenue, or of a price, when the cost has been paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agents.offline.meaning.items import Item
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col, Function, Measure
from agents.offline.reading.reader import Reader

_COSTS = frozenset(
    tuple(name.split())
    for name in (
        "cost, unit cost, cost price, unit cost price, purchase price, purchase cost, buying price, wholesale price"
    ).split(", ")
)


def take_profit(r: Reader, item: Item, function: Function, said: Sequence[str]) -> Measure:
    """Return the profit of the sales, or the margin: of a price list where nothing but its rows is asked about.

    Raises NotUnderstood where the database holds no cost that goes with what was sold.
    """
    if function != "sum":
        raise NotUnderstood(f"Ask for the {item.stem} itself: I cannot compute an average or an extreme of it.")
    margin = item.stem == "margin"
    listed = _of_the_list(r, set(said) | {r.subject}) if margin else None
    found = listed or _of_sales(r, said)
    if found is None:
        raise NotUnderstood(f"I found no cost in this database that goes with what was sold, so no {item.stem}.")
    r.assumptions.append(_say(found, item.stem, listed is not None))
    return replace(found, function="margin" if margin else "sum", said=item.stem)


def _of_the_list(r: Reader, said: set[str]) -> Measure | None:
    """Return the one price of a thing less its one cost, where the question is about these things only."""
    if len(said) != 1 or any(i.kind in {"period", "grain"} for i in r.items):
        return None
    table = said.pop()
    cost = _cost_in(r, table)
    columns = [c.name for c in r.lexicon.table(table).columns if c.kind == "number"]
    prices = [c for c in columns if r.naming.column(table, c)[-1] == "price" and (cost is None or c != cost.name)]
    return Measure("sum", table, prices[0], cost=cost) if cost is not None and len(prices) == 1 else None


def _of_sales(r: Reader, said: Sequence[str]) -> Measure | None:
    """Return what the one table of sales brought in less what it cost, each piece of it or the whole row."""
    found = []
    for table in r.lexicon.catalog:
        revenue = None if table.is_view else r.resolver.money_of(table.name)
        if revenue is None or not all(r.joins.to_one(table.name, t) for t in said):
            continue
        pieces = r.resolver.quantity(table.name)
        cost = _cost_in(r, table.name)
        if cost is not None and (pieces is None or "unit" in r.naming.column(cost.table, cost.name)):
            found.append(replace(revenue, cost=cost, pieces=pieces))
        elif cost is None and pieces is not None and (of_thing := _cost_of_thing(r, table.name)) is not None:
            found.append(replace(revenue, cost=of_thing, pieces=pieces))
    return found[0] if len(found) == 1 else None


def _cost_of_thing(r: Reader, lines: str) -> Col | None:
    """Return the cost of what a line of a sale is about, a product."""
    owners = {s.target for s in r.joins.steps_from(lines) if s.to_one and not r.joins.is_ambiguous(lines, s.target)}
    costs = [cost for owner in owners if (cost := _cost_in(r, owner)) is not None]
    return costs[0] if len(costs) == 1 else None


def _cost_in(r: Reader, table: str) -> Col | None:
    columns = [c for c in r.lexicon.table(table).columns if c.kind == "number"]
    costs = [c.name for c in columns if r.naming.column(table, c.name) in _COSTS]
    return Col(table, costs[0]) if len(costs) == 1 else None


def _say(found: Measure, word: str, listed: bool) -> str:
    assert found.cost is not None
    earned = " times ".join(f"{found.table}.{c}" for c in (found.column, found.times) if c)
    each = f"{found.table}.{found.pieces} times " if found.pieces else ""
    cost = f"{each}{found.cost.table}.{found.cost.name}"
    if word == "margin":
        what = "each price" if listed else "the revenue"
        return f"Margin is {earned} less {cost}, in percent of {what}."
    return f"Profit is the sum of {earned} less {cost}."
