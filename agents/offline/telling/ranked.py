"""Learns from SQL that its rows are the first few of each group: which columns name the group, and what ranks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True)
class Ranked:
    """How rows were ranked within their groups."""

    heads: tuple[int, ...]
    """The columns that name the group."""
    by: int
    """The column that ranks."""
    descending: bool
    limit: int
    """The last place that is kept; several rows may come equal for one place."""
    namesakes: bool
    """Whether groups may be called the same."""


def ranked_within(query: exp.Query, outputs: Sequence[exp.Expression]) -> Ranked | None:
    """Return how the rows of "SELECT … FROM (SELECT …, RANK() OVER (…) AS place …) WHERE place <= 3" are ranked.

    None for any other query, and for one that does not show what it ranks by.
    """
    start, where = query.args.get("from_") or query.args.get("from"), query.args.get("where")
    inner = start.this.this if start is not None and isinstance(start.this, exp.Subquery) else None
    kept = where.this if where is not None else None
    joined = bool(query.args.get("joins"))
    if not isinstance(inner, exp.Select) or not isinstance(kept, exp.LTE) or joined or not _is_number(kept.expression):
        return None
    named = {e.alias_or_name: e.unalias() for e in inner.expressions}
    window = named.get(kept.this.name) if isinstance(kept.this, exp.Column) else None
    if not isinstance(window, exp.Window) or not isinstance(window.this, exp.Rank):
        return None
    keys = {key.sql() for key in window.args.get("partition_by") or ()}
    order = window.args["order"].expressions[0] if window.args.get("order") else None
    if order is None or not keys:
        return None
    inside = [named.get(o.name) if isinstance(o, exp.Column) else None for o in outputs]
    heads = tuple(n for n, e in enumerate(inside) if e is not None and e.sql() in keys)
    ranks = order.this
    while isinstance(ranks, exp.Round | exp.Cast) and ranks not in inside:
        ranks = ranks.this
    by = next((n for n, e in enumerate(inside) if e is not None and e == ranks), None)
    if by is None or not heads or by in heads:
        return None
    namesakes = len(named) > len(outputs) + 1  # a key that is not shown holds them apart
    return Ranked(heads, by, bool(order.args.get("desc")), int(kept.expression.name), namesakes)


def _is_number(node: exp.Expression) -> bool:
    return isinstance(node, exp.Literal) and node.is_int
