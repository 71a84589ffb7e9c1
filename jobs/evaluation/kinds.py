"""Tells what kind of question a query answers, by the query's shape."""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tools.catalog import Dialect

KINDS = {
    "set operation": "which are this and also that (UNION, INTERSECT, EXCEPT)",
    "nested": "more than the average, never ordered (a query within a query, or a window)",
    "top-n": "the five dearest (ORDER BY with LIMIT)",
    "time": "last month, per year, since 2025 (dates)",
    "join and group": "revenue per shop, of several tables",
    "join": "of several tables, ungrouped",
    "group": "how many per city, of one table",
    "measure": "the average price (SUM, AVG, MIN, MAX)",
    "count": "how many",
    "filter": "those in Berlin",
    "list": "all of them",
    "unanswerable": "what the data does not hold",
}
"""Every kind, the hardest to write first, and what is asked there."""

_A_DAY = re.compile(r"^\d{4}-\d{2}(-\d{2})?([ T].*)?$")
_TIMELY = ("date", "time", "julianday", "extract")


def kind_of(sql: str, dialect: Dialect) -> str:
    """Return the first of KINDS whose mark the query bears; "list" where it bears none or cannot be parsed."""
    try:
        tree = sqlglot.parse_one(sql, dialect=dialect)
    except SqlglotError:
        return "list"
    marks = {
        "set operation": isinstance(tree, exp.SetOperation),
        "nested": len(list(tree.find_all(exp.Select))) > 1 or tree.find(exp.Window),
        "top-n": tree.args.get("limit") and tree.args.get("order"),
        "time": _is_about_time(tree),
        "join and group": tree.find(exp.Join) and tree.find(exp.Group),
        "join": tree.find(exp.Join),
        "group": tree.find(exp.Group),
        "measure": tree.find(exp.Sum, exp.Avg, exp.Min, exp.Max),
        "count": tree.find(exp.Count),
        "filter": tree.find(exp.Where),
    }
    return next((kind for kind, mark in marks.items() if mark), "list")


def _is_about_time(tree: exp.Expr) -> bool:
    if any(_A_DAY.match(literal.name) for literal in tree.find_all(exp.Literal) if literal.is_string):
        return True
    names = (call.name if isinstance(call, exp.Anonymous) else call.sql_name() for call in tree.find_all(exp.Func))
    return tree.find(exp.Interval) is not None or any(part in name.lower() for name in names for part in _TIMELY)
