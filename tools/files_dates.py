"""Knows how the dates of a column are written, from some of its values, as DuckDB's strptime has it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Order = Literal["", "day first", "month first"]

_DAY = re.compile(
    r"(?P<iso>\d{4}(?P<a>[-./])\d{1,2}(?P=a)\d{1,2})"
    r"|(?P<digits>\d{1,2}(?P<b>[-./])\d{1,2}(?P=b)(?P<year>\d{4}|\d\d))"
    r"|(?P<named>\d{1,2}(?P<c>[- ])(?P<month>[A-Za-z]{3,9})(?P=c)(?P<long>\d{4}|\d\d))"
    r"|(?P<american>(?P<first>[A-Za-z]{3,9}) \d{1,2}, \d{4})"
    r"|(?P<monthly>\d{4}-(0[1-9]|1[0-2]))"
)
_TIME = re.compile(r"(?P<gap>T| )\d{1,2}:\d\d(?P<seconds>:\d\d)?(?P<part>\.\d+)?(?P<noon> ?[AaPp][Mm])?")
_ZONE = r" ?(Z|UTC|[-+]\d\d(:?\d\d)?)$"


@dataclass(frozen=True)
class Dates:
    """One way to read dates: `sql` makes a TIMESTAMP of a text, or NULL."""

    order: Order
    sql: str
    separator: str
    is_monthly: bool
    has_time: bool


def dates_in(values: Sequence[str], text: str, most: int) -> list[Dates]:
    """Return the ways to read `text`, SQL that holds values like these; none where fewer than `most` are dates."""
    shapes = [shape for value in values if (shape := _shape(value))]
    if not shapes:
        return []
    kind, _ = Counter((kind, separator) for kind, separator, _, _ in shapes).most_common(1)[0]
    alike = [shape for shape in shapes if shape[:2] == kind]
    if len(alike) < most:
        return []
    days = sorted(
        {day for _, _, day, _ in alike}, reverse=True
    )  # %y before %Y, which takes two digits for a year, too.
    times = sorted({time for _, _, _, time in alike})
    timed = f"regexp_replace({text}, '{_ZONE}', '')" if any(times) else text
    name, separator = kind
    if name == "monthly":
        timed = f"{text} || '-01'"
    orders: tuple[Order, ...] = ("day first", "month first") if name == "digits" else ("",)
    if separator == ".":
        orders = orders[:1]
    return [Dates(order, _sql(timed, days, times, order), separator, name == "monthly", any(times)) for order in orders]


def _sql(text: str, days: list[str], times: list[str], order: Order) -> str:
    if order == "month first":
        days = [f"%m{day[2]}%d{day[5:]}" for day in days]
    formats = ", ".join(f"'{day}{time}'" for day in days for time in times)
    moment = f"try_strptime({text}, [{formats}])"
    # A year of three digits is a slip; one of two is read by another format.
    return f"CASE WHEN year({moment}) >= 1000 THEN {moment} END"


def _shape(value: str) -> tuple[str, str, str, str] | None:
    """Return the kind of a date, what parts its numbers, and the formats of its day and time; None for no date."""
    found = _DAY.match(value)
    if found is None:
        return None
    time = _time(re.sub(_ZONE, "", value[found.end() :]))
    if time is None:
        return None
    part = found.groupdict()
    if part["iso"]:
        return "iso", part["a"], f"%Y{part['a']}%m{part['a']}%d", time
    if part["digits"]:
        return "digits", part["b"], f"%d{part['b']}%m{part['b']}{_year(part['year'])}", time
    if part["named"]:
        return "named", part["c"], f"%d{part['c']}{_month(part['month'])}{part['c']}{_year(part['long'])}", time
    if part["american"]:
        return "american", " ", f"{_month(part['first'])} %d, %Y", time
    return None if time else ("monthly", "-", "%Y-%m-%d", "")


def _time(written: str) -> str | None:
    if not written:
        return ""
    found = _TIME.fullmatch(written)
    if found is None:
        return None
    seconds = (":%S" if found["seconds"] else "") + (".%f" if found["part"] else "")
    if found["noon"]:
        return f"{found['gap']}%I:%M{seconds}{' ' * found['noon'].startswith(' ')}%p"
    return f"{found['gap']}%H:%M{seconds}"


def _year(digits: str) -> str:
    return "%y" if len(digits) == 2 else "%Y"


def _month(name: str) -> str:
    return "%b" if len(name) == 3 else "%B"
