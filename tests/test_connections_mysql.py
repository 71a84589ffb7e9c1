"""A MySQL connection (on a real MariaDB) cannot write, keeps to its limits, and can be stopped."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import pytest
from pymysql.cursors import Cursor

from errors import DatabaseUnavailable, QueryTimedOut, SettingsInvalid, SQLFailed
from tests.memory import peak_of
from tests.servers import PASSWORD
from tools.connections import mysql
from tools.connections.address import read_url
from tools.connections.mysql import MySQL
from tools.connections.statement import Fetched, Statement

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "databases.md"
COUNT = "SELECT COUNT(*) FROM t"


@pytest.fixture
def owner(mariadb_url: str) -> Iterator[Cursor]:
    """A connection of ours that may do anything, beside the one under test."""
    port = urlsplit(mariadb_url).port or 0
    with (
        pymysql.connect(
            host="127.0.0.1", port=port, user="owner", password=PASSWORD, database="shop", autocommit=True
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("DROP TABLE IF EXISTS t")
        cursor.execute("CREATE TABLE t (i INT PRIMARY KEY, text VARCHAR(20))")
        cursor.execute("INSERT INTO t SELECT seq, CONCAT('row ', seq) FROM seq_1_to_100")
        yield cursor


@pytest.fixture
def database(mariadb_url: str, owner: Cursor) -> Iterator[MySQL]:
    opened = MySQL(read_url(mariadb_url))
    yield opened
    opened.close()


def fetch(database: MySQL, sql: str, limit: int = 10, timeout: float = 10) -> Fetched:
    return database.fetch(Statement(sql, limit=limit, timeout=timeout))


def rows_left(owner: Cursor) -> object:
    owner.execute(COUNT)
    return owner.fetchone()


def busy(owner: Cursor) -> int:
    """How many sleeping statements the server runs now."""
    owner.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'")
    found = owner.fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize(
    "sql",
    [
        "COMMIT; DELETE FROM t",
        "SELECT 1; DELETE FROM t",
        "DELETE FROM t",
        "INSERT INTO t VALUES (0, 'x')",
        "REPLACE INTO t VALUES (1, 'x')",
        "TRUNCATE TABLE t",
        "DROP TABLE t",
        "CREATE TABLE u (i INT)",
        "SELECT * FROM t FOR UPDATE; DELETE FROM t",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t",
    ],
)
def test_nothing_is_written_even_past_the_guard(database: MySQL, owner: Cursor, sql: str) -> None:
    with pytest.raises(SQLFailed):
        fetch(database, sql)
    assert rows_left(owner) == (100,)
    assert fetch(database, COUNT).values == ((100,),)


@pytest.mark.parametrize("sql", ["COMMIT", "SET SESSION TRANSACTION READ WRITE", "SET autocommit = 1"])
def test_a_statement_cannot_open_the_way_for_the_next(database: MySQL, owner: Cursor, sql: str) -> None:
    fetch(database, sql)
    with pytest.raises(SQLFailed, match="READ ONLY"):
        fetch(database, "DELETE FROM t")
    assert rows_left(owner) == (100,)


def test_quotes_and_backslashes_mean_what_the_guard_read(database: MySQL, owner: Cursor) -> None:
    owner.execute("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'")
    try:
        assert fetch(database, r"""SELECT "text", 'a\'b', 'a%s' LIKE 'a%'""").values == (("text", "a'b", 1),)
    finally:
        owner.execute("SET GLOBAL sql_mode = DEFAULT")


def test_rows_beyond_the_limit_are_neither_read_nor_forgotten(database: MySQL) -> None:
    found = fetch(database, "SELECT seq FROM seq_1_to_100000000", limit=3)
    assert (found.values, found.truncated) == (((1,), (2,), (3,)), True)
    assert not fetch(database, "SELECT i FROM t", limit=100).truncated


def test_the_connection_is_used_again(database: MySQL) -> None:
    first = fetch(database, "SELECT CONNECTION_ID()").values
    with pytest.raises(SQLFailed):
        fetch(database, "SELECT nothing FROM nowhere")
    assert fetch(database, "SELECT CONNECTION_ID()").values == first


def test_no_rows_still_have_their_columns(database: MySQL) -> None:
    assert fetch(database, "SELECT i, text, 1 AS i FROM t WHERE false") == Fetched(("i", "text", "i_2"), (), False)


def test_values_are_plain(database: MySQL, owner: Cursor) -> None:
    owner.execute("DROP TABLE IF EXISTS kinds")
    owner.execute(
        "CREATE TABLE kinds (a DECIMAL(5,2), b DOUBLE, c DATE, d DATETIME, e TIME, f TIME, g BLOB, h JSON, "
        "i ENUM('x'), j YEAR, k TINYINT(1), l BIGINT UNSIGNED, m DATE, n TEXT)"
    )
    owner.execute("SET sql_mode = ''")
    owner.execute(
        "INSERT INTO kinds VALUES (1.5, 2.5, '2026-01-02', '2026-01-02 10:11', '10:11', '-100:00', x'00ff', "
        "'{\"a\": 1}', 'x', 2026, 1, 18446744073709551615, '0000-00-00', '☕')"
    )
    assert fetch(database, "SELECT * FROM kinds").values == (
        (
            *(Decimal("1.50"), 2.5, date(2026, 1, 2), datetime(2026, 1, 2, 10, 11), time(10, 11), "-100:00:00"),
            *(b"\x00\xff", '{"a": 1}', "x", 2026, 1, 18446744073709551615, "0000-00-00", "☕"),
        ),
    )


def test_the_database_complains_in_its_own_words(database: MySQL) -> None:
    with pytest.raises(SQLFailed, match=r"^Unknown column 'txt' in '"):
        fetch(database, "SELECT txt FROM t")
    with pytest.raises(SQLFailed, match="Unknown column 'txt'"):
        database.plan(Statement("SELECT txt FROM t", limit=1, timeout=5))


def test_planning_runs_nothing(database: MySQL) -> None:
    database.plan(Statement("SELECT SLEEP(600) FROM t", limit=1, timeout=5))


def test_a_query_ends_at_its_deadline_in_the_server_too(database: MySQL, owner: Cursor) -> None:
    with pytest.raises(QueryTimedOut, match=r"0\.2 seconds.*QUAESTOR_QUERY_TIMEOUT"):
        fetch(database, "SELECT COUNT(*) FROM seq_1_to_100000000 AS a, seq_1_to_100000000 AS b", timeout=0.2)
    assert fetch(database, COUNT).values == ((100,),)


def test_a_stopped_query_stops_in_the_server(database: MySQL, owner: Cursor) -> None:
    statement = Statement("SELECT SLEEP(600)", limit=1, timeout=600)
    failures: list[Exception] = []

    def run() -> None:
        try:
            database.fetch(statement)
        except Exception as error:
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


def test_a_connection_that_the_server_ended_is_replaced(database: MySQL, owner: Cursor) -> None:
    ((number,),) = fetch(database, "SELECT CONNECTION_ID()").values
    owner.execute(f"KILL {number}")
    assert fetch(database, COUNT).values == ((100,),)


def test_a_locked_table_does_not_keep_the_query_waiting(
    database: MySQL, owner: Cursor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql, "_LOCK_WAIT", 1)
    owner.execute("LOCK TABLES t WRITE")
    try:
        with pytest.raises(DatabaseUnavailable, match="locked"):
            fetch(database, COUNT)
    finally:
        owner.execute("UNLOCK TABLES")


def test_a_user_that_may_write_is_warned_about(database: MySQL, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        database.probe()
    assert "SELECT only" in caplog.text


def test_the_guides_user_only_reads_and_raises_no_warning(
    mariadb_url: str, owner: Cursor, caplog: pytest.LogCaptureFixture
) -> None:
    owner.execute("DROP USER IF EXISTS quaestor")
    guide = GUIDE.read_text().split("-- mysql\n")[1].split("```")[0]
    for statement in guide.strip().removesuffix(";").split(";"):
        owner.execute(statement)
    reader = MySQL(read_url(f"mysql://quaestor:choose%20one@127.0.0.1:{urlsplit(mariadb_url).port}/shop"))
    with caplog.at_level(logging.WARNING):
        reader.probe()
    assert not caplog.text
    assert fetch(reader, COUNT).values == ((100,),)
    reader.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u:secret@127.0.0.1:1/shop", "MySQL at 127.0.0.1 does not answer"),
        ("mysql+pymysql://u:secret@no-such-host.invalid/shop", "no-such-host.invalid does not answer"),
        ("mariadb://owner:secret@127.0.0.1:{port}/shop", "did not accept the user or the password"),
        ("mariadb+pymysql://owner:p%40ss%3Aw%2Frd@127.0.0.1:{port}/nothing", "has no database of this name"),
    ],
)
def test_a_server_that_does_not_let_us_in_is_told_in_one_sentence(mariadb_url: str, url: str, said: str) -> None:
    database = MySQL(read_url(url.format(port=urlsplit(mariadb_url).port)))
    with pytest.raises(DatabaseUnavailable, match=said) as raised:
        database.probe()
    assert "secret" not in str(raised.value)
    assert PASSWORD not in str(raised.value)


def test_a_server_that_takes_the_call_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "_CONNECT_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = MySQL(read_url(f"mysql://u:secret@127.0.0.1:{silent.getsockname()[1]}/shop"))
        with pytest.raises(DatabaseUnavailable, match="does not answer"):
            database.probe()


def test_a_statement_may_take_longer_than_the_greeting(mariadb_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "_CONNECT_TIMEOUT", 0.5)
    database = MySQL(read_url(mariadb_url))
    assert fetch(database, "SELECT SLEEP(0.8)").values == ((0,),)
    database.close()


def test_an_option_that_the_driver_does_not_know_is_named() -> None:
    with pytest.raises(SettingsInvalid, match="local_infile"):
        MySQL(read_url("mysql://u:secret@127.0.0.1/shop?local_infile=1"))


def test_wide_rows_are_cut_as_they_arrive(database: MySQL) -> None:
    wide = "SELECT REPEAT('x', 1000000) FROM seq_1_to_40"
    assert peak_of(lambda: fetch(database, wide, limit=30)) < 8_000_000
