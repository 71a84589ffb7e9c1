"""Reads time words as ranges of days, counted from a given today."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from agents.offline.english.calendar_units import UNITS, add_units, shift_months, unit_start

MONTHS = {name.lower(): n for n, name in enumerate(calendar.month_name) if name}
MONTHS |= {name.lower(): n for n, name in enumerate(calendar.month_abbr) if name} | {"sept": 9}

_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
_NUMBERS |= {"ten": 10, "twelve": 12, "first": 1, "second": 2, "third": 3, "fourth": 4, "a": 1}
_HALVES = {"first": 1, "second": 7, "1st": 1, "2nd": 7}


class NoSuchDay(ValueError):
    """A date was written that the calendar does not have, or that may be read in two ways; its words are the text."""


@dataclass(frozen=True)
class Alike:
    """How days are told by those of another period: "the same month last year", "the period before"."""

    unit: str
    """What the other period must be, a "month", or "period" for the days that have passed of any."""
    back: int = 1
    by: str = ""
    """A year, a month; empty for as many days as the other period has."""
    year: int | None = None
    """The year in which they lie, where it is said instead."""


@dataclass(frozen=True)
class Period:
    """Days from `start` up to but not including `end`; None leaves that side open."""

    start: date | None
    end: date | None
    words: str
    """As the question said it: "last quarter"."""
    sides: tuple[Period, Period] | None = field(default=None, compare=False, repr=False)
    """The first and the last part of it, where it was said as "from May to June"."""
    weekdays: tuple[str, ...] = ()
    """The days of the week that alone are meant: "on Mondays"."""
    alike: Alike | None = None
    """Set where its days are those of another period, moved: it has none of its own."""
    passed: date | None = field(default=None, compare=False, repr=False)
    """The day after today, where the period is not over yet."""
    to_date: str = field(default="", compare=False, repr=False)
    """The unit, where it is one "to date"."""

    def describe(self) -> str:
        """Return the days in words, both ends included: "1 July to 30 September 2026"."""
        if self.weekdays:
            first, *more = self.weekdays
            return f"every {first}" + (f" {'to' if len(more) > 1 else 'and'} {more[-1]}" if more else "")
        last = self.end - timedelta(days=1) if self.end else None
        if self.start and last:
            if self.start == last:
                return _day(last)
            same_year = self.start.year == last.year
            return f"{_day(self.start, year=not same_year)} to {_day(last)}"
        if self.start:
            return f"{_day(self.start)} and later"
        return f"up to {_day(last)}" if last else "any day"

    @property
    def whole_years(self) -> tuple[int | None, int | None] | None:
        """The first and last year where the period is made of whole years, else None."""
        sides = [d for d in (self.start, self.end) if d]
        if not sides or any((d.month, d.day) != (1, 1) for d in sides):
            return None
        return (self.start.year if self.start else None, self.end.year - 1 if self.end else None)


def _day(day: date, year: bool = True) -> str:
    return f"{day.day} {calendar.month_name[day.month]}" + (f" {day.year}" if year else "")


def count_said(text: str | None) -> int:
    """Return the number of "3 months ago", of "a year ago" 1."""
    return (_NUMBERS.get(text) or int(text)) if text else 1


def _unit(match: re.Match[str], today: date) -> Period:
    """this / last / next / previous unit: the whole calendar unit."""
    unit, word = match["unit"], match["which"]
    offset = {"this": 0, "current": 0, "next": 1}.get(word, -1)
    start = add_units(unit_start(today, unit), unit, offset)
    return Period(start, add_units(start, unit, 1), match[0])


def _rolling(match: re.Match[str], today: date) -> Period:
    """the last N units: up to and with today."""
    return Period(add_units(today, match["unit"], -count_said(match["n"])), today + timedelta(days=1), match[0])


def _coming(match: re.Match[str], today: date) -> Period:
    """the next N units: from today on."""
    return Period(today, add_units(today, match["unit"], count_said(match["n"])) + timedelta(days=1), match[0])


def _ago(match: re.Match[str], today: date) -> Period:
    start = unit_start(add_units(today, match["unit"], -count_said(match["n"])), match["unit"])
    return Period(start, add_units(start, match["unit"], 1), match[0])


def _to_date(match: re.Match[str], today: date) -> Period:
    """year to date, last month to date, YTD 2024: as many days of it as have passed of this one."""
    short = {"y": "year", "m": "month", "q": "quarter", "w": "week"}.get((match["short"] or " ")[0])
    unit, when = short or match["unit"], match["when"] or "this"
    period = Period(unit_start(today, unit), today + timedelta(days=1), match[0], to_date=unit)
    if when.isdigit():
        return shifted(period, "year", int(when) - today.year)
    which, _, of = when.partition(" ")
    of = of or unit
    if UNITS.index(of) < UNITS.index(unit):
        raise ValueError  # a year to date of last month
    return period if which in {"this", "current"} else shifted(period, of, -1)


def _until_today(match: re.Match[str], today: date) -> Period:
    """2024 to date: not over when 2024 was."""
    if int(match["year"]) > today.year:
        raise ValueError
    return Period(date(int(match["year"]), 1, 1), today + timedelta(days=1), match[0])


def shifted(period: Period, unit: str, count: int) -> Period:
    """Return the period so many units later: of whole months again whole months, else the same days of the month."""
    start, end = period.start, period.end
    assert start is not None and end is not None
    whole = start.day == end.day == 1 and unit != "week"
    last = end if whole else add_units(end - timedelta(days=1), unit, count) + timedelta(days=1)
    return replace(period, start=add_units(start, unit, count), end=add_units(end, unit, count) if whole else last)


def _alike(match: re.Match[str], today: date) -> Period:
    """the same month last year, the same period in 2024, a year earlier, the previous period"""
    said = match.groupdict()
    unit = said.get("what") or said.get("time") or ""
    unit = {"time": "period", "date": "day"}.get(unit, unit)
    if year := said.get("year"):
        return Period(None, None, match[0], alike=Alike(unit, year=int(year)))
    return Period(None, None, match[0], alike=Alike(unit, count_said(said.get("n")), said.get("by") or ""))


def _relative_day(match: re.Match[str], today: date) -> Period:
    away = {"yesterday": -1, "tomorrow": 1}.get(match["day"], 0)
    start = today + timedelta(days=2 * away if match["twice"] else away)
    return Period(start, start + timedelta(days=1), match[0])


def _year(match: re.Match[str], today: date) -> Period:
    year = int(match["year"])
    return Period(date(year, 1, 1), date(year + 1, 1, 1), match[0])


def _decade(match: re.Match[str], today: date) -> Period:
    year = int(match["decade"])
    return Period(date(year, 1, 1), date(year + 10, 1, 1), match[0])


def _quarter(match: re.Match[str], today: date) -> Period:
    nth = match["q"] or match["nth"]
    quarter = _NUMBERS.get(nth) or int(nth[0])
    year = _year_said(match, today)
    start = date(year, quarter * 3 - 2, 1)
    return Period(start, shift_months(start, 3), match[0])


def _half(match: re.Match[str], today: date) -> Period:
    start = date(_year_said(match, today), _HALVES[match["half"]], 1)
    return Period(start, shift_months(start, 6), match[0])


def _month(match: re.Match[str], today: date) -> Period:
    """A month without a year is the newest one that has begun."""
    month = MONTHS[match["month"]]
    said = match["y"]
    year = int(said) if said and said.isdigit() else _year_said(match, today)
    if not said and date(year, month, 1) > today:
        year -= 1
    start = date(year, month, 1)
    return Period(start, shift_months(start, 1), match[0])


def _full_date(match: re.Match[str], today: date) -> Period:
    year = int(match["year"]) if match["year"] else today.year
    start = date(year, MONTHS[match["month"]], int(match["dom"]))
    if not match["year"] and start > today:
        start = start.replace(year=year - 1)
    return Period(start, start + timedelta(days=1), match[0])


def _iso(match: re.Match[str], today: date) -> Period:
    start = date(*(int(part) for part in re.split("[-/]", match["iso"])))
    return Period(start, start + timedelta(days=1), match[0])


def _slashed(match: re.Match[str], today: date) -> Period:
    """25/12/2025 or 12/25/2025: raises ValueError where the day and the month may be exchanged."""
    first, second = int(match["first_"]), int(match["second_"])
    if first <= 12 and second <= 12 and first != second and match["mark"] == "/":
        raise ValueError
    day, month = (first, second) if second <= 12 else (second, first)
    start = date(int(match["year"]), month, day)
    return Period(start, start + timedelta(days=1), match[0])


def _iso_month(match: re.Match[str], today: date) -> Period:
    start = date(int(match["year"]), int(match["nth"]), 1)
    return Period(start, shift_months(start, 1), match[0])


def _year_said(match: re.Match[str], today: date) -> int:
    said = match["y"] or ""
    if said.isdigit():
        return int(said)
    return today.year - 1 if said.startswith(("last", "previous")) else today.year


def _weekdays(match: re.Match[str], today: date) -> Period:
    several = {"weekend": tuple(calendar.day_name)[5:], "weekday": tuple(calendar.day_name)[:5]}
    named = match["one"] or match["many"] or "weekday"
    said = named if named in several else named.capitalize()
    words = f"on a {said}" if match["one"] else f"on {said}s"
    return Period(None, None, words, weekdays=several.get(named, (said,)))


_N = r"(?P<n>\d+|a|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
_UNIT = r"(?P<unit>day|week|month|quarter|year)s?"
_DAY = "|".join(calendar.day_name).lower()
_MONTH = "(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
_IN_YEAR = r"(?:(?: of| in| ,)? (?P<y>(?:19|20)\d\d|last year|this year|previous year))?"
_WHEN = r"(?:19|20)\d\d|(?:this|current|last|previous|prior) (?:year|quarter|month|week)"
_TO_DATE = r"(?:(?P<short>ytd|mtd|qtd|wtd)|(?P<unit>year|month|quarter|week) to date)"
_SAME = (
    r"(?:(?:in|during|over|for|at|by|from) )?(?:(?:the |this |that )?(?:same|corresponding|equivalent|comparable)"
    r" (?P<what>period|time|date|day|week|month|quarter|half)s?|this (?P<time>time))(?: (?:of|in|during))?(?: the)?"
)
_EARLIER = r"(?:ago|earlier|before|prior)(?! (?:the|they|he|she|it|that|this|last|\d|in|on))"
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], Period]], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})(?!\w)"), make)
    for pattern, make in (
        (rf"{_SAME} (?:last|previous|prior|preceding) (?P<by>year|quarter|month|week)", _alike),
        (rf"{_SAME}(?: {_N})? (?P<by>year|quarter|month|week|day)s? {_EARLIER}", _alike),
        (rf"{_SAME} (?:year )?(?P<year>(?:19|20)\d\d)", _alike),
        (r"(?:the )?(?:previous|prior|preceding) period|(?:the )?period before", _alike),
        (r"(?P<iso>\d{4}([-/])\d{1,2}\2\d{1,2})", _iso),
        (r"(?P<year>\d{4})-(?P<nth>\d{1,2})(?!-)", _iso_month),
        (r"(?P<first_>\d{1,2})(?P<mark>[/.])(?P<second_>\d{1,2})[/.](?P<year>\d{4})", _slashed),
        (rf"{_MONTH} (?P<dom>\d{{1,2}})(?:st|nd|rd|th)?(?:(?: ,)? (?P<year>(?:19|20)\d\d))?(?! ?%)", _full_date),
        (rf"(?P<dom>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:(?: ,)? (?P<year>(?:19|20)\d\d))?", _full_date),
        (rf"{_MONTH}{_IN_YEAR}", _month),
        (rf"q(?P<q>[1-4])(?P<nth>)?{_IN_YEAR}", _quarter),
        (rf"(?:the )?(?P<nth>1st|2nd|3rd|4th|first|second|third|fourth)(?P<q>)? quarter{_IN_YEAR}", _quarter),
        (rf"(?:the )?(?P<half>first|second|1st|2nd) half{_IN_YEAR}", _half),
        (rf"(?:the )?(?:last|past|previous|prior) {_N} {_UNIT}", _rolling),
        (rf"(?:the )?past(?P<n>) {_UNIT}", _rolling),
        (rf"(?:the )?(?:next|coming) {_N} {_UNIT}", _coming),
        (rf"{_N} {_UNIT} ago", _ago),
        (rf"(?:the|{_N}) (?P<by>day|week|month|quarter|year)s? {_EARLIER}", _alike),
        (rf"{_TO_DATE}(?: (?:of |in |for )?(?P<when>{_WHEN}))?", _to_date),
        (rf"(?:the )?(?P<when>{_WHEN}) (?:'s )?{_TO_DATE}", _to_date),
        (
            rf"(?P<short>)(?P<when>this|current|last|previous|prior) {_UNIT}(?: up)? (?:to date|until now|to now)",
            _to_date,
        ),
        (rf"(?P<short>)(?P<when>this|current) {_UNIT} so far", _to_date),
        (rf"(?P<short>)so far (?:in )?(?P<when>this) {_UNIT}", _to_date),
        (r"(?P<year>(?:19|20)\d\d) (?:to date|until now|to now)", _until_today),
        (rf"(?:the )?(?P<which>this|current|last|previous|prior|next) {_UNIT}", _unit),
        (r"(?P<day>today|yesterday|tomorrow)(?P<twice>)", _relative_day),
        (r"(?:the )?day (?P<twice>before|after) (?P<day>yesterday|tomorrow)", _relative_day),
        (rf"(?:on )?an? (?P<one>{_DAY})(?P<many>)", _weekdays),
        (rf"on a (?P<one>weekend)|(?:(?:on|at) )?(?P<many>{_DAY}|weekend)s|on weekdays", _weekdays),
        (r"(?:the )?(?P<decade>(?:19|20)\d0)s", _decade),
        (r"(?:the )?(?:year )?(?P<year>(?:19|20)\d\d)", _year),
    )
)


def read_period(words: tuple[str, ...], today: date) -> tuple[Period, int] | None:
    """Return the period that the (lower-case) words begin with and how many words it took, or None; raises NoSuchDay.

    Understands "last quarter", "May 2025", "since March", "before 2020", "between 1 May and 3 June", "2014 or later".
    """
    for lead, sides in _LEADS:
        if words[: len(lead)] != lead:
            continue
        first = _plain_period(words[len(lead) :], today)
        if first and (first[0].weekdays or first[0].alike):
            return None  # "since Mondays": no one day
        if first:
            return sides(words, len(lead), first, today)
    first = _plain_period(words, today)
    if first is None or first[0].weekdays:
        return first
    tail = words[first[1] : first[1] + 2]
    if tail in {("or", "later"), ("or", "after"), ("and", "later"), ("or", "newer")}:
        return Period(first[0].start, None, " ".join(words[: first[1] + 2])), first[1] + 2
    if tail in {("or", "earlier"), ("or", "before"), ("and", "earlier")}:
        return Period(None, first[0].end, " ".join(words[: first[1] + 2])), first[1] + 2
    return first


_Read = tuple[Period, int]


def _plain_period(words: tuple[str, ...], today: date) -> _Read | None:
    text = " ".join(words[:8])
    for pattern, make in _PATTERNS:
        match = pattern.match(text)
        if match:
            try:
                period = make(match, today)
            except (ValueError, OverflowError):  # 31 February, or a year past the calendar's end
                raise NoSuchDay(match[0]) from None
            said = period.words if period.weekdays else match[0]
            return _not_over(replace(period, words=said), today), len(match[0].split())
    return None


def _not_over(period: Period, today: date) -> Period:
    tomorrow = today + timedelta(days=1)
    running = period.start is not None and period.end is not None and period.start <= today and tomorrow < period.end
    return replace(period, passed=tomorrow) if running else period


def _since(words: tuple[str, ...], lead: int, first: _Read, today: date) -> _Read:
    return Period(first[0].start, None, " ".join(words[: lead + first[1]])), lead + first[1]


def _after(words: tuple[str, ...], lead: int, first: _Read, today: date) -> _Read:
    return Period(first[0].end, None, " ".join(words[: lead + first[1]])), lead + first[1]


def _before(words: tuple[str, ...], lead: int, first: _Read, today: date) -> _Read:
    return Period(None, first[0].start, " ".join(words[: lead + first[1]])), lead + first[1]


def _until(words: tuple[str, ...], lead: int, first: _Read, today: date) -> _Read:
    return Period(None, first[0].end, " ".join(words[: lead + first[1]])), lead + first[1]


def _span(words: tuple[str, ...], lead: int, first: _Read, today: date) -> _Read:
    """between A and B, from A to B; "from A" alone is "since A"."""
    used = lead + first[1]
    if words[used : used + 1] in {("and",), ("to",), ("until",), ("till",), ("through",)}:
        second = _plain_period(words[used + 1 :], today)
        if second and not second[0].weekdays:
            used += 1 + second[1]
            start, end = first[0].start, second[0].end
            if start and end and start >= end:  # "between March and May 2025": the year is said once
                back = 12 * (end.year - start.year)
                start, until = shift_months(start, back), shift_months(first[0].end, back) if first[0].end else None
                first = Period(start, until, f"{first[0].words} {start.year}"), first[1]
            return Period(start, end, " ".join(words[:used]), (first[0], second[0])), used
    return _since(words, lead, first, today) if words[0] == "from" else _bounded(words, lead, first)


def _next_to(words: tuple[str, ...], lead: int, first: _Read, today: date) -> _Read:
    """the day before 5 May, the month after March 2025: as many days, right beside them"""
    unit, side = words[1:3]
    start, end = first[0].start, first[0].end
    assert start is not None and end is not None
    days = (add_units(start, unit, -1), start) if side == "before" else (end, add_units(end, unit, 1))
    return Period(*days, " ".join(words[: lead + first[1]])), lead + first[1]


def _bounded(words: tuple[str, ...], lead: int, first: _Read) -> _Read:
    return replace(first[0], words=" ".join(words[: lead + first[1]])), lead + first[1]


_LEADS: tuple[tuple[tuple[str, ...], Callable[[tuple[str, ...], int, _Read, date], _Read]], ...] = (
    (("on", "or", "after"), _since),
    (("on", "or", "before"), _until),
    *(((lead, "the", begin, "of"), _since) for lead in ("since", "from") for begin in ("beginning", "start")),
    *(((lead, "the", "end", "of"), _until) for lead in ("until", "till", "by", "before")),
    (("after", "the", "end", "of"), _after),
    (("between",), _span),
    (("from",), _span),
    (("since",), _since),
    (("starting",), _since),
    (("later", "than"), _after),
    (("earlier", "than"), _before),
    (("after",), _after),
    (("before",), _before),
    (("prior", "to"), _before),
    (("until",), _until),
    (("till",), _until),
    (("up", "to"), _until),
    *((("the", unit, side), _next_to) for unit in UNITS for side in ("before", "after")),
)
