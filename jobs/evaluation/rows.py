"""Compares an answer's rows with those of the gold query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Any, Literal

Row = Sequence[Any]
Match = Literal["strict", "lenient"]

DECIMALS = 3
"""Fractions are compared to so many: sums of floats differ in their last digits with the order of adding."""

CHOICES_TRIED = 200
"""Of the ways to pair up columns that hold the same values; only tables of many like columns have more."""


def compare(gold: Sequence[Row], answer: Sequence[Row], *, ordered: bool = False) -> Match | None:
    """Return how the answer holds the gold rows, None where it does not.

    "strict": the same rows under some order of the columns. "lenient": so they are in some choice of the answer's
    columns, and the others are forgiven. The order of the rows counts only where it is asked for.
    """
    if len(gold) != len(answer):
        return None
    if not gold:
        return "strict"
    want, have = columns_of(gold), columns_of(answer)
    if len(want) > len(have):
        return None
    arranged = list if ordered else _sorted
    goal = arranged(zip(*want, strict=True))
    choices = islice(_choices(_fits(want, have)), CHOICES_TRIED)
    if any(arranged(zip(*(have[place] for place in choice), strict=True)) == goal for choice in choices):
        return "strict" if len(want) == len(have) else "lenient"
    return None


def difference(gold: Sequence[Row], answer: Sequence[Row]) -> str:
    """Return in a few words in what the answer's rows are not the gold ones."""
    if len(gold) != len(answer):
        return f"{_count(len(answer), 'row')} where {len(gold)} {'is' if len(gold) == 1 else 'are'} right"
    want, have = columns_of(gold), columns_of(answer)
    if len(want) > len(have):
        return f"{_count(len(have), 'column')} where {len(want)} are asked for"
    missing = [place + 1 for place, fit in enumerate(_fits(want, have)) if not fit]
    if missing:
        named = ", ".join(map(str, missing))
        return f"no column of the answer holds the values of gold column {named}"
    return "the values are right, but not side by side or not in this order"


def columns_of(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    return [tuple(map(_plain, column)) for column in zip(*rows, strict=True)]


def _fits(want: list[tuple[Any, ...]], have: list[tuple[Any, ...]]) -> list[list[int]]:
    """Return for each gold column the places of the answer's columns that hold its values in any order."""
    counted = [Counter(column) for column in have]
    return [[place for place, values in enumerate(counted) if values == Counter(column)] for column in want]


def _choices(fits: list[list[int]], taken: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Yield the ways to give each gold column a column of its own."""
    if not fits:
        yield taken
        return
    for place in fits[0]:
        if place not in taken:
            yield from _choices(fits[1:], (*taken, place))


def _sorted(rows: Iterator[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)  # By their text: numbers, texts and None have no order of their own.


def _plain(value: Any) -> Any:
    """Return the value as it is compared: 3.0 is 3, a date is its text, and space around a text does not count."""
    match value:
        case bool():
            return int(value)
        case float() | Decimal() if not isfinite(value):
            return str(float(value))
        case float() | Decimal():
            number = round(float(value), DECIMALS)
            return int(number) if number == int(number) else number
        case str():
            return value.strip()
    return value.isoformat() if hasattr(value, "isoformat") else value


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
