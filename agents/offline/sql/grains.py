"""Says in each dialect which month, quarter or day a date falls in."""

from __future__ import annotations

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


def truncate(date: exp.Expr, grain: Grain, dialect: Dialect) -> exp.Expr:
    """Return which `grain` the date falls in, as something to group by: '2026-03', '2026-Q1'."""
    template = _template(dialect, grain).copy()
    return template.transform(lambda n: date.copy() if isinstance(n, exp.Column) and n.name == "x" else n)


@cache
def _template(dialect: Dialect, grain: Grain) -> exp.Expr:
    return sqlglot.parse_one(_GRAINS[dialect][grain], dialect=dialect)
