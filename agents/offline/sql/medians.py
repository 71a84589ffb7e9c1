"""Writes a median: the middle of the numbers in their order, or the average of the two in the middle."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

_NUMBER, _PLACE, _MANY = "number", "place", "many"


def numbered(keys: Sequence[exp.Expr], value: exp.Expr) -> list[exp.Expr]:
    """Return what the inner query selects: the groups' keys, the number, its place within its group, and how many."""
    order = exp.Order(expressions=[exp.Ordered(this=value.copy(), nulls_first=True)])
    of_group = [k.copy() for k in keys]
    place = exp.Window(this=exp.RowNumber(), partition_by=of_group, order=order)
    many = exp.Window(this=exp.Count(this=exp.Star()), partition_by=[k.copy() for k in keys])
    return [
        *(exp.alias_(k.copy(), f"key_{n}") for n, k in enumerate(keys)),
        exp.alias_(value.copy(), _NUMBER),
        exp.alias_(place, _PLACE),
        exp.alias_(many, _MANY),
    ]


def middle(
    inner: exp.Select, keys: Sequence[exp.Expr], shown: Sequence[exp.Expr], orders: Sequence[exp.Ordered], title: str
) -> exp.Select:
    """Return the query around `numbered`: the groups as they are shown, each with its median under the title."""
    outside = [exp.column(f"key_{n}") for n in range(len(keys))]

    def found(expression: exp.Expr) -> exp.Expr:
        return next((o.copy() for o, k in zip(outside, keys, strict=True) if k == expression), expression.copy())

    median = exp.alias_(exp.Avg(this=exp.column(_NUMBER)), title)
    query = exp.select(*(exp.alias_(found(e.unalias()), e.alias_or_name) for e in shown), median)
    query = query.from_(inner.subquery("numbered")).where(_is_in_the_middle())
    query = query.group_by(*(o.copy() for o in outside)) if outside else query
    for order in orders:
        query = query.order_by(exp.Ordered(this=found(order.this), desc=order.args["desc"], nulls_first=_first(order)))
    return query


def _is_in_the_middle() -> exp.Expr:
    twice = exp.Mul(this=exp.Literal.number(2), expression=exp.column(_PLACE))
    above = exp.Add(this=exp.column(_MANY), expression=exp.Literal.number(2))
    return exp.Between(this=twice, low=exp.column(_MANY), high=above)


def _first(order: exp.Ordered) -> bool:
    return bool(order.args.get("nulls_first"))
