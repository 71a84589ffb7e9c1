"""Reads what a ranking says besides its superlative: how many, and by what, where "by" comes later."""

from __future__ import annotations

from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_measures import is_key


def take_limit(r: Reader) -> int:
    """Return how many are asked for; declines "the top 10 %", of which nobody has counted how many they are."""
    number = r.take()
    after = r.peek()
    if number.text.endswith("%") or (after is not None and after.kind == "share"):
        raise NotUnderstood(f"I cannot tell how many “{number.text}” of them are: say a number, like “the top 5”.")
    return int(number.value)


def is_ranked_later(r: Reader) -> bool:
    """Whether "by" and a number follow: "the largest city by population"."""
    for n, item in enumerate(r.items[r.at :], r.at):
        named = r.items[n + 1] if item.kind == "by" and n + 1 < len(r.items) else None
        if named is None or named.values or item.sentence != r.items[r.at - 1].sentence:
            continue
        if named.kind in {"count", "aggregate"} or r.resolver.is_money(named.text):
            return True
        column = r.resolver.column(named, r.context, numeric=True) if named.columns else None
        return column is not None and not is_key(r, column)
    return False
