"""The SQL that rules write runs on SQLite, DuckDB, PostgreSQL and MariaDB, and says the same on each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy

from agents.offline.analyst import Analyst
from agents.offline.writer import OfflineWriter
from agents.question import Question
from jobs.evaluation.rows import compare
from tools.catalog import Catalog, Found
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)
TABLES = (
    "CREATE TABLE teams (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, city VARCHAR(40) NOT NULL)",
    "CREATE TABLE players (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, team_id INTEGER NOT NULL, "
    "birth_date DATE NOT NULL, email VARCHAR(60), FOREIGN KEY (team_id) REFERENCES teams (id))",
    "CREATE TABLE goals (id INTEGER PRIMARY KEY, player_id INTEGER NOT NULL, scored_at TIMESTAMP NOT NULL, "
    "minute_played INTEGER NOT NULL, metres DOUBLE PRECISION NOT NULL, "
    "FOREIGN KEY (player_id) REFERENCES players (id))",
)
ROWS = (
    "INSERT INTO teams VALUES (1, 'Rovers', 'Bath'), (2, 'United', 'Cardiff'), (3, 'Harriers', 'Bath')",
    "INSERT INTO players VALUES (1, 'Ana', 1, '1998-02-01', 'ana@x.org'), (2, 'Bea', 1, '2001-07-09', NULL), "
    "(3, 'Cleo', 2, '1995-11-30', 'cleo@x.org'), (4, 'Dee', 2, '2003-03-03', NULL)",
    "INSERT INTO goals VALUES "
    + ", ".join(
        f"({n + 1}, {(1, 3, 1, 2, 3, 1)[n % 6]}, '{date(2025, 1, 6) + timedelta(days=17 * n)} 15:00:00', "
        f"{n * 7 % 90}, {n % 9}.5)"
        for n in range(40)
    ),
)

QUESTIONS = (
    "How many goals per month in 2026?",
    "How many goals per quarter?",
    "How many goals per week this year?",
    "goals per day in January 2026",
    "How many goals were there each year?",
    "How many goals were scored last quarter?",
    "Which players have no email?",
    "Which teams have no players?",
    "Who are the 2 players with the most goals?",
    "Share of goals per team",
    "What share of goals is from Rovers?",
    "Compare goals in 2025 and 2026 by team",
    'Players whose name starts with "A"',
    "Who is the youngest player?",
    "Which players have more than 5 goals?",
    "Average minute played per player",
    "How many goals have a minute played above the average?",
    "What is the average number of days between birth date and goal per team?",
    "What share of goals was scored in 2026 per team?",
    "How many new players per quarter?",
    "Share of metres per team",
    "Compare total metres in 2025 and 2026 by team",
    "How many goals per day of the week?",
    "Top 7 weekdays by goals",
    "Average metres by weekday and team",
    "Compare goals in 2025 and 2026 by weekday",
    "Median metres per player",
    "What is the median minute played by quarter?",
    "Goals month over month",
    "Running total of metres by week in 2026",
    "How many goals on weekends?",
    "How many goals were scored on Mondays in 2025 per team?",
    "Who is the youngest player in each team?",
    "Which player scored the most goals in each team in 2026?",
    "the top 2 players by number of goals in each year",
    "the month with the most goals in each year",
    "the player with the lowest total metres in each team",
)


@pytest.fixture(scope="module")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    file: Path = tmp_path_factory.mktemp("league") / "league.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in (*TABLES, *ROWS):
            connection.execute(statement)
    return f"sqlite:///{file}"


@pytest.fixture(scope="module")
def duckdb_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    file: Path = tmp_path_factory.mktemp("league") / "league.duckdb"
    with duckdb.connect(str(file)) as connection:
        for statement in (*TABLES, *ROWS):
            connection.execute(statement)
    return f"duckdb:///{file}"


def _rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    if url.startswith("duckdb"):
        with duckdb.connect(url.removeprefix("duckdb:///"), read_only=True) as duck:
            return duck.execute(sql).fetchall()
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            return file.execute(sql).fetchall()
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql.replace("%", "%%"))]
    finally:
        engine.dispose()


async def _answers(url: str) -> dict[str, list[tuple[Any, ...]]]:
    catalog: Catalog = read_catalog(url)
    writer = OfflineWriter(Analyst(catalog))
    found = {}
    for text in QUESTIONS:
        draft = await writer.write(Question(text, TODAY), Found(()), None)
        found[text] = [tuple(_plain(v) for v in row) for row in _rows(url, draft.sql)]
    return found


def _plain(value: Any) -> Any:
    return str(value)[:10] if isinstance(value, date) else value


@contextmanager
def _filled(url: str) -> Iterator[str]:
    """The league in a server's database, whose other tables stay as they are."""
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in (*TABLES, *ROWS):
                connection.exec_driver_sql(statement)
        yield url
    finally:
        with engine.begin() as connection:
            for table in ("goals", "players", "teams"):
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
        engine.dispose()


async def test_duckdb_says_what_sqlite_says(sqlite_url: str, duckdb_url: str) -> None:
    _compare(await _answers(sqlite_url), await _answers(duckdb_url))


async def test_postgresql_says_what_sqlite_says(sqlite_url: str, postgres_url: str) -> None:
    with _filled(postgres_url.replace("postgresql://", "postgresql+psycopg://")) as url:
        _compare(await _answers(sqlite_url), await _answers(url))


async def test_mariadb_says_what_sqlite_says(sqlite_url: str, mariadb_url: str) -> None:
    with _filled(mariadb_url.replace("mariadb://", "mariadb+pymysql://")) as url:
        _compare(await _answers(sqlite_url), await _answers(url))


def _compare(expected: dict[str, list[tuple[Any, ...]]], found: dict[str, list[tuple[Any, ...]]]) -> None:
    assert set(expected) == set(found) == set(QUESTIONS)
    for question, rows in expected.items():
        assert rows, question
        assert compare(rows, found[question]), f"{question}: {found[question][:4]}, on SQLite {rows[:4]}"
