"""Compares an answer's rows with the expected ones as a fair reader would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any

Row = Sequence[Any]

SLACK = 2e-6
"""Sums of floats differ in their last digits with the order of adding."""


def same_rows(expected: Sequence[Row], answer: Sequence[Row], *, ordered: bool = False) -> bool:
    """Whether the answer holds the expected rows, under some choice of its columns.

    Columns that nobody asked for are forgiven, and so is the order unless `ordered`. A fraction may be rounded, to
    one decimal at the least and never so far that it says something else (0.1 for 0.078).
    """
    if len(expected) != len(answer):
        return False
    if not expected:
        return True
    want, have = [_plain(row) for row in expected], [_plain(row) for row in answer]
    match = _match_in_order if ordered else _match
    return any(match(want, [[row[c] for c in columns] for row in have]) for columns in _choices(want, have))


def _choices(want: list[list[Any]], have: list[list[Any]]) -> Iterator[tuple[int, ...]]:
    """Yield the choices of the answer's columns, one for each expected column, that could match."""
    fits = [
        {i for i in range(len(have[0])) if _match([[row[w]] for row in want], [[row[i]] for row in have])}
        for w in range(len(want[0]))
    ]
    for columns in permutations(range(len(have[0])), len(want[0])):
        if all(column in fit for column, fit in zip(columns, fits, strict=True)):
            yield columns


def _match_in_order(want: list[list[Any]], have: list[list[Any]]) -> bool:
    return all(_row_is(w, h) for w, h in zip(want, have, strict=True))


def _match(want: list[list[Any]], have: list[list[Any]]) -> bool:
    """Whether every expected row has an answered row of its own."""
    if not any(isinstance(value, float) for row in want for value in row):
        return sorted(map(repr, want)) == sorted(map(repr, have))
    left = list(have)
    for row in want:
        found = next((i for i, candidate in enumerate(left) if _row_is(row, candidate)), None)
        if found is None:
            return False
        del left[found]
    return True


def _row_is(want: list[Any], have: list[Any]) -> bool:
    return all(_value_is(w, h) for w, h in zip(want, have, strict=True))


def _value_is(want: Any, have: Any) -> bool:
    if not (isinstance(want, int | float) and isinstance(have, int | float)):
        return bool(want == have)
    if want == int(want):
        return abs(want - have) < SLACK
    decimals = max(1, len(repr(float(have)).partition(".")[2]))
    return abs(want - have) <= min(0.5 * 10.0**-decimals, 0.02 * abs(want)) + SLACK


def _plain(row: Row) -> list[Any]:
    return [_plain_value(value) for value in row]


def _plain_value(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float | Decimal):
        number = round(float(value), 6)
        return int(number) if number == int(number) else number
    return value.strip() if isinstance(value, str) else str(value) if hasattr(value, "isoformat") else value
