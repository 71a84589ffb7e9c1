"""The first few of each group are ranked within it: their rows are those of SQL written by hand, and told as such."""

# ruff: noqa: E501 (SQL reads better on one line)

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agents.ask import Asker
from agents.events import ChartDrawn, Event, TextChunk
from agents.offline.analyst import Analyst
from agents.offline.meaning.resolving import NotUnderstood
from agents.question import Question
from bootstrap import open_asker
from jobs.evaluation.rows import compare
from tests.asked import ask, offline_settings
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)
SCHEMA = """
CREATE TABLE regions (region_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE kiosks (
    kiosk_id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL,
    region_id INTEGER NOT NULL REFERENCES regions (region_id)
);
CREATE TABLE clerks (
    clerk_id INTEGER PRIMARY KEY, name TEXT NOT NULL, salary REAL, hired_on DATE NOT NULL,
    kiosk_id INTEGER NOT NULL REFERENCES kiosks (kiosk_id)
);
CREATE TABLE genres (genre_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE comics (
    comic_id INTEGER PRIMARY KEY, title TEXT NOT NULL, price REAL NOT NULL, signed BOOLEAN NOT NULL,
    genre_id INTEGER NOT NULL REFERENCES genres (genre_id)
);
CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, joined_on DATE NOT NULL);
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    kiosk_id INTEGER NOT NULL REFERENCES kiosks (kiosk_id), ordered_on DATE NOT NULL, total REAL NOT NULL
);
CREATE TABLE order_lines (
    line_id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (order_id),
    comic_id INTEGER NOT NULL REFERENCES comics (comic_id), quantity INTEGER NOT NULL, amount REAL NOT NULL
);
INSERT INTO regions VALUES (1, 'North'), (2, 'South');
INSERT INTO kiosks VALUES (1, 'Harbour', 'Oslo', 1), (2, 'Station', 'Oslo', 1), (3, 'Market', 'Rome', 2);
INSERT INTO clerks VALUES (1, 'Ada', 3000, '2020-01-01', 1), (2, 'Bo', 3500, '2021-05-01', 1), (3, 'Cy', 3500, '2022-06-01', 1),
    (4, 'Di', 2800, '2019-03-01', 2), (5, 'Ed', NULL, '2018-01-01', 2), (6, 'Flo', 4000, '2023-01-01', 3);
INSERT INTO genres VALUES (1, 'Manga'), (2, 'Noir'), (3, 'Sport');
INSERT INTO comics VALUES (1, 'Wave', 9, 0, 1), (2, 'Ronin', 12, 1, 1), (3, 'Alley', 7, 0, 2), (4, 'Fog', 7, 1, 2),
    (5, 'Pier', 15, 0, 2), (6, 'Kick', 6, 0, 3);
INSERT INTO customers VALUES (1, 'Ann', 'Oslo', '2024-02-01'), (2, 'Ben', 'Oslo', '2024-03-01'), (3, 'Cat', 'Rome', '2025-01-01'),
    (4, 'Ann', 'Rome', '2025-02-01'), (5, 'Dov', NULL, '2025-03-01');
"""
#        customer, kiosk, day,       lines of (comic, quantity)
ORDERS = (
    (1, 1, "2024-11-02", ((1, 3), (3, 1))),
    (2, 1, "2024-12-05", ((2, 2),)),
    (1, 2, "2025-01-15", ((5, 1), (4, 2))),
    (3, 3, "2025-03-20", ((6, 4),)),
    (4, 3, "2025-03-28", ((1, 1), (2, 1))),
    (2, 2, "2025-07-07", ((4, 5),)),
    (5, 1, "2026-02-11", ((5, 3),)),
    (3, 3, "2026-02-12", ((6, 2), (3, 2))),
    (1, 1, "2026-08-30", ((2, 1),)),
    (4, 2, "2026-09-09", ((1, 2), (6, 1))),
    (1, 3, "2026-10-01", ((3, 6),)),
)
_SALES = "FROM order_lines l JOIN orders o USING (order_id) JOIN comics c USING (comic_id) JOIN genres g USING (genre_id) JOIN kiosks k USING (kiosk_id) JOIN customers p USING (customer_id)"


def _first(of: str, what: str, number: str, rows: str, key: str, most: int = 1) -> str:
    """Return hand-written SQL: what comes first in each group, by a count of those before it, without a window."""
    return (
        f"WITH t AS (SELECT {of} AS own, {key} AS id, {what} AS what, {number} AS n {rows} GROUP BY 1, 2, 3) "
        f"SELECT own, what, n FROM t WHERE (SELECT COUNT(*) FROM t b WHERE b.own = t.own AND b.n > t.n) < {most}"
    )


QUESTIONS = {
    "top 2 comics in each genre by revenue": _first("g.name", "title", "SUM(amount)", _SALES, "comic_id", 2),
    "top 2 comics by revenue per genre": _first("g.name", "title", "SUM(amount)", _SALES, "comic_id", 2),
    "the best-selling comic of each kiosk": _first("k.name", "title", "SUM(quantity)", _SALES, "comic_id"),
    "each kiosk's best-selling comic": _first("k.name", "title", "SUM(quantity)", _SALES, "comic_id"),
    "which comic did each kiosk sell the most": _first("k.name", "title", "SUM(quantity)", _SALES, "comic_id"),
    "which comic sold the most in each kiosk in 2026": _first("k.name", "title", "SUM(quantity)", f"{_SALES} WHERE ordered_on LIKE '2026%'", "comic_id"),
    "for every genre, the customer who spent the most": _first("g.name", "p.name", "SUM(amount)", _SALES, "customer_id"),
    "in each kiosk, which customer placed the most orders": _first("k.name", "p.name", "COUNT(*)", "FROM orders JOIN kiosks k USING (kiosk_id) JOIN customers p USING (customer_id)", "customer_id"),
    "the two highest paid clerks per kiosk": "SELECT 'Harbour', 'Bo', 3500 UNION SELECT 'Harbour', 'Cy', 3500 UNION SELECT 'Station', 'Di', 2800 UNION SELECT 'Market', 'Flo', 4000",
    "the clerk in each kiosk with the highest salary": "SELECT 'Harbour', 'Bo', 3500 UNION SELECT 'Harbour', 'Cy', 3500 UNION SELECT 'Station', 'Di', 2800 UNION SELECT 'Market', 'Flo', 4000",
    "the newest clerk in each region": "SELECT 'North', 'Cy', '2022-06-01' UNION SELECT 'South', 'Flo', '2023-01-01'",
    "most recent order of each customer": "SELECT p.name, o.* FROM orders o JOIN customers p USING (customer_id) WHERE ordered_on = (SELECT MAX(ordered_on) FROM orders WHERE customer_id = o.customer_id)",
    "cheapest comic in every genre": "SELECT g.name, title, price FROM comics c JOIN genres g USING (genre_id) WHERE price = (SELECT MIN(price) FROM comics WHERE genre_id = c.genre_id)",
    "cheapest signed comic in each genre": "SELECT 'Manga', 'Ronin', 12 UNION SELECT 'Noir', 'Fog', 7",
    "best month of each year by revenue": _first("strftime('%Y', ordered_on)", "strftime('%Y-%m', ordered_on)", "SUM(total)", "FROM orders", "1"),
    "top kiosk per year by number of orders": _first("strftime('%Y', ordered_on)", "k.name", "COUNT(*)", "FROM orders JOIN kiosks k USING (kiosk_id)", "kiosk_id"),
    "which customer spent the most in each city": _first("p.city", "p.name", "SUM(total)", "FROM orders JOIN customers p USING (customer_id) WHERE p.city IS NOT NULL", "customer_id"),
    "the kiosk with the most clerks in each region": _first("r.name", "k.name", "COUNT(*)", "FROM clerks JOIN kiosks k USING (kiosk_id) JOIN regions r USING (region_id)", "kiosk_id"),
    "largest order in each month of 2025": "SELECT strftime('%Y-%m', ordered_on), o.* FROM orders o WHERE ordered_on LIKE '2025%' AND total = (SELECT MAX(total) FROM orders WHERE strftime('%Y-%m', ordered_on) = strftime('%Y-%m', o.ordered_on))",
    "cheapest comic by genre": "SELECT g.name, title, price FROM comics c JOIN genres g USING (genre_id) WHERE price = (SELECT MIN(price) FROM comics WHERE genre_id = c.genre_id)",
    "best month by kiosk": _first("k.name", "strftime('%Y-%m', ordered_on)", "SUM(total)", "FROM orders JOIN kiosks k USING (kiosk_id)", "1"),
    "top 3 kiosks by order": "SELECT k.name, COUNT(*) FROM orders JOIN kiosks k USING (kiosk_id) GROUP BY 1",
    "top 2 kiosks this year by revenue": "SELECT k.name, SUM(total) FROM orders JOIN kiosks k USING (kiosk_id) WHERE ordered_on LIKE '2026%' GROUP BY 1 ORDER BY 2 DESC LIMIT 2",
    "top 2 signed comics": "SELECT title, SUM(amount) FROM order_lines JOIN comics USING (comic_id) WHERE signed GROUP BY 1",
    "lowest price per genre": "SELECT g.name, MIN(price) FROM comics JOIN genres g USING (genre_id) GROUP BY 1",
}  # fmt: skip

DECLINED = {
    "best-selling comic in each city": "city",
    "top 3 kiosks by revenue per customer": "per customer",
    "in each kiosk in Oslo, which comic sold the most": "in",
    "top 2 comics in each genre and kiosk": "and",
    "cheapest comic in each kiosk": "one kiosk each",
    "top 3 comics in each genre that are signed": "that",
    "the most comics in each planet": "planet",
    "the customer with the most orders in each city of kiosks": "of",
    "cheapest comic by kiosk": "one kiosk each",
    "what is the total revenue of the top 3 comics in each genre": "compute nothing",
    "for each kiosk, the number of orders and the best-selling comic": "compute nothing",
    "comics with the highest price in each genre by customer": "by customer",
    "top 10% of comics in each genre": "10%",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("each") / "kiosks.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(SCHEMA)
        prices = dict(connection.execute("SELECT comic_id, price FROM comics"))
        for order, (customer, kiosk, day, lines) in enumerate(ORDERS, start=1):
            total = sum(prices[comic] * many for comic, many in lines)
            connection.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", (order, customer, kiosk, day, total))
            for comic, many in lines:
                line = (order, comic, many, prices[comic] * many)
                connection.execute(
                    "INSERT INTO order_lines (order_id, comic_id, quantity, amount) VALUES (?, ?, ?, ?)", line
                )
    return file


@pytest.fixture(scope="module")
def analyst(file: Path) -> Iterator[Analyst]:
    yield Analyst(read_catalog(f"sqlite:///{file}"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asker(file: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asker]:
    home = tmp_path_factory.mktemp("home")
    async with open_asker(offline_settings(home, today=TODAY, database_url=f"sqlite:///{file}")) as asker:
        yield asker


def _rows(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_rows_are_those_of_sql_written_by_hand(analyst: Analyst, file: Path, question: str) -> None:
    found = _rows(file, analyst.understand(question, TODAY).sql)
    expected = _rows(file, QUESTIONS[question])
    assert expected and compare(expected, found), f"answered {found}, expected {expected}"
    assert len(found) == len(expected)


@pytest.mark.parametrize("question", DECLINED)
def test_what_may_mean_something_else_is_declined_by_name(analyst: Analyst, question: str) -> None:
    with pytest.raises(NotUnderstood) as declined:
        analyst.understand(question, TODAY)
    assert DECLINED[question] in str(declined.value)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_first_of_each_are_told_and_not_the_groups(asker: Asker) -> None:
    said = await _said(asker, "the best-selling comic of each kiosk")
    assert "For each of the 3 kiosks, this is the one with the highest total quantity." in said
    assert "Station: Fog (7)" in said and "Harbour has the highest" not in said


@pytest.mark.asyncio(loop_scope="module")
async def test_who_comes_equal_is_told(asker: Asker) -> None:
    assert "Noir: Alley (7) and Fog (7)" in await _said(asker, "cheapest comic in each genre")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_last_step_of_how_it_was_worked_out_is_the_answer(asker: Asker) -> None:
    answer = await ask(asker, "top 2 comics in each genre by revenue", TODAY)
    assert answer.draft is not None and answer.rows is not None
    steps = await asker.steps(answer.draft.sql)
    assert steps[-1].rows is not None and steps[-1].rows.values == answer.rows.values
    assert any("the rank within each genre, by" in step.words for step in steps)


@pytest.mark.asyncio(loop_scope="module")
async def test_no_chart_is_drawn_of_rows_about_two_things(asker: Asker) -> None:
    assert not [e async for e in _events(asker, "the best-selling comic of each kiosk") if isinstance(e, ChartDrawn)]


CHANGES = {
    ("top 2 comics in each genre by revenue", "and the top 1?"): QUESTIONS["top 2 comics in each genre by revenue"].replace("< 2", "< 1"),
    ("top 2 comics by revenue", "in each genre"): QUESTIONS["top 2 comics in each genre by revenue"],
    ("top 2 comics in each kiosk by revenue", "and in each genre?"): QUESTIONS["top 2 comics in each genre by revenue"],
    ("the best-selling comic of each kiosk", "only in 2026"): QUESTIONS["which comic sold the most in each kiosk in 2026"],
    ("cheapest comic in every genre", "only signed ones"): QUESTIONS["cheapest signed comic in each genre"],
    ("the cheapest comic", "top 2"): "SELECT title, price FROM comics ORDER BY price LIMIT 2",
}  # fmt: skip


@pytest.mark.parametrize(("question", "words"), CHANGES)
def test_a_few_words_change_what_is_ranked(analyst: Analyst, file: Path, question: str, words: str) -> None:
    before = analyst.understand(question, TODAY)
    found = _rows(file, analyst.understand(words, TODAY, before=before.reading).sql)
    assert compare(_rows(file, CHANGES[question, words]), found), found


async def _events(asker: Asker, question: str) -> AsyncIterator[Event]:
    async with aclosing(asker.ask(Question(question, TODAY))) as events:
        async for event in events:
            yield event


async def _said(asker: Asker, question: str) -> str:
    return "".join([e.text async for e in _events(asker, question) if isinstance(e, TextChunk)])
