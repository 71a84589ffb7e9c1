"""Reads how a number changed from one period to another as a comparison of both."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from agents.offline.english.times import Period
from agents.offline.meaning.items import Item
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_series import is_change

_BEFORE = frozenset({"how much", "by", "how", "percentage", "percent"})
"""What stands before a change and asks of it: by how much, the percentage change."""


def name_changes(r: Reader) -> None:
    """Read "how did revenue change from May to June" as revenue in June versus May; decline a change since when."""
    said = next((n for n, i in enumerate(r.items) if is_change(i)), None)
    if said is None:
        return
    spans = [n for n, i in enumerate(r.items) if i.kind == "period" and i.value.sides is not None]
    periods = [n for n, i in enumerate(r.items) if i.kind == "period"]
    versus = any(i.kind == "versus" for i in r.items)
    if len(spans) == len(periods) == 1 and not versus:
        r.items = [each for n, i in enumerate(r.items) for each in (_rivals(i) if n == spans[0] else [i])]
    elif not (versus and len(periods) == 2):
        raise NotUnderstood(f"Say from when to when “{r.items[said].text}” is meant, like “from 2024 to 2025”.")
    asked = next(n for n, i in enumerate(r.items) if is_change(i))
    around = set(takewhile(lambda n: n < 2 and _asks(r.items[n]), range(asked))) | {asked}
    if asked and _asks(r.items[asked - 1]):
        around.add(asked - 1)
    if asked + 1 < len(r.items) and r.items[asked + 1].text in {"in", "of"}:
        around.add(asked + 1)
    r.items = [i for n, i in enumerate(r.items) if n not in around]


def _asks(item: Item) -> bool:
    return item.kind in {"by", "share", "yes or no", "how much"} or item.text.lower() in _BEFORE


def _rivals(item: Item) -> list[Item]:
    period = item.value
    assert isinstance(period, Period) and period.sides is not None
    before, after = (replace(item, text=side.words, value=side) for side in period.sides)
    return [after, replace(item, kind="versus", text="versus", value=""), before]
