"""Compares numbers over time: differences, periods and which of them is the newer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from agents.offline.english.times import NoSuchDay, read_period
from tools.columns import Shape
from tools.wording import as_moment, is_finite, name_tokens, say_number

_YEAR = re.compile(r"(19|20)\d\d")


def is_change(shape: Shape) -> bool:
    """Whether the column tells how another one changed."""
    return bool({"change", "difference", "diff", "growth", "delta"} & set(name_tokens(shape.name)))


def is_period(shape: Shape) -> bool:
    """Whether the column is named after a period: "last month", "2026"."""
    tokens = set(name_tokens(shape.name))
    return bool(tokens & {"this", "last", "previous", "current", "prior"}) or any(_YEAR.fullmatch(t) for t in tokens)


def by_time(sides: Sequence[Shape], changes: Sequence[Shape], today: date) -> tuple[Shape, Shape]:
    """Return the newer and the older of two periods' columns: by the days that their names mean, as SQL compares them.

    Names that mean no days are told apart by the sign of the change that stands beside them.
    """
    one, other = sides
    days = [_days(side, today) for side in sides]
    if days[0] is not None and days[1] is not None and days[0] != days[1]:
        return (one, other) if days[0] > days[1] else (other, one)
    signs = [sign for change in changes if (sign := _agreeing(one, other, change))]
    if signs:
        return (one, other) if signs[0] > 0 else (other, one)
    earlier = {"last", "previous", "prior"} & set(name_tokens(one.name))
    return (other, one) if earlier else (one, other)


def _days(shape: Shape, today: date) -> tuple[date, date] | None:
    """Return when the period in a column's name begins and ends, open ends at the calendar's; None without one."""
    parts = [part for part in re.split(r"[_\s]+", shape.name) if part]
    words = [w for part in parts for w in ([part] if part[0].isdigit() else name_tokens(part))]
    words = ["previous" if w == "prior" else w for w in words]
    for n in range(len(words)):
        try:
            read = read_period(tuple(words[n:]), today)
        except NoSuchDay:
            return None
        if read is not None and read[0].alike is not None:
            return None  # "the same month last year": of whichever year is compared
        if read is not None and not read[0].weekdays:
            return read[0].start or date.min, read[0].end or date.max
    return None


def _agreeing(one: Shape, other: Shape, change: Shape) -> int:
    """Return 1 where the change runs from the other column to the one, -1 where it runs back, else 0."""
    for a, b, by in zip(one.values, other.values, change.values, strict=True):
        if is_finite(a) and is_finite(b) and is_finite(by) and a != b and by:
            return 1 if (a > b) == (by > 0) else -1
    return 0


def difference(shape: Shape, before: Any, after: Any) -> str:
    """Return "a rise of 200 (+20.0%)"."""
    change = float(after) - float(before)
    if not change:
        return "no change"
    amount = say_number(abs(change), shape.unit, shape.decimals)
    return f"{'a rise' if change > 0 else 'a fall'} of {amount}{percent(before, after)}"


def percent(before: Any, after: Any) -> str:
    """Return the change in percent, or nothing where it would mislead: from zero, or from below it."""
    if before <= 0 or before == after:
        return ""
    return f" ({(float(after) - float(before)) / float(before) * 100:+,.1f}%)"


def calendar_key(value: Any) -> str:
    """Return text that sorts as the calendar runs."""
    text = str(value)
    if text[:1] == "Q":
        return f"{text[3:]}-{text[:2]}"
    moment = as_moment(value)
    return moment.isoformat() if moment else text


def total(numbers: Sequence[Any]) -> Any:
    """Return the sum; a database may give whole numbers, decimals and floats in one column."""
    return sum(map(float, numbers)) if any(isinstance(n, float) for n in numbers) else sum(numbers)
