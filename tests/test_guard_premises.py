"""What an answer takes for granted is read from its statement, in words."""

from __future__ import annotations

import pytest

from tools.catalog import Dialect
from tools.guard_inspection import Inspector
from tools.guard_premises import Premise
from tools.sql_guard import Guard


@pytest.mark.parametrize(
    ("sql", "premises"),
    [
        pytest.param(
            "SELECT p.name, SUM(o.amount) AS revenue FROM o JOIN p ON p.id = o.p_id WHERE o.placed_at >= '2026-07-01' "
            "AND o.placed_at < '2026-10-01' AND o.status = 'paid' GROUP BY p.name ORDER BY revenue DESC LIMIT 5",
            [
                ("filter", "status is paid", "status"),
                ("period", "placed at: 1 July 2026 to 30 September 2026", "placed at"),
                ("measure", "revenue is the sum of amount", "revenue"),
                ("limit", "first 5", "5"),
            ],
            id="a period, a filter, a measure and a limit",
        ),
        pytest.param(
            "SELECT COUNT(*) FROM o WHERE d BETWEEN '2026-03-05' AND '2026-03-05'",
            [("period", "d: 5 March 2026", "d")],
            id="one day",
        ),
        pytest.param(
            "SELECT COUNT(*) FROM o WHERE d >= '2026-03-05 12:00:00'",
            [("period", "d: from 5 March 2026", "d")],
            id="an open end",
        ),
        pytest.param(
            "SELECT x FROM o WHERE EXISTS (SELECT 1 FROM q WHERE q.o = o.id AND q.kind IN ('a', 'b'))",
            [("filter", "kind is a or b", "kind")],
            id="within a subquery",
        ),
        pytest.param(
            "SELECT x FROM o WHERE a = 1 OR b > c * 2", [("filter", "a = 1 OR b > c * 2", "")], id="not plain: as SQL"
        ),
        pytest.param(
            "SELECT city, SUM(fare_eur) AS total_fare_eur FROM o WHERE distance_km > 5 GROUP BY city",
            [
                ("filter", "distance (km) is above 5", "distance km"),
                ("measure", "total fare (€) is the sum of fare (€)", "total fare eur"),
            ],
            id="units in brackets",
        ),
        pytest.param("SELECT COUNT(*) AS n FROM o", [], id="none"),
    ],
)
def test_what_an_answer_takes_for_granted(sql: str, premises: list[Premise]) -> None:
    assert Inspector("sqlite", None).inspect(sql)[2] == premises


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb", "postgres", "mysql"])
def test_what_is_known_is_not_called_missing(dialect: Dialect) -> None:
    premises = Inspector(dialect, None).inspect("SELECT x FROM o WHERE a IS NOT NULL AND b IS NULL")[2]
    assert [words for _, words, _ in premises] == ["a is known", "b is missing"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("a LIKE '%b%'", "a contains b"),
        ("a NOT LIKE '%b%'", "a does not contain b"),
        ("LOWER(a) LIKE LOWER('B%')", "a begins with B"),
        ("a NOT LIKE '%b'", "a does not end with b"),
        ("a LIKE 'b'", "a is b"),
        ("a LIKE 'b%c'", "a is like b%c"),
    ],
)
def test_a_pattern_is_told_as_what_it_asks_for(condition: str, words: str) -> None:
    assert Inspector("sqlite", None).inspect(f"SELECT x FROM o WHERE {condition}")[2] == [("filter", words, "a")]


def test_two_periods_side_by_side_are_told_as_days_and_other_alternatives_as_they_stand() -> None:
    october, september = ("d >= '2026-10-01' AND d < '2026-11-01'", "d >= '2026-09-01' AND d < '2026-10-01'")
    words = "d is 1 October 2026 to 31 October 2026 or 1 September 2026 to 30 September 2026"
    for condition, told in (
        (f"(({october}) OR ({september}))", ("filter", words, "d")),
        ("d >= '2026-10-01' OR e = 'x'", ("filter", "d >= '2026-10-01' OR e = 'x'", "")),
    ):
        assert Inspector("sqlite", None).inspect(f"SELECT x FROM o WHERE {condition}")[2] == [told]


async def test_the_guard_hands_the_premises_on() -> None:
    guard = Guard("sqlite", None)
    try:
        query = await guard.check("SELECT x FROM o WHERE a = 'b' LIMIT 3")
        assert query.premises == (("filter", "a is b", "a"), ("limit", "first 3", "3"))
    finally:
        await guard.aclose()


def test_a_premise_that_cannot_be_read_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(statement: object) -> list[Premise]:
        raise KeyError

    monkeypatch.setattr("tools.guard_inspection.read_premises", broken)
    assert Inspector("sqlite", None).inspect("SELECT 1")[2] == []
