"""Refuses queries that build texts or lists of unbounded length: ten joined to one, ten of those to one, and so on.

Every expression gets an upper estimate of its length in characters (guard_lengths); a column of a CTE or a subquery is
as long as the expression that it names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from sqlglot import exp

from errors import SQLRefused
from tools.guard_amounts import number
from tools.guard_lengths import NUMBER, STORED, is_parameter, made
from tools.guard_recursion import columns_of, members, sources

MAX_LENGTH = 10_000_000
"""Characters that one value may come to."""
WALKED = 100
"""Steps that a recursion along a table counts for."""

_STEPS_TRIED = 6


@dataclass
class _Columns:
    """How long the values in a source's columns may be."""

    named: dict[str, float] = field(default_factory=dict)
    rest: float = 0.0
    """For any name that is not listed."""

    def longest(self) -> float:
        return max((*self.named.values(), self.rest), default=0.0)

    def row(self) -> float:
        return sum(self.named.values()) + self.rest

    def get(self, name: str) -> float:
        return self.named.get(name, self.rest)


@dataclass
class _Scope:
    """What the names of one SELECT stand for; `outer` is the query around it."""

    outer: _Scope | None
    sources: dict[str, _Columns] = field(default_factory=dict)

    def column(self, name: str, table: str) -> float:
        found, scope = [0.0], self
        while True:
            if table in scope.sources:
                return scope.sources[table].get(name)
            found += [columns.get(name) for columns in scope.sources.values()]
            # A name may stand for the whole row: concat(t, t).
            found += [columns.row() for label, columns in scope.sources.items() if name and label in (name, table)]
            if scope.outer is None:
                return max(found) or max((c.longest() for c in scope.sources.values()), default=0.0) or STORED
            scope = scope.outer

    def rows(self) -> float:
        return sum(columns.row() for columns in self.sources.values())


_Ctes = dict[str, _Columns]
_TABLE = _Columns(rest=STORED)


def check_growth(statement: exp.Expr) -> None:
    """Raise SQLRefused where a value of the statement may become longer than MAX_LENGTH."""
    _query(statement, {}, None)


def _query(query: exp.Expr, ctes: _Ctes, outer: _Scope | None) -> _Columns:
    """Return how long the values in each of the query's columns may be."""
    if with_ := query.args.get("with_"):
        ctes = dict(ctes)
        for cte in with_.expressions:
            ctes[cte.alias.lower()] = _cte(cte, ctes, outer)
    match query:
        case exp.Select():
            return _select(query, ctes, outer)
        case exp.SetOperation():
            left, right = (_query(side, ctes, outer) for side in (query.this, query.expression))
            scope = _Scope(outer, {"": left})
            _check(scope, ctes, [query.args.get(part) for part in ("order", "limit", "offset")])
            return _Columns({name: max(n, right.longest()) for name, n in left.named.items()}, _rest(left, right))
        case exp.Subquery() | exp.Pivot() if isinstance(query.this, exp.Expr):
            scope = _Scope(outer, {"": _source(query.this, ctes, _Scope(outer))})
            _check(scope, ctes, [v for k, v in query.args.items() if k not in ("this", "with_", "alias")])
            return scope.sources[""]
    scope = _Scope(outer)
    return _Columns(rest=_check(scope, ctes, list(query.args.values())))


def _rest(left: _Columns, right: _Columns) -> float:
    return max(left.rest, right.longest() if left.rest else 0.0)


def _cte(cte: exp.Expr, ctes: _Ctes, outer: _Scope | None) -> _Columns:
    name, body = cte.alias.lower(), cte.this.unnest()
    reads_itself = any(t.name.lower() == name and not t.args.get("db") for t in body.find_all(exp.Table))
    if not (isinstance(body, exp.SetOperation) and reads_itself):
        return _renamed(_query(cte.this, ctes, outer), cte.args["alias"])
    return _recursion(cte, body, ctes, outer)


def _recursion(cte: exp.Expr, body: exp.Expr, ctes: _Ctes, outer: _Scope | None) -> _Columns:
    """Return the lengths after the recursion's last step, told from how they grow in its first ones."""
    name, labels = cte.alias.lower(), columns_of(cte, body)
    lengths = [_Columns(rest=NUMBER)]
    for _ in range(_STEPS_TRIED):
        step = _union(members(body), {**ctes, name: lengths[-1]}, outer, labels)
        lengths.append(step)
    steps = _steps(body, name)
    return _Columns({label: _grown([c.get(label) for c in lengths[1:]], steps) for label in labels})


def _union(selects: Iterable[exp.Expr], ctes: _Ctes, outer: _Scope | None, labels: list[str]) -> _Columns:
    named = dict.fromkeys(labels, 0.0)
    for select in selects:
        lengths = list(_positions(select, ctes, outer))
        for place, label in enumerate(labels):
            found = lengths[place] if len(lengths) == len(labels) else max(lengths, default=0.0)
            named[label] = max(named[label], found)
    return _Columns(named)


def _positions(select: exp.Expr, ctes: _Ctes, outer: _Scope | None) -> Iterable[float]:
    columns = _query(select, ctes, outer)
    if not isinstance(select, exp.Select) or any(p.is_star for p in select.expressions):
        return [columns.longest()]
    scope = _scope(select, ctes, outer)
    return [_length(p, scope, ctes) for p in select.expressions]


def _steps(body: exp.Expr, name: str) -> float:
    """Return the steps of a recursion: along a table as deep as trees are, over itself alone up to its bound."""
    alone = all(
        len(sources(member)) == 1
        for member in members(body)
        if any(t.name.lower() == name for t in member.find_all(exp.Table))
    )
    if not alone:
        return WALKED
    found = (number(n) for part in body.find_all(exp.Where, exp.Limit) for n in part.find_all(exp.Literal))
    return max((abs(n) for n in found if n is not None), default=WALKED)


def _grown(lengths: list[float], steps: float) -> float:
    growth = [later - earlier for earlier, later in pairwise(lengths)]
    faster = [later - earlier for earlier, later in pairwise(growth)]
    if faster[-1] > faster[-2] > 0:
        raise SQLRefused("The recursion multiplies a text with every step: let it add to the text once.")
    # What grows by more with every step comes to the square of the steps.
    return _within(lengths[-1] + growth[-1] * steps + max(faster[-1], 0) * steps * steps)


def _select(select: exp.Expr, ctes: _Ctes, outer: _Scope | None) -> _Columns:
    scope = _scope(select, ctes, outer)
    columns = _Columns()
    aliases = scope.sources["\0"] = _Columns()  # DuckDB lets a column use the ones before it.
    for projection in select.expressions:
        if projection.is_star:
            length = _star(projection, scope, ctes)
            columns.rest = max(columns.rest, length)
        else:
            length = _length(projection, scope, ctes)
            name = projection.alias_or_name.lower()
            if name:
                columns.named[name] = aliases.named[name] = max(length, columns.named.get(name, 0.0))
            columns.rest = columns.rest if name else max(columns.rest, length)
    rest = [v for k, v in select.args.items() if k not in ("expressions", "from_", "with_", "laterals")]
    _check(scope, ctes, rest)
    return columns


def _star(projection: exp.Expr, scope: _Scope, ctes: _Ctes) -> float:
    table = projection.table.lower() if isinstance(projection, exp.Column) else ""
    replaced = _check(scope, ctes, [v for star in projection.find_all(exp.Star) for v in star.args.values()])
    chosen = [scope.sources[table]] if table in scope.sources else scope.sources.values()
    return max(replaced, *(columns.longest() for columns in chosen), 0.0)


def _scope(select: exp.Expr, ctes: _Ctes, outer: _Scope | None) -> _Scope:
    scope = _Scope(outer)
    for source in sources(select):
        _add(source, ctes, scope)
    return scope


def _add(source: exp.Expr, ctes: _Ctes, scope: _Scope) -> _Columns:
    columns = _source(source, ctes, scope)
    alias = source.args.get("alias")
    columns = _renamed(columns, alias)
    label = (source.alias_or_name or f"\0{len(scope.sources)}").lower()
    scope.sources[label] = columns
    for inner in (*(j.this for j in source.args.get("joins") or ()), *(source.args.get("laterals") or ())):
        inside = _add(inner, ctes, scope)
        columns = _Columns(rest=max(columns.longest(), inside.longest()))
    return columns


def _source(source: exp.Expr, ctes: _Ctes, scope: _Scope) -> _Columns:
    match source:
        case exp.Table() if isinstance(source.this, exp.Identifier):
            known = None if source.args.get("db") else ctes.get(source.name.lower())
            columns = known or _TABLE
        case exp.Table() | exp.Lateral() if isinstance(source.this, exp.Subquery | exp.Query):
            columns = _query(source.this, ctes, scope)
        case exp.Subquery() if isinstance(source.this, exp.Table):
            return _add(source.this, ctes, scope)
        case exp.Query():
            columns = _query(source.unnest() if not source.args.get("with_") else source, ctes, scope)
        case exp.GenerateSeries() | exp.ExplodingGenerateSeries():
            columns = _Columns(rest=NUMBER)
        case exp.Table() | exp.Lateral() if isinstance(source.this, exp.Func):
            columns = _source(source.this, ctes, scope)
        case _:
            parts = [v for k, v in source.args.items() if k not in ("alias", "joins", "laterals")]
            columns = _Columns(rest=max(_check(scope, ctes, parts), NUMBER))
    if pivots := source.args.get("pivots"):
        inner = _Scope(scope, {"": columns})
        return _Columns(rest=max(_check(inner, ctes, pivots), columns.longest()))
    return columns


def _renamed(columns: _Columns, alias: exp.Expr | None) -> _Columns:
    if alias is None or not alias.args.get("columns"):
        return columns
    names = [c.name.lower() for c in alias.args["columns"]]
    if len(names) == len(columns.named) and not columns.rest:
        return _Columns(dict(zip(names, columns.named.values(), strict=True)))
    return _Columns(rest=columns.longest())


def _check(scope: _Scope, ctes: _Ctes, values: list[object]) -> float:
    """Return the length of the longest of the expressions among the values."""
    found = 0.0
    for value in values:
        parts = value if isinstance(value, list) else [value]
        found = max([found, *(_length(part, scope, ctes) for part in parts if isinstance(part, exp.Expr))])
    return found


def _length(root: exp.Expr, scope: _Scope, ctes: _Ctes) -> float:
    """Return how long the value of an expression may be; raises SQLRefused where that is too long."""
    known: dict[int, float] = {}
    # Children before parents, without recursion: a text of 20,000 characters nests deep.
    for node in reversed(list(root.walk(prune=lambda n: isinstance(n, exp.Query | exp.Column | exp.Star)))):
        match node:
            case exp.Query():
                length = _query(node, ctes, scope).longest()
            case exp.Column() if is_parameter(node):
                length = NUMBER
            case exp.Column() if not isinstance(node.this, exp.Star):
                length = scope.column(node.name.lower(), node.table.lower())
            case exp.Column() | exp.Star():
                length = scope.rows()
            case exp.Identifier():
                length = NUMBER if is_parameter(node) else scope.column(node.name.lower(), "")
            case _:
                length = made(node, known)
        known[id(node)] = _within(length)
    return known[id(root)]


def _within(length: float) -> float:
    if length > MAX_LENGTH:
        raise SQLRefused(
            f"The query builds a text or list that may come to more than {MAX_LENGTH:,} characters: join fewer texts."
        )
    return length
