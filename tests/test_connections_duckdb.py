"""A DuckDB connection cannot write or reach out, keeps to its limits, and can be stopped."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from errors import DatabaseUnavailable, QueryTimedOut, SQLFailed
from tools.connections.duckdb import DuckDB, _unpickled
from tools.connections.statement import Fetched, Statement

ENDLESS = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c"
HOUSE = Path(__file__).resolve().parent.parent


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT i, 'row ' || i AS text FROM range(1, 4) AS r(i)")
    return path


@pytest.fixture
def database(file: Path) -> Iterator[DuckDB]:
    opened = DuckDB(file)
    yield opened
    opened.close()


def fetch(database: DuckDB, sql: str, limit: int = 10, timeout: float = 20) -> Fetched:
    return database.fetch(Statement(sql, limit=limit, timeout=timeout))


def workers(database: DuckDB) -> list[int]:
    return [worker._process.pid for worker in database._workers._idle]


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM t",
        "INSERT INTO t VALUES (4, 'x') RETURNING i",
        "CREATE TABLE u (i INT)",
        "CREATE TEMP TABLE u (i INT)",
        "ATTACH '{folder}/new.duckdb'",
        "COPY t TO '{folder}/new.csv'",
        "EXPORT DATABASE '{folder}/new'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "PRAGMA version",
        "CALL pragma_version()",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT 1; DELETE FROM t",
        "COMMIT; DELETE FROM t",
    ],
)
def test_nothing_is_written_or_reached_even_past_the_guard(database: DuckDB, file: Path, sql: str) -> None:
    before = file.read_bytes()
    with pytest.raises(SQLFailed):
        fetch(database, sql.format(folder=file.parent))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_rows_beyond_the_limit_are_not_forgotten(database: DuckDB) -> None:
    assert fetch(database, "SELECT i FROM t ORDER BY i", limit=2) == Fetched(("i",), ((1,), (2,)), True)
    assert not fetch(database, "SELECT i FROM t", limit=3).truncated


def test_no_rows_still_have_their_columns(database: DuckDB) -> None:
    assert fetch(database, "SELECT i, text, 1 AS i FROM t WHERE false") == Fetched(("i", "text", "i_2"), (), False)


def test_values_are_plain(database: DuckDB) -> None:
    sql = """
        SELECT 1.50::DECIMAL(5, 2), 2.5::DOUBLE, true, NULL, DATE '2026-01-02', TIME '10:11', 170::HUGEINT,
               TIMESTAMPTZ '2026-01-02 10:11:00+02', INTERVAL 3 DAY, '\\x00\\xFF'::BLOB, [1, NULL], {'a': [1]},
               MAP {'k': 1}, 'a'::ENUM ('a'), 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID, '101'::BIT
    """
    (row,) = fetch(database, sql).values
    moment = datetime(2026, 1, 2, 10, 11, tzinfo=timezone(timedelta(hours=2)))
    assert row == (
        *(Decimal("1.50"), 2.5, True, None, date(2026, 1, 2), time(10, 11), 170),
        *(moment, "3 days, 0:00:00", b"\x00\xff", "[1, null]", '{"a": [1]}'),
        *('{"k": 1}', "a", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "101"),
    )


def test_the_database_complains_in_its_own_words(database: DuckDB) -> None:
    with pytest.raises(SQLFailed, match=r'Referenced column "txt" not found.*Candidate bindings: "text"$'):
        fetch(database, "SELECT txt FROM t")
    with pytest.raises(SQLFailed, match="Table with name nowhere does not exist"):
        database.plan(Statement("SELECT * FROM nowhere", limit=1, timeout=20))


def test_planning_runs_nothing(database: DuckDB) -> None:
    database.plan(Statement(ENDLESS, limit=1, timeout=20))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT generate_series(1, 1000000000)",
        "SELECT len(repeat('a', 3500000000))",
        "SELECT list(i) FROM range(1000000000) AS r(i)",
    ],
)
def test_a_query_that_needs_too_much_memory_is_told_to_ask_for_less(database: DuckDB, sql: str) -> None:
    with pytest.raises(SQLFailed, match="more memory than it may use"):
        fetch(database, sql)
    assert fetch(database, "SELECT 1").values == ((1,),)


def test_a_worker_is_used_again(database: DuckDB) -> None:
    database.probe()
    before = workers(database)
    with pytest.raises(SQLFailed):
        fetch(database, "SELECT nothing FROM nowhere")
    fetch(database, "SELECT 1")
    assert workers(database) == before


def test_a_query_ends_at_its_deadline_with_its_worker(database: DuckDB) -> None:
    database.probe()
    (worker,) = workers(database)
    with pytest.raises(QueryTimedOut, match=r"0\.2 seconds.*QUAESTOR_QUERY_TIMEOUT"):
        fetch(database, ENDLESS, timeout=0.2)
    assert not is_running(worker)
    assert fetch(database, "SELECT 1").values == ((1,),)


def test_a_stopped_query_ends_with_its_worker(database: DuckDB) -> None:
    database.probe()
    (worker,) = workers(database)
    statement = Statement(ENDLESS, limit=1, timeout=600)
    failures: list[Exception] = []

    def run() -> None:
        try:
            database.fetch(statement)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while statement._cancel is None:
        pass
    statement.stop()
    thread.join()
    assert len(failures) == 1
    assert not is_running(worker)
    assert fetch(database, "SELECT 1").values == ((1,),)


def test_a_worker_that_died_is_replaced(database: DuckDB) -> None:
    database.probe()
    process = database._workers._idle[0]._process
    process.kill()
    process.wait()
    assert fetch(database, "SELECT 1").values == ((1,),)


def test_closing_ends_the_workers_and_leaves_no_folder(file: Path) -> None:
    database = DuckDB(file)
    database.probe()
    (worker,) = workers(database)
    folder = Path(database._workers._idle[0]._spill)
    database.close()
    assert not is_running(worker)
    assert not folder.exists()


def test_a_worker_does_not_outlive_us(file: Path) -> None:
    program = f"""
        import os, pathlib, signal
        from tools.connections.duckdb import DuckDB
        database = DuckDB(pathlib.Path({str(file)!r}))
        database.probe()
        print(database._workers._idle[0]._process.pid, database._workers._idle[0]._spill, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    code = "\n".join(line.strip() for line in program.splitlines())
    ended = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True)
    worker, folder = ended.stdout.split()
    while is_running(int(worker)):
        pass
    assert not Path(folder).exists()


def test_a_worker_sees_no_secret_of_ours(database: DuckDB, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    database.probe()
    (worker,) = workers(database)
    assert b"sk-secret" not in Path(f"/proc/{worker}/environ").read_bytes()


def test_a_reply_can_carry_values_only() -> None:
    assert _unpickled(pickle.dumps({"values": ((Decimal(1), date(2026, 1, 2)),)})) is not None
    with pytest.raises(pickle.UnpicklingError):
        _unpickled(pickle.dumps(os.system))


def test_another_program_may_write_between_two_queries(database: DuckDB, file: Path) -> None:
    fetch(database, "SELECT 1")
    with duckdb.connect(file) as writer:
        writer.execute("INSERT INTO t VALUES (4, 'four')")
    assert fetch(database, "SELECT count(*) FROM t").values == ((4,),)


def test_a_file_that_another_program_writes_to_is_told(database: DuckDB, file: Path) -> None:
    with duckdb.connect(file), pytest.raises(DatabaseUnavailable, match=r"shop\.duckdb is open for writing"):
        database.probe()


@pytest.mark.parametrize("content", [b"not a database at all, " * 1000, b"SQLite format 3\0" * 1000])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    database = DuckDB(file)
    with pytest.raises(DatabaseUnavailable, match=r"notes\.txt"):
        database.probe()
    database.close()
