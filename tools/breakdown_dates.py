"""Says the moments and the parts of dates that stand in SQL."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

_FORMATS = {"%Y": "year", "%Y-%m": "month", "%Y-%m-01": "month", "%m": "month of the year", "%Y-%m-%d": "day"}
_FORMATS |= {"%w": "day of the week", "%H": "hour", "%d": "day of the month", "%W": "week"}
_FORMATS |= dict.fromkeys(("I%u", "FM%uay"), "day of the week")  # PostgreSQL's ID and FMDay, as sqlglot reads them
_DATE_PARTS = (exp.Year, exp.Quarter, exp.Month, exp.Week, exp.Day, exp.DayOfWeek, exp.Hour)


def say_moment(node: exp.Expr | None) -> str | None:
    """Return a moment counted from now: "30 days before today"."""
    match node:
        case exp.CurrentDate() | exp.CurrentTimestamp() | exp.CurrentDatetime():
            return "today" if isinstance(node, exp.CurrentDate) else "now"
        case exp.Date(this=exp.Literal() as day) if day.this == "now":
            return "today"
        case exp.Anonymous(expressions=[now, *_]) if node.name.lower() in ("date", "datetime") and is_literal(
            now, "now"
        ):
            # SQLite's modifiers are applied one after the other: only one alone is plain.
            back = re.fullmatch(r"-(\d+ \w+)", node.expressions[1].name) if len(node.expressions) == 2 else None
            return f"{back[1]} before today" if back else None
        case exp.Sub(this=exp.CurrentDate() | exp.CurrentTimestamp() as now, expression=exp.Interval() as interval):
            amount = f"{interval.name} {interval.text('unit').lower()}".strip()
            return f"{amount} before {say_moment(now)}"
    return None


def say_part_of_date(node: exp.Expr | None, say: Callable[[exp.Expr], str | None]) -> str | None:
    """Return the part of a date that an expression takes: "the month of order date", where `say` says the date."""
    unit: str | None = None
    of = node.args.get("this") if node is not None else None
    match node:
        case exp.Case(this=exp.TimeToStr() as day) | exp.Mod(this=exp.Paren(this=exp.Add(this=exp.TimeToStr() as day))):
            # SQLite has a number for each weekday, from which its name and its place after Monday are made.
            named = not isinstance(node, exp.Case) or len(node.args["ifs"]) == 7
            unit, of = ("day of the week" if named and day.text("format") == "%w" else None), day.this
        case exp.Dayname() | exp.DayOfWeekIso():
            unit = "day of the week"
        case exp.Anonymous(expressions=[of]) if node.name.lower() == "weekday":
            unit = "day of the week"
        case exp.TimeToStr():
            unit = _FORMATS.get(node.text("format"))
        case exp.TimestampTrunc() | exp.DateTrunc():
            unit = node.text("unit").lower()
        case exp.Extract():
            unit, of = node.name.lower(), node.expression
            unit = {"month": "month of the year", "dow": "day of the week"}.get(unit, unit)
        case exp.Substring() if is_literal(node.args.get("start"), "1"):
            unit = {"4": "year", "7": "month", "10": "day"}.get(node.text("length"))
        case _ if isinstance(node, _DATE_PARTS):
            unit = {"month": "month of the year", "dayofweek": "day of the week"}.get(node.key, node.key)
    said = say(of) if unit and isinstance(of, exp.Expr) else None
    return f"the {unit} of {said}" if said else None


def is_literal(node: exp.Expr | None, text: str) -> bool:
    return isinstance(node, exp.Literal) and node.this == text
