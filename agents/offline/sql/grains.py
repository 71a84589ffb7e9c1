"""Says in each dialect which month, quarter or day a date falls in, and how many days lie between two."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import sqlglot
from sqlglot import exp

from agents.offline.plan import Grain
from tools.catalog import Dialect

_SUNDAY_FIRST = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_NAMED = " ".join(f"WHEN '{n}' THEN '{day}'" for n, day in enumerate(_SUNDAY_FIRST))

# `x` stands for the date. Each gives a text or number that sorts in the order of time; a weekday's name does not.
_GRAINS: dict[Dialect, dict[Grain, str]] = {
    "sqlite": {
        "day": "DATE(x)",
        "week": "DATE(x, 'weekday 0', '-6 days')",
        "month": "STRFTIME('%Y-%m', x)",
        "quarter": "STRFTIME('%Y', x) || '-Q' || ((CAST(STRFTIME('%m', x) AS INTEGER) + 2) / 3)",
        "year": "STRFTIME('%Y', x)",
        "month of year": "STRFTIME('%m', x)",
        "weekday": f"CASE STRFTIME('%w', x) {_NAMED} END",
        "hour": "STRFTIME('%H', x)",
    },
    "duckdb": {
        "day": "CAST(x AS DATE)",
        "week": "CAST(DATE_TRUNC('week', x) AS DATE)",
        "month": "STRFTIME(x, '%Y-%m')",
        "quarter": "STRFTIME(x, '%Y') || '-Q' || QUARTER(x)",
        "year": "STRFTIME(x, '%Y')",
        "month of year": "STRFTIME(x, '%m')",
        "weekday": "DAYNAME(x)",
        "hour": "STRFTIME(x, '%H')",
    },
    "postgres": {
        "day": "CAST(x AS DATE)",
        "week": "CAST(DATE_TRUNC('week', x) AS DATE)",
        "month": "TO_CHAR(x, 'YYYY-MM')",
        "quarter": "TO_CHAR(x, 'YYYY-\"Q\"Q')",
        "year": "TO_CHAR(x, 'YYYY')",
        "month of year": "TO_CHAR(x, 'MM')",
        "weekday": "TO_CHAR(x, 'FMDay')",
        "hour": "TO_CHAR(x, 'HH24')",
    },
    "mysql": {
        "day": "DATE(x)",
        "week": "DATE_SUB(DATE(x), INTERVAL WEEKDAY(x) DAY)",
        "month": "DATE_FORMAT(x, '%Y-%m')",
        "quarter": "CONCAT(YEAR(x), '-Q', QUARTER(x))",
        "year": "DATE_FORMAT(x, '%Y')",
        "month of year": "DATE_FORMAT(x, '%m')",
        "weekday": "DAYNAME(x)",
        "hour": "DATE_FORMAT(x, '%H')",
    },
}

# Each gives a weekday's place in the week, from Monday to Sunday.
_PLACES: dict[Dialect, str] = {
    "sqlite": "(STRFTIME('%w', x) + 6) % 7",
    "duckdb": "ISODOW(x)",
    "postgres": "TO_CHAR(x, 'ID')",
    "mysql": "WEEKDAY(x)",
}

# `x` stands for the later date, `y` for the earlier one. Each gives whole days.
_DAYS: dict[Dialect, str] = {
    "sqlite": "JULIANDAY(DATE(x)) - JULIANDAY(DATE(y))",
    "duckdb": "CAST(x AS DATE) - CAST(y AS DATE)",
    "postgres": "CAST(x AS DATE) - CAST(y AS DATE)",
    "mysql": "DATEDIFF(x, y)",
}


def truncate(date: exp.Expr, grain: Grain, dialect: Dialect) -> exp.Expr:
    """Return which `grain` the date falls in, as something to group by: '2026-03', '2026-Q1', 'Monday'."""
    return _filled(_GRAINS[dialect][grain], dialect, {"x": date})


def place_in_time(date: exp.Expr, grain: Grain, dialect: Dialect) -> exp.Expr:
    """Return what sorts dates by `grain`: from Monday to Sunday, from January to December."""
    return _filled(_PLACES[dialect], dialect, {"x": date}) if grain == "weekday" else truncate(date, grain, dialect)


def days_between(later: exp.Expr, earlier: exp.Expr, dialect: Dialect) -> exp.Expr:
    """Return how many days one date lies after the other."""
    return _filled(_DAYS[dialect], dialect, {"x": later, "y": earlier})


def _filled(template: str, dialect: Dialect, dates: Mapping[str, exp.Expr]) -> exp.Expr:
    found = _template(template, dialect).copy()
    return found.transform(lambda n: dates[n.name].copy() if isinstance(n, exp.Column) and n.name in dates else n)


@cache
def _template(template: str, dialect: Dialect) -> exp.Expr:
    return sqlglot.parse_one(template, dialect=dialect)
