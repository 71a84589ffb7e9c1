"""Turns what drivers hand over into plain values under distinct column names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Any

from tools.connections.statement import Fetched

CELL_LENGTH = 10_000
"""Characters (or bytes) of one cell that are kept; a longer one ends in "…"."""

ROWS_LENGTH = 20_000_000
"""Characters and bytes after which no further row is kept: a row may be 2,000 such cells wide."""

_AS_THEY_ARE = (int, float, Decimal, date, time, type(None))  # bool is an int, datetime a date


def fetched(columns: Iterable[str], rows: Iterable[Iterable[Any]], limit: int) -> Fetched:
    """Return at most `limit` of the rows as plain values under distinct names."""
    values, truncated = plain_rows(rows, limit)
    return Fetched(distinct_names(columns), values, truncated)


def plain_rows(rows: Iterable[Iterable[Any]], limit: int) -> tuple[tuple[tuple[Any, ...], ...], bool]:
    """Return at most `limit` rows of plain values, fewer where they are very wide, and whether one more came.

    Each is made plain as it arrives: a thousand wide rows, held as drivers hand them over, would fill the memory.
    """
    arriving = iter(rows)
    values = tuple(_fitting(tuple(map(plain, row)) for row in islice(arriving, limit)))
    return values, next(arriving, None) is not None


def _fitting(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield rows up to the one with which they hold more than ROWS_LENGTH."""
    length = 0
    for row in rows:
        yield row
        for value in row:
            if type(value) is str or type(value) is bytes:  # Half the time of isinstance, for each cell of an answer.
                length += len(value)
        if length > ROWS_LENGTH:
            return


def plain(value: Any) -> Any:
    """Return the value as int, float, str, bool, None, date, datetime, time, Decimal or bytes.

    Lists and mappings become JSON text, anything else its own text. A text or bytes longer than CELL_LENGTH is cut,
    and so is a number with as many digits: PostgreSQL's may have 131,072.
    """
    match value:
        case Enum():
            return _cut(str(value.value))
        case str():
            return _cut(value)
        case datetime() if value.tzinfo is not None:
            # A zone object of some library becomes the offset it meant at that moment.
            return value.replace(tzinfo=timezone(value.utcoffset() or timedelta()))
        case bytes() | bytearray() | memoryview():
            data = bytes(value)
            return data if len(data) <= CELL_LENGTH else data[:CELL_LENGTH] + "…".encode()
        case list() | tuple() | dict():
            return _cut(json.dumps(_jsonable(value), ensure_ascii=False))
        case Decimal() if value.adjusted() >= CELL_LENGTH:
            return _cut(str(value))
    return value if isinstance(value, _AS_THEY_ARE) else _cut(str(value))


def distinct_names(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the names, none empty and none twice: `a, a, ""` becomes `a, a_2, column_3`."""
    given = tuple(name.strip() or f"column_{place}" for place, name in enumerate(columns, 1))
    names: dict[str, None] = {}
    for name in given:
        candidate, count = name, 1
        while candidate in names or (count > 1 and candidate in given):
            count += 1
            candidate = f"{name}_{count}"
        names[candidate] = None
    return tuple(names)


def _cut(text: str) -> str:
    return text if len(text) <= CELL_LENGTH else text[:CELL_LENGTH] + "…"


def _jsonable(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _jsonable(item) for key, item in value.items()}
        case list() | tuple():
            return [_jsonable(item) for item in value]
        case bool() | int() | float() | str() | None:
            return value
    return str(value)
