"""Writes the first few of each group: the rows ranked among their own, and of these only the foremost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from agents.offline.meaning.lexicon import Lexicon
from agents.offline.plan import Col, Measure
from agents.offline.sql.groups import Head

_EXACT = {
    "sqlite": ("int", "bigint", "smallint", "tinyint"),
    "duckdb": ("int", "bigint", "smallint", "tinyint", "hugeint", "decimal", "numeric"),
    "postgres": ("int", "bigint", "smallint", "decimal", "numeric"),
    "mysql": ("int", "bigint", "smallint", "tinyint", "mediumint", "decimal", "numeric"),
}
"""How types begin whose sums are the same in whatever order they are added up."""
_DIGITS = 6
_PLACE, _OWN = "place", "group_key"


def firsts_of_each(rows: exp.Select, group: Head, orders: Sequence[exp.Ordered], limit: int) -> exp.Select:
    """Return the query around `rows` that keeps the `limit` first of each group, and all that tie for the last place.

    The group's columns are the first that `rows` shows.
    """
    inner = rows.copy()
    inner.set("expressions", list(_unlike(inner.expressions)))
    titles = [e.args["alias"] if isinstance(e, exp.Alias) else e.this for e in inner.expressions]
    names = {title.name.lower() for title in titles}
    among = exp.Order(expressions=[order.copy() for order in orders])
    within = exp.Window(this=exp.Rank(), partition_by=[key.copy() for key in group.keys], order=among)
    place, own = _free(_PLACE, names), _free(_OWN, names)
    hidden = [exp.alias_(key.copy(), f"{own}_{n}") for n, key in enumerate(group.apart, start=1)]
    inner = inner.select(*hidden, exp.alias_(within, place))
    query = exp.select(*(exp.Column(this=title.copy()) for title in titles)).from_(inner.subquery("ranked"))
    query = query.where(exp.LTE(this=exp.column(place), expression=exp.Literal.number(limit)))
    called = [exp.Column(this=title.copy()) for title in titles[: len(group.shown)]]
    return query.order_by(*called, *(exp.column(key.alias) for key in hidden), exp.column(place))


def levelled(measure: Measure, number: exp.Expr, lexicon: Lexicon) -> exp.Expr:
    """Return a number as it is ranked: equal sums of fractions may differ in their last digits."""
    dialect = lexicon.catalog.dialect
    columns = [Col(measure.table, name) for name in (measure.column, measure.times) if name is not None]
    exact = all(lexicon.column(c).type.lower().startswith(_EXACT[dialect]) for c in columns)
    if exact or measure.function not in {"sum", "avg"}:
        return number
    # PostgreSQL rounds a numeric to decimals, and no double precision.
    value = exp.cast(number.copy(), "DECIMAL") if dialect == "postgres" else number.copy()
    return exp.Round(this=value, decimals=exp.Literal.number(_DIGITS))


def _free(name: str, taken: set[str]) -> str:
    while name in taken or any(other.startswith(f"{name}_") for other in taken):
        name = f"{name}_here"
    return name


def _unlike(expressions: Sequence[exp.Expr]) -> Iterator[exp.Expr]:
    """Yield the columns, each under a name that no other has: a query within another may not have one twice."""
    names = [e.alias_or_name.lower() for e in expressions]
    for n, e in enumerate(expressions):
        if names.count(names[n]) > 1 and isinstance(e, exp.Column) and e.table:
            yield exp.alias_(e.copy(), f"{e.table}_{e.name}".lower())
        else:
            yield e.copy()
