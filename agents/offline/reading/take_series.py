"""Reads numbers along the calendar: running totals, month over month, and this month beside the one before."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.english.times import Period, read_period
from agents.offline.meaning.items import Item
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.reading.reader import Reader

CHANGES = frozenset(
    """
    change changed grow grew grown growth increase increased rise rose risen fall fell fallen drop dropped decrease
    decreased decline declined shrink shrank shrunk improve improved difference
    """.split()
)
_CYCLES = frozenset({"month of year", "weekday", "hour"})
_OVER = frozenset({"over", "on", "to", "by"})
_UNITS = frozenset({"day", "week", "month", "quarter", "year"})


def name_series(r: Reader) -> None:
    """Set what stands beside each number of a series, and leave out the words that say it."""
    _name_running(r)
    _name_over(r)
    _name_growth(r)
    _name_the_one_before(r)


def _name_running(r: Reader) -> None:
    """running total of revenue by month, cumulative revenue"""
    for n, item in enumerate(r.items):
        total = n + 1 < len(r.items) and r.items[n + 1].kind == "aggregate" and r.items[n + 1].value == "sum"
        running = item.text.lower() == "running" and total and not item.meanings
        if not running and not (item.kind == "unknown" and item.text.lower() in {"cumulative", "cumulated"}):
            continue
        r.along = "running"
        used = 1 + total
        used += n + used < len(r.items) and r.items[n + used].kind == "of"
        counts = n + used < len(r.items) and r.items[n + used].kind == "count"
        r.items[n : n + used] = [] if counts else [replace(item, kind="aggregate", text="total", value="sum")]
        if not _grains(r):
            r.items += [Item("per", "per"), Item("grain", "month", "month")]
            r.assumptions.append("The running total is shown per month.")
        return


def _name_over(r: Reader) -> None:
    """month over month, year on year"""
    for n in range(len(r.items) - 2):
        one, between, other = r.items[n : n + 3]
        if one.kind != "grain" or other.kind != "grain" or one.value != other.value or between.text not in _OVER:
            continue
        if one.value in _CYCLES:
            raise r.not_understood(one)
        del r.items[n : n + 3]
        if any(i.value != one.value for i in _grains(r)):
            raise NotUnderstood(f"I can set each {one.value} beside the {one.value} before only, not its parts.")
        if not _grains(r):
            r.items += [Item("per", "per"), Item("grain", str(one.value), one.value)]
        _beside_the_one_before(r, str(one.value))
        r.items = [i for i in r.items if not is_change(i)]
        return


def _name_growth(r: Reader) -> None:
    """revenue growth by month, monthly revenue compared with the previous month"""
    grains = [i for i in _grains(r) if i.value not in _CYCLES]
    if len(grains) != 1 or r.along is not None:
        return
    spans = any(i.kind == "period" and i.value.sides is not None for i in r.items)
    said = [i for i in r.items if is_change(i)]
    before = _compared_with(r)
    if before is not None and _unit(before) == grains[0].value and before.text.split()[-2] in {"previous", "prior"}:
        at = r.items.index(before)
        del r.items[at - 1 : at + 1]
    elif not said or spans or any(i.kind == "versus" for i in r.items):
        return
    asked = {n for n, i in enumerate(r.items) if n < 2 and i.kind in {"how much", "by"} and said}
    r.items = [i for n, i in enumerate(r.items) if i not in said and n not in asked]
    _beside_the_one_before(r, str(grains[0].value))


def _name_the_one_before(r: Reader) -> None:
    """revenue compared with last month, is revenue up or down on last month: this month beside it"""
    _name_up_or_down(r)
    before = _compared_with(r)
    if before is None or r.along is not None or sum(i.kind == "period" for i in r.items) != 1:
        return
    unit, period = _unit(before), before.value
    current = read_period(("this", unit), period.end) if unit else None
    if current is not None:
        at = r.items.index(before) - 1
        r.items.insert(at, replace(before, text=f"this {unit}", value=current[0]))


def _name_up_or_down(r: Reader) -> None:
    """Read "up or down on", "up on" after a number as compared with, where yes or no is asked."""
    last = r.items[-1] if r.items else None
    if last is None or r.items[0].kind != "yes or no" or last.kind != "period" or not _unit(last):
        return
    at = len(r.items) - 1
    while at and (r.items[at - 1].kind in {"or", "of"} or r.items[at - 1].text.lower() == "down"):
        at -= 1
    if at > 1 and r.items[-2].text == "on":
        versus = replace(r.items[-2], kind="versus", text="versus", value="")
        r.items = [*r.items[1:at], versus, last]


def _compared_with(r: Reader) -> Item | None:
    """Return the last or the previous unit of time, where it stands after "compared with" or "more … than"."""
    for n, item in enumerate(r.items[1:], 1):
        if item.kind == "period" and r.items[n - 1].kind in {"versus", "than"} and _unit(item):
            return item
    return None


def _unit(item: Item) -> str:
    words = item.text.lower().split()
    before = len(words) > 1 and words[-2] in {"last", "previous", "prior"} and words[-1] in _UNITS
    return words[-1] if before and isinstance(item.value, Period) and item.value.end is not None else ""


def _beside_the_one_before(r: Reader, unit: str) -> None:
    r.along = "change"
    r.assumptions.append(f"Each {unit} is set beside the one before it that has any; the first has none.")


def _grains(r: Reader) -> list[Item]:
    return [i for i in r.items if i.kind == "grain"]


def is_change(item: Item) -> bool:
    """Whether a word asks for how a number changed."""
    return item.kind in {"unknown", "verb"} and not item.meanings and item.text.lower() in CHANGES
