"""The comparison that judges answers forgives what a reader would, and nothing more."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from jobs.evaluation.rows import compare, difference

STRICT: dict[str, tuple[list[Any], list[Any]]] = {
    "another order": ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)]),
    "columns turned round": ([("a", 1)], [(1, "a")]),
    "columns of like values turned round": ([(1, 2), (2, 1), (1, 1)], [(2, 1), (1, 2), (1, 1)]),
    "a decimal": ([(12.5,)], [(Decimal("12.50"),)]),
    "a whole float": ([(3,)], [(3.0,)]),
    "a truth and a one": ([(1,)], [(True,)]),
    "a float's last digits": ([(187551.13999999556,)], [(187551.14,)]),
    "a date and its text": ([("2026-11-20",)], [(date(2026, 11, 20),)]),
    "space around a text": ([("a ",)], [("a",)]),
    "no number at all": ([(float("nan"),)], [(float("nan"),)]),
    "more than any number": ([(float("inf"),)], [(Decimal("Infinity"),)]),
    "numbers, texts and nothing in one column": ([(None,), ("a",), (1,)], [(1,), (None,), ("a",)]),
    "nothing and nothing": ([], []),
}

LENIENT: dict[str, tuple[list[Any], list[Any]]] = {
    "an extra column": ([("a",)], [(7, "a")]),
    "an extra column of the same values": ([("a", 1), ("b", 2)], [("a", 1, 2), ("b", 2, 1)]),
}

DIFFERENT: dict[str, tuple[list[Any], list[Any]]] = {
    "a row too many": ([("a",)], [("a",), ("a",)]),
    "a row twice": ([("a",), ("b",)], [("a",), ("a",)]),
    "values of other rows": ([("a", 1), ("b", 2)], [("a", 2), ("b", 1)]),
    "a column missing": ([("a", 1)], [("a",)]),
    "one column used for two": ([(1, 1)], [(1, 2)]),
    "a percentage for a fraction": ([(0.5,)], [(50,)]),
    "rounded further than three decimals": ([(11.2267,)], [(11.23,)]),
    "another number": ([(100,)], [(101,)]),
    "a number and its text": ([(1,)], [("1",)]),
    "a missing value": ([(0,)], [(None,)]),
    "rows for none": ([], [("a",)]),
}


@pytest.mark.parametrize(("gold", "answer"), STRICT.values(), ids=STRICT.keys())
def test_is_the_same(gold: list[Any], answer: list[Any]) -> None:
    assert compare(gold, answer) == "strict"


@pytest.mark.parametrize(("gold", "answer"), LENIENT.values(), ids=LENIENT.keys())
def test_is_the_same_but_for_columns_that_nobody_asked_for(gold: list[Any], answer: list[Any]) -> None:
    assert compare(gold, answer) == "lenient"


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_is_not_the_same(gold: list[Any], answer: list[Any]) -> None:
    assert compare(gold, answer) is None


def test_a_top_list_in_another_order_is_wrong() -> None:
    assert compare([("a",), ("b",)], [("b",), ("a",)], ordered=True) is None
    assert compare([("a",), ("b",)], [(1, "a"), (2, "b")], ordered=True) == "lenient"


def test_a_table_of_many_like_columns_is_compared_in_no_time() -> None:
    same = [tuple([1] * 40)] * 3
    assert compare(same, same) == "strict"


@pytest.mark.parametrize(
    ("gold", "answer", "said"),
    [
        ([("a",)], [], "0 rows where 1 is right"),
        ([("a",), ("b",)], [("a",)], "1 row where 2 are right"),
        ([("a", 1)], [("a",)], "1 column where 2 are asked for"),
        ([("a", 1)], [("a", 2)], "no column of the answer holds the values of gold column 2"),
        ([("a", 1), ("b", 2)], [("a", 2), ("b", 1)], "the values are right, but not side by side"),
    ],
)
def test_what_differs_is_said(gold: list[Any], answer: list[Any], said: str) -> None:
    assert difference(gold, answer).startswith(said)
