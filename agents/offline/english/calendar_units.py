"""Counts days, weeks, months, quarters and years on from a day."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

UNITS = ("day", "week", "month", "quarter", "year")
"""What days are counted in, the shortest first."""


def shift_months(day: date, months: int) -> date:
    """Return the same day so many months on, or the month's last day where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def unit_start(day: date, unit: str) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    return date(day.year, 1, 1) if unit == "year" else day


def add_units(day: date, unit: str, count: int) -> date:
    if unit in {"day", "week"}:
        return day + timedelta(days=count * (7 if unit == "week" else 1))
    return shift_months(day, count * {"month": 1, "quarter": 3, "year": 12}[unit])
