"""A query is shown step by step: each step in words with its rows and their number, the last one as the answer."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import psycopg
import pymysql
import pytest

from data import ensure_sample
from errors import QueryTimedOut, SQLFailed, SQLRefused
from jobs.evaluation.cases import read_cases
from tests.asked import QUESTIONS
from tests.breakdown_queries import QUERIES
from tests.servers import PASSWORD
from tools.breakdown import ROWS, Breakdown, Step
from tools.breakdown_split import MOST, split
from tools.catalog import Catalog
from tools.reflection import read_catalog
from tools.sql_guard import Guard, SafeQuery
from tools.sql_runner import Rows, SQLRunner, open_runner

TODAY = date(2026, 11, 20)
SCHEMA = """
CREATE TABLE branches (branch_id INTEGER PRIMARY KEY, city VARCHAR(40));
CREATE TABLE books (
    book_id INTEGER PRIMARY KEY, title VARCHAR(40), pages INTEGER, branch_id INTEGER REFERENCES branches (branch_id)
);
CREATE TABLE loans (
    loan_id INTEGER PRIMARY KEY, book_id INTEGER REFERENCES books (book_id), lent_on DATE, days INTEGER
);
INSERT INTO branches VALUES (1, 'Bern'), (2, 'Basel'), (3, 'Chur');
INSERT INTO books VALUES (1, 'Ice', 120, 1), (2, 'Snow', 300, 1), (3, 'Rain', 80, 2), (4, 'Fog', 210, 2),
    (5, 'Hail', NULL, NULL);
INSERT INTO loans VALUES (1, 1, '2025-01-05', 10), (2, 1, '2025-02-05', 4), (3, 2, '2025-02-09', 30),
    (4, 3, '2025-03-01', 7), (5, 3, '2025-03-20', 9), (6, 3, '2025-04-02', 2), (7, 4, '2025-04-04', 21);
"""


class Library:
    """A small database, and what breaks its queries down."""

    def __init__(self, url: str) -> None:
        self.catalog: Catalog = read_catalog(url)
        self.guard = Guard(self.catalog.dialect, self.catalog)
        self.runner: SQLRunner = open_runner(url)
        self.breakdown = Breakdown(self.guard, self.runner, self.catalog)

    async def rows(self, sql: str) -> Rows:
        return await self.runner.run(await self.guard.check(sql))

    async def aclose(self) -> None:
        await self.guard.aclose()
        await self.runner.aclose()


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mysql"])
async def library(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Library]:
    library = Library(_made(request, tmp_path))
    yield library
    await library.aclose()


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Library]:
    """The library in SQLite alone."""
    library = Library(_sqlite(tmp_path))
    yield library
    await library.aclose()


def _made(request: pytest.FixtureRequest, folder: Path) -> str:
    match request.param:
        case "postgres":
            url = str(request.getfixturevalue("postgres_url"))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("DROP TABLE IF EXISTS loans, books, branches CASCADE")
                connection.execute(SCHEMA.encode())
            return url
        case "mysql":
            url = str(request.getfixturevalue("mariadb_url"))
            port = urlsplit(url).port or 0
            with pymysql.connect(
                host="127.0.0.1", port=port, user="owner", password=PASSWORD, database="shop"
            ) as owner:
                for statement in ("DROP TABLE IF EXISTS loans, books, branches", *SCHEMA.strip().split(";\n")):
                    owner.cursor().execute(statement.removesuffix(";"))
                owner.commit()
            return url
        case "duckdb":
            with duckdb.connect(str(folder / "library.duckdb")) as database:
                database.execute(SCHEMA)
            return f"duckdb:///{folder}/library.duckdb"
    return _sqlite(folder)


def _sqlite(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "library.sqlite")) as database:
        database.executescript(SCHEMA)
    return f"sqlite:///{folder}/library.sqlite"


def told(steps: tuple[Step, ...]) -> list[str]:
    """Return each step's sentence and counts: "Keep the first row. 2 → 1"."""
    return [f"{step.words} {'' if step.before is None else f'{step.before} → '}{step.count}" for step in steps]


@pytest.mark.parametrize(("sql", "steps"), QUERIES)
async def test_each_step_is_told_and_counted_and_the_last_is_the_answer(
    library: Library, sql: str, steps: list[str]
) -> None:
    found = await library.breakdown.steps(sql)
    assert told(found) == steps
    assert [step.trouble for step in found] == [""] * len(found)
    answer, last = await library.rows(sql), found[-1].rows
    assert last is not None
    assert (last.columns, last.values) == (answer.columns, answer.values)


SAMPLE_QUERIES = [
    pytest.param(case.gold[0].replace(":today", f"'{TODAY}'"), id=case.id)
    for case in read_cases([QUESTIONS / "sample.jsonl"])
    if case.gold
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("sample") / "sample.sqlite"
    ensure_sample(file, TODAY)
    return f"sqlite:///{file}"


@pytest.fixture(scope="module")
def company(sample: str) -> Catalog:
    return read_catalog(sample)


@pytest.mark.parametrize("sql", SAMPLE_QUERIES)
def test_the_steps_of_any_query_say_what_their_sql_gives(sample: str, company: Catalog, sql: str) -> None:
    steps = split(sql, company)
    assert len(steps) > 1
    with closing(sqlite3.connect(sample.removeprefix("sqlite:///"))) as database:
        counts = [len(database.execute(step.sql).fetchall()) for step in steps]
        for step, count in zip(steps, counts, strict=True):
            if step.counting is None:
                assert count == counts[step.takes[0]], step.words
            else:
                assert database.execute(step.counting).fetchone() == (count,), step.words
    assert steps[-1].sql == sql


async def test_only_the_first_rows_of_a_step_are_fetched_and_all_are_counted(sample: str) -> None:
    company = Library(sample)
    try:
        steps = await company.breakdown.steps("SELECT channel, COUNT(*) AS orders FROM orders GROUP BY channel")
    finally:
        await company.aclose()
    first = steps[0]
    assert first.rows is not None
    assert (len(first.rows.values), first.rows.truncated) == (ROWS, True)
    assert first.count is not None
    assert first.count > 10_000


@pytest.mark.parametrize("library", ["postgres"], indirect=True)
async def test_a_query_that_is_written_anew_is_split_only_where_its_rows_stay_the_same(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounded = "SELECT branch_id, ROUND(AVG(pages), 1) AS pages FROM books GROUP BY branch_id ORDER BY branch_id"
    steps = await library.breakdown.steps(rounded)
    assert [step.words for step in steps[1:]] == [
        "Make one row for each branch ID, and work out pages (the average pages).",
        "Sort by branch ID, lowest first.",
    ]
    planned = split(rounded, library.catalog)
    other = replace(planned[-1], rewritten=rounded.replace("AVG", "MAX"))
    monkeypatch.setattr("tools.breakdown.split", lambda *_: (*planned[:-1], other))
    (whole,) = await library.breakdown.steps(rounded)
    assert (whole.words, whole.sql, whole.count) == ("Run the query in one go.", rounded, 3)


async def test_sorted_rows_show_what_they_are_sorted_by(shelf: Library) -> None:
    steps = await shelf.breakdown.steps("SELECT title FROM books ORDER BY pages DESC LIMIT 1")
    assert steps[1].rows is not None
    assert steps[1].rows.columns == ("title", "pages")
    assert steps[2].rows is not None
    assert steps[2].rows.columns == ("title",)


async def test_a_value_that_joins_two_tables_is_shown_once(shelf: Library) -> None:
    joined = "FROM books AS b JOIN loans AS l ON l.book_id = b.book_id"
    steps = await shelf.breakdown.steps(f"SELECT b.title, l.book_id, b.book_id {joined}")
    assert steps[1].rows is not None
    assert steps[1].rows.columns == ("title", "book_id")


async def test_what_the_guard_refuses_is_not_broken_down(shelf: Library) -> None:
    with pytest.raises(SQLRefused):
        await shelf.breakdown.steps("DELETE FROM books")


async def test_a_query_of_very_many_parts_is_told_part_by_part(shelf: Library) -> None:
    lists = " UNION ALL ".join(f"SELECT title FROM books WHERE pages > {n}" for n in range(10))
    steps = await shelf.breakdown.steps(lists)
    assert len(steps) <= MOST
    assert told(steps)[:1] == ["Work out “list 1” in one go. 4"]
    assert steps[-1].count == 40


FOREVER = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
    "SELECT COUNT(*) FROM n AS a JOIN n AS b ON a.i < b.i"
)


async def test_a_step_that_takes_too_long_says_so_and_the_others_stand(shelf: Library) -> None:
    steps = await Breakdown(shelf.guard, _Hurried(shelf.runner), shelf.catalog).steps(FOREVER)
    assert steps[0].count == 100_000
    assert steps[-1].rows is None
    assert steps[-1].trouble == "It was not run. This step takes too long by itself."


class _Hurried:
    """Gives a statement little time."""

    def __init__(self, runner: SQLRunner) -> None:
        self._runner = runner

    async def run(
        self, query: SafeQuery, *, limit: int | None = None, timeout: float | None = None, trial: bool = False
    ) -> Rows:
        return await self._runner.run(query, limit=limit, timeout=0.5, trial=trial)


class _Without:
    """Refuses, or fails, where a statement has a text."""

    def __init__(self, text: str, error: Exception) -> None:
        self._text = text
        self._error = error

    def look(self, sql: str) -> None:
        if self._text in sql:
            raise self._error


class _Guard:
    def __init__(self, guard: Guard, without: _Without) -> None:
        self._guard = guard
        self._without = without

    async def check(self, sql: str) -> SafeQuery:
        self._without.look(sql)
        return await self._guard.check(sql)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (SQLRefused("It reads too much."), "It was not counted. It reads too much."),
        (SQLFailed("There is no such thing."), "It was not counted. There is no such thing."),
        (QueryTimedOut("Too long."), "It was not counted. This step takes too long by itself."),
    ],
)
async def test_why_a_step_was_not_counted_is_told(shelf: Library, error: Exception, trouble: str) -> None:
    many = " UNION ALL ".join(["SELECT book_id FROM loans"] * 3)
    guard = _Guard(shelf.guard, _Without("COUNT(*)", error))
    steps = await Breakdown(guard, shelf.runner, shelf.catalog).steps(many)
    assert (steps[-1].count, steps[-1].trouble) == (None, trouble)
    assert steps[-1].rows is not None
