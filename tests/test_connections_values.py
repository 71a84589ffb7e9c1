"""What drivers hand over becomes plain values under distinct names."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import pytest

from tools.connections.values import CELL_LENGTH, ROWS_LENGTH, distinct_names, fetched, plain


class Size(Enum):
    SMALL = "small"


@pytest.mark.parametrize(
    "value",
    [1, 10**30, 1.5, "text", True, None, date(2026, 1, 2), datetime(2026, 1, 2), time(10), Decimal("1.50"), b"\xff"],
)
def test_a_plain_value_stays_as_it_is(value: Any) -> None:
    assert plain(value) == value
    assert type(plain(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (timedelta(days=1, hours=2), "1 day, 2:00:00"),
        (Size.SMALL, "small"),
        (memoryview(b"ab"), b"ab"),
        (bytearray(b"ab"), b"ab"),
        ([1, Decimal("1.5"), None, "ü"], '[1, "1.5", null, "ü"]'),
        ((1, [2]), "[1, [2]]"),
        ({"a": {"b": date(2026, 1, 2)}, 1: True}, '{"a": {"b": "2026-01-02"}, "1": true}'),
        (ip_address("127.0.0.1"), "127.0.0.1"),
    ],
)
def test_anything_else_becomes_text(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_a_moment_keeps_its_offset_and_nothing_of_its_library() -> None:
    moment = datetime(2026, 1, 2, 10, tzinfo=timezone(timedelta(hours=2), "a name"))
    assert plain(moment) == moment
    assert plain(datetime(2026, 1, 2, tzinfo=UTC)).tzinfo == UTC


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * CELL_LENGTH, "x" * CELL_LENGTH),
        ("x" * (CELL_LENGTH + 1), "x" * CELL_LENGTH + "…"),
        (b"x" * (CELL_LENGTH + 1), b"x" * CELL_LENGTH + "…".encode()),
        (Decimal(10**CELL_LENGTH), "1" + "0" * (CELL_LENGTH - 1) + "…"),
        ([1] * CELL_LENGTH, ("[" + "1, " * CELL_LENGTH)[:CELL_LENGTH] + "…"),
    ],
    ids=["a text that fits", "a text", "bytes", "a number", "a list"],
)
def test_a_huge_cell_is_cut_with_a_mark(value: Any, expected: Any) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("a", "b"), ("a", "b")),
        (("a", "a", "a"), ("a", "a_2", "a_3")),
        (("a", "a", "a_2"), ("a", "a_3", "a_2")),
        (("", " ", "a"), ("column_1", "column_2", "a")),
        (("?column?", "?column?"), ("?column?", "?column?_2")),
        ((), ()),
    ],
)
def test_every_column_has_a_name_of_its_own(given: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert distinct_names(given) == expected


def test_the_row_beyond_the_limit_only_tells_that_there_are_more() -> None:
    arriving = iter([(1,), (2,), (3,)])
    found = fetched(["a"], arriving, 1)
    assert (found.values, found.truncated) == (((1,),), True)
    assert list(arriving) == [(3,)]
    assert not fetched(["a"], [(1,)], 1).truncated
    assert fetched(["a"], [(1,)], 0).truncated


@pytest.mark.parametrize("cell", ["x" * CELL_LENGTH, b"x" * CELL_LENGTH])
def test_rows_that_are_very_wide_are_fewer(cell: str | bytes) -> None:
    arriving = ((cell,) * 100 for _ in range(1_000))
    found = fetched([f"c{place}" for place in range(100)], arriving, 1_000)
    assert len(found.values) == ROWS_LENGTH // (100 * CELL_LENGTH) + 1
    assert found.truncated
    assert len(list(arriving)) == 1_000 - len(found.values) - 1  # The others were never fetched.
