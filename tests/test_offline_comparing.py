"""Two periods set beside each other: told as the SQL compares them, whatever they are called."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.offline.analyst import Analyst
from agents.offline.narrator import OfflineNarrator
from agents.offline.writer import OfflineWriter
from agents.question import Draft, Question
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
