"""An empty answer is explained: which filter empties it, and what the data holds instead."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import pytest

from agents.nothing_found import ask_instead, say_why
from agents.question import Draft, Question
from tools.reflection import read_catalog
from tools.sql_guard import Guard
from tools.sql_runner import Rows, open_runner
from tools.zero_rows import Emptying, Instead, ZeroRows, found_nothing, nearest

SCHEMA = """
CREATE TABLE station (id INTEGER PRIMARY KEY, name VARCHAR(40), city VARCHAR(40));
CREATE TABLE trip (id INTEGER PRIMARY KEY, station_id INTEGER REFERENCES station (id), started DATE, minutes INTEGER);
INSERT INTO station VALUES (1, 'North Gate', 'Zürich'), (2, 'South Gate', 'Bern'), (3, 'Harbour', 'Bern');
INSERT INTO trip VALUES (1, 1, '2025-03-01', 12), (2, 1, '2025-04-02', 40), (3, 2, '2025-05-03', 7);
"""


@pytest.fixture(params=["sqlite", "duckdb"])
async def zero_rows(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ZeroRows]:
    file = tmp_path / f"trips.{request.param}"
    if request.param == "sqlite":
        with closing(sqlite3.connect(file)) as database:
            database.executescript(SCHEMA)
    else:
        with duckdb.connect(str(file)) as database:
            database.execute(SCHEMA)
    url = f"{request.param}:///{file}"
    catalog = read_catalog(url)
    guard, runner = Guard(catalog.dialect, catalog), open_runner(url)
    yield ZeroRows(guard, runner, catalog)
    await guard.aclose()
    await runner.aclose()


BOUNDS = "In the data, started goes from 1 March 2025 to 3 May 2025."


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        pytest.param(
            "SELECT name FROM station WHERE city = 'Berm'",
            "Without the filter “city is Berm” there would be 3 rows. The data does hold “Bern” (2 rows).",
            id="a value that is spelled otherwise",
        ),
        pytest.param(
            "SELECT COUNT(*) FROM station WHERE city = 'Oslo'",
            "Without the filter “city is Oslo” there would be 3 rows. The data holds Bern and Zürich as city.",
            id="a count of nothing, and a value that is not there",
        ),
        pytest.param(
            "SELECT s.city, SUM(t.minutes) FROM trip t JOIN station s ON s.id = t.station_id "
            "WHERE s.city = 'Zürich' AND t.started >= '2026-01-01' GROUP BY s.city",
            f"{BOUNDS} Without the filter “started is not before 1 January 2026” there would be 1 row.",
            id="a date beyond the data, beside a filter that holds",
        ),
        pytest.param(
            "SELECT name FROM station WHERE id IN (SELECT station_id FROM trip WHERE minutes > 500)",
            "In the data, minutes goes from 7 to 40. Without the filter “minutes is above 500” there would be 2 rows.",
            id="within a subquery",
        ),
        pytest.param(
            "WITH bern AS (SELECT * FROM station WHERE city = 'Bern') "
            "SELECT b.name FROM bern b JOIN trip t ON t.station_id = b.id AND t.minutes > 30",
            "In the data, minutes goes from 7 to 40. Without the filter “minutes is above 30” there would be 1 row.",
            id="in a join, below a common table expression",
        ),
        pytest.param(
            "SELECT station_id, COUNT(*) FROM trip GROUP BY station_id HAVING COUNT(*) > 9",
            "Without the filter “count is above 9” there would be 2 rows.",
            id="of groups",
        ),
        pytest.param(
            "SELECT name FROM station WHERE (city = 'Oslo' AND name = 'Dock')",
            "The filters “city is Oslo” and “name is Dock” leave nothing together: without both there would be 3 rows.",
            id="two that only go together",
        ),
        pytest.param(
            "SELECT name FROM station s WHERE NOT EXISTS (SELECT 1 FROM station o WHERE o.city = s.city)",
            "",
            id="none that can be said in plain words",
        ),
        pytest.param(
            "SELECT name FROM station WHERE name NOT LIKE '%a%'",
            "Without the filter “name does not contain a” there would be 3 rows.",
            id="what must not be held",
        ),
        pytest.param("SELECT name FROM station LIMIT 0", "", id="no filter"),
    ],
)
async def test_the_filter_that_empties_the_answer_is_named(zero_rows: ZeroRows, sql: str, said: str) -> None:
    emptying = await zero_rows.explain(sql)
    assert say_why(emptying[:1]).strip() == said


async def test_the_value_that_is_offered_is_one_that_gives_rows(zero_rows: ZeroRows) -> None:
    emptying = await zero_rows.explain("SELECT name FROM station WHERE LOWER(city) = 'berm' AND name LIKE 'S%'")
    (instead,) = emptying[0].instead
    assert (instead.wanted, instead.value, instead.rows) == ("berm", "Bern", 1)
    assert "LOWER(city) = 'bern'" in instead.sql


@pytest.mark.parametrize("sql", ["SELECT FROM WHERE", "SELECT 1; SELECT 2", "SELECT a FROM nowhere WHERE a = 'b'", ""])
async def test_what_cannot_be_looked_into_is_not_explained(zero_rows: ZeroRows, sql: str) -> None:
    assert await zero_rows.explain(sql) == ()


@pytest.mark.parametrize(
    ("values", "is_nothing"), [((), True), (((0,),), True), (((None,),), True), (((1,),), False), (((0,), (0,)), False)]
)
def test_no_row_and_a_row_of_nothing_are_nothing(values: tuple[tuple[int | None, ...], ...], is_nothing: bool) -> None:
    assert found_nothing(Rows(("n",), values, False, 0.0)) is is_nothing


def test_the_nearest_values_are_those_that_read_alike() -> None:
    assert nearest("zurich", ["Bern", "Zürich", "Basel"]) == ["Zürich"]
    assert nearest("new york", ["York", "New York City", "Newark"])[0] == "New York City"
    assert nearest("klarna", ["card", "cash"]) == []


def test_the_question_is_offered_again_with_the_value_that_is_there() -> None:
    question = Question("How many stations are in BERM?", date(2026, 11, 20))
    emptying = [Emptying(("city is Berm",), 3, (Instead("Berm", "Bern", 2, "SELECT 1"),), "city")]
    asked = ask_instead(question, Draft("SELECT 0", "How many stations are in BERM?"), emptying)
    assert [(followup.question, followup.sql) for followup in asked] == [("How many stations are in Bern?", "SELECT 1")]
    assert ask_instead(Question("And there?", date(2026, 11, 20)), Draft("SELECT 0", "And there?"), emptying) == []
