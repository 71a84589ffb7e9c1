"""The comparison that judges answers forgives what a reader would, and nothing more."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.rows_compare import same_rows

SAME: dict[str, tuple[list[Any], list[Any]]] = {
    "another order": ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)]),
    "columns turned round": ([("a", 1)], [(1, "a")]),
    "an extra column": ([("a",)], [(7, "a")]),
    "a rounded fraction": ([(11.2267,)], [(11.23,)]),
    "a decimal": ([(12.5,)], [(Decimal("12.50"),)]),
    "a whole float": ([(3,)], [(3.0,)]),
    "a float's last digits": ([(187551.13999999556,)], [(187551.14,)]),
    "a date and its text": ([("2026-11-20",)], [(date(2026, 11, 20),)]),
    "nothing and nothing": ([], []),
}

DIFFERENT: dict[str, tuple[list[Any], list[Any]]] = {
    "a row too many": ([("a",)], [("a",), ("a",)]),
    "a row twice": ([("a",), ("b",)], [("a",), ("a",)]),
    "values of other rows": ([("a", 1), ("b", 2)], [("a", 2), ("b", 1)]),
    "a column missing": ([("a", 1)], [("a",)]),
    "one column used for two": ([(1, 1)], [(1, 2)]),
    "a percentage for a fraction": ([(0.5,)], [(50,)]),
    "rounded to a whole": ([(11.4,)], [(11,)]),
    "rounded to something else": ([(0.078,)], [(0.1,)]),
    "another number": ([(100,)], [(101,)]),
    "a missing value": ([(0,)], [(None,)]),
}


@pytest.mark.parametrize(("expected", "answer"), SAME.values(), ids=SAME.keys())
def test_is_the_same(expected: list[Any], answer: list[Any]) -> None:
    assert same_rows(expected, answer)


@pytest.mark.parametrize(("expected", "answer"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_is_not_the_same(expected: list[Any], answer: list[Any]) -> None:
    assert not same_rows(expected, answer)


def test_a_top_list_in_another_order_is_wrong() -> None:
    assert not same_rows([("a",), ("b",)], [("b",), ("a",)], ordered=True)
    assert same_rows([("a",), ("b",)], [(1, "a"), (2, "b")], ordered=True)
