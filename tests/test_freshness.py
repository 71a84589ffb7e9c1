"""How new the data of some tables is, as a receipt says it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from tools.freshness import Freshness
from tools.reflection import read_catalog
from tools.sql_guard import Guard
from tools.sql_runner import open_runner

TODAY = date(2026, 11, 20)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(
            """
            CREATE TABLE "order" (id INTEGER PRIMARY KEY, placed TIMESTAMP, due DATE);
            INSERT INTO "order" VALUES (1, '2026-10-01 09:00:00', '2027-01-01');
            INSERT INTO "order" VALUES (2, '2026-11-05 10:00:00', '2027-02-01');
            CREATE TABLE visit (day DATE);
            INSERT INTO visit VALUES ('2026-11-18');
            CREATE TABLE place (name TEXT);
            CREATE TABLE bare (day DATE);
            """
        )
    return file


@pytest.fixture
async def freshness(file: Path) -> AsyncIterator[Freshness]:
    url = f"sqlite:///{file}"
    catalog = read_catalog(url)
    guard, runner = Guard("sqlite", catalog), open_runner(url)
    yield Freshness(guard, runner, catalog)
    await runner.aclose()
    await guard.aclose()


async def test_the_newest_day_of_all_tables_counts_and_plans_do_not(freshness: Freshness) -> None:
    assert await freshness.newest(("order",), TODAY) == date(2026, 11, 5)
    assert await freshness.newest(("order", "visit", "place"), TODAY) == date(2026, 11, 18)


@pytest.mark.parametrize("tables", [(), ("place",), ("bare",), ("unknown",)])
async def test_without_dates_nothing_is_said(freshness: Freshness, tables: tuple[str, ...]) -> None:
    assert await freshness.newest(tables, TODAY) is None


async def test_what_was_found_is_remembered_for_a_while(freshness: Freshness, file: Path) -> None:
    assert await freshness.newest(("visit",), TODAY) == date(2026, 11, 18)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("INSERT INTO visit VALUES ('2026-11-19')")
    assert await freshness.newest(("visit",), TODAY) == date(2026, 11, 18)
