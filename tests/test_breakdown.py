"""A query is shown step by step: each step in words with its rows and their number, the last one as the answer."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import psycopg
import pytest

from data import ensure_sample
from errors import QueryTimedOut, SQLFailed, SQLRefused
from jobs.evaluation.cases import read_cases
from tests.asked import QUESTIONS
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


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
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


QUERIES = [
    pytest.param(
        "SELECT b.title, SUM(l.days) AS days FROM loans AS l JOIN books AS b ON b.book_id = l.book_id "
        "WHERE l.lent_on >= '2025-02-01' AND b.pages > 100 "
        "GROUP BY b.title HAVING SUM(l.days) > 5 ORDER BY days DESC LIMIT 1",
        [
            "Start with all rows of loans. 7",
            "Join each loan to its book. 7 → 7",
            "Keep the rows where lent on is not before 1 February 2025. 7 → 6",
            "Keep the rows where pages is above 100. 6 → 3",
            "Make one row for each title, and work out days (the total days). 3 → 3",
            "Of these, keep those where the total days is above 5. 3 → 2",
            "Sort by days, highest first. 2 → 2",
            "Keep the first row. 2 → 1",
        ],
        id="join, filters, groups, having, sorting, limit",
    ),
    pytest.param(
        "WITH per_branch AS (SELECT branch_id, COUNT(*) AS held FROM books "
        "WHERE branch_id IS NOT NULL GROUP BY branch_id) "
        "SELECT r.city, p.held FROM branches AS r LEFT JOIN per_branch AS p ON p.branch_id = r.branch_id "
        "ORDER BY r.city",
        [
            "Start with all rows of books. 5",
            "Keep the rows where branch ID is known. 5 → 4",
            "Make one row for each branch ID, and work out held (the number of rows). 4 → 2",
            "Start with all rows of branches. 3",
            "Join each row of branches to the rows of “per branch” with the same branch ID; rows without one stay. "
            "3 → 3",
            "Sort by city, from A to Z. 3 → 3",
        ],
        id="a named query, and a left join",
    ),
    pytest.param(
        "SELECT title FROM books WHERE pages > (SELECT AVG(pages) FROM books) ORDER BY title",
        [
            "Start with all rows of books. 5",
            "Take all rows together, and work out the average pages. 5 → 1",
            "Start with all rows of books. 5",
            "Keep the rows where pages is above what step 2 found. 5 → 2",
            "Sort by title, from A to Z. 2 → 2",
        ],
        id="a query within a condition",
    ),
    pytest.param(
        "SELECT title FROM books WHERE book_id NOT IN (SELECT book_id FROM loans)",
        [
            "Start with all rows of loans, and take book ID. 7",
            "Start with all rows of books. 5",
            "Keep the rows where book ID is not among those of step 1. 5 → 1",
            "Show title. 1 → 1",
        ],
        id="what is not in a list",
    ),
    pytest.param(
        "SELECT b.title FROM books AS b WHERE EXISTS "
        "(SELECT 1 FROM loans AS l WHERE l.book_id = b.book_id AND l.days > 20) ORDER BY b.title",
        [
            "Start with all rows of books. 5",
            "Keep the rows where there is a matching row in loans. 5 → 2",
            "Sort by title, from A to Z. 2 → 2",
        ],
        id="a query that reads the one around it stays within its step",
    ),
    pytest.param(
        "SELECT city AS name FROM branches UNION ALL SELECT title FROM books WHERE pages < 100 ORDER BY name LIMIT 2",
        [
            "Start with all rows of branches. 3",
            "Show name. 3 → 3",
            "Start with all rows of books. 5",
            "Keep the rows where pages is below 100. 5 → 1",
            "Show title. 1 → 1",
            "Put the rows of step 2 and step 5 together. 4",
            "Sort by name. 4 → 4",
            "Keep the first 2 rows. 4 → 2",
        ],
        id="two lists",
    ),
    pytest.param(
        "SELECT city FROM branches "
        "EXCEPT SELECT r.city FROM branches AS r JOIN books AS b ON b.branch_id = r.branch_id",
        [
            "Start with all rows of branches. 3",
            "Show city. 3 → 3",
            "Start with all rows of branches. 3",
            "Join each branch to its books. 3 → 4",
            "Show city. 4 → 4",
            "Keep the rows of step 2 that step 5 does not have. 1",
        ],
        id="one list without another",
    ),
    pytest.param(
        "SELECT title, RANK() OVER (ORDER BY pages DESC) AS place FROM books WHERE pages IS NOT NULL ORDER BY place",
        [
            "Start with all rows of books. 5",
            "Keep the rows where pages is known. 5 → 4",
            "Add to each row place (the rank (by pages, highest first)). 4 → 4",
            "Sort by place. 4 → 4",
        ],
        id="a window",
    ),
    pytest.param(
        "SELECT COUNT(*) AS lent FROM loans WHERE lent_on >= '2025-02-01' AND lent_on < '2025-04-01'",
        [
            "Start with all rows of loans. 7",
            "Keep the rows where lent on is from 1 February 2025 to 31 March 2025. 7 → 4",
            "Take all rows together, and work out lent (the number of rows). 4 → 1",
        ],
        id="a period",
    ),
    pytest.param(
        "SELECT COUNT(*) FROM loans WHERE days > 100",
        ["Start with all rows of loans. 7", "Keep the rows where days is above 100. 7 → 0", "Count the rows. 0 → 1"],
        id="a step that leaves nothing",
    ),
    pytest.param(
        "SELECT title FROM books WHERE pages > 1000",
        ["Start with all rows of books. 5", "Keep the rows where pages is above 1,000. 5 → 0", "Show title. 0 → 0"],
        id="an answer without rows",
    ),
    pytest.param(
        "SELECT DISTINCT b.branch_id FROM books AS b, loans AS l WHERE l.book_id = b.book_id ORDER BY b.branch_id",
        [
            "Start with all rows of books. 5",
            "Join each book to its loans. 5 → 7",
            "Keep each different branch ID once. 7 → 2",
            "Sort by branch ID, lowest first. 2 → 2",
        ],
        id="sources that WHERE links, and each row once",
    ),
    pytest.param(
        "SELECT a.title FROM books AS a JOIN books AS b ON a.branch_id = b.branch_id AND a.pages > b.pages "
        "ORDER BY a.title",
        [
            "Start with all rows of books “a”. 5",
            "Join each book “a” to the books “b” with the same branch ID, "
            "where book “a” pages is above book “b” pages. 5 → 2",
            "Sort by book “a” title, from A to Z. 2 → 2",
        ],
        id="a table beside itself",
    ),
    pytest.param(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n WHERE i > 2",
        [
            "Build up “n” row by row, each from the ones before. 5",
            "Keep the rows where i is above 2. 5 → 3",
            "Show i. 3 → 3",
        ],
        id="a query that builds on itself",
    ),
    pytest.param(
        "SELECT title FROM books ORDER BY pages DESC, title LIMIT 2 OFFSET 2",
        [
            "Start with all rows of books. 5",
            "Sort by pages, highest first, then title, from A to Z. 5 → 5",
            "Skip the first 2 rows, then keep the next 2 rows. 5 → 2",
        ],
        id="some rows skipped",
    ),
    pytest.param("SELECT 1 AS one", ["Run the query in one go. 1"], id="nothing to split"),
]


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
