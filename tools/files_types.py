"""Finds what each column of a text file holds, numbers, dates or text, by all of its values, and the SQL that reads it.

DuckDB's own types come from a sample; they make 1067 of 01067, and know no decimal comma beside a decimal point.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tools.files_dates import Dates, dates_in

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Runs SQL and returns every row."""

_SAMPLED = 5_000
_AT_ONCE = 50
"""Columns that are looked through in one reading of the file: fifteen hundred took more than 1 GB."""
_MOST = 0.9
"""Where fewer of a column's sampled values are numbers or dates, it is text, and nobody need be told."""
_EMPTY = (
    *(
        "null",
        "(null)",
        "\\n",
        "na",
        "<na>",
        "n/a",
        "n.a.",
        "nan",
        "none",
        "nil",
        "missing",
        ".",
        "-",
        "--",
        "\u2013",
        "\u2014",
        "?",
    ),
    *("#n/a", "#div/0!", "#name?", "#null!", "#num!", "#ref!", "#value!"),
)
"""What people and programs write in a column of numbers or dates where there is no value."""
_SYMBOLS = {"€": "eur", "EUR": "eur", "$": "usd", "USD": "usd", "£": "gbp", "GBP": "gbp", "CHF": "chf", "%": "percent"}

_WHOLE = r"[-+]?(0|[1-9][0-9]{0,17})"
_POINT = (
    r"[-+]?((0|[1-9][0-9]{0,14}|[1-9][0-9]{0,2}([, '\x{a0}][0-9]{3}){1,4})(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?"
)
_COMMA = r"[-+]?((0|[1-9][0-9]{0,14}|[1-9][0-9]{0,2}([. '\x{a0}][0-9]{3}){1,4})(,[0-9]*)?|,[0-9]+)"
_CLOCK = r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"


@dataclass(frozen=True)
class Typed:
    """How a column is read."""

    sql: str
    unit: str = ""
    """The currency or percent that stands beside every value, as a word for the column's name."""
    notice: str = ""
    """What a person should know of it; it may hold a value of the file."""
    stray: str = ""
    """The value because of which the column is text, where most are numbers or dates."""
    is_used: bool = True
    """Whether any row has a value in it."""


@dataclass(frozen=True)
class _Reading:
    """One way to read a column; `sql` is NULL where a value cannot be read so."""

    kind: str
    """integer, point, comma, date, time or boolean."""
    sql: str
    symbol: str = ""
    dates: Dates | None = None
    plain: str = ""
    """Of a number the same for a column in which all values are numbers: it takes half the time and memory."""


@dataclass(frozen=True)
class _Fits:
    """What all values of a column say of the ways to read it."""

    readings: tuple[_Reading, ...]
    """Those that read all of them."""
    details: tuple[tuple[int, int], ...] = ()
    """For each: of numbers the digits before and after the point (99: an exponent), of dates how many have a time."""
    notice: str = ""
    stray: str = ""
    is_used: bool = True

    def kinds(self) -> set[str]:
        return {reading.kind for reading in self.readings}

    def orders(self) -> set[str]:
        return {reading.dates.order for reading in self.readings if reading.dates}


@dataclass(frozen=True)
class _Habits:
    """How the file writes, where a value alone does not tell."""

    comma: bool
    """The comma is the decimal sign."""
    day_first: bool
    is_decided: bool
    """Some column's dates can be read in one order only."""


def types_of(columns: Sequence[str], source: str, ask: Ask, *, semicolons: bool) -> tuple[str, list[Typed]]:
    """Return a FROM clause over `source`, whose columns c0, c1, … are text, and how each of them is read from it.

    `semicolons` says that the file parts its values by them, as programs do where the comma is the decimal sign.
    """
    readings = [_readings(values, f"b{i}") for i, values in enumerate(_samples(len(columns), source, ask))]
    fits = _check(columns, readings, source, ask)
    habits = _habits(fits, semicolons)
    relation = _relation(source, len(columns), range(len(columns)))
    return relation, [
        _typed(name, f"t{i}", fit, habits) for i, (name, fit) in enumerate(zip(columns, fits, strict=True))
    ]


def _habits(fits: Sequence[_Fits], semicolons: bool) -> _Habits:
    kinds, orders = [fit.kinds() for fit in fits], [fit.orders() for fit in fits]
    has_point = any("point" in kind and "comma" not in kind for kind in kinds)
    comma = any("comma" in kind and "point" not in kind for kind in kinds) or (semicolons and not has_point)
    decided = {next(iter(order)) for order in orders if len(order) == 1} - {""}
    return _Habits(comma, decided == {"day first"} or (not decided and comma), bool(decided))


def _relation(source: str, count: int, wanted: Iterable[int]) -> str:
    """Return the wanted ones of `count` columns trimmed (t0, …), and also without what stands for no value (b0, …)."""
    wanted = list(wanted)
    trimmed = ", ".join(f"nullif(trim(c{i}, ' \t\u00a0'), '') AS t{i}" for i in wanted)
    # One text of all the words: a list of them would be copied for each of two thousand values at a time.
    empty = "".join(f"\n{word}" for word in _EMPTY)
    bare = ", ".join(
        f"CASE WHEN NOT contains('{empty}\n', '\n' || lower(t{i}) || '\n') THEN t{i} END AS b{i}" for i in wanted
    )
    # Spreadsheets write rows of nothing below the last one.
    some = ", ".join(f"c{i}" for i in range(count))
    return f"(SELECT *, {bare} FROM (SELECT {trimmed} FROM {source} WHERE coalesce({some}) IS NOT NULL))"


def _samples(count: int, source: str, ask: Ask) -> list[list[str]]:
    """Return the first values of each column; where the first rows have none, those of the first rows that have."""
    rows = ask(f"SELECT * FROM {source} LIMIT {_SAMPLED}")
    samples = [_bare(row[i] for row in rows) for i in range(count)]
    unseen = [i for i, values in enumerate(samples) if not values]
    if unseen and len(rows) == _SAMPLED:
        names, some = ", ".join(f"c{i}" for i in unseen), " OR ".join(f"c{i} IS NOT NULL" for i in unseen)
        later = ask(f"SELECT {names} FROM {source} WHERE {some} LIMIT {_SAMPLED}")
        for place, i in enumerate(unseen):
            samples[i] = _bare(row[place] for row in later)
    return samples


def _bare(cells: Iterable[str | None]) -> list[str]:
    """Return the values without what stands for none, as `_relation` has them."""
    trimmed = (cell.strip(" \t\u00a0") for cell in cells if cell)
    return [value for value in trimmed if value and value.lower() not in _EMPTY]


def _readings(values: list[str], text: str) -> list[_Reading]:
    """Return the ways in which most of the values can be read, the narrowest first."""
    most = max(1, int(len(values) * _MOST))
    if not values:
        return []
    if all(value.lower() in ("true", "false") for value in values):
        return [_Reading("boolean", f"CASE WHEN lower({text}) IN ('true', 'false') THEN CAST({text} AS BOOLEAN) END")]
    if _matching(_CLOCK, values) >= most:
        return [_Reading("time", f"CASE WHEN regexp_full_match({text}, '{_CLOCK}') THEN TRY_CAST({text} AS TIME) END")]
    if dates := dates_in(values, text, most):
        return [_Reading("date", way.sql, dates=way) for way in dates]
    symbol = next((sign for sign in _SYMBOLS if sum(sign in value for value in values) >= most), "")
    bare = [value.replace(symbol, "").strip(" \u00a0") for value in values] if symbol else values
    patterns = {"integer": _WHOLE, "point": _POINT, "comma": _COMMA}
    return [
        _number(kind, pattern, text, symbol) for kind, pattern in patterns.items() if _matching(pattern, bare) >= most
    ]


def _matching(pattern: str, values: Sequence[str]) -> int:
    matches = re.compile(pattern.replace(r"\x{a0}", "\u00a0")).fullmatch
    return sum(1 for value in values if matches(value))


def _number(kind: str, pattern: str, text: str, symbol: str) -> _Reading:
    """Return the way to read a number; none is what has not the symbol of the others."""
    bare = text
    if symbol:
        bare = f"CASE WHEN contains({text}, '{symbol}') THEN trim(replace({text}, '{symbol}', ''), ' \u00a0') END"
    plain = f"translate({bare}, ',. ''\u00a0', '.')" if kind == "comma" else f"translate({bare}, ', ''\u00a0', '')"
    doubled = pattern.replace("'", "''")
    guarded = f"CASE WHEN regexp_full_match({bare}, '{doubled}') THEN {plain} END"
    return _Reading(kind, guarded, symbol, plain=plain)


def _check(columns: Sequence[str], readings: list[list[_Reading]], source: str, ask: Ask) -> list[_Fits]:
    """Return what all the values say."""
    told = iter([value for start in range(0, len(columns), _AT_ONCE) for value in _told(start, readings, source, ask)])
    return [_fits(name, ways, told) for name, ways in zip(columns, readings, strict=True)]


def _told(start: int, readings: list[list[_Reading]], source: str, ask: Ask) -> tuple[Any, ...]:
    """Return, for so many columns from the first one named: how many values, and what each way makes of them."""
    read, asked = [], []
    for i, ways in enumerate(readings[start : start + _AT_ONCE], start):
        read.append(f"b{i}")
        asked.append(f"count(b{i})")
        for k, way in enumerate(ways):
            value = f"r{i}_{k}"
            read.append(f"{way.sql} AS {value}")
            asked += [f"count({value})", f"min(b{i}) FILTER (WHERE {value} IS NULL)", *_details(way, value)]
    relation = _relation(source, len(readings), range(start, min(start + _AT_ONCE, len(readings))))
    return ask(f"SELECT {', '.join(asked)} FROM (SELECT {', '.join(read)} FROM {relation})")[0]


def _details(way: _Reading, value: str) -> tuple[str, str]:
    if way.kind in ("point", "comma"):
        before, after = (f"coalesce(max(length(split_part({value}, '.', {place}))), 0)" for place in (1, 2))
        return before, f"CASE WHEN bool_or(contains(lower({value}), 'e')) THEN 99 ELSE {after} END"
    if way.dates and way.dates.has_time:
        return f"count(*) FILTER (WHERE CAST({value} AS TIME) <> TIME '00:00:00')", "0"
    return "0", "0"


def _fits(name: str, ways: list[_Reading], told: Any) -> _Fits:
    total = next(told)
    counted = [(way, next(told), next(told), (next(told), next(told))) for way in ways]
    fitting = [(way, details) for way, count, _, details in counted if count == total]
    if fitting or not counted:
        return _Fits(tuple(way for way, _ in fitting), tuple(details for _, details in fitting), is_used=total > 0)
    best, count, stray, _ = max(counted, key=lambda each: each[1])
    what = "dates" if best.kind == "date" else "times" if best.kind == "time" else "numbers"
    notice = f"{name} is kept as text: {total - count:,} of its {total:,} values are no {what}, such as {stray[:40]!r}."
    return _Fits((), notice=notice, stray=stray)


def _typed(name: str, text: str, fit: _Fits, habits: _Habits) -> Typed:
    ways = {way.kind: (way, details) for way, details in zip(fit.readings, fit.details, strict=True)}
    if not ways:
        return Typed(text, notice=fit.notice, stray=fit.stray, is_used=fit.is_used)
    if "date" in ways:
        return _dated(name, fit, habits)
    if "integer" in ways or not ways.keys() & {"point", "comma"}:
        (way, _) = next(iter(ways.values()))
        cast = f"CAST({way.plain} AS BIGINT)" if way.kind == "integer" else way.sql
        return Typed(cast, _SYMBOLS.get(way.symbol, ""))
    kind = "comma" if "comma" in ways and (habits.comma or "point" not in ways) else "point"
    way, (before, after) = ways[kind]
    notice = ""
    if len(ways) > 1:
        notice = f"{name} is read with a decimal {kind}: no value of the file tells which sign is the decimal one."
    exact = after <= 4 and before + after <= 18
    type_text = "BIGINT" if exact and after == 0 else f"DECIMAL(18, {after})" if exact else "DOUBLE"
    return Typed(f"CAST({way.plain} AS {type_text})", _SYMBOLS.get(way.symbol, ""), notice)


def _dated(name: str, fit: _Fits, habits: _Habits) -> Typed:
    ways = [(way, times) for way, (times, _) in zip(fit.readings, fit.details, strict=True)]
    notice = ""
    if len(ways) > 1:
        wanted = (
            "day first" if habits.day_first or (not habits.is_decided and "-" in _separators(fit)) else "month first"
        )
        ways = [(way, times) for way, times in ways if way.dates and way.dates.order == wanted]
        if not habits.is_decided:
            notice = f"{name} is read with the {wanted}: no value of the file tells days from months."
    (way, times), *_ = ways
    if way.dates and way.dates.is_monthly:
        notice = f"{name} holds months, each read as its first day."
    return Typed(way.sql if times else f"CAST({way.sql} AS DATE)", notice=notice)


def _separators(fit: _Fits) -> set[str]:
    return {way.dates.separator for way in fit.readings if way.dates}
