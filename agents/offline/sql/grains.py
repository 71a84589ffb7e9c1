"""Says in each dialect which month, quarter or day a date falls in, and how many days lie between two."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import sqlglot
from sqlglot import exp

from agents.offline.plan import Grain
from tools.catalog import Dialect

# `x` stands for the date. Each gives a text or number that sorts in the order of time.
_GRAINS: dict[Dialect, dict[Grain, str]] = {
    "sqlite": {
        "day": "DATE(x)",
        "week": "DATE(x, 'weekday 0', '-6 days')",
        "month": "STRFTIME('%Y-%m', x)",
        "quarter": "STRFTIME('%Y', x) || '-Q' || ((CAST(STRFTIME('%m', x) AS INTEGER) + 2) / 3)",
        "year": "STRFTIME('%Y', x)",
        "month of year": "STRFTIME('%m', x)",
        "weekday": "STRFTIME('%w', x)",
        "hour": "STRFTIME('%H', x)",
    },
    "duckdb": {
        "day": "CAST(x AS DATE)",
        "week": "CAST(DATE_TRUNC('week', x) AS DATE)",
        "month": "STRFTIME(x, '%Y-%m')",
        "quarter": "STRFTIME(x, '%Y') || '-Q' || QUARTER(x)",
        "year": "STRFTIME(x, '%Y')",
        "month of year": "STRFTIME(x, '%m')",
        "weekday": "STRFTIME(x, '%w')",
        "hour": "STRFTIME(x, '%H')",
    },
    "postgres": {
        "day": "CAST(x AS DATE)",
        "week": "CAST(DATE_TRUNC('week', x) AS DATE)",
        "month": "TO_CHAR(x, 'YYYY-MM')",
        "quarter": "TO_CHAR(x, 'YYYY-\"Q\"Q')",
        "year": "TO_CHAR(x, 'YYYY')",
        "month of year": "TO_CHAR(x, 'MM')",
        "weekday": "TO_CHAR(x, 'ID')",
        "hour": "TO_CHAR(x, 'HH24')",
    },
    "mysql": {
        "day": "DATE(x)",
        "week": "DATE_SUB(DATE(x), INTERVAL WEEKDAY(x) DAY)",
        "month": "DATE_FORMAT(x, '%Y-%m')",
        "quarter": "CONCAT(YEAR(x), '-Q', QUARTER(x))",
        "year": "DATE_FORMAT(x, '%Y')",
        "month of year": "DATE_FORMAT(x, '%m')",
        "weekday": "DATE_FORMAT(x, '%w')",
        "hour": "DATE_FORMAT(x, '%H')",
    },
}


# `x` stands for the later date, `y` for the earlier one. Each gives whole days.
_DAYS: dict[Dialect, str] = {
    "sqlite": "JULIANDAY(DATE(x)) - JULIANDAY(DATE(y))",
    "duckdb": "CAST(x AS DATE) - CAST(y AS DATE)",
    "postgres": "CAST(x AS DATE) - CAST(y AS DATE)",
    "mysql": "DATEDIFF(x, y)",
}


def truncate(date: exp.Expr, grain: Grain, dialect: Dialect) -> exp.Expr:
    """Return which `grain` the date falls in, as something to group by: '2026-03', '2026-Q1'."""
    return _filled(_GRAINS[dialect][grain], dialect, {"x": date})


def days_between(later: exp.Expr, earlier: exp.Expr, dialect: Dialect) -> exp.Expr:
    """Return how many days one date lies after the other."""
    return _filled(_DAYS[dialect], dialect, {"x": later, "y": earlier})


def _filled(template: str, dialect: Dialect, dates: Mapping[str, exp.Expr]) -> exp.Expr:
    found = _template(template, dialect).copy()
    return found.transform(lambda n: dates[n.name].copy() if isinstance(n, exp.Column) and n.name in dates else n)


@cache
def _template(template: str, dialect: Dialect) -> exp.Expr:
    return sqlglot.parse_one(template, dialect=dialect)
