"""Says the names, numbers, dates and texts that come out of a database as people read them."""

from __future__ import annotations

import calendar
import math
import re
import unicodedata
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal

Grain = Literal["moment", "day", "week", "month", "quarter", "year"]
Unit = Literal["plain", "money", "percent", "fraction"]
"""`fraction` is a share of 1 that people read as a percentage; no currency is ever guessed."""

ONLY_OF = {"c": {"temperature", "temp"}, "min": {"duration", "time", "late", "delay", "length", "runtime"}}
"""Ends of names that may be anything else, like the minimum, and what they are a unit of."""
_SIGNS = {"eur": "€", "euro": "€", "euros": "€", "usd": "$", "gbp": "£", "chf": "CHF", "kwh": "kWh", "mwh": "MWh"}
_SIGNS |= {"kw": "kW", "celsius": "°C", "c": "°C", "sqm": "m²", "m2": "m²", "mins": "min"}
_SIGNS |= {unit: unit for unit in ("km", "kg", "cm", "mm", "ml", "ms", "min", "kcal")}
"""How a unit is written after the name of what is kept in it."""
_PER = {"h": "h", "km": "km", "kg": "kg", "kwh": "kWh"}
"""What a price or a rate is of, after the unit of its own: "Rate (€/h)"."""
_COMPUTED = frozenset("total average highest lowest median in per of".split())

_MONTHS = tuple(calendar.month_name)
"""Looked up there, each month's name is made anew from a date."""


def in_words(name: str) -> str:
    """Return a column's name as words: "order_count" and "OrderCount" are "Order count", "SUM(x)" is "Sum of x"."""
    text = name.strip().strip('"`[]')
    call = re.fullmatch(r"(\w+)\s*\((.*)\)", text, re.DOTALL)
    if call:
        return _call_in_words(call[1].lower(), call[2].strip())
    if re.search(r"[()'*/]", text):
        return clean(text, 40)
    words = [_word(w) for w in name_tokens(text)]
    sentence = " ".join(words)
    return sentence[:1].upper() + sentence[1:] if sentence else clean(name, 40) or "Value"


def with_unit(words: str) -> str:
    """Return a column's words with the unit that they end with in brackets: "fare (€)" for "fare eur"."""
    *before, last = words.split() or [""]
    unit, called = last.lower(), {word.lower() for word in before}
    if not before or before[-1].lower() in _COMPUTED:
        return words  # the "total km" of a column that is called so
    if unit in _PER and (price := _SIGNS.get(before[-1].lower())):
        return f"{' '.join(before[:-1])} ({price}/{_PER[unit]})" if before[:-1] else words
    return f"{' '.join(before)} ({_SIGNS[unit]})" if unit in _SIGNS and ONLY_OF.get(unit, called) & called else words


def name_tokens(name: str) -> list[str]:
    """Return the words of a column's name in lower case: `OrderCount` is order, count."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [token.lower() for token in re.split(r"[\W_]+(?<!%)", apart.replace("%", " % ")) if token]


def say_value(value: Any) -> str:
    """Return any plain value as people read it, without knowing its column. It is text, not Markdown."""
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_number(value):
        return say_number(value)
    if isinstance(value, date):
        return say_time(value, "moment")
    if isinstance(value, time):
        return value.strftime("%H:%M" if not value.second else "%H:%M:%S")
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value):,} bytes)"
    return clean(str(value)) or "(empty)"


def say_number(value: Any, unit: Unit = "plain", decimals: int | None = None) -> str:
    """Return a number with thousands separators; very large and very small ones in powers of ten.

    It shows so many decimals, or where none are given at most two.
    """
    if not is_finite(value):
        return "(not a number)"
    if unit == "fraction":
        return say_number(float(value) * 100, "percent")
    if unit == "percent":
        return f"{_unsigned_zero(_without_zeros(_grouped(value, 1)))}%"
    if abs(value) >= 1e18 or (unit == "plain" and 0 < abs(value) < 1e-4):
        return f"{value:.3e}"
    if unit == "plain" and 0 < abs(value) < 0.1:
        return f"{value:.2g}"  # Two decimals would show 0.004 as nothing.
    return _unsigned_zero(_without_zeros(_grouped(value, 2)) if decimals is None else _grouped(value, decimals))


def say_time(value: Any, grain: Grain) -> str:
    """Return a place on the calendar in words: "5 March 2026", "March 2026", "Q1 2026", "week 9 of 2026"."""
    text = str(value)
    if grain == "year":
        return text[:4]
    if grain == "quarter" and (found := re.search(r"Q[1-4]", text)):
        return f"{found[0]} {_year_in(text)}"
    if grain == "week" and (found := re.search(r"W(\d\d)", text)):
        return f"week {int(found[1])} of {_year_in(text)}"
    when = as_moment(value)
    if when is None:
        return clean(text)
    if grain == "quarter":
        return f"Q{(when.month + 2) // 3} {when.year}"
    month = f"{_MONTHS[when.month]} {when.year}"
    if grain == "month":
        return month
    clock = "" if grain in ("day", "week") or when.time() == time() else when.strftime(", %H:%M")
    return f"{when.day} {month}{clock}"


def is_unfinished(value: Any, grain: Grain | None, today: date) -> bool:
    """Whether it is the month, quarter or year that holds today and a later day too: its numbers will still grow."""
    if grain not in ("month", "quarter", "year"):
        return False
    return say_time(value, grain) == say_time(today, grain) and is_running(grain, today)


def is_running(unit: str, today: date) -> bool:
    """Whether the week, month, quarter or year that holds today has a day left."""
    tomorrow = today + timedelta(days=1)
    match unit:
        case "week":
            return tomorrow.weekday() != 0
        case "month" | "quarter" | "year":
            return say_time(tomorrow, unit) == say_time(today, unit)
    return False


def as_moment(value: Any) -> datetime | None:
    """Return a date, a timestamp or its ISO text as a datetime without a time zone; None where it is neither."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    text = str(value)
    try:
        return datetime.fromisoformat(f"{text}-01" if len(text) == 7 else text).replace(tzinfo=None)
    except ValueError:
        return None


def clean(text: str, limit: int = 200) -> str:
    """Return the text on one line, without control characters and marks that turn its direction."""
    kept = text[: limit * 4]
    if not (kept.isascii() and kept.isprintable()):  # Nothing is hidden in a plain word, as most of them are.
        kept = "".join(" " if c.isspace() else c for c in kept if c.isspace() or not _is_hidden(c))
    line = " ".join(kept.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _is_hidden(character: str) -> bool:
    # A zero-width joiner and non-joiner belong to words (and emoji); the other format characters only hide things.
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"} and character not in "\u200c\u200d"


def is_number(value: Any) -> bool:
    """Whether the value counts as a number; a truth value does not."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def _call_in_words(function: str, inside: str) -> str:
    said = {"sum": "Sum of", "avg": "Average", "min": "Lowest", "max": "Highest", "count": "Number of"}
    if function not in said or re.search(r"[()+/]", inside):
        return clean(f"{function}({inside})", 40)
    if inside in ("*", "1"):
        return "Count"
    column = re.sub(r"^distinct\s+", "", inside, flags=re.IGNORECASE).rsplit(".", 1)[-1]
    return f"{said[function]} {in_words(column).lower()}"


def _word(token: str) -> str:
    return {
        "id": "ID",
        "pct": "%",
        "avg": "average",
        "cnt": "count",
        "num": "number",
        "qty": "quantity",
        "url": "URL",
    }.get(token, token)


def _grouped(value: Any, decimals: int) -> str:
    return f"{value:,.{decimals}f}" if abs(value) < 1e18 else f"{value:.3e}"


def _unsigned_zero(text: str) -> str:
    return text if re.search("[1-9]", text) else text.removeprefix("-")


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _year_in(text: str) -> str:
    found = re.search(r"\d{4}", text)
    return found[0] if found else text
