"""Has reviewed SQL speak for a question: as it was written, or with its period's days counted from the day it is asked.

"last quarter" says which days are meant, and the SQL that was written for it names them. Where every day that it
names is a bound of a period that the question says, by one way of counting, the same bounds are put there as they lie
from another day. Where one of them is not, or may be two things, the SQL speaks for its own day alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import permutations, takewhile
from typing import Literal

from agents.offline.english.calendar_units import UNITS, add_units, unit_start
from agents.offline.english.times import NoSuchDay, Period, count_said, read_period, shifted
from agents.offline.english.words import Word, split
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.reading.take_alike import side_by_side
from agents.question import Draft
from tools.catalog import Dialect, SavedQuestion
from tools.saved_dates import FixedDate, NotSure, fixed_dates, with_dates
from tools.saved_questions import holds_days, moves, names_its_dates, stays_right

OtherDays = Literal["same", "moved", "named", "wrong"]
"""What SQL is another day: the same, with other days in it, the same for the days that its question names, or wrong."""

_A_DAY = timedelta(days=1)
_PROBED = (1, 8, 31, 100, 366, 800)
"""Days on from that of the SQL, on each of which it must be sure what its dates become."""
_NAMED = re.compile(r"(?<![\w.-])(?:19|20)\d\d(?:-\d\d(?:-\d\d)?)?(?!\w)")
_BEGINNING = frozenset(("first", "second", "half", "early", "beginning", "start", "mid", "middle"))
"""With such a word, SQL that was written on the 7th may mean a week by what ends on its own day."""
_OF = frozenset(("of", "in", "within", "during", "'s"))
_SOME, _EACH_UNIT = [(word,) for word in ("the", "a", "each", "every", "any")], [(unit,) for unit in UNITS]
_BOUNDING = frozenset("since before after until till between from by up prior earlier later starting on".split())


@dataclass(frozen=True)
class Moved:
    """Reviewed SQL as it is to run on a day."""

    sql: str
    periods: tuple[Period, ...] = ()
    """Those that are others now than when it was written."""


def reviewed_draft(saved: SavedQuestion, asked: str, today: date, dialect: Dialect) -> Draft | None:
    """Return the saved question's SQL for a question asked today; None where its dates are those of another day."""
    moved = move(saved, today, dialect)
    if moved is None:
        return None
    told = f"The SQL is the reviewed one of “{saved.question}”"
    if moved.periods:
        told += f", with its period moved to {' and '.join(period.describe() for period in moved.periods)}"
    # Said where everybody sees it, and not among what is assumed alone: nobody has reviewed these days.
    words = (f"{told}.",) if moved.periods else ()
    return Draft(moved.sql, asked, (f"{told}.",), trusted=True, words=words)


def other_days(saved: SavedQuestion, dialect: Dialect) -> OtherDays:
    """Return what the SQL is on the days after its own."""
    if saved.counts_from is None:
        found = [move(saved, date.max, dialect)]
    else:
        found = [move(saved, saved.counts_from + days * _A_DAY, dialect) for days in _PROBED]
    if None in found:
        return "wrong"
    if any(moved.periods for moved in found if moved):
        return "moved"
    return "named" if names_its_dates(saved.question) and holds_days(saved.sql) else "same"


def move(saved: SavedQuestion, today: date, dialect: Dialect) -> Moved | None:
    """Return the SQL as its writer would write it today; None where that is not sure."""
    if saved.counts_from == today or _stays(saved, today):
        return Moved(saved.sql)
    try:
        dates = fixed_dates(saved.sql, dialect, saved.question)
        if not dates:
            return Moved(saved.sql)
        if saved.counts_from is None:
            return None
        then, now = _readings(saved.question, saved.counts_from), _readings(saved.question, today)
        if _has_begun(then[0], saved.counts_from) and not _has_begun(now[0], today):
            return None  # "in Q3", asked in January: that of last year
        found = [(days, old, new) for old, new in zip(then, now, strict=True) if (days := _days_now(dates, old, new))]
    except (NotSure, NoSuchDay, ValueError, OverflowError):
        return None
    if len({days for days, _, _ in found}) != 1 or any(_changes_order(old, new) for _, old, new in found):
        return None
    days, before, after = found[0]
    others = tuple(new for old, new in zip(before, after, strict=True) if old != new)
    sql = with_dates(saved.sql, list(zip(dates, days, strict=True)))
    return Moved(sql, others if sql != saved.sql else ())


def _stays(saved: SavedQuestion, today: date) -> bool:
    """Whether the SQL means the same days today: the question's words do, and it names no others.

    They say other days for "last month", and for "in May", a year later.
    """
    if moves(saved.question) or not stays_right(saved.question, saved.sql):
        return False
    if saved.counts_from is None:
        return True
    try:
        then = tuple(_periods(saved.question, saved.counts_from))
        return then == tuple(_periods(saved.question, today)) and not _names_own_day(saved, saved.counts_from, then)
    except NoSuchDay:
        return True
    except NotSure:
        return False


def _names_own_day(saved: SavedQuestion, day: date, periods: Sequence[Period]) -> bool:
    """Whether the SQL names the day, month or year of its writing, and the question does not: it counts from there.

    "orders since May 2025" up to that day, "average age" as that year without those of birth.
    """
    said = {cut for period in periods for cut in (period.start, period.end)}
    own = {f"{day}": "day", f"{day + _A_DAY}": "day", f"{day:%Y-%m}": "month", f"{day:%Y}": "year"}
    for name in own.keys() & set(_NAMED.findall(saved.sql)) - set(_NAMED.findall(saved.question)):
        first = date.fromisoformat(f"{name}-01-01"[:10])
        if said.isdisjoint((first, add_units(first, own[name], 1))):
            return True
    return False


def _has_begun(periods: Sequence[Period], today: date) -> bool:
    return all(period.start is None or period.start <= today for period in periods)


def _days_now(dates: Sequence[FixedDate], then: Sequence[Period], now: Sequence[Period]) -> tuple[date, ...] | None:
    """Return the day that stands for each date now; None where one of them was no bound of a period then.

    Raises NotSure where one was a bound of two periods that part, or can no longer be written in its form.
    """
    parts = {fixed.unit for fixed in dates if fixed.edge == "part"}
    whole = "month" if "month" in parts else "quarter"
    days: list[date] = []
    if {"month", "quarter"} <= parts:
        raise NotSure  # September lies in the third quarter, and November does not.
    if not then or (not now and _days_now(dates, then, then) is None):
        return None
    if not now:
        raise NotSure
    for fixed in dates:
        both = zip(then, now, strict=True)
        may_be = {day for old, new in both for day in _bounds_now(fixed, old, new, whole)}
        if not may_be:
            return None
        if len(may_be) > 1:
            raise NotSure
        days += may_be
    return tuple(days)


def _changes_order(then: Sequence[Period], now: Sequence[Period]) -> bool:
    """Whether what came first comes last: from February to March is no span where that March is a year before."""
    pairs = zip(then, now, strict=True)
    cuts = [cut for old, new in pairs for cut in ((old.start, new.start), (old.end, new.end)) if all(cut)]
    return any(a < b and c > d for (a, c), (b, d) in permutations(cuts, 2) if a and b and c and d)


def _bounds_now(fixed: FixedDate, then: Period, now: Period, whole: str) -> Iterator[date]:
    """Yield the first day of what the date is now, for each way in which it was a bound of the period then."""
    match fixed.edge:
        case "part":
            if (
                fixed.unit == "year"
                and _is_one(then, "year")
                and then.start
                and fixed.written(then.start) == fixed.text
            ):
                raise NotSure  # "last month's share of this year": it may be the year of either
            if _is_one(then, whole) and then.start and fixed.written(then.start) == fixed.text:
                yield _start_of_one(now, whole)
        case "whole":
            if then.start == fixed.day and _is_one(then, fixed.unit):
                yield _start_of_one(now, fixed.unit)
        case "first" | "after":
            units = 1 if fixed.edge == "after" else 0
            assert fixed.day is not None
            cut = add_units(fixed.day, fixed.unit, units)
            for old, new in ((then.start, now.start), (then.end, now.end)):
                if old == cut:
                    yield _unit_before(new, fixed.unit, units)


def _is_one(period: Period, unit: str) -> bool:
    """Whether the period is one whole month, or whatever the unit is."""
    start, end = period.start, period.end
    return start is not None and start == unit_start(start, unit) and end == add_units(start, unit, 1)


def _start_of_one(period: Period, unit: str) -> date:
    if period.start is None or not _is_one(period, unit):
        raise NotSure
    return period.start


def _unit_before(cut: date | None, unit: str, units: int) -> date:
    if cut is None or unit_start(cut, unit) != cut:
        raise NotSure
    return add_units(cut, unit, -units)


def _readings(question: str, today: date) -> list[tuple[Period, ...]]:
    """Return the question's periods as they lie from a day, once for each way of counting; raises NoSuchDay.

    The ways are as many, and in the same order, for every day.
    """
    periods = tuple(_periods(question, today))
    if not _BEGINNING.isdisjoint(word.lower for word in split(question)):
        return [periods]
    if any(period.alike for period in periods):
        return _side_by_side(periods, today)
    return [*(tuple(count(period, today) for period in periods) for count in _COUNTING), _as_far(periods)]


def _side_by_side(periods: tuple[Period, ...], today: date) -> list[tuple[Period, ...]]:
    """Return the readings of two periods of which one tells the other: this month, and the same month last year."""
    if len(periods) != 2 or all(period.alike for period in periods):
        raise NotSure
    here, there = periods if periods[1].alike else reversed(periods)
    whole = _beside(here, there)
    so_far = _to_date(here, today)
    return [whole, (so_far, *whole[1:]) if whole else (), *(_beside(count(here, today), there) for count in _COUNTING)]


def _beside(here: Period, there: Period) -> tuple[Period, ...]:
    """Return both with days of their own; nothing where these cannot be told so."""
    try:
        return side_by_side(here, there)
    except NotUnderstood:
        return ()


def _periods(question: str, today: date) -> Iterator[Period]:
    """Yield the periods that the question says; raises NotSure where one only tells a part of another."""
    words = split(question)
    at = 0
    while at < len(words):
        read = read_period(_unquoted(words[at:]), today)
        if read is None:
            at += 1
            continue
        yield read[0]
        at += read[1]
        if _is_narrowed(_unquoted(words[at:]), today):
            raise NotSure


def _unquoted(words: Sequence[Word]) -> tuple[str, ...]:
    return tuple(word.lower for word in takewhile(lambda word: not word.quoted, words))


def _is_narrowed(after: tuple[str, ...], today: date) -> bool:
    """Whether what follows a period tells of what it is a part: last quarter of 2025, this month last year."""
    bare = after[1:] if after and after[0] in _OF else after
    if bare != after and bare[:1] in _SOME and bare[1:2] in _EACH_UNIT:
        return True  # of the year
    other = read_period(bare, today) if bare and bare[0] not in _BOUNDING else None
    return other is not None and not other[0].weekdays


def _to_date(period: Period, today: date) -> Period:
    """this month: as far as it has passed"""
    return replace(period, end=period.passed) if period.passed and _is_this(period) else period


def _to_yesterday(period: Period, today: date) -> Period:
    """this month, the last 30 days: without today"""
    if period.end == today + _A_DAY or (period.passed and _is_this(period)):
        return replace(period, end=today)
    return period


def _whole_unit(period: Period, today: date) -> Period:
    """year to date: the year that it lies in"""
    if period.to_date and period.start:
        return replace(period, end=add_units(period.start, period.to_date, 1))
    return period


def _with_today(period: Period, today: date) -> Period:
    """the last 30 days: today is the last of thirty"""
    if (counted := _counted(period)) is None:
        return _to_date(period, today)
    start = add_units(today, counted[1], -counted[0]) + _A_DAY
    return replace(period, start=start, end=today + _A_DAY)


def _whole_before(period: Period, today: date) -> Period:
    """the last 3 months: the three before this one"""
    if (counted := _counted(period)) is None:
        return _to_date(period, today)
    end = unit_start(today, counted[1])
    return replace(period, start=add_units(end, counted[1], -counted[0]), end=end)


def _whole_with_this(period: Period, today: date) -> Period:
    """the last 3 months: this one, and the two before it"""
    if (counted := _counted(period)) is None:
        return period
    end = add_units(unit_start(today, counted[1]), counted[1], 1)
    return replace(period, start=add_units(end, counted[1], -counted[0]), end=end)


def _begun_to_date(period: Period, today: date) -> Period:
    """the last 3 months: this one as far as it has passed, and the two before it"""
    if _counted(period) is None:
        return _to_date(period, today)
    return replace(_whole_with_this(period, today), end=today + _A_DAY)


_COUNTING: tuple[Callable[[Period, date], Period], ...] = (
    lambda period, _: period,
    _to_date,
    _to_yesterday,
    _whole_unit,
    _with_today,
    _whole_before,
    _whole_with_this,
    _begun_to_date,
)
"""The ways in which writers count days: the offline analyst's own first, then those of models."""


def _as_far(periods: tuple[Period, ...]) -> tuple[Period, ...]:
    """this month and last month: as many days of that as have passed of this"""
    running = next(filter(_is_this, periods), None)
    if running is None or running.start is None or running.end is None:
        return periods
    unit = next((word for word in running.words.split() if word in UNITS), "day")
    so_far = replace(running, end=running.passed or running.end)
    before = shifted(so_far, unit, -1)
    return tuple(
        so_far if period is running else before if period.start == before.start else period for period in periods
    )


def _is_this(period: Period) -> bool:
    """Whether the words say that it runs: nobody takes "March" for a part of it while it does."""
    return bool({"this", "current"} & set(period.words.split()))


def _counted(period: Period) -> tuple[int, str] | None:
    """Return 30 and "day" of "the last 30 days", None of a period that is not counted back from today."""
    match period.words.removeprefix("the ").split():
        case ["past", unit] if unit in UNITS:
            return 1, unit
        case ["last" | "past" | "previous" | "prior", count, units] if units.removesuffix("s") in UNITS:
            return count_said(count), units.removesuffix("s")
    return None
