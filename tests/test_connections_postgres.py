"""A PostgreSQL connection cannot write, keeps to its limits, and can be stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from errors import AskError, DatabaseUnavailable, QueryTimedOut, SQLFailed
from tests.memory import peak_of
from tools.connections import postgres
from tools.connections.address import read_url
from tools.connections.postgres import PostgreSQL
from tools.connections.statement import Fetched, Statement

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "databases.md"
COUNT = "SELECT count(*) FROM t"


@pytest.fixture
def owner(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection of ours that may do anything, beside the one under test."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS t")
        connection.execute("CREATE TABLE t AS SELECT i, 'row ' || i AS text FROM generate_series(1, 100) AS i")
        yield connection


@pytest.fixture
def database(postgres_url: str, owner: psycopg.Connection) -> Iterator[PostgreSQL]:
    opened = PostgreSQL(read_url(postgres_url))
    yield opened
    opened.close()


def fetch(database: PostgreSQL, sql: str, limit: int = 10, timeout: float = 10) -> Fetched:
    return database.fetch(Statement(sql, limit=limit, timeout=timeout))


def busy(owner: psycopg.Connection) -> int:
    """How many sleeping statements of ours the server runs now."""
    found = owner.execute(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name = 'quaestor' AND state = 'active' AND query LIKE '%pg_sleep%'"
    ).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize(
    "sql",
    [
        "COMMIT; DELETE FROM t",
        "SELECT 1; DELETE FROM t",
        "ROLLBACK; BEGIN READ WRITE; DELETE FROM t; COMMIT",
        "DELETE FROM t",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "INSERT INTO t VALUES (0, 'x') RETURNING i",
        "TRUNCATE t",
        "DROP TABLE t",
        "SELECT * FROM t FOR UPDATE",
        "DO $$ BEGIN DELETE FROM t; END $$",
        "SELECT set_config('transaction_read_only', 'off', false), * FROM t; DELETE FROM t",
    ],
)
def test_nothing_is_written_even_past_the_guard(database: PostgreSQL, owner: psycopg.Connection, sql: str) -> None:
    with pytest.raises(SQLFailed):
        fetch(database, sql)
    assert fetch(database, COUNT).values == ((100,),)
    assert owner.execute(COUNT).fetchone() == (100,)


@pytest.mark.parametrize("sql", ["COMMIT", "ROLLBACK", "SET default_transaction_read_only = off", "SET ROLE postgres"])
def test_a_statement_cannot_open_the_way_for_the_next(
    database: PostgreSQL, owner: psycopg.Connection, sql: str
) -> None:
    with pytest.raises(SQLFailed):
        fetch(database, sql)
    with pytest.raises(SQLFailed, match="read-only"):
        fetch(database, "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone")
    assert owner.execute(COUNT).fetchone() == (100,)


def test_a_setting_changed_on_the_way_is_back_after_it(database: PostgreSQL) -> None:
    fetch(database, "SELECT set_config('statement_timeout', '0', false)")
    assert fetch(database, "SHOW statement_timeout", timeout=7).values == (("7s",),)


def test_rows_beyond_the_limit_are_neither_read_nor_forgotten(database: PostgreSQL) -> None:
    found = fetch(database, "SELECT generate_series(1, 100000000)", limit=3)
    assert (found.values, found.truncated) == (((1,), (2,), (3,)), True)
    assert not fetch(database, "SELECT i FROM t", limit=100).truncated


def test_the_connection_is_used_again(database: PostgreSQL) -> None:
    first = fetch(database, "SELECT pg_backend_pid()").values
    fetch(database, "SELECT generate_series(1, 100000000)", limit=3)
    with pytest.raises(SQLFailed):
        fetch(database, "SELECT nothing FROM nowhere")
    assert fetch(database, "SELECT pg_backend_pid()").values == first


def test_no_rows_still_have_their_columns(database: PostgreSQL) -> None:
    found = fetch(database, "SELECT i, text, 1 AS i FROM t WHERE false")
    assert found == Fetched(("i", "text", "i_2"), (), False)


def test_percent_signs_colons_and_backslashes_reach_the_server_as_they_are(database: PostgreSQL) -> None:
    assert fetch(database, r"SELECT 'a%s%' || ':x' || '\' WHERE 'ab' LIKE 'a%'").values == (("a%s%:x\\",),)


def test_values_are_plain(database: PostgreSQL) -> None:
    sql = """
        SELECT 1.50::numeric, 2.5::float8, true, NULL::int, '2026-01-02'::date, '10:11'::time,
               '2026-01-02 10:11+02'::timestamptz, 'infinity'::timestamp, '0044-03-15 BC'::date, '24:00'::time,
               '1 month 2 days'::interval, '{"a": 1.10}'::jsonb, ARRAY[1, NULL], '\\x00ff'::bytea,
               'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, int4range(1, 5), '127.0.0.1'::inet, 'NaN'::numeric::text
    """
    utc = timezone.utc  # noqa: UP017  # reads like the value it is compared with
    assert fetch(database, sql).values == (
        (
            *(Decimal("1.50"), 2.5, True, None, date(2026, 1, 2), time(10, 11)),
            *(datetime(2026, 1, 2, 8, 11, tzinfo=utc), "infinity", "0044-03-15 BC", "24:00:00"),
            *("1 mon 2 days", '{"a": 1.10}', "[1, null]", b"\x00\xff"),
            *("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "[1, 5)", "127.0.0.1", "NaN"),
        ),
    )


def test_the_database_complains_in_its_own_words(database: PostgreSQL) -> None:
    with pytest.raises(SQLFailed, match=r'^column "nothing" does not exist$'):
        fetch(database, "SELECT nothing FROM t")
    with pytest.raises(SQLFailed, match=r'Perhaps you meant to reference the column "t\.text"'):
        database.plan(Statement("SELECT texd FROM t", limit=1, timeout=5))


def test_planning_runs_nothing(database: PostgreSQL, owner: psycopg.Connection) -> None:
    database.plan(Statement("SELECT pg_sleep(60) FROM t", limit=1, timeout=5))
    with pytest.raises(SQLFailed):
        database.plan(Statement("SELECT 1; DELETE FROM t", limit=1, timeout=5))
    assert owner.execute(COUNT).fetchone() == (100,)


def test_a_query_ends_at_its_deadline_in_the_server_too(database: PostgreSQL, owner: psycopg.Connection) -> None:
    with pytest.raises(QueryTimedOut, match=r"0\.2 seconds.*QUAESTOR_QUERY_TIMEOUT"):
        fetch(database, "SELECT pg_sleep(600)", timeout=0.2)
    assert busy(owner) == 0
    assert fetch(database, COUNT).values == ((100,),)


def test_a_stopped_query_stops_in_the_server(database: PostgreSQL, owner: psycopg.Connection) -> None:
    statement = Statement("SELECT pg_sleep(600)", limit=1, timeout=600)
    failures: list[AskError] = []

    def run() -> None:
        try:
            database.fetch(statement)
        except AskError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not busy(owner):
        pass
    statement.stop()
    thread.join()
    assert len(failures) == 1
    while busy(owner):
        pass
    assert fetch(database, COUNT).values == ((100,),)


def test_a_connection_that_the_server_ended_is_replaced(database: PostgreSQL, owner: psycopg.Connection) -> None:
    fetch(database, COUNT)
    owner.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'quaestor'")
    assert fetch(database, COUNT).values == ((100,),)


def test_a_locked_table_does_not_keep_the_query_waiting(
    database: PostgreSQL, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_LOCK_WAIT", 100)
    with owner.transaction():
        owner.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseUnavailable, match="locked"):
            fetch(database, COUNT)


def _place(postgres_url: str) -> str:
    return parse_qs(urlsplit(postgres_url).query)["host"][0]


def test_a_role_that_may_write_is_warned_about(database: PostgreSQL, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        database.probe()
    assert "SELECT only" in caplog.text


def test_the_guides_role_only_reads_and_raises_no_warning(
    postgres_url: str, owner: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    owner.execute("DROP DATABASE IF EXISTS guide")
    owner.execute("DROP ROLE IF EXISTS quaestor")
    owner.execute("CREATE DATABASE guide")
    guide = GUIDE.read_text().split("-- postgres\n")[1].split("```")[0]
    with psycopg.connect(postgres_url, dbname="guide") as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS i")
        connection.execute(guide.encode())
    reader = PostgreSQL(read_url(f"postgres://quaestor:choose%20one@/guide?host={_place(postgres_url)}"))
    with caplog.at_level(logging.WARNING):
        reader.probe()
    assert not caplog.text
    assert fetch(reader, COUNT).values == ((1,),)
    reader.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:secret@127.0.0.1:1/shop", "PostgreSQL at 127.0.0.1 does not answer"),
        ("postgresql://u:secret@127.0.0.1:1/shop?sslmode=never", "sslmode in QUAESTOR_DATABASE_URL is none"),
        ("postgresql+psycopg://u:secret@no-such-host.invalid/shop", "no-such-host.invalid does not answer"),
        ("postgresql://u:secret@/shop?host={place}", 'no database or user .* "shop"'),
        ("postgresql://postgres:secret@/shop?host={place}", 'no database or user .* "shop"'),
        ("postgresql://asks:secret@/postgres?host={place}", "did not accept the user or the password"),
        ("postgresql://asks@/postgres?host={place}", "asks for a password"),
    ],
)
def test_a_server_that_does_not_let_us_in_is_told_in_one_sentence(
    postgres_url: str, owner: psycopg.Connection, url: str, said: str
) -> None:
    _ask_for_a_password(owner)
    database = PostgreSQL(read_url(url.format(place=_place(postgres_url))))
    with pytest.raises(DatabaseUnavailable, match=said) as raised:
        database.probe()
    assert "secret" not in str(raised.value)


def _ask_for_a_password(owner: psycopg.Connection) -> None:
    owner.execute("DROP ROLE IF EXISTS asks")
    owner.execute("CREATE ROLE asks LOGIN PASSWORD 'right'")
    rules = owner.execute("SHOW hba_file").fetchone()
    assert rules is not None
    with open(rules[0], "r+") as file:
        written = file.read()
        if "asks" not in written:
            file.seek(0)
            file.write("local all asks scram-sha-256\n" + written)
    owner.execute("SELECT pg_reload_conf()")


def test_wide_rows_are_cut_as_they_arrive(database: PostgreSQL) -> None:
    wide = "SELECT repeat('x', 1000000) FROM generate_series(1, 40)"
    assert peak_of(lambda: fetch(database, wide, limit=30)) < 8_000_000
