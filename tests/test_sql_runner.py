"""The runner keeps a query within its limits on every kind of database, and a cancel reaches the database."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from pathlib import Path

import anyio
import duckdb
import pytest
from blockbuster import blockbuster_ctx

from errors import AskError, DatabaseUnavailable, QueryTimedOut, SettingsInvalid, SQLFailed
from tools import sql_runner
from tools.sql_guard import SafeQuery
from tools.sql_runner import SQLRunner, open_runner

ENDLESS = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c"

DEADLINE = 120.0
"""Far beyond what a test waits for: a query that ends at its deadline was not stopped."""

LONG = {
    "sqlite": ENDLESS,
    "duckdb": ENDLESS,
    "postgres": "SELECT pg_sleep(600)",
    "mysql": "SELECT SLEEP(600)",
}


def safe(runner: SQLRunner, sql: str) -> SafeQuery:
    return SafeQuery(sql, runner.dialect, ())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE t (i); INSERT INTO t VALUES (1), (2), (3)")
    return path


@pytest.fixture
async def runner(file: Path) -> AsyncIterator[SQLRunner]:
    opened = open_runner(f"sqlite:///{file}", row_limit=2, timeout=20, threads=1)
    yield opened
    await opened.aclose()


@pytest.fixture(params=sorted(LONG))
async def any_runner(request: pytest.FixtureRequest, file: Path, tmp_path: Path) -> AsyncIterator[SQLRunner]:
    """A runner with one thread on each kind of database in turn."""
    match request.param:
        case "sqlite":
            url = f"sqlite:///{file}"
        case "duckdb":
            url = f"duckdb:///{tmp_path}/shop.duckdb"
            duckdb.connect(tmp_path / "shop.duckdb").close()
        case "postgres":
            url = request.getfixturevalue("postgres_url")
        case _:
            url = request.getfixturevalue("mariadb_url")
    opened = open_runner(url, timeout=DEADLINE, threads=1)
    await opened.probe()
    yield opened
    await opened.aclose()


async def until_busy(runner: SQLRunner, *, waiting: int = 0) -> None:
    """Return once the runner's only thread works, and this many queries wait for it."""
    # The limiter tells nobody when it changes, so it has to be asked.
    while not runner._threads.borrowed_tokens or runner.line.waiting < waiting:  # noqa: ASYNC110
        await anyio.sleep(0.001)


async def test_the_rows_come_with_their_columns_and_the_time_they_took(runner: SQLRunner) -> None:
    rows = await runner.run(safe(runner, "SELECT i, i * 2 AS twice FROM t WHERE i < 3 ORDER BY i"))
    assert (rows.columns, rows.values, rows.truncated) == (("i", "twice"), ((1, 2), (2, 4)), False)
    assert rows.seconds > 0


async def test_the_limit_is_the_runners_unless_another_is_asked_for(runner: SQLRunner) -> None:
    query = safe(runner, "SELECT i FROM t")
    assert len((await runner.run(query)).values) == 2
    assert (await runner.run(query, limit=1)).truncated
    assert (await runner.run(query, limit=0)).values == ()
    assert not (await runner.run(query, limit=3)).truncated


async def test_a_shorter_deadline_may_be_asked_for(runner: SQLRunner) -> None:
    with pytest.raises(QueryTimedOut, match=r"0\.05 seconds"):
        await runner.run(safe(runner, ENDLESS), timeout=0.05)


async def test_a_query_checked_for_another_dialect_does_not_run(runner: SQLRunner) -> None:
    with pytest.raises(SQLFailed, match="checked for mysql"):
        await runner.run(SafeQuery("SELECT 1", "mysql", ()))


async def test_a_dry_run_finds_what_the_database_would_complain_about(any_runner: SQLRunner) -> None:
    await any_runner.dry_run(safe(any_runner, LONG[any_runner.dialect]))
    with pytest.raises(SQLFailed, match="nowhere"):
        await any_runner.dry_run(safe(any_runner, "SELECT * FROM nowhere"))


async def test_a_cancelled_task_stops_its_query_and_frees_the_thread(any_runner: SQLRunner) -> None:
    query = safe(any_runner, LONG[any_runner.dialect])
    task = asyncio.create_task(any_runner.run(query))
    await until_busy(any_runner)
    task.cancel()
    with anyio.fail_after(DEADLINE / 2), pytest.raises(asyncio.CancelledError):
        await task
    assert any_runner._threads.borrowed_tokens == 0
    assert (await any_runner.run(safe(any_runner, "SELECT 1 AS one"))).values == ((1,),)


async def test_a_cancelled_scope_stops_its_query_too(any_runner: SQLRunner) -> None:
    with anyio.fail_after(DEADLINE / 2), anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(any_runner.run, safe(any_runner, LONG[any_runner.dialect]))
            await until_busy(any_runner)
            scope.cancel()
    assert scope.cancelled_caught
    assert any_runner._threads.borrowed_tokens == 0


async def test_queries_that_are_gathered_within_a_cancelled_scope_stop_too(any_runner: SQLRunner) -> None:
    async def gather() -> None:
        # A scope cancels again and again, and each time gather cancels its tasks, whatever they shield.
        await asyncio.gather(any_runner.run(safe(any_runner, LONG[any_runner.dialect])))

    with anyio.fail_after(DEADLINE / 2), anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gather)
            await until_busy(any_runner)
            scope.cancel()
    assert scope.cancelled_caught
    assert any_runner._threads.borrowed_tokens == 0


async def test_a_query_that_waits_for_a_thread_leaves_the_queue_when_cancelled(runner: SQLRunner) -> None:
    first = asyncio.create_task(runner.run(safe(runner, ENDLESS)))
    await until_busy(runner)
    second = asyncio.create_task(runner.run(safe(runner, "SELECT 1")))
    await until_busy(runner, waiting=1)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert not first.done()
    assert runner.line.waiting == 0
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_queries_wait_their_turn_and_all_are_answered(runner: SQLRunner) -> None:
    found = await asyncio.gather(*(runner.run(safe(runner, f"SELECT {number}")) for number in range(50)))
    assert [rows.values for rows in found] == [((number,),) for number in range(50)]


async def test_a_query_that_waits_is_told_its_place_and_its_deadline_counts_from_its_start(runner: SQLRunner) -> None:
    first = asyncio.create_task(runner.run(safe(runner, ENDLESS)))
    await until_busy(runner)
    places: list[int] = []

    async def tell_place(place: int) -> None:
        places.append(place)

    second = asyncio.create_task(runner.run(safe(runner, "SELECT 1"), timeout=0.5, tell_place=tell_place))
    await until_busy(runner, waiting=1)
    await asyncio.sleep(0.6)
    first.cancel()
    assert (await second).values == ((1,),)
    assert places == [1, 0]


async def test_a_trial_goes_behind_the_queries_that_somebody_waits_for(runner: SQLRunner) -> None:
    ended: list[str] = []

    async def run(name: str, trial: bool) -> None:
        await runner.run(safe(runner, "SELECT 1"), trial=trial)
        ended.append(name)

    first = asyncio.create_task(runner.run(safe(runner, ENDLESS)))
    await until_busy(runner)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run("trial", True))
        await until_busy(runner, waiting=1)
        tasks.create_task(run("query", False))
        await until_busy(runner, waiting=2)
        first.cancel()
    assert ended == ["query", "trial"]


async def test_trials_leave_half_of_the_turns_to_the_queries(file: Path) -> None:
    async with aclosing(open_runner(f"sqlite:///{file}", timeout=DEADLINE, threads=2)) as runner:
        trials = [asyncio.create_task(runner.run(safe(runner, ENDLESS), trial=True)) for _ in range(4)]
        await until_busy(runner)
        assert (await runner.run(safe(runner, "SELECT 1"))).values == ((1,),)
        for trial in trials:
            trial.cancel()
        await asyncio.wait(trials)
        assert runner.line.in_turn == runner.line.waiting == 0


async def test_a_dry_run_before_the_run_keeps_a_broken_query_from_running(runner: SQLRunner) -> None:
    with pytest.raises(SQLFailed, match="nowhere"):
        await runner.run(safe(runner, "SELECT * FROM nowhere"), dry_run=True)
    assert (await runner.run(safe(runner, "SELECT 1"), dry_run=True)).values == ((1,),)


async def test_whether_the_database_answers_does_not_wait_for_its_statements(runner: SQLRunner) -> None:
    first = asyncio.create_task(runner.run(safe(runner, ENDLESS)))
    await until_busy(runner)
    await runner.probe()
    assert not first.done()
    first.cancel()
    await asyncio.wait([first])


async def test_nothing_blocks_the_event_loop(any_runner: SQLRunner) -> None:
    with blockbuster_ctx():
        await any_runner.run(safe(any_runner, "SELECT 1 AS one"))
        with pytest.raises(QueryTimedOut):
            await any_runner.run(safe(any_runner, LONG[any_runner.dialect]), timeout=0.05)


async def test_a_server_that_is_stuck_does_not_keep_the_thread(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_runner, "_GRACE", 0.0)
    runner = open_runner(postgres_url, timeout=DEADLINE, threads=1)
    ((server,),) = (await runner.run(safe(runner, "SELECT pg_backend_pid()"))).values
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(QueryTimedOut):
            await runner.run(safe(runner, "SELECT 1"), timeout=0.2)
    finally:
        os.kill(server, signal.SIGCONT)
    assert (await runner.run(safe(runner, "SELECT 1"))).values == ((1,),)
    await runner.aclose()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Path]:
    """A folder with files that are no database."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.sqlite").touch()
    (tmp_path / "notes.txt").write_text("hello " * 1000)
    yield tmp_path


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("", SettingsInvalid, "not a database URL"),
        ("hunter2", SettingsInvalid, "not a database URL"),
        ("postgresql://u:hunter2@host:port/x", SettingsInvalid, "not a database URL"),
        ("oracle://u:hunter2@host/x", SettingsInvalid, "does not speak"),
        ("postgresql+asyncpg://u:hunter2@host/x", SettingsInvalid, "does not speak"),
        ("postgresql://u:hunter2@host/x?hunter2=1", SettingsInvalid, "option that PostgreSQL does not know"),
        ("mysql://u:hunter2@host", SettingsInvalid, "names no database"),
        ("sqlite://", SettingsInvalid, "names no file"),
        ("sqlite:///:memory:", SettingsInvalid, "names no file"),
        ("sqlite:///{places}/shop.sqlite?mode=rw", SettingsInvalid, "takes no options"),
        ("sqlite:///{places}/a%00b", SettingsInvalid, "cannot exist"),
        ("sqlite:///{places}/missing.sqlite", DatabaseUnavailable, "There is no database file at .*missing.sqlite"),
        ("duckdb:///{places}/missing.duckdb", DatabaseUnavailable, "There is no database file"),
        ("sqlite:///{places}/folder", DatabaseUnavailable, "is a directory"),
        ("duckdb:///{places}/folder", DatabaseUnavailable, "is a directory"),
        ("sqlite:////dev/null", DatabaseUnavailable, "There is no database file"),
        ("sqlite:///{places}/empty.sqlite", DatabaseUnavailable, "is empty"),
        ("sqlite:///{places}/notes.txt", DatabaseUnavailable, "notes.txt is not a SQLite database"),
        ("duckdb:///{places}/notes.txt", DatabaseUnavailable, "notes.txt is not a DuckDB database"),
        ("postgresql://u:hunter2@127.0.0.1:1/x", DatabaseUnavailable, "127.0.0.1 does not answer"),
        ("mysql://u:hunter2@127.0.0.1:1/x", DatabaseUnavailable, "127.0.0.1 does not answer"),
    ],
)
async def test_a_database_that_cannot_be_used_is_told_in_one_sentence(
    places: Path, url: str, error: type[AskError], said: str
) -> None:
    with pytest.raises(error, match=said) as raised:
        async with aclosing(open_runner(url.format(places=places))) as opened:
            await opened.probe()
    assert "hunter2" not in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
