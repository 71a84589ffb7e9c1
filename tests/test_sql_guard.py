"""The guard: what it refuses, what it lets through, and that its worker always gives the place back."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import SQLRefused
from tools import sql_guard
from tools.catalog import Catalog, Column, Dialect, Table
from tools.guard_inspection import Inspector
from tools.guard_text import MAX_CHARACTERS
from tools.sql_guard import Guard, SafeQuery

CORPUS = Path(__file__).parent / "corpus"
ROOT = Path(__file__).parent.parent
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

# Without a catalog every table is known, so only what is forbidden as such is refused.
INSPECTORS = {dialect: Inspector(dialect, None) for dialect in DIALECTS}

# Where a function may stand; every function that is not allowed is tried in each of them.
POSITIONS = """
SELECT {call}
SELECT {call} AS version
SELECT DISTINCT {call}
SELECT ({call})
SELECT -{call}
SELECT {call} + 1
SELECT 'a' || {call}
SELECT UPPER({call})
SELECT COALESCE(NULL, {call})
SELECT COUNT(DISTINCT {call}) FROM t
SELECT CAST({call} AS CHAR)
SELECT CASE WHEN {call} = 1 THEN 1 END
SELECT CASE WHEN a = 1 THEN {call} ELSE 1 END FROM t
SELECT (SELECT {call})
SELECT SUM(a) OVER (PARTITION BY {call}) FROM t
SELECT SUM(a) OVER (ORDER BY {call}) FROM t
SELECT a FROM t WHERE {call} = 1
SELECT a FROM t WHERE {call} IS NOT NULL OR 1 = 1
SELECT a FROM t WHERE a IN ({call})
SELECT a FROM t WHERE a IN (SELECT {call})
SELECT a FROM t WHERE EXISTS (SELECT {call})
SELECT a FROM t WHERE a BETWEEN {call} AND 2
SELECT a FROM t WHERE a LIKE {call}
SELECT * FROM {call}
SELECT * FROM {call} AS x
SELECT * FROM {call} x(a)
SELECT * FROM t, {call} AS x
SELECT * FROM t JOIN {call} AS x ON 1 = 1
SELECT * FROM t CROSS JOIN LATERAL {call} AS x
SELECT * FROM t, LATERAL (SELECT {call}) AS x
SELECT * FROM (SELECT {call} AS a) AS x
SELECT a FROM t JOIN u ON t.a = {call}
SELECT a FROM t GROUP BY {call}
SELECT a FROM t GROUP BY a HAVING {call} = 1
SELECT a FROM t ORDER BY {call}
SELECT a FROM t LIMIT {call}
SELECT a FROM t LIMIT 1 OFFSET {call}
WITH x AS (SELECT {call} AS a) SELECT a FROM x
WITH x(a) AS (SELECT 1) SELECT {call} FROM x
SELECT 1 UNION SELECT {call}
SELECT {call} UNION ALL SELECT 1
SELECT 1 EXCEPT SELECT {call}
VALUES ({call})
SELECT * FROM (VALUES ({call})) AS x
SELECT/**/{call}/**/
SELECT {call} -- comment
""".strip().splitlines()


def rows(name: str) -> list[Any]:
    """Return the corpus's rows, each under its own name."""
    parsed = [json.loads(line) for line in (CORPUS / name).read_text().splitlines()]
    return [pytest.param(row, id=row["name"]) for row in parsed]


def allowed(sql: str, dialect: Dialect) -> bool:
    try:
        INSPECTORS[dialect].inspect(sql)
    except SQLRefused:
        return False
    return True


@pytest.mark.parametrize("row", rows("guard_attacks.jsonl"))
def test_an_attack_is_refused_in_every_dialect_it_is_meant_for(row: dict[str, Any]) -> None:
    assert [d for d in row["dialects"] if allowed(row["sql"], d)] == []


@pytest.mark.parametrize("row", rows("guard_queries.jsonl"))
def test_a_query_that_only_reads_is_let_through(row: dict[str, Any]) -> None:
    assert [d for d in row["dialects"] if not allowed(row["sql"], d)] == []


@pytest.mark.parametrize("row", rows("guard_calls.jsonl"))
def test_a_function_that_does_more_than_compute_is_refused_wherever_it_stands(row: dict[str, Any]) -> None:
    call, dialect = row["call"], row["dialect"]
    assert [p for p in POSITIONS if allowed(p.format(call=call), dialect)] == []


@pytest.mark.parametrize("row", rows("guard_calls.jsonl"))
def test_a_function_is_refused_however_its_name_is_written(row: dict[str, Any]) -> None:
    name, _, arguments = row["call"].partition("(")
    mixed = "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(name))
    quoted = [f'"{name}"(', f"`{name}`(", f"[{name}](", f"main.{name}(", f"pg_catalog.{name}("]
    spaced = [f"{mixed}(", f"{name} (", f"{name}\n(", f"{name}/**/(", f"{name} -- x\n("]
    spellings = [start + arguments for start in (*quoted, *spaced)]
    statements = [s for call in spellings for s in (f"SELECT {call}", f"SELECT * FROM {call}")]
    assert [s for s in statements if allowed(s, row["dialect"])] == []


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_either_let_through_or_refused(dialect: Dialect, text: str) -> None:
    allowed(text, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(
    words=st.lists(
        st.sampled_from(
            "SELECT FROM WHERE WITH RECURSIVE AS ( ) , ; * t a.b 'x' \" ' ` [ ] { } -- /* */ \\ $ @ # := :: -> UNION"
            " ORDER BY GROUP LIMIT CASE WHEN END CAST DATE INTERVAL 1 e1 0x OVER PIVOT UNNEST VALUES LATERAL JOIN ON IN"
            " NOT EXISTS generate_series repeat \n \t \u00a0 \u200b é".split(" ")
        ),
        max_size=25,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_heap_of_words_is_either_let_through_or_refused(dialect: Dialect, words: list[str]) -> None:
    allowed(" ".join(words), dialect)


# --- names -------------------------------------------------------------------------------------------------------


def catalog(dialect: Dialect) -> Catalog:
    def table(name: str, *columns: str) -> Table:
        return Table(name, tuple(Column(c, "") for c in columns))

    return Catalog(
        "shop",
        dialect,
        (
            table("orders", "id", "buyer_id", "amount", "ordered_at", "tags"),
            table("Buyers", "id", "name", "city"),
            table("crm.calls", "id", "buyer_id", "minutes"),
            table("data.csv", "id"),
        ),
    )


def read(sql: str, dialect: Dialect = "sqlite") -> tuple[str, ...]:
    return Inspector(dialect, catalog(dialect)).inspect(sql)[1]


def reason(sql: str, dialect: Dialect = "sqlite") -> str:
    with pytest.raises(SQLRefused) as refused:
        read(sql, dialect)
    return str(refused.value)


def test_the_tables_read_are_named_as_the_catalog_spells_them() -> None:
    assert read("SELECT * FROM ORDERS o JOIN buyers b ON b.id = o.buyer_id JOIN orders p ON p.id = o.id") == (
        "orders",
        "Buyers",
    )


def test_a_table_in_another_schema_is_known_by_both_its_names() -> None:
    assert read("SELECT minutes FROM crm.calls", "postgres") == ("crm.calls",)
    assert read("SELECT calls.minutes FROM shop.crm.calls", "postgres") == ("crm.calls",)
    assert "There is no table calls" in reason("SELECT minutes FROM calls", "postgres")


@pytest.mark.parametrize(
    ("dialect", "written"),
    [("sqlite", "main.orders"), ("duckdb", "main.orders"), ("postgres", "public.orders"), ("mysql", "shop.orders")],
)
def test_the_default_schema_may_be_written(dialect: Dialect, written: str) -> None:
    assert read(f"SELECT amount FROM {written}", dialect) == ("orders",)


def test_a_table_that_the_catalog_does_not_hold_is_refused_with_the_names_near_it() -> None:
    assert "There is no table order" in reason("SELECT * FROM order_s")
    assert "orders" in reason("SELECT * FROM order_s")
    assert "There is no table secret.orders" in reason("SELECT * FROM secret.orders")


def test_postgres_tells_quoted_names_from_plain_ones() -> None:
    assert read('SELECT name FROM "Buyers"', "postgres") == ("Buyers",)
    assert 'spelled "Buyers"' in reason("SELECT name FROM Buyers", "postgres")
    assert read("SELECT amount FROM ORDERS", "postgres") == ("orders",)
    assert "no table" in reason('SELECT amount FROM "ORDERS"', "postgres")


def test_a_known_table_may_be_called_like_a_file() -> None:
    assert read('SELECT id FROM "data.csv"', "duckdb") == ("data.csv",)
    assert "looks like a file" in reason('SELECT id FROM "other.csv"', "duckdb")


def test_a_catalogue_table_is_refused_even_where_the_catalog_names_it() -> None:
    known = Catalog("x", "sqlite", (Table("sqlite_stat1", (Column("tbl", ""),)),))
    with pytest.raises(SQLRefused, match="catalogue"):
        Inspector("sqlite", known).inspect("SELECT tbl FROM sqlite_stat1")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_known_table_may_begin_like_a_catalogue_but_not_be_one(dialect: Dialect) -> None:
    names = ("pg_rating", "crm.pg_rating", "pg_stat_statements", "pg_class")
    known = Catalog("x", dialect, tuple(Table(name, (Column("id", ""),)) for name in names))
    inspector = Inspector(dialect, known)
    assert inspector.inspect("SELECT id FROM pg_rating")[1] == ("pg_rating",)
    assert inspector.inspect("SELECT id FROM crm.pg_rating")[1] == ("crm.pg_rating",)
    for name in ("pg_stat_statements", "pg_class", "pg_catalog.pg_rating", "pg_other"):
        with pytest.raises(SQLRefused, match="catalogue"):
            inspector.inspect(f"SELECT id FROM {name}")


def test_a_cte_is_no_table_and_hides_the_table_of_its_name() -> None:
    assert read("WITH x AS (SELECT id FROM orders) SELECT id FROM x") == ("orders",)
    assert read("WITH orders AS (SELECT name FROM Buyers) SELECT name FROM orders") == ("Buyers",)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM (WITH secret AS (SELECT 1 AS a) SELECT a FROM secret) AS s, secret",
        "WITH a AS (SELECT * FROM secret), secret AS (SELECT 1) SELECT * FROM a",
        "WITH secret AS (SELECT 1) SELECT * FROM main.secret",
        "SELECT (WITH secret AS (SELECT 1) SELECT 1) FROM secret",
    ],
)
def test_a_cte_is_seen_only_where_sql_sees_it(sql: str) -> None:
    assert "There is no table" in reason(sql)


@pytest.mark.parametrize("dialect", ["postgres", "duckdb", "mysql"])
def test_a_cte_does_not_read_itself_without_recursive(dialect: Dialect) -> None:
    assert "There is no table secret" in reason("WITH secret AS (SELECT * FROM secret) SELECT * FROM secret", dialect)


def test_a_cte_in_quotes_is_another_name_to_postgres() -> None:
    assert "There is no table secret" in reason('WITH "Secret" AS (SELECT 1) SELECT * FROM secret', "postgres")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT amount AS total FROM orders ORDER BY total",
        "SELECT o.amount FROM orders AS o WHERE o.id = 1",
        "SELECT AMOUNT, Orders.Id FROM orders",
        "SELECT name FROM Buyers b WHERE EXISTS (SELECT 1 FROM orders WHERE buyer_id = b.id AND city = 'x')",
        "SELECT name, amount FROM Buyers JOIN orders USING (id)",
        "SELECT n FROM (SELECT COUNT(*) AS n FROM orders) AS x",
        "SELECT x.a FROM (SELECT id, amount FROM orders) AS x(a, b)",
        "WITH t(a) AS (SELECT id FROM orders) SELECT t.a FROM t",
        "WITH t AS (SELECT * FROM orders) SELECT amount FROM t",
        "WITH t AS (SELECT o.* FROM orders o JOIN Buyers b ON b.id = o.buyer_id) SELECT amount FROM t",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t",
        "SELECT id FROM orders UNION SELECT id FROM Buyers ORDER BY id",
        "SELECT amount, SUM(amount) OVER (PARTITION BY buyer_id ORDER BY ordered_at) AS s FROM orders",
        "SELECT buyer_id, COUNT(*) AS n FROM orders GROUP BY buyer_id HAVING n > 1 ORDER BY n",
        "SELECT a.amount FROM orders a LEFT JOIN (orders b JOIN Buyers c ON c.id = b.buyer_id) ON a.id = b.id",
    ],
)
@pytest.mark.parametrize("dialect", ["sqlite", "duckdb", "mysql"])
def test_columns_are_found_where_sql_finds_them(sql: str, dialect: Dialect) -> None:
    read(sql, dialect)


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("SELECT rowid FROM orders", "sqlite"),
        ("SELECT j.value FROM orders, json_each(orders.tags) AS j", "sqlite"),
        ('SELECT * FROM Buyers WHERE city = "Berlin" AND name IN ("Ann", \'Bob\')', "sqlite"),
        ("SELECT amount * 2 AS d, d + 1 FROM orders", "duckdb"),
        ("SELECT * EXCLUDE (tags) FROM orders", "duckdb"),
        ("SELECT u.tag FROM orders, UNNEST(tags) AS u(tag)", "duckdb"),
        ("SELECT list_filter(tags, x -> x > 1) FROM orders", "duckdb"),
        ("SELECT o FROM orders o", "postgres"),
        ("SELECT (o).* FROM orders o", "postgres"),
        ("SELECT tag FROM orders, unnest(tags) AS tag", "postgres"),
        ("SELECT count FROM (SELECT COUNT(*) FROM orders) AS x", "postgres"),
        (
            "SELECT l.amount FROM crm.calls c, LATERAL (SELECT amount FROM orders WHERE buyer_id = c.buyer_id) l",
            "postgres",
        ),
        ("SELECT name COLLATE utf8mb4_bin FROM Buyers", "mysql"),
        ("SELECT TIMESTAMPDIFF(MONTH, ordered_at, NOW()) FROM orders", "mysql"),
        ("SELECT EXTRACT(YEAR FROM ordered_at) FROM orders", "postgres"),
    ],
)
def test_what_a_dialect_adds_to_columns_is_understood(sql: str, dialect: Dialect) -> None:
    read(sql, dialect)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT amonut FROM orders", "No table here has a column amonut. Its columns are called: amount."),
        ("SELECT o.amonut FROM orders o", "o has no column amonut. Its columns are called: amount."),
        ("SELECT x.id FROM orders o", "There is no table or alias x"),
        ("SELECT orders.id FROM orders o", "There is no table or alias orders"),
        ("SELECT amount FROM (SELECT id FROM orders) AS x", "No table here has a column amount"),
        ("WITH t AS (SELECT id FROM orders) SELECT t.amount FROM t", "t has no column amount"),
        ("SELECT id FROM orders WHERE city = 'x'", "No table here has a column city"),
        ("SELECT id FROM orders ORDER BY colour", "No table here has a column colour"),
        ("SELECT id FROM orders UNION SELECT id FROM Buyers ORDER BY colour", "No table here has a column colour"),
        ("SELECT COUNT(*) FROM orders JOIN Buyers USING (colour)", "No table here has a column colour"),
        ('SELECT id FROM orders WHERE "amonut" > 3', "No table here has a column amonut"),
        ('SELECT "colour" FROM orders', "No table here has a column colour"),
    ],
)
def test_a_column_that_no_table_has_is_refused_with_what_there_is(sql: str, told: str) -> None:
    assert told in reason(sql)


# --- the guard and its worker -----------------------------------------------------------------------------------


@pytest.fixture
async def guard() -> AsyncIterator[Guard]:
    async with aclosing(Guard("sqlite", None)) as guard:
        yield guard


def worker_of(guard: Guard) -> subprocess.Popen[bytes]:
    process = guard._worker._process
    assert process is not None
    return process


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        ("  SELECT 1 ;\r\n", "SELECT 1"),
        ("SELECT 1; -- the end", "SELECT 1"),
        ("select  A ,b FROM t -- why\nWHERE x='a;b'", "select  A ,b FROM t -- why\nWHERE x='a;b'"),
        ("SELECT 'ä' AS \"Ö\"", "SELECT 'ä' AS \"Ö\""),
    ],
)
async def test_the_text_that_was_checked_is_the_text_that_runs(guard: Guard, given: str, runs: str) -> None:
    query = await guard.check(given)
    assert query.sql == runs
    assert query.dialect == "sqlite"


async def test_a_query_tells_the_tables_it_reads() -> None:
    async with aclosing(Guard("sqlite", catalog("sqlite"))) as guard:
        assert await guard.check("SELECT * FROM ORDERS") == SafeQuery("SELECT * FROM ORDERS", "sqlite", ("orders",))


async def test_a_refusal_is_one_sentence_about_what_was_not_allowed(guard: Guard) -> None:
    with pytest.raises(SQLRefused, match=r"^DROP is not allowed: only queries that read \(SELECT\) are\.$"):
        await guard.check("DROP TABLE orders")


async def test_a_text_that_is_too_long_is_refused(guard: Guard) -> None:
    with pytest.raises(SQLRefused, match="longer than"):
        await guard.check("SELECT '" + "x" * MAX_CHARACTERS + "'")


async def test_the_longest_text_still_fits_the_workers_limits(guard: Guard) -> None:
    sql = "SELECT " + "1+" * ((MAX_CHARACTERS - 8) // 2) + "1"
    assert (await guard.check(sql)).sql == sql
    await guard.check("SELECT 1 FROM t WHERE a IN (" + ",".join(map(str, range(3000))) + ")")


async def test_many_checks_at_once_get_each_its_own_answer(guard: Guard) -> None:
    async def check(n: int) -> str:
        return (await guard.check(f"SELECT {n} FROM t")).sql

    assert await asyncio.gather(*(check(n) for n in range(60))) == [f"SELECT {n} FROM t" for n in range(60)]


async def test_a_check_that_was_cancelled_leaves_no_answer_for_the_next(guard: Guard) -> None:
    await guard.check("SELECT 0")
    for n in range(20):
        with anyio.move_on_after(0.0002 * (n % 5)):
            await guard.check(f"SELECT {n} FROM cancelled")
        assert (await guard.check(f"SELECT {n} FROM t")).sql == f"SELECT {n} FROM t"


async def test_a_worker_that_hangs_is_killed_and_the_next_question_gets_a_new_one(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await guard.check("SELECT 1")
    hanging = worker_of(guard)
    os.kill(hanging.pid, signal.SIGSTOP)
    monkeypatch.setattr(sql_guard, "DEADLINE", 0.1)
    with pytest.raises(SQLRefused, match="could not be checked in time"):
        await guard.check("SELECT 2")
    assert hanging.returncode == -signal.SIGKILL
    monkeypatch.undo()
    assert (await guard.check("SELECT 3")).sql == "SELECT 3"


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_an_answer_that_came_in_time_counts_however_late_the_loop_is(
    new_loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = sql_guard._ready

    def be_late(pipe: int) -> None:
        select.select([pipe], [], [])
        time.sleep(2 * sql_guard.DEADLINE)

    async def ready_late(pipe: int, *more: Any) -> bool:
        asyncio.get_running_loop().call_soon(be_late, pipe)
        return await ready(pipe, *more)

    async def scene() -> None:
        async with aclosing(Guard("sqlite", None)) as guard:
            await guard.check("SELECT 1")
            worker = worker_of(guard)
            monkeypatch.setattr(sql_guard, "DEADLINE", 0.05)
            monkeypatch.setattr(sql_guard, "_ready", ready_late)
            for n in range(2, 5):
                assert (await guard.check(f"SELECT {n}")).sql == f"SELECT {n}"
            assert worker_of(guard) is worker

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scene())


def test_a_worker_that_starts_while_its_loop_is_stopped_is_ended_and_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = Guard("sqlite", None)
    start, end = sql_guard._start, sql_guard._end
    is_starting, may_go_on, has_ended = (threading.Event() for _ in range(3))
    ended: list[subprocess.Popen[bytes]] = []

    def start_slowly(command: Sequence[str]) -> subprocess.Popen[bytes]:
        is_starting.set()
        may_go_on.wait()
        return start(command)

    def note_end(process: subprocess.Popen[bytes]) -> None:
        end(process)
        ended.append(process)
        has_ended.set()

    async def be_stopped() -> None:
        checking = asyncio.create_task(guard.check("SELECT 1"))
        await asyncio.to_thread(is_starting.wait)
        assert not checking.done()

    monkeypatch.setattr(sql_guard, "_start", start_slowly)
    monkeypatch.setattr(sql_guard, "_end", note_end)
    asyncio.run(be_stopped())
    may_go_on.set()
    assert has_ended.wait(60)
    assert [process.returncode for process in ended] == [-signal.SIGKILL]
    assert anyio.run(guard.check, "SELECT 2").sql == "SELECT 2"
    anyio.run(guard.aclose)


def bring_down(guard: Guard, bomb: str) -> None:
    """Let the guard's next workers end at this statement, as the kernel ends one that takes too long."""
    program = (
        "import os, signal\n"
        "from tools import guard_worker as w\n"
        "answer = w._answer\n"
        f"w._answer = lambda i, sql: os.kill(os.getpid(), signal.SIGPROF) if sql == {bomb!r} else answer(i, sql)\n"
        "w.main()\n"
    )
    guard._worker._command = [sys.executable, "-c", program]


async def test_a_statement_that_ends_the_worker_does_not_refuse_those_beside_it(guard: Guard) -> None:
    bring_down(guard, "SELECT 'bomb'")
    statements = ["SELECT 1", "SELECT 'bomb'", "SELECT 2", "DROP TABLE t", "SELECT 'bomb'", "SELECT 3"]
    answers = await asyncio.gather(*(guard.check(sql) for sql in statements), return_exceptions=True)
    told = [answer.sql if isinstance(answer, SafeQuery) else str(answer)[:24] for answer in answers]
    unchecked = "The SQL could not be che"
    assert told == ["SELECT 1", unchecked, "SELECT 2", "DROP is not allowed: onl", unchecked, "SELECT 3"]


async def test_a_statement_that_was_not_checked_in_time_is_checked_anew(guard: Guard) -> None:
    bring_down(guard, "SELECT 1")
    for _ in range(2):
        with pytest.raises(SQLRefused, match="could not be checked in time"):
            await guard.check("SELECT 1")
    guard._worker._command = Guard("sqlite", None)._worker._command
    assert (await guard.check("SELECT 1")).sql == "SELECT 1"


@pytest.mark.parametrize(
    "answer",
    [
        '{"sql": "SELECT 2", "tables": []}',
        '{"sql": 1, "tables": []}',
        '{"tables": []}',
        "[]",
        "{",
        '"yes"',
        "",
        pytest.param("[" * 100_000, id="deep"),
    ],
)
async def test_an_answer_that_is_not_about_the_statement_lets_nothing_through(guard: Guard, answer: str) -> None:
    program = f"print('{{}}', flush=True)\ninput()\nwhile True:\n    input()\n    print({answer!r}, flush=True)"
    guard._worker._command = [sys.executable, "-c", program]
    answers = await asyncio.gather(guard.check("SELECT 1"), guard.check("SELECT 11"), return_exceptions=True)
    assert [type(each) for each in answers] == [SQLRefused, SQLRefused]


async def test_a_worker_that_does_not_start_lets_nothing_through(guard: Guard) -> None:
    guard._worker._command = ["/nowhere/python"]
    answers = await asyncio.gather(guard.check("SELECT 1"), guard.check("SELECT 2"), return_exceptions=True)
    assert [type(each) for each in answers] == [SQLRefused, SQLRefused]


async def test_long_statements_at_once_do_not_fill_the_pipe(guard: Guard) -> None:
    statements = [f"SELECT {n} -- " + "\U0001f600" * 19_000 for n in range(6)]
    async with asyncio.timeout(60):
        assert [(await each).sql for each in [asyncio.create_task(guard.check(s)) for s in statements]] == statements


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux makes a user's pipes smaller")
async def test_statements_at_once_do_not_fill_a_pipe_that_takes_little(guard: Guard) -> None:
    await guard.check("SELECT 1")
    worker = worker_of(guard)
    for pipe in (worker.stdin, worker.stdout):
        assert pipe is not None
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4_096)
    statements = [f"SELECT {n} -- " + "x" * 3_900 for n in range(9)]
    assert [query.sql for query in await asyncio.gather(*map(guard.check, statements))] == statements
    assert worker_of(guard) is worker


async def test_what_was_said_of_a_text_is_not_asked_again_and_holds_for_one_catalog_only(guard: Guard) -> None:
    with pytest.raises(SQLRefused, match="DROP"):
        await guard.check("DROP TABLE ghosts")
    query = await guard.check("SELECT * FROM ghosts")
    worker_of(guard).kill()
    bring_down(guard, "SELECT * FROM ghosts")
    assert await guard.check("SELECT * FROM ghosts") == query
    with pytest.raises(SQLRefused, match="DROP"):
        await guard.check("DROP TABLE ghosts")
    async with aclosing(Guard("sqlite", catalog("sqlite"))) as other:
        with pytest.raises(SQLRefused, match="ghosts"):
            await other.check("SELECT * FROM ghosts")


async def test_a_worker_that_died_between_two_questions_costs_neither(guard: Guard) -> None:
    await guard.check("SELECT 1")
    worker_of(guard).kill()
    worker_of(guard).wait()
    assert (await guard.check("SELECT 2")).sql == "SELECT 2"


async def test_closing_the_guard_ends_its_worker() -> None:
    guard = Guard("sqlite", None)
    await guard.check("SELECT 1")
    worker = worker_of(guard)
    await guard.aclose()
    assert worker.returncode is not None
    await guard.aclose()


def test_a_guard_that_was_forgotten_takes_its_worker_along() -> None:
    guard = Guard("sqlite", None)
    anyio.run(guard.check, "SELECT 1")
    worker = worker_of(guard)
    del guard
    gc.collect()
    assert worker.returncode is not None


def test_one_guard_serves_several_event_loops() -> None:
    guard = Guard("sqlite", None)
    for n in range(3):
        assert anyio.run(guard.check, f"SELECT {n}").sql == f"SELECT {n}"
    anyio.run(guard.aclose)


def test_a_statement_that_takes_too_much_of_the_processor_ends_the_worker() -> None:
    program = (
        "from tools import guard_worker as w\n"
        "w.CPU_SECONDS = 0.05\n"
        "ready = iter([{}])\n"
        "def spin(*_):\n"
        "    for first in ready: return first\n"
        "    while True: pass\n"
        "w._answer = spin\n"
        "w.main()\n"
    )
    lines = b'{"dialect": "sqlite", "catalog": null}\n"SELECT 1"\n'
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, input=lines, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGPROF
    assert ended.stdout == b'{"ready": true}\n'


def test_the_worker_ends_with_the_process_that_started_it() -> None:
    program = (
        "import anyio, os, sys\n"
        "from tools.sql_guard import Guard\n"
        "guard = Guard('sqlite', None)\n"
        "anyio.run(guard.check, 'SELECT 1')\n"
        "print(guard._worker._process.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    started = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)
    pid = int(started.stdout)
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return
        subprocess.run(["sleep", "0.05"], check=True)
    pytest.fail("the worker outlived its parent")


# --- python -m jobs check ------------------------------------------------------------------------------------------


def checked(lines: bytes, dialect: str = "sqlite") -> list[dict[str, Any]]:
    program = "import typer; from jobs.check import check; typer.run(check)"
    ended = subprocess.run(
        [sys.executable, "-c", program, "--dialect", dialect], cwd=ROOT, input=lines, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_command_answers_each_line_in_order() -> None:
    statements = ["SELECT 1", "DROP TABLE t", "SELECT 2"]
    answers = checked("".join(json.dumps({"sql": s}) + "\n" for s in statements).encode())
    assert [a["sql"] for a in answers] == statements
    assert [a["allowed"] for a in answers] == [True, False, True]
    assert [a["reason"] is None for a in answers] == [True, False, True]


def test_the_command_answers_a_bad_line_with_a_reason() -> None:
    bad = [
        b"no json",
        b"",
        b"[1]",
        b"{}",
        b'{"sql": 3}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"sql": "' + b"x" * 10_000_000 + b'"}',
    ]
    answers = checked(b'\xef\xbb\xbf{"sql": "SELECT 1"}\r\n' + b"\n".join(bad) + b'\n{"sql": "SELECT 2"}')
    assert [a["allowed"] for a in answers] == [True] + [False] * len(bad) + [True]
    assert all(a["reason"] for a in answers[1:-1])


def test_the_command_passes_the_whole_corpus_by_the_same_guard() -> None:
    attacks = [json.loads(line) for line in (CORPUS / "guard_attacks.jsonl").read_text().splitlines()]
    queries = [json.loads(line) for line in (CORPUS / "guard_queries.jsonl").read_text().splitlines()]
    chosen = [row["sql"] for row in (*attacks, *queries) if "postgres" in row["dialects"]]
    answers = checked("".join(json.dumps({"sql": s}) + "\n" for s in chosen).encode(), "postgres")
    assert [a["allowed"] for a in answers] == [allowed(s, "postgres") for s in chosen]
