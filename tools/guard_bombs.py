"""Refuses queries that are well formed and would still eat all memory or never end.

The runner has a deadline and a row limit, yet neither bounds a single huge scalar value (measured: DuckDB's
`generate_series(1, 1e9)` took 20 GB). So what multiplies has a budget here: numbers that say how much must stand in the
query, and their product stays small.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import prod

from sqlglot import exp

from errors import SQLRefused
from tools.catalog import Dialect
from tools.guard_amounts import amount, number, series
from tools.guard_joins import links
from tools.guard_nodes import NODES
from tools.guard_recursion import check_with, sources

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
_MULTIPLYING = (
    *(exp.Repeat, exp.Space, exp.Pad, exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.Format, exp.Anonymous),
    *(exp.With, exp.Select),
    *_REGEX_FUNCTIONS,
)
_HARMLESS = frozenset(kind for kind in NODES if not issubclass(kind, _MULTIPLYING))
"""Most nodes of a query, which need no second look."""


def check_bombs(nodes: Sequence[exp.Expr], dialect: Dialect) -> None:
    """Raise SQLRefused where the statement of these nodes may need memory or time without bound."""
    product = 1.0
    if dialect == "postgres":
        _check_paths(nodes)
    sizes = _cte_sizes(nodes)
    for node in nodes:
        if type(node) in _HARMLESS:
            continue
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
                _check_product(node, sizes)
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


def _check_paths(nodes: Sequence[exp.Expr]) -> None:
    """Raise SQLRefused where JSON paths walk all levels more than once: 900 brackets and four `.**` took 2.6 GB."""
    paths: dict[int, str] = {}
    for node in nodes:
        takes_path = isinstance(node, exp.JSONBPathExists | exp.MatchAgainst)
        if takes_path or (isinstance(node, exp.Anonymous) and node.name.lower().startswith(("jsonb_path_", "json_"))):
            # An escaped text may hold anything.
            paths |= {id(text): "****" for text in node.find_all(exp.ByteString)}
            paths |= {id(text): text.name for text in node.find_all(exp.Literal) if text.is_string}
    if "".join(paths.values()).count("**") > 1:
        raise SQLRefused("A JSON path may hold ** once, in a plain text: name the keys on the way instead.")


def _check_product(select: exp.Expr, sizes: dict[str, float]) -> None:
    """Raise SQLRefused where a FROM multiplies many tables, or a table with itself, without any condition."""
    read = sources(select)
    if prod(_size(source, sizes) or 1 for source in read) > MAX_PRODUCT:
        raise SQLRefused("The query multiplies its rows too often: join fewer of its parts.")
    tables = {
        source.alias_or_name.lower(): _table_of(source)
        for source in read
        if isinstance(source, exp.Table | exp.Subquery) and _size(source, sizes) is None
    }
    if len(tables) < 2:
        return
    loose = _loose(tables, links(select, tables, equal=False))
    if len(loose) > MAX_LOOSE_TABLES:
        raise SQLRefused("The query multiplies tables that nothing joins: give each JOIN its ON.")
    if _copies(loose, tables) > 1:
        raise SQLRefused("The query multiplies a table with itself: join its two copies ON a condition.")
    unlinked = _loose(tables, [])
    if _copies(unlinked, tables) > 2 and _copies(_loose(tables, links(select, tables, equal=True)), tables) > 2:
        raise SQLRefused("The query multiplies a table with itself: join its copies by equality (a.id = b.id).")


def _table_of(source: exp.Expr) -> str:
    """Return the name of the table whose rows a source yields, or "" where it groups them or reads several."""
    if isinstance(source, exp.Table):
        return source.name.lower()
    query = source.this
    while isinstance(query, exp.Subquery):
        query = query.this
    if not isinstance(query, exp.Select) or query.args.get("distinct") or query.args.get("group"):
        return ""
    read = sources(query)
    return _table_of(read[0]) if len(read) == 1 and isinstance(read[0], exp.Table | exp.Subquery) else ""


def _loose(tables: dict[str, str], linked: list[list[str]]) -> list[set[str]]:
    """Return the groups of tables that no link brings together."""
    groups = {label: {label} for label in tables}
    for labels in linked:
        merged = set().union(*(groups[label] for label in labels))
        for label in merged:
            groups[label] = merged
    return list({id(group): group for group in groups.values()}.values())


def _copies(loose: list[set[str]], tables: dict[str, str]) -> int:
    """Return in how many of the groups the same table stands, at most."""
    named = Counter(name for group in loose for name in {tables[label] for label in group} if name)
    return max(named.values(), default=0)


def _size(source: exp.Expr, sizes: dict[str, float]) -> float | None:
    """Return how many rows a source has at most, where the query itself tells; functions count for one."""
    match source:
        case exp.Table() if isinstance(source.this, exp.Identifier):
            return None if source.args.get("db") else sizes.get(source.name.lower())
        case exp.Subquery():
            return _rows(source.this, sizes)
    return 1


def _rows(query: exp.Expr, sizes: dict[str, float]) -> float | None:
    """Return how many rows a query has at most, or None where a table decides it."""
    match query:
        case exp.Values():
            return len(query.expressions)
        case exp.Subquery():
            return _rows(query.this, sizes)
        case exp.SetOperation():
            left, right = _rows(query.this, sizes), _rows(query.expression, sizes)
            return None if left is None or right is None else left + right
        case exp.Select():
            return _rows_of_select(query, sizes)
    return None


def _rows_of_select(select: exp.Expr, sizes: dict[str, float]) -> float | None:
    totals = any(p.find(exp.AggFunc) and not p.find(exp.Window) for p in select.expressions)
    if totals and not select.args.get("group"):
        return 1
    limit = select.args.get("limit")
    at_most = number(limit.expression) if isinstance(limit, exp.Limit) else None
    known = [_size(source, sizes) for source in sources(select)]
    counts = [count for count in known if count is not None]
    if len(counts) < len(known):
        return at_most
    return prod(counts) if at_most is None else min(at_most, prod(counts))


def _cte_sizes(nodes: Sequence[exp.Expr]) -> dict[str, float]:
    """Return the rows of each CTE whose size the query tells. A name used twice is not told apart, so not counted."""
    sizes: dict[str, float] = {}
    seen: set[str] = set()
    for cte in (cte for with_ in nodes if isinstance(with_, exp.With) for cte in with_.expressions):
        name = cte.alias.lower()
        rows = _rows(cte.this, sizes)
        if rows is not None and name not in seen:
            sizes[name] = rows
        elif name in seen:
            sizes.pop(name, None)
        seen.add(name)
    return sizes
