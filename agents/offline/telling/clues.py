"""Learns from the SQL what the answer's columns were made of, so that the narrator says only what is sure."""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from agents.offline.telling.ranked import Ranked, ranked_within

SQL_LIMIT = 20_000
"""Longer SQL is not read: its rows are told without it."""
_DEPTH = 6


@dataclass(frozen=True)
class Clues:
    """What the SQL says; everything is empty or False where it could not be read."""

    functions: tuple[str | None, ...] = ()
    """For each column: "count", "sum", "distinct", "avg", "min", "max", "ratio", or None for no aggregate."""
    tables: tuple[str | None, ...] = ()
    """For each column the table that it comes from, where it is a plain column."""
    ordered_by: int | None = None
    """The column that the rows are sorted by first."""
    descending: bool = False
    partial: bool = False
    """Whether a LIMIT or a HAVING may have left groups out."""
    ranked: Ranked | None = None
    """How the rows were ranked within groups, where they are the first few of each."""
    read: bool = False

    def adds_up(self, column: int) -> bool:
        """Whether the column's values may be added up: counts and sums may, averages and distinct counts may not."""
        return self.function(column) in ("count", "sum")

    def function(self, column: int) -> str | None:
        return self.functions[column] if column < len(self.functions) else None


def read_clues(sql: str) -> Clues:
    """Return what the SQL says about its columns; it never raises."""
    query = _parse(sql)
    if query is None:
        return Clues()
    head = query
    while isinstance(head, exp.SetOperation):
        head = head.left
    if not isinstance(head, exp.Select) or (outputs := _outputs(head)) is None:
        return Clues()
    ordered = query.args.get("order")
    first = ordered.expressions[0] if ordered else None
    limited = any(query.args.get(part) is not None for part in ("limit", "offset", "having", "qualify"))
    inner_limits = any(
        s is not query and (s.args.get("limit") or s.args.get("having")) for s in query.find_all(exp.Select)
    )
    return Clues(
        functions=tuple(_function(e, head, _DEPTH) for e in outputs),
        tables=tuple(_table(e, head, _DEPTH) for e in outputs),
        ordered_by=_ordered_by(first, outputs),
        descending=bool(first is not None and first.args.get("desc")),
        partial=limited or inner_limits,
        ranked=ranked_within(query, outputs),
        read=True,
    )


def _parse(sql: str) -> exp.Query | None:
    if len(sql) > SQL_LIMIT:
        return None
    for dialect in ("sqlite", "postgres", "duckdb", "mysql"):
        try:
            parsed = sqlglot.parse_one(sql, dialect=dialect)
        except (SqlglotError, RecursionError):
            continue
        if isinstance(parsed, exp.Query):
            return parsed
    return None


def _outputs(select: exp.Select) -> list[exp.Expression] | None:
    """Return the select's columns, with a * over one subquery written out; None where a * hides them."""
    outputs: list[exp.Expression] = []
    for output in select.expressions:
        if not output.is_star:
            outputs.append(output)
            continue
        inner = [_select_of(source, select) for source in _sources(select)]
        if len(inner) != 1 or inner[0] is None or any(e.is_star for e in inner[0].expressions):
            return None
        outputs += [exp.column(e.alias_or_name) for e in inner[0].expressions]
    return outputs


def _select_of(source: exp.Expression, select: exp.Select) -> exp.Select | None:
    """Return the select behind a subquery or a CTE's name; None for a table."""
    top = select.find_ancestor(exp.Select) or select
    ctes = {cte.alias: cte.this for cte in [*select.ctes, *top.ctes]}
    inner = source.this if isinstance(source, exp.Subquery) else ctes.get(source.name)
    return inner if isinstance(inner, exp.Select) and inner is not select else None


def _function(output: exp.Expression, select: exp.Select, depth: int) -> str | None:
    """Return what one output was computed by, looking through casts, rounding and subqueries."""
    node = output.unalias()
    while isinstance(node, exp.Cast | exp.Round | exp.Paren | exp.Coalesce | exp.Abs):
        node = node.this
    if isinstance(node, exp.Column) and depth:
        inner, source = _source(node, select)
        return _function(inner, source, depth - 1) if inner is not None and source is not None else None
    if isinstance(node, exp.Count):
        return "distinct" if isinstance(node.this, exp.Distinct) else "count"
    for kind, name in ((exp.Sum, "sum"), (exp.Avg, "avg"), (exp.Min, "min"), (exp.Max, "max")):
        if isinstance(node, kind):
            return name
    return "ratio" if node.find(exp.AggFunc) else None


def _source(column: exp.Column, select: exp.Select) -> tuple[exp.Expression | None, exp.Select | None]:
    """Return the expression that a column stands for in a subquery or a CTE, and the select that holds it."""
    for source in _sources(select):
        inner = None if column.table and source.alias_or_name != column.table else _select_of(source, select)
        found = next((e for e in inner.expressions if e.alias_or_name == column.name), None) if inner else None
        if found is not None:
            return found, inner
    return None, None


def _sources(select: exp.Select) -> list[exp.Expression]:
    start = select.args.get("from_") or select.args.get("from")
    return [s.this for s in [start, *(select.args.get("joins") or [])] if s is not None]


def _table(output: exp.Expression, select: exp.Select, depth: int) -> str | None:
    node = output.unalias()
    if not isinstance(node, exp.Column):
        return None
    inner, source = _source(node, select)
    if inner is not None and source is not None:
        return _table(inner, source, depth - 1) if depth else None
    tables = [s for s in _sources(select) if isinstance(s, exp.Table)]
    if not node.table:
        return tables[0].name if len(tables) == 1 else None
    return next((t.name for t in tables if t.alias_or_name == node.table), None)


def _ordered_by(first: exp.Expression | None, outputs: list[exp.Expression]) -> int | None:
    if first is None:
        return None
    key = first.this
    if isinstance(key, exp.Literal) and key.is_int:
        return int(key.this) - 1 if 0 < int(key.this) <= len(outputs) else None
    for n, output in enumerate(outputs):
        if key == output.unalias() or (
            isinstance(key, exp.Column) and not key.table and key.name == output.alias_or_name
        ):
            return n
    return None
