"""Two periods set beside each other: told as the SQL compares them, whatever they are called."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.offline.analyst import Analyst
from agents.offline.narrator import OfflineNarrator
from agents.offline.writer import OfflineWriter
from agents.question import Draft, Question
from errors import QuestionDeclined
from tests.sqlite_files import write
from tools.catalog import Found
from tools.reflection import read_catalog
from tools.sql_runner import Rows

TODAY = date(2026, 11, 20)
SALES = """
CREATE TABLE shops (shop_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO shops VALUES (1, 'North'), (2, 'South');
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, shop_id INTEGER NOT NULL REFERENCES shops,
    ordered_on DATE NOT NULL, total REAL NOT NULL
);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1419)
INSERT INTO orders SELECT i + 1, i % 2 + 1, date('2023-01-01', i || ' days'),
    round(10 + (i * 37) % 101 + i * 0.1 * (i % 2), 2) FROM n;
"""
PERIODS = (
    "this year", "last year", "2024", "2023", "this quarter", "last quarter", "Q1 2025", "this month", "last month",
    "October 2025", "November 2025", "March", "the last 30 days", "yesterday", "2026-11-05", "3 months ago",
    "the second half of 2025", "before 2025", "since 2025", "this week",
)  # fmt: skip


BESIDE = {  # what is compared: the days of the newer period and of the older one, both ends included
    "year to date versus the same period last year": "2026-01-01/2026-11-20 2025-01-01/2025-11-20",
    "this year versus the same period last year": "2026-01-01/2026-11-20 2025-01-01/2025-11-20",
    "YTD vs last year YTD": "2026-01-01/2026-11-20 2025-01-01/2025-11-20",
    "YTD vs last year": "2026-01-01/2026-11-20 2025-01-01/2025-11-20",
    "this year to date vs last year to date": "2026-01-01/2026-11-20 2025-01-01/2025-11-20",
    "so far this year vs the same time in 2024": "2026-01-01/2026-11-20 2024-01-01/2024-11-20",
    "MTD compared with last month": "2026-11-01/2026-11-20 2026-10-01/2026-10-20",
    "this month vs the same period last month": "2026-11-01/2026-11-20 2026-10-01/2026-10-20",
    "last month compared to the same month last year": "2026-10-01/2026-10-31 2025-10-01/2025-10-31",
    "last month vs a year ago": "2026-10-01/2026-10-31 2025-10-01/2025-10-31",
    "the same quarter last year vs last quarter": "2026-07-01/2026-09-30 2025-07-01/2025-09-30",
    "yesterday vs the same day last week": "2026-11-19/2026-11-19 2026-11-12/2026-11-12",
    "this week vs the same week last year": "2026-11-16/2026-11-22 2025-11-17/2025-11-23",
    "in 2024 compared to the previous year": "2024-01-01/2024-12-31 2023-01-01/2023-12-31",
    "in March 2025 compared with the month before": "2025-03-01/2025-03-31 2025-02-01/2025-02-28",
    "in the last 30 days vs the previous 30 days": "2026-10-21/2026-11-20 2026-09-20/2026-10-20",
    "last quarter vs the previous period": "2026-07-01/2026-09-30 2026-04-01/2026-06-30",
    "last month, year over year": "2026-10-01/2026-10-31 2025-10-01/2025-10-31",
    "this month yoy": "2026-11-01/2026-11-20 2025-11-01/2025-11-20",
}
LEAP = {
    "YTD vs last year YTD": "2028-01-01/2028-02-29 2027-01-01/2027-02-28",
    "MTD vs the same period last month": "2028-02-01/2028-02-29 2028-01-01/2028-01-31",
    "today vs the same day last year": "2028-02-29/2028-02-29 2027-02-28/2027-02-28",
    "this month vs the same month last year": "2028-02-01/2028-02-29 2027-02-01/2027-02-28",
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("comparing") / "sales.sqlite", SALES)


@pytest.fixture(scope="module")
def analyst(path: Path) -> Analyst:
    return Analyst(read_catalog(f"sqlite:///{path}"))


async def draft(analyst: Analyst, text: str, today: date = TODAY) -> Draft:
    return await OfflineWriter(analyst).write(Question(text, today), Found(()), None)


def rows(path: Path, sql: str) -> Rows:
    with closing(sqlite3.connect(path)) as database:
        found = database.execute(sql)
        return Rows(tuple(c[0] for c in found.description), tuple(found.fetchall()), False, 0.0)


async def told(question: str, answer: Draft, found: Rows) -> str:
    pieces: list[str] = []

    async def say(piece: str) -> None:
        pieces.append(piece)

    await OfflineNarrator().narrate(Question(question, TODAY), answer, found, say)
    return "".join(pieces)


def direction(text: str) -> int:
    return ("a rise of" in text) - ("a fall of" in text)


@pytest.mark.parametrize("one", PERIODS)
async def test_a_rise_is_told_as_the_change_that_the_sql_computes(analyst: Analyst, path: Path, one: str) -> None:
    for other in (p for p in PERIODS if p != one):
        question = f"revenue {one} compared with {other}"
        answer = await draft(analyst, question)
        found = rows(path, answer.sql)
        change = found.values[0][-1]
        assert direction(await told(question, answer, found)) == (change > 0) - (change < 0), question


@given(st.permutations(("this_year", "in_2024")), st.integers(1, 999), st.integers(1, 999))
async def test_a_comparison_is_told_the_same_in_whatever_order_its_columns_stand(
    columns: list[str], newer: int, older: int
) -> None:
    amounts = {"this_year": newer, "in_2024": older}
    found = Rows((*columns,), (tuple(amounts[c] for c in columns),), False, 0.0)
    text = await told("this year against 2024", Draft("SELECT 1, 2", ""), found)
    assert direction(text) == (newer > older) - (newer < older)
    assert text.startswith(f"This year: {newer}")


async def test_periods_without_days_are_told_apart_by_the_change_beside_them() -> None:
    found = Rows(("campaign_a", "campaign_b", "change_percent"), ((50, 100, 100.0),), False, 0.0)
    assert "a rise of 50" in await told("campaign b against a", Draft("SELECT 1, 2, 3", ""), found)


async def test_the_largest_rise_of_a_group_is_from_the_older_period_to_the_newer(analyst: Analyst, path: Path) -> None:
    question = "revenue by shop this year compared with 2024"
    answer = await draft(analyst, question)
    found = rows(path, answer.sql)
    text = await told(question, answer, found)
    assert text.startswith("This year against 2024")
    moves = {name: (newer - older, older, newer) for name, newer, older, _ in found.values}
    name, (move, older, newer) = max(moves.items(), key=lambda each: each[1])
    assert move > 0
    assert f"The largest rise is {name}: from {older:,.2f} to {newer:,.2f}" in text


def days(analyst: Analyst, question: str, today: date) -> str:
    compared = analyst.understand(question, today).plan.compare
    assert compared is not None
    ends = [(p.start, p.end - timedelta(days=1)) for p in compared if p.start is not None and p.end is not None]
    return " ".join(f"{start}/{end}" for start, end in ends)


@pytest.mark.parametrize("periods", BESIDE)
def test_a_period_is_set_beside_the_one_that_it_tells(analyst: Analyst, periods: str) -> None:
    assert days(analyst, f"revenue {periods}", TODAY) == BESIDE[periods]


@pytest.mark.parametrize("periods", LEAP)
def test_the_same_days_of_another_year_are_those_that_it_has(analyst: Analyst, periods: str) -> None:
    assert days(analyst, f"revenue {periods}", date(2028, 2, 29)) == LEAP[periods]


async def test_the_days_that_are_compared_are_said(analyst: Analyst) -> None:
    assumed = (await draft(analyst, "revenue this year vs the same period last year")).assumptions
    assert "This year to date means 1 January to 20 November 2026." in assumed
    assert "The same period last year means 1 January to 20 November 2025." in assumed


@pytest.mark.parametrize(
    "question",
    (
        "revenue the same period last year",
        "revenue since 2024 vs the same period last year",
        "revenue this year vs the same month last year",
        "revenue this year to date vs a month earlier",
        "revenue this year versus 2026",
    ),
)
async def test_days_that_nothing_tells_are_not_guessed(analyst: Analyst, question: str) -> None:
    with pytest.raises(QuestionDeclined):
        await draft(analyst, question)


async def test_the_months_of_two_years_stand_side_by_side(analyst: Analyst, path: Path) -> None:
    question = "revenue 2025 compared to 2024 by month"
    answer = await draft(analyst, question)
    found = rows(path, answer.sql)
    assert sorted(row[0] for row in found.values) == [f"{month:02}" for month in range(1, 13)]
    assert all(newer and older for _, newer, older, _ in found.values)
    assert "12 months of the year" in await told(question, answer, found)
    with pytest.raises(QuestionDeclined):
        await draft(analyst, "revenue this month compared to last month by day")


async def test_the_last_days_are_a_period_and_no_ranking(analyst: Analyst, path: Path) -> None:
    (row,) = rows(path, (await draft(analyst, "revenue last 30 days")).sql).values
    expected = "SELECT SUM(total) FROM orders WHERE ordered_on BETWEEN '2026-10-21' AND '2026-11-20'"
    assert row == rows(path, expected).values[0]
