"""What is counted of a question, by its events and nothing else."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

import web.metrics
from agents.events import Event, Failed, Finished, ReceiptWritten, RowsFound, TextChunk
from agents.question import Question
from agents.receipt import Receipt
from beat import BEAT
from endpoints import Endpoint
from errors import DatabaseUnavailable
from llm.pool import Pool
from tests.asked import offline_settings
from tests.web_fixture import small_shop
from tools.sql_runner import Rows
from web.desk import Desk
from web.metrics import Metrics

TODAY = date(2026, 11, 20)


def counted(metrics: Metrics, name: str) -> float:
    text, _ = metrics.as_text("")
    found = re.search(rf"^{re.escape(name)} (\S+)$", text.decode(), re.MULTILINE)
    assert found, f"there is no metric {name}"
    return float(found[1])


def watch(metrics: Metrics, *events: Event) -> None:
    with metrics.question() as watched:
        for event in events:
            watched.take(event)


@asynccontextmanager
async def small_desk(folder: Path) -> AsyncIterator[Desk]:
    desk = Desk(offline_settings(folder / "home", database_url=small_shop(folder)))
    try:
        yield desk
    finally:
        await desk.close()


async def test_an_answered_question_is_counted_with_its_rows_stages_and_times(tmp_path: Path) -> None:
    async with small_desk(tmp_path) as desk:
        async with aclosing(desk.ask(Question("SELECT name FROM products", TODAY))) as events:
            assert counted(desk.metrics, "quaestor_questions_in_flight") == 0, "it has not begun"
            await anext(events)
            assert counted(desk.metrics, "quaestor_questions_in_flight") == 1
            async for _ in events:
                pass
        for name, value in (
            ('quaestor_questions_total{status="answered"}', 1),
            ("quaestor_questions_in_flight", 0),
            ("quaestor_sql_rows_total", 2),
            ('quaestor_stage_seconds_count{stage="run"}', 1),
            ('quaestor_stage_seconds_count{stage="tell"}', 1),
            ("quaestor_first_token_seconds_count", 1),
            ("quaestor_answer_seconds_count", 1),
            ("quaestor_model_tokens_total", 0),
        ):
            assert counted(desk.metrics, name) == value, name
        first, whole = (counted(desk.metrics, f"quaestor_{n}_seconds_sum") for n in ("first_token", "answer"))
        assert 0 < first < whole


async def test_a_question_that_nobody_reads_to_its_end_was_stopped(tmp_path: Path) -> None:
    async with small_desk(tmp_path) as desk:
        async with aclosing(desk.ask(Question("SELECT name FROM products", TODAY))) as events:
            await anext(events)
        assert counted(desk.metrics, 'quaestor_questions_total{status="stopped"}') == 1
        assert counted(desk.metrics, "quaestor_questions_in_flight") == 0
        assert counted(desk.metrics, "quaestor_answer_seconds_count") == 0


async def test_a_question_that_finds_no_database_has_failed(tmp_path: Path) -> None:
    desk = Desk(offline_settings(tmp_path / "home", database_url=f"sqlite:///{tmp_path}/none.db"))
    with pytest.raises(DatabaseUnavailable):
        async for _ in desk.ask(Question("How many products?", TODAY)):
            pass
    assert counted(desk.metrics, 'quaestor_questions_total{status="failed"}') == 1
    assert counted(desk.metrics, "quaestor_questions_in_flight") == 0


def test_the_events_alone_say_what_is_counted() -> None:
    metrics = Metrics()
    rows = Rows(("n",), ((1,), (2,), (3,)), False, 0.1)
    watch(metrics, RowsFound(rows), TextChunk("a"), TextChunk("b"), Finished("answered", {"run": 0.3}, tokens=42))
    watch(metrics, Failed("x"), Finished("failed", {"run": 7.0}, tokens=8))
    assert counted(metrics, "quaestor_sql_rows_total") == 3
    assert counted(metrics, "quaestor_model_tokens_total") == 50
    assert counted(metrics, "quaestor_first_token_seconds_count") == 1
    assert counted(metrics, 'quaestor_stage_seconds_bucket{le="0.5",stage="run"}') == 1
    assert counted(metrics, 'quaestor_stage_seconds_sum{stage="run"}') == 7.3
    assert counted(metrics, 'quaestor_questions_total{status="failed"}') == 1
    assert counted(metrics, 'quaestor_questions_total{status="declined"}') == 0, "there from the start"


def test_an_answer_is_counted_when_it_is_whole_whether_its_next_questions_are_waited_for_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(web.metrics, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    metrics = Metrics()
    whole = ReceiptWritten(Receipt((), (), None, trusted=False), {"tell": 2.0}, tokens=7)
    for finished in ([], [Finished("answered", {"tell": 2.0, "suggest": 6.0}, tokens=12)]):
        with metrics.question() as watched:
            now[0] += 2.5
            watched.take(whole)
            now[0] += 4.0
            for event in finished:
                watched.take(event)
            assert counted(metrics, "quaestor_questions_in_flight") == 1
    assert counted(metrics, 'quaestor_questions_total{status="answered"}') == 2
    assert counted(metrics, "quaestor_answer_seconds_sum") == 5.0
    assert counted(metrics, "quaestor_model_tokens_total") == 7 + 12
    assert counted(metrics, 'quaestor_stage_seconds_count{stage="tell"}') == 2
    assert counted(metrics, 'quaestor_stage_seconds_sum{stage="suggest"}') == 6.0


async def test_a_loop_that_is_held_up_shows_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.metrics, "LOOKED_EVERY", 0.01)
    metrics = Metrics()
    watching = asyncio.create_task(metrics.watch_loop())
    await asyncio.sleep(0)
    time.sleep(0.11 + BEAT)  # noqa: ASYNC251
    while not counted(metrics, "quaestor_event_loop_lag_seconds_count"):  # noqa: ASYNC110  # It tells nobody.
        await asyncio.sleep(0.001)
    watching.cancel()
    await asyncio.wait([watching])
    assert counted(metrics, "quaestor_event_loop_lag_max_seconds") >= 0.1


def test_what_waits_in_a_line_is_looked_up_at_each_reading() -> None:
    class Queue:
        in_turn = 8
        waiting = 3

    metrics, line = Metrics(), Queue()
    metrics.watch_line("database", line)
    assert counted(metrics, 'quaestor_queue_length{line="database"}') == 3
    line.waiting = 0
    assert counted(metrics, 'quaestor_queue_length{line="database"}') == 0
    assert counted(metrics, 'quaestor_queue_in_turn{line="database"}') == 8


def test_each_endpoints_requests_are_counted_by_how_they_ended() -> None:
    metrics = Metrics()
    pool = Pool([Endpoint("http://a/v1", "m", name="a"), Endpoint("http://b/v1", "m", name="b")])
    metrics.watch_endpoints(lambda: pool.states)
    first, second = pool.seats.members
    first.successes, first.failures, first.limited = 5, 3, 1
    second.in_flight = 2
    for name, value in (
        ('quaestor_endpoint_requests_total{endpoint="a",outcome="answered"}', 5),
        ('quaestor_endpoint_requests_total{endpoint="a",outcome="failed"}', 2),
        ('quaestor_endpoint_requests_total{endpoint="a",outcome="rate_limited"}', 1),
        ('quaestor_endpoint_requests_total{endpoint="b",outcome="answered"}', 0),
        ('quaestor_endpoint_in_flight{endpoint="b"}', 2),
    ):
        assert counted(metrics, name) == value, name


async def test_both_lines_are_shown_from_the_first_question_on(tmp_path: Path) -> None:
    async with small_desk(tmp_path) as desk:
        await desk.asker()
        for line in ("questions", "database"):
            assert counted(desk.metrics, f'quaestor_queue_length{{line="{line}"}}') == 0


def test_the_process_is_measured_too() -> None:
    metrics = Metrics()
    assert counted(metrics, "process_cpu_seconds_total") > 0
    assert counted(metrics, "process_resident_memory_bytes") > 1e6


def test_each_reader_gets_the_format_it_asks_for() -> None:
    metrics = Metrics()
    plain, plain_type = metrics.as_text("")
    openmetrics, openmetrics_type = metrics.as_text("application/openmetrics-text; version=1.0.0")
    assert plain_type.startswith("text/plain; version=0.0.4")
    assert openmetrics_type.startswith("application/openmetrics-text")
    assert openmetrics.endswith(b"# EOF\n")
    assert b"_created" not in plain
