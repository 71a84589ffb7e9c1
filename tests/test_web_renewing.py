"""A database that changes while the server runs: what is known of it changes with it, and nobody's question breaks."""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pymysql
import pytest
from blockbuster import blockbuster_ctx
from sqlalchemy.engine import make_url

from agents.ask import Asker
from agents.events import Finished, SQLWritten
from agents.question import Question
from errors import NameMissing, NameUnknown, SQLFailed, SQLRefused
from settings import Settings
from tests.asked import offline_settings
from tests.web_fixture import Web, running
from tools import schema_catalog
from tools.connections.address import dialect_of
from tools.reflection import read_catalog, read_declared
from tools.schema_catalog import is_as_declared
from tools.sql_guard import Guard
from tools.sql_runner import open_runner
from web import renewing
from web.desk import Desk

TODAY = date(2026, 11, 20)
SHOP = """
    CREATE TABLE products (product_id INTEGER PRIMARY KEY, name VARCHAR(40), amount INTEGER);
    INSERT INTO products VALUES (1, 'Tea', 3), (2, 'Coffee', 5);
"""
REFUNDS = """
    CREATE TABLE refunds (refund_id INTEGER PRIMARY KEY, reason VARCHAR(40));
    INSERT INTO refunds VALUES (1, 'broken'), (2, 'late'), (3, 'late');
"""

Fill = Callable[[str], str]
"""Runs a script on the database, and returns its URL."""


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Fill:
    def fill(script: str) -> str:
        with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
            connection.executescript(script)
        return f"sqlite:///{tmp_path}/shop.db"

    return fill


@pytest.fixture
def on_duckdb(tmp_path: Path) -> Fill:
    def fill(script: str) -> str:
        with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
            connection.execute(script)
        return f"duckdb:///{tmp_path}/shop.duckdb"

    return fill


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[Fill]:
    name = f"renewed_{secrets.token_hex(4)}"
    url = postgres_url.replace("/postgres?", f"/{name}?")
    assert url != postgres_url

    def fill(script: str) -> str:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(script.encode())
        return url

    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield fill
        finally:
            owner.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def on_mysql(mariadb_url: str) -> Iterator[Fill]:
    name = f"renewed_{secrets.token_hex(4)}"
    server = make_url(mariadb_url)

    def run(script: str) -> None:
        about: dict[str, Any] = server.translate_connect_args(username="user")
        with pymysql.connect(**about, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in filter(str.strip, script.split(";")):
                cursor.execute(statement)

    def fill(script: str) -> str:
        run(f"USE {name}; {script}")
        return server.set(database=name).render_as_string(hide_password=False)

    run(f"CREATE DATABASE {name}")
    yield fill
    run(f"DROP DATABASE {name}")


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mysql"])
def any_fill(request: pytest.FixtureRequest) -> Fill:
    found: Fill = request.getfixturevalue(f"on_{request.param}")
    return found


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def fill(request: pytest.FixtureRequest) -> Fill:
    found: Fill = request.getfixturevalue(f"on_{request.param}")
    return found


def settings_of(folder: Path, url: str, *, refresh: float = 0) -> Settings:
    settings = offline_settings(folder / "home", today=TODAY, database_url=url)
    return settings.model_copy(update={"schema_refresh": refresh})


async def told(web: Web, question: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await web.ask(question)).json()
    return answer


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happens():  # noqa: ASYNC110  # A database tells nobody that it has been read.
            await asyncio.sleep(0.01)


def tables_of(asker: Asker) -> set[str]:
    return {table.name for table in asker.catalog}


async def now_of(desk: Desk) -> Asker:
    asker = await desk.ready()
    assert asker is not None
    return asker


def asked(desk: Desk) -> Asker:
    assert desk._renewing is not None
    return desk._renewing.asker


def read_at(web: Web) -> float:
    text = web.desk.metrics.as_text("")[0].decode()
    return float(text.split("\nquaestor_schema_read_timestamp_seconds ")[1].split("\n")[0])


# --- by a name that is not there ------------------------------------------------------------------------------------


async def test_sql_that_names_a_new_table_is_answered_while_the_server_runs(fill: Fill, tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, fill(SHOP))) as web:
        assert (await told(web, "How many refunds are there?"))["status"] == "declined"
        fill(REFUNDS)
        answer = await told(web, "SELECT reason, count(*) AS n FROM refunds GROUP BY reason ORDER BY n")
        assert answer["status"] == "answered", answer
        assert answer["rows"] == [["broken", 1], ["late", 2]]
        assert (await told(web, "How many refunds are there?"))["rows"] == [[3]], "the offline analyst knows it, too"
        assert "refunds" in str((await told(web, "What tables are there?"))["rows"])


async def test_a_question_that_meets_a_renamed_column_is_written_anew(fill: Fill, tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, fill(SHOP))) as web:
        assert (await told(web, "What is the total amount of products?"))["rows"] == [[8]]
        fill("ALTER TABLE products RENAME COLUMN amount TO amount_eur")
        answer = await told(web, "What is the total amount of products?")
        assert answer["status"] == "answered", answer
        assert answer["rows"] == [[8]] and "amount_eur" in answer["sql"]


async def test_whoever_watches_sees_the_complaint_and_then_the_question_written_anew(
    on_sqlite: Fill, tmp_path: Path
) -> None:
    desk = Desk(settings_of(tmp_path, on_sqlite(SHOP)))
    try:
        await desk.ready()
        on_sqlite(REFUNDS)
        async with aclosing(desk.ask(Question("SELECT refund_id FROM refunds", TODAY))) as events:
            names = [type(event).__name__ async for event in events]
    finally:
        await desk.close()
    beginning = ["TablesFound", "SQLWritten", "SQLComplained", "TablesFound", "SQLWritten", "RowsFound"]
    assert names[:6] == beginning
    assert names.count("Finished") == 1


async def test_a_name_that_the_database_does_not_hold_is_looked_for_once_a_minute(
    on_sqlite: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def counted(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return declared(*args)

    declared = read_declared
    monkeypatch.setattr(schema_catalog, "read_declared", counted)
    async with running(settings_of(tmp_path, on_sqlite(SHOP))) as web:
        before = await now_of(web.desk)
        for _ in range(3):
            answer = await told(web, "SELECT * FROM nowhere")
            assert answer["status"] == "refused" and "no table nowhere" in answer["answer"]
        await told(web, "DELETE FROM products")
        assert looks == 1
        assert await now_of(web.desk) is before
        on_sqlite(REFUNDS)
        assert (await told(web, "SELECT * FROM refunds"))["status"] == "refused", "it was looked a moment ago"
        monkeypatch.setattr(renewing, "LOOKED_AGAIN", 0.0)
        assert (await told(web, "SELECT * FROM refunds"))["status"] == "answered"


# --- by the clock ---------------------------------------------------------------------------------------------------


async def test_what_is_new_is_known_after_a_while_without_a_question(fill: Fill, tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, fill(SHOP), refresh=0.2)) as web:
        asker = await now_of(web.desk)
        first = read_at(web)
        assert time.time() - 60 < first <= time.time()
        fill(REFUNDS + "ALTER TABLE products ADD COLUMN weight INTEGER; UPDATE products SET weight = 7;")
        await until(lambda: "refunds" in tables_of(asked(web.desk)))
        assert await web.counted("quaestor_schema_read_timestamp_seconds") == read_at(web) > first
        assert await now_of(web.desk) is not asker
        assert (await told(web, "What is the total weight of products?"))["rows"] == [[14]]
        assert (await told(web, "How many refunds are there by reason?"))["status"] == "answered"
        assert (await web.client.get("/readyz")).status_code == 200


async def test_a_value_that_is_new_in_a_file_is_known_by_its_name(on_sqlite: Fill, tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, on_sqlite(SHOP), refresh=0.2)) as web:
        assert (await told(web, "Show me the cocoa"))["status"] == "declined"
        before = await now_of(web.desk)
        on_sqlite("INSERT INTO products VALUES (3, 'Cocoa', 9)")
        await until(lambda: asked(web.desk) is not before)
        assert (await told(web, "Show me the cocoa"))["rows"] == [["Cocoa"]]


async def test_a_database_that_does_not_change_keeps_its_asker(fill: Fill, tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, fill(SHOP), refresh=0.2)) as web:
        before = await now_of(web.desk)
        at = read_at(web)
        await until(lambda: read_at(web) > at)
        assert await now_of(web.desk) is before


async def test_a_csv_stays_as_it_was_read_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("city,amount\nRome,3\nOslo,4\n")
    async with running(settings_of(tmp_path, str(file), refresh=0.2)) as web:
        before = await now_of(web.desk)
        at = read_at(web)
        file.write_text("city,amount,weight\nRome,3,1\nOslo,4,1\nBonn,5,1\n")
        await until(lambda: read_at(web) > at)
        assert await now_of(web.desk) is before
        assert (await told(web, "What is the total amount?"))["rows"] == [[7]]


async def test_a_database_that_is_away_changes_nothing_and_is_logged(
    on_sqlite: Fill, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(settings_of(tmp_path, on_sqlite(SHOP), refresh=0.2)) as web:
        before = await now_of(web.desk)
        away = (tmp_path / "shop.db").rename(tmp_path / "away.db")
        with caplog.at_level(logging.WARNING, "quaestor.renewing"):
            await until(lambda: "stays as it was" in caplog.text)
        assert await now_of(web.desk) is before
        away.rename(tmp_path / "shop.db")
        on_sqlite(REFUNDS)
        await until(lambda: "refunds" in tables_of(asked(web.desk)))
        assert (await told(web, "How many products are there?"))["rows"] == [[2]]


# --- what was replaced ----------------------------------------------------------------------------------------------


async def test_a_question_in_flight_ends_with_what_it_began_with(on_sqlite: Fill, tmp_path: Path) -> None:
    desk = Desk(settings_of(tmp_path, on_sqlite(SHOP), refresh=0.2))
    try:
        before = await now_of(desk)
        worker = before.guard._worker  # type: ignore[attr-defined]
        async with aclosing(desk.ask(Question("SELECT name FROM products", TODAY))) as events:
            while not isinstance(await anext(events), SQLWritten):
                pass
            on_sqlite("INSERT INTO products VALUES (3, 'Cocoa', 9);" + REFUNDS)
            await until(lambda: asked(desk) is not before)
            assert worker._process is not None, "its guard is open yet"
            rest = [event async for event in events]
        assert isinstance(rest[-1], Finished) and rest[-1].status == "answered"
        await until(lambda: worker._process is None)
    finally:
        await desk.close()


async def test_what_was_replaced_leaves_the_memory(on_sqlite: Fill, tmp_path: Path) -> None:
    desk = Desk(settings_of(tmp_path, on_sqlite(SHOP), refresh=0.2))
    try:
        before = await now_of(desk)
        gone = [weakref.ref(each) for each in (before, before.catalog, before.schema, before.writer)]
        del before
        gc.disable()  # What is there after the start, it does not look at: see web/app.py.
        on_sqlite(REFUNDS)
        await until(lambda: not any(each() for each in gone))
        assert tables_of(await now_of(desk)) == {"products", "refunds"}
    finally:
        gc.enable()
        await desk.close()


async def test_reading_the_database_again_does_not_block_the_event_loop(on_sqlite: Fill, tmp_path: Path) -> None:
    desk = Desk(settings_of(tmp_path, on_sqlite(SHOP)))
    try:
        await desk.ready()
        on_sqlite(REFUNDS)
        with blockbuster_ctx():
            async with aclosing(desk.ask(Question("SELECT reason FROM refunds", TODAY))) as events:
                last = [event async for event in events][-1]
        assert isinstance(last, Finished) and last.status == "answered"
    finally:
        await desk.close()


async def test_a_server_that_stops_while_it_reads_leaves_nothing_open(on_sqlite: Fill, tmp_path: Path) -> None:
    desk = Desk(settings_of(tmp_path, on_sqlite(SHOP)))
    await desk.ready()
    on_sqlite(REFUNDS)
    asking = desk.ask(Question("SELECT reason FROM refunds", TODAY))
    async with aclosing(asking):
        while type(await anext(asking)).__name__ != "SQLComplained":
            pass
    await desk.close()
    assert not [task for task in asyncio.all_tasks() if "schema" in task.get_name()]


# --- what a name that is missing is told by -------------------------------------------------------------------------


async def test_a_database_says_that_a_name_is_missing(any_fill: Fill) -> None:
    url = any_fill(SHOP)
    dialect = dialect_of(url)
    # None of the four takes an integer that is too large, or several rows for one.
    wrong = "abs(-9223372036854775808)" if dialect == "sqlite" else "(SELECT name FROM products)"
    async with aclosing(open_runner(url)) as runner, aclosing(Guard(dialect, None)) as guard:
        for sql in ("SELECT weight FROM products", "SELECT 1 FROM nowhere"):
            with pytest.raises(NameMissing):
                await runner.run(await guard.check(sql))
        with pytest.raises(SQLFailed) as raised:
            await runner.run(await guard.check(f"SELECT {wrong}"))
        assert type(raised.value) is SQLFailed


def test_a_catalog_is_as_the_database_declares_it_until_that_changes(any_fill: Fill) -> None:
    url = any_fill(SHOP + REFUNDS)
    catalog = read_catalog(url)
    assert is_as_declared(catalog, url)
    any_fill("INSERT INTO products VALUES (3, 'Cocoa', 9)")
    assert is_as_declared(catalog, url), "only names and types are compared"
    any_fill("ALTER TABLE products ADD COLUMN opened DATE")
    assert not is_as_declared(catalog, url)
    assert is_as_declared(read_catalog(url), url)


async def test_the_guard_tells_an_unknown_name_from_what_may_not_be(on_sqlite: Fill) -> None:
    async with aclosing(Guard("sqlite", read_catalog(on_sqlite(SHOP)))) as guard:
        for sql in ("SELECT * FROM refunds", "SELECT weight FROM products", "SELECT p.weight FROM products AS p"):
            for _ in range(2):  # The second time by what it remembers.
                with pytest.raises(NameUnknown):
                    await guard.check(sql)
        with pytest.raises(SQLRefused) as raised:
            await guard.check("DELETE FROM products")
        assert type(raised.value) is SQLRefused
