"""Reads from an answer's columns what each is good for: a measure, a time, a group or an identifier."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from itertools import pairwise
from typing import Any, Literal

from tools.sql_runner import Rows
from tools.wording import (
    Grain,
    Unit,
    as_moment,
    in_words,
    is_finite,
    is_number,
    name_tokens,
    say_number,
    say_time,
    say_value,
    with_unit,
)

Role = Literal["measure", "time", "cycle", "group", "id", "text", "empty"]
"""`time` is a place on the calendar; `cycle` comes round again (a weekday, a month of any year, an hour);
`group` names what a row is about; `id` is a number that must not be added up; `text` is too long for a label."""

_FIRST_NAME = re.compile(r"(first|given|fore)_?name|^(vorname|pr[eé]noms?|nombres?|nome|voornaam)$", re.IGNORECASE)
_LAST_NAME = re.compile(
    r"(last|family|sur)_?name|^((nach|familien)?name|noms?|apellidos?|cognome|sobrenome|apelido|achternaam|naam)$",
    re.IGNORECASE,
)
LABEL_LENGTH = 60
"""Text that is longer on average is prose, not a label."""

_COUNTING = {
    "count",
    "counts",
    "cnt",
    "total",
    "totals",
    "sum",
    "avg",
    "average",
    "mean",
    "num",
    "max",
    "min",
    "median",
}
_IDENTIFYING = {"id", "ids", "uuid", "guid", "key", "code", "zip", "zipcode", "postcode", "postal", "phone", "mobile"}
_IDENTIFYING |= {"fax", "isbn", "issn", "ean", "sku", "ssn", "iban", "vat", "rank", "rn", "position", "rownum", "nr"}
_IDENTIFYING |= {"lat", "latitude", "lng", "lon", "longitude"}
_MONEY = {"price", "prices", "amount", "revenue", "cost", "costs", "spend", "spent", "spending", "earned", "earnings"}
_MONEY |= {"income", "salary", "salaries", "profit", "profits", "turnover", "fee", "fees", "budget", "paid", "payroll"}
_PERCENT = {"pct", "percent", "percentage", "%"}
_PERIODS = {"this", "last", "previous", "prior", "current"}
"""Before "year" these name a period whose figures stand below, not a place on the calendar."""
_SHARE = {"share", "shares", "fraction", "proportion"}
_CYCLES = {"month": (1, 12), "quarter": (1, 4), "weekday": (0, 7), "dow": (0, 7), "hour": (0, 23), "day": (1, 31)}
_CYCLE_NAMES: tuple[set[str], ...] = (
    {name.lower() for name in (*calendar.month_name, *calendar.month_abbr) if name},
    {name.lower() for name in (*calendar.day_name, *calendar.day_abbr)},
    {"q1", "q2", "q3", "q4"},
)

_TIMES: tuple[tuple[Grain, re.Pattern[str]], ...] = (
    ("moment", re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")),
    ("day", re.compile(r"\d{4}-\d\d-\d\d")),
    ("week", re.compile(r"\d{4}[- ]?W\d\d")),
    ("month", re.compile(r"\d{4}-(0[1-9]|1[0-2])")),
    ("quarter", re.compile(r"\d{4}[- ]?Q[1-4]|Q[1-4][- ]\d{4}")),
    ("year", re.compile(r"(1[5-9]|2[01])\d\d")),
)


@dataclass(frozen=True)
class Shape:
    """One column of the rows: what it is good for, and how it is said."""

    name: str
    position: int
    words: str
    """The name in words, a measure's unit in brackets: `order_count` is "Order count", `fare_eur` "Fare (€)"."""
    role: Role
    values: tuple[Any, ...]
    grain: Grain | None = None
    """Set for `time` alone."""
    unit: Unit = "plain"
    decimals: int = 0
    """How many decimals every value of a measure shows, so that they can be compared at a glance."""

    @property
    def distinct(self) -> int:
        return len({_hashable(v) for v in self.values})

    @property
    def is_unique(self) -> bool:
        return self.distinct == len(self.values)

    def say(self, value: Any) -> str:
        """Return the value as people read it: "1,204", "12.5%", "March 2026". It is text, not Markdown."""
        if self.role == "time" and self.grain and value is not None:
            return say_time(value, self.grain)
        if self.role == "measure" and is_number(value):
            return say_number(value, self.unit, self.decimals)
        if self.role == "cycle" and value is not None:
            return _say_in_cycle(_cycle(name_tokens(self.name)), value)
        # A year or an identifier takes no thousands separator.
        return str(value) if is_number(value) else say_value(value)


def read_columns(rows: Rows) -> list[Shape]:
    """Return the shape of each column, in the rows' order."""
    return [_read(name, n, tuple(row[n] for row in rows.values)) for n, name in enumerate(rows.columns)]


def is_pair_unique(one: Shape, other: Shape) -> bool:
    """Whether no two rows agree in both columns, so that each pair names one row."""
    pairs = {(_hashable(a), _hashable(b)) for a, b in zip(one.values, other.values, strict=True)}
    return len(pairs) == len(one.values)


def is_first_and_last_name(first: str, last: str) -> bool:
    """Whether two columns together name a person, in English or another language that is common in schemas."""
    return bool(_FIRST_NAME.search(first) and _LAST_NAME.search(last))


def principal(columns: list[Shape]) -> Shape:
    """Return the measure that the rows are about: the first one they are sorted by, or else the first one."""
    measures = [c for c in columns if c.role == "measure"]
    return next((m for m in measures if direction(m)), measures[0])


def direction(measure: Shape) -> Literal["falling", "rising"] | None:
    """Return how the measure's values run down the rows; None when they are mixed, all equal or fewer than three."""
    numbers = [v for v in measure.values if is_finite(v)]
    if len(numbers) < 3 or len(numbers) < len(measure.values) or numbers[0] == numbers[-1]:
        return None
    pairs = list(pairwise(numbers))
    if all(a >= b for a, b in pairs):
        return "falling"
    return "rising" if all(a <= b for a, b in pairs) else None


def _read(name: str, position: int, values: tuple[Any, ...]) -> Shape:
    present = [v for v in values if v is not None]
    role, grain = _role(name, present)
    unit: Unit = _unit(name_tokens(name), present) if role == "measure" else "plain"
    words = with_unit(in_words(name)) if role == "measure" else in_words(name)
    if unit == "percent":
        # Each value says its % itself.
        words = re.sub(r"(?i)\W*(percent|percentage|%)$", "", words) or words
    return Shape(name, position, words, role, values, grain, unit, _decimals(unit, present))


def _role(name: str, present: list[Any]) -> tuple[Role, Grain | None]:
    if not present:
        return "empty", None
    tokens = name_tokens(name)
    if all(isinstance(v, date) for v in present):
        return "time", _grain_of_dates(tokens, present)
    if all(is_number(v) for v in present):
        return _role_of_numbers(tokens, present)
    if all(isinstance(v, str) for v in present):
        return _role_of_texts(tokens, present)
    return ("text", None) if any(isinstance(v, bytes) for v in present) else ("group", None)


def _role_of_numbers(tokens: list[str], present: list[Any]) -> tuple[Role, Grain | None]:
    if _COUNTING & set(tokens) or tokens[:2] == ["number", "of"]:
        return "measure", None
    if cycle := _cycle(tokens):
        low, high = _CYCLES[cycle]
        if all(is_finite(v) and low <= v <= high and v == int(v) for v in present):
            return "cycle", None
    is_year = {"year", "yr"} & set(tokens) and not _PERIODS & set(tokens)
    if is_year and all(is_finite(v) and 1000 <= v < 3000 for v in present):
        return "time", "year"
    return ("id", None) if _IDENTIFYING & set(tokens) else ("measure", None)


def _role_of_texts(tokens: list[str], present: list[str]) -> tuple[Role, Grain | None]:
    for grain, pattern in _TIMES:
        # Four digits alone may be any code; it takes the name to make them a year.
        if all(pattern.fullmatch(v) for v in present) and (grain != "year" or {"year", "yr", "y"} & set(tokens)):
            return "time", _grain_of_dates(tokens, present) if grain in ("moment", "day") else grain
    if any(all(v.lower() in names for v in present) for names in _CYCLE_NAMES):
        return "cycle", None
    if _cycle(tokens) and all(v.isdecimal() and len(v) <= 2 for v in present):
        return "cycle", None
    if sum(len(v) for v in present) > LABEL_LENGTH * len(present):
        return "text", None
    digits = all(re.fullmatch(r"[\d +()./-]{4,}", v) for v in present)
    return ("id", None) if digits or {"id", "uuid", "guid"} & set(tokens[-1:]) else ("group", None)


def _cycle(tokens: list[str]) -> str | None:
    """Return which cycle a column's name speaks of."""
    named = {"month of year": "month", "day of week": "weekday"}.get(" ".join(tokens[-3:]))
    return named or (tokens[-1] if tokens and tokens[-1] in _CYCLES else None)


def _say_in_cycle(cycle: str | None, value: Any) -> str:
    text = str(value)
    if not text.isdecimal():
        return say_value(value)
    if cycle == "month" and 1 <= int(text) <= 12:
        return calendar.month_name[int(text)]
    # Both strftime's %w and ISO count Monday as 1; numbers that are no text may count from anywhere.
    if cycle in ("weekday", "dow") and isinstance(value, str) and int(text) <= 7:
        return calendar.day_name[(int(text) - 1) % 7]
    return f"{int(text):02}:00" if cycle == "hour" else f"Q{text}" if cycle == "quarter" else text


def _grain_of_dates(tokens: list[str], present: Iterable[Any]) -> Grain:
    moments = [when for v in present if (when := as_moment(v))]
    if any(m.time() != time() for m in moments):
        return "moment"
    # A truncated timestamp says its grain only in the name: date_trunc('month', d) AS month.
    for grain, months in (("year", {1}), ("quarter", {1, 4, 7, 10}), ("month", set(range(1, 13)))):
        if grain in tokens and all(m.day == 1 and m.month in months for m in moments):
            return grain  # type: ignore[return-value]  # mypy widens the literal in the tuple
    return "week" if "week" in tokens and all(m.weekday() == moments[0].weekday() for m in moments) else "day"


def _unit(tokens: list[str], present: list[Any]) -> Unit:
    named = set(tokens)
    finite = [abs(float(v)) for v in present if is_finite(v)]
    if "count" in named or tokens[:2] == ["number", "of"]:
        return "plain"
    if named & _PERCENT:
        return "percent"
    if named & _SHARE and finite:
        # A lone 0.4 may be 40 % or 0.4 %: only values beyond 1, or a whole of 1, tell.
        if max(finite) > 1:
            return "percent"
        return "fraction" if len(finite) > 1 and math.isclose(sum(finite), 1, abs_tol=0.01) else "plain"
    return "money" if named & _MONEY else "plain"


def _decimals(unit: Unit, present: list[Any]) -> int:
    """Return the decimals that the values need, two at most; money with cents, and long numbers, have always two."""
    parts = [v for v in present if is_finite(v) and abs(v) < 1e15 and round(v, 2) != round(v)]
    if parts and (unit == "money" or max(map(abs, parts)) >= 1_000):
        return 2
    return max((1 if round(v, 1) == round(v, 2) else 2 for v in parts), default=0)


def _hashable(value: Any) -> Any:
    return value if value.__hash__ is not None else repr(value)
