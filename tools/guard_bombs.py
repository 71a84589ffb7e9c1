"""Refuses queries that are well formed and would still eat all memory or never end.

The runner has a deadline and a row limit, yet neither bounds a single huge scalar value (measured: DuckDB's
`generate_series(1, 1e9)` took 20 GB). So what multiplies has a budget here: numbers that say how much must stand in the
query, and their product stays small.
"""

from __future__ import annotations

import re

from sqlglot import exp

from errors import SQLRefused
from tools.catalog import Dialect
from tools.guard_amounts import amount, number, series
from tools.guard_recursion import check_with, conditions, sources

MAX_PRODUCT = 2_000_000
"""What all series and repetitions of a statement may come to when multiplied."""
MAX_LOOSE_TABLES = 3
"""Tables in one FROM that no condition joins to each other."""

# A repeated group whose last part is repeated too, as in (a+)+, backtracks without end; so do huge counts.
_REGEX_BOMB = re.compile(r"(?:[+*]|\{\d+,\d*\})[+?]?\)(?:[+*]|\{\d+,)|\((\w+)\|\1\w*\)[+*]|\{\d{4,}|,\d{4,}\}")
_FORMAT_BOMB = re.compile(r"%[^a-zA-Z%]*\*|\d{4,}|\{[^{}]*:[^{}]*\{")

_REGEX_FUNCTIONS = (
    exp.RegexpLike,
    exp.RegexpILike,
    exp.RegexpReplace,
    exp.RegexpExtract,
    exp.RegexpExtractAll,
    exp.RegexpFullMatch,
    exp.RegexpInstr,
    exp.RegexpSubstr,
    exp.RegexpSplit,
    exp.RegexpCount,
    exp.SimilarTo,
)


def check_bombs(statement: exp.Expr, dialect: Dialect) -> None:
    """Raise SQLRefused where the statement may need memory or time without bound."""
    product = 1.0
    single = {cte.alias.lower() for cte in statement.find_all(exp.CTE) if _has_one_row(cte.this)}
    for node in statement.walk():
        match node:
            case exp.Repeat():
                product *= amount("REPEAT", node.args.get("times"))
            case exp.Space():
                product *= amount("SPACE", node.this)
            case exp.Pad():
                amount("LPAD/RPAD", node.expression)
            case exp.GenerateSeries() | exp.ExplodingGenerateSeries():
                product *= series(node.args.get("start"), node.args.get("end"), node.args.get("step"))
            case exp.Format():
                _check_format(node.this)
            case exp.Anonymous():
                product *= _anonymous(node)
            case exp.With():
                check_with(node, dialect)
            case exp.Select():
                _check_product(node, single)
            case _ if isinstance(node, _REGEX_FUNCTIONS):
                _check_regex(node)
        if product > MAX_PRODUCT:
            raise SQLRefused("The series and repetitions multiply to too much: ask for fewer rows or shorter texts.")


def _anonymous(node: exp.Expr) -> float:
    arguments = node.expressions
    match node.name.lower():
        case "printf" | "format":
            _check_format(arguments[0] if arguments else None)
        case "repeat" | "space":
            return amount("REPEAT", arguments[-1] if arguments else None)
        case "lpad" | "rpad" | "to_base" if len(arguments) > 1:
            amount("LPAD/RPAD", arguments[-1] if node.name.lower() == "to_base" else arguments[1])
        case "bar" if len(arguments) > 3:
            amount("BAR", arguments[3])
        case "range" | "generate_series":
            start, end, step = (*arguments, None, None, None)[:3]
            return series(start, end, step) if end is not None else series(exp.Literal.number(0), start, None)
        case name if name.startswith(("regexp", "string_split_regex", "str_split_regex")):
            _check_regex(node)
    return 1.0


def _check_format(pattern: exp.Expr | None) -> None:
    if not isinstance(pattern, exp.Literal) or _FORMAT_BOMB.search(pattern.name):
        raise SQLRefused("A format must be written as a plain text with widths under 1,000.")


def _check_regex(node: exp.Expr) -> None:
    for literal in node.find_all(exp.Literal):
        if literal.is_string and _REGEX_BOMB.search(literal.name):
            raise SQLRefused("The regular expression repeats a repetition, which may never end: write it plainer.")


def _check_product(select: exp.Expr, single: set[str]) -> None:
    """Raise SQLRefused where a FROM multiplies many tables, or a table with itself, without any condition."""
    tables = {t.alias_or_name.lower(): t.name.lower() for t in sources(select) if _has_rows(t, single)}
    if len(tables) < 2:
        return
    groups = {label: {label} for label in tables}
    for linked in _links(select, list(tables)):
        merged = set().union(*(groups[label] for label in linked))
        for label in merged:
            groups[label] = merged
    loose = {id(group): group for group in groups.values()}.values()
    if len(loose) > MAX_LOOSE_TABLES:
        raise SQLRefused("The query multiplies tables that nothing joins: give each JOIN its ON.")
    copies = [{tables[label] for label in group if tables[label]} for group in loose]
    if len(set().union(*copies)) < sum(map(len, copies)):
        raise SQLRefused("The query multiplies a table with itself: join its two copies ON a condition.")


def _has_rows(source: exp.Expr, single: set[str]) -> bool:
    """Whether a source may have many rows: a table, or a subquery that is not one row of totals."""
    if isinstance(source, exp.Table):
        return isinstance(source.this, exp.Identifier) and source.name.lower() not in single
    return isinstance(source, exp.Subquery) and not _has_one_row(source.this)


def _has_one_row(query: exp.Expr) -> bool:
    if not isinstance(query, exp.Select) or query.args.get("group"):
        return False
    aggregates = any(p.find(exp.AggFunc) and not p.find(exp.Window) for p in query.expressions)
    limit = query.args.get("limit")
    return aggregates or not query.args.get("from_") or (limit is not None and number(limit.expression) == 1)


def _links(select: exp.Expr, names: list[str]) -> list[list[str]]:
    """Return the groups of sources that a condition brings together."""
    found = []
    for join in select.args.get("joins") or ():
        if join.args.get("using") or join.args.get("method"):
            found.append(names)  # USING, NATURAL, ASOF and POSITIONAL name no tables.
    for condition in conditions(select):
        columns = list(condition.find_all(exp.Column))
        if columns and not all(c.table for c in columns):
            return [names]  # Only the database knows whose columns these are.
        linked = [n for n in {c.table.lower() for c in columns} if n in names]
        if len(linked) > 1:
            found.append(linked)
    return found
