"""Reads a period that is told by another one: the same month last year, the year before, year over year."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from agents.offline.english.times import Alike, Period, count_said, shifted
from agents.offline.meaning.items import Item
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.reading.reader import Reader

_DAYS = {
    "day": (1, 1), "week": (7, 7), "month": (28, 31), "quarter": (90, 92), "half": (181, 184), "year": (365, 366),
}  # fmt: skip
"""How many days a unit has, at least and at most."""
_SHORT = {"yoy": "year", "mom": "month", "qoq": "quarter", "wow": "week"}
_OVER = frozenset({"over", "on"})
_JOINING = frozenset({"versus", "comparison", "and", "or", "of", "in", "relative", "than"})
_BEFORE = frozenset({"previous", "prior", "preceding"})


def name_alike(r: Reader) -> None:
    """Give days to a period that has none of its own, by the one it is set beside."""
    _spell_over(r)
    _name_over(r)
    at = [n for n, i in enumerate(r.items) if i.kind == "period"]
    if len(at) != 2 or {i.kind for i in r.items[at[0] + 1 : at[1]]} - _JOINING:
        return
    if r.items[at[0]].value.alike is not None:
        at.reverse()
    here, there = (r.items[n].value for n in at)
    if there.alike is None and any(i.kind in {"versus", "comparison"} for i in r.items):
        there = _told_by(here, there)
    if there.alike is None or here.alike is not None:
        return
    for n, period in zip(at, side_by_side(here, there), strict=True):
        r.items[n] = replace(r.items[n], text=period.words, value=period)
    r.versus = True


def refuse_alone(r: Reader) -> None:
    """Decline "the same period last year" where nothing tells which days those are."""
    for item in r.items:
        if item.kind == "period" and item.value.alike is not None:
            raise NotUnderstood(f"Say which days “{item.text}” is to be compared with, like “this month versus …”.")


def _spell_over(r: Reader) -> None:
    """YoY: year over year"""
    for n, item in enumerate(r.items):
        if item.kind == "unknown" and (unit := _SHORT.get(item.text.lower())):
            grain = replace(item, kind="grain", text=unit, value=unit)
            r.items[n : n + 1] = [grain, replace(item, kind="in", text="over"), grain]
            return


def _name_over(r: Reader) -> None:
    """Read "revenue last month, year over year" as last month beside the same one a year before."""
    periods = [i for i in r.items if i.kind == "period"]
    grains = [n for n, i in enumerate(r.items) if i.kind == "grain"]
    if len(periods) != 1 or len(grains) != 2 or grains[1] != grains[0] + 2:
        return
    one, between, other = r.items[grains[0] : grains[1] + 1]
    days, unit = _days(periods[0].value), str(one.value)
    if one.value != other.value or between.text not in _OVER or unit not in _DAYS or days is None:
        return
    if days > _DAYS[unit][1]:
        return  # "month over month in 2025": a row for each month
    del r.items[grains[0] : grains[1] + 1]
    before = Period(None, None, f"the same period a {unit} before", alike=Alike("period", 1, unit))
    at = r.items.index(periods[0]) + 1
    r.items[at:at] = [Item("versus", "versus", ""), replace(periods[0], text=before.words, value=before)]


def _told_by(here: Period, there: Period) -> Period:
    """Return the other period as one that the first tells: the year before 2024, last month a year ago."""
    words = there.words.lower().removeprefix("the ").split()
    days = _days(here)
    if days is None:
        return there
    if len(words) == 2 and words[1] in _DAYS:
        which, unit = words
        if here.to_date == unit and which in {"last", *_BEFORE}:
            return replace(there, words=f"{which} {unit} to date", alike=Alike("", 1, unit))
        now = {"this", "current"} & set(here.words.lower().split())
        if which in _BEFORE and not now and _DAYS[unit][0] <= days <= _DAYS[unit][1]:
            return replace(there, words=f"the {unit} before", alike=Alike("", 1, unit))
    if words[0] in _BEFORE and (here.start, here.end) == (there.start, there.end):
        return replace(there, alike=Alike("", 1))  # "the last 30 days versus the previous 30 days"
    if len(words) == 3 and words[2] == "ago" and days < _DAYS[unit := words[1].rstrip("s")][0]:
        return replace(there, words=f"{words[0]} {words[1]} before", alike=Alike("", count_said(words[0]), unit))
    return there


def side_by_side(here: Period, there: Period) -> tuple[Period, Period]:
    """Return the period that tells the other, as far as it has passed, and the other with days of its own.

    Raises NotUnderstood where it cannot tell it.
    """
    alike, days = there.alike, _days(here)
    assert alike is not None
    if alike.unit == "period" and here.passed is not None:
        here = replace(here, end=here.passed, words=f"{here.words} to date", passed=None)
    elif days is None or (alike.unit in _DAYS and not _DAYS[alike.unit][0] <= days <= _DAYS[alike.unit][1]):
        raise NotUnderstood(f"I did not understand what “{there.words}” is the same as: name the days.")
    moved = replace(_moved(here, alike), words=there.words)
    assert moved.start and moved.end and here.start and here.end
    if moved.start < here.end and here.start < moved.end:
        raise NotUnderstood(f"“{here.words}” and “{there.words}” share some days: say which ones are meant.")
    return here, moved


def _moved(here: Period, alike: Alike) -> Period:
    assert here.start is not None and here.end is not None
    if alike.year is not None:
        return shifted(here, "year", alike.year - here.start.year)
    if alike.by == "year" and (alike.unit == "week" or here.words.lower().endswith("week")):
        return shifted(here, "week", -52 * alike.back)  # from Monday to Sunday, too
    if alike.by:
        return shifted(here, alike.by, -alike.back)
    if here.start.day == here.end.day == 1:
        months = 12 * (here.end.year - here.start.year) + here.end.month - here.start.month
        return shifted(here, "month", -months)
    return replace(here, start=here.start - (here.end - here.start), end=here.start)


def _days(period: Period) -> int | None:
    if period.start is None or period.end is None or period.weekdays:
        return None
    return (period.end - period.start) // timedelta(days=1)
