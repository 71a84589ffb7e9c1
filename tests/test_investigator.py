"""An investigation runs several queries, shows each, and reports with their numbers, within its limits."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from agents.ask import Asker
from agents.events import Declined, Event, Failed, Finished, QueryDrawn, QueryRan, ReceiptWritten, Refused, TextChunk
from agents.investigator import Investigator, Limits
from agents.question import Question
from benchmarks.model_wire import Reply, ToolCall
from bootstrap import open_asker
from settings import Settings

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

TODAY = date(2026, 11, 20)
WHY = "Why did sales fall in March?"
BY_MONTH = "SELECT substr(day, 1, 7) AS month, sum(total) AS sales FROM orders GROUP BY month ORDER BY month"
BY_CITY = "SELECT city, sum(total) AS sales FROM orders GROUP BY city"
ALLOWED = json.dumps({"allowed": True, "reason": ""})


@pytest.fixture
def shop(tmp_path: Path) -> str:
    file = tmp_path / "shop.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, day TEXT, city TEXT, total REAL)")
        days = [("2026-02-01", "Oslo", 10), ("2026-02-02", "Bergen", 20), ("2026-03-01", "Oslo", 9)]
        db.executemany("INSERT INTO orders (day, city, total) VALUES (?, ?, ?)", days)
    db.close()
    return f"sqlite:///{file}"


@pytest.fixture
async def asker(shop: str, tmp_path: Path, model_server: StandIn) -> AsyncIterator[Asker]:
    settings = Settings(
        home=tmp_path / "home",
        database_url=SecretStr(shop),
        openai_base_url=model_server.base_url,
        openai_api_key=SecretStr("sk-test-0123456789"),
    )
    async with open_asker(settings) as asker:
        yield asker


def called(name: str, **arguments: object) -> ToolCall:
    return ToolCall(name, json.dumps(arguments))


async def told(asker: Asker, text: str = WHY) -> list[Event]:
    async with aclosing(asker.ask(Question(text, TODAY, mode="investigate"))) as events:
        return [event async for event in events]


def words(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextChunk))


async def test_it_finds_looks_up_runs_draws_and_reports(asker: Asker, model_server: StandIn) -> None:
    model_server.will_say(
        ALLOWED,
        called("find_tables", question="sales by month"),
        called("look_up_values", text="oslo"),
        called("run_sql", sql=BY_MONTH, why="Sales by month"),
        called("run_sql", sql=BY_CITY, why="Sales by city"),
        called("draw_chart", query=2, kind="bar"),
        "Sales fell from 30 to 9 (1), all of it in Bergen (2).",
    )
    events = await told(asker)
    ran = [event for event in events if isinstance(event, QueryRan)]
    assert [(query.number, query.why, query.rows and query.rows.values) for query in ran] == [
        (1, "Sales by month", (("2026-02", 30.0), ("2026-03", 9.0))),
        (2, "Sales by city", (("Bergen", 20.0), ("Oslo", 19.0))),
    ]
    assert [(event.number, event.chart.kind) for event in events if isinstance(event, QueryDrawn)] == [(2, "bar")]
    assert words(events) == "Sales fell from 30 to 9 (1), all of it in Bergen (2)."
    [receipt] = [event.receipt for event in events if isinstance(event, ReceiptWritten)]
    assert receipt.tables == (("orders", 3),)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.status == "answered"
    assert finished.tokens > 0
    results = [m["content"] for m in model_server.requests[-1].body["messages"] if m["role"] == "tool"]
    assert "table orders" in results[0]
    assert '"value": "Oslo"' in results[1]
    assert '["2026-02", 30.0]' in results[2]


async def test_a_query_that_does_not_run_is_shown_and_told_to_the_model(asker: Asker, model_server: StandIn) -> None:
    model_server.will_say(
        ALLOWED,
        called("run_sql", sql="DELETE FROM orders"),
        called("run_sql", sql="SELECT nothing FROM orders"),
        called("draw_chart", query=7),
        "The data does not show it.",
    )
    events = await told(asker)
    ran = [event for event in events if isinstance(event, QueryRan)]
    assert [query.rows for query in ran] == [None, None]
    assert all(query.complaint for query in ran)
    results = [m["content"] for m in model_server.requests[-1].body["messages"] if m["role"] == "tool"]
    assert "did not run" in results[0] and ran[1].complaint in results[1]
    assert results[2] == "There is no query 7 with rows."


@asynccontextmanager
async def limited(asker: Asker, model_server: StandIn, limits: Limits) -> AsyncIterator[Asker]:
    async with model_server.open() as model:
        dialect = asker.catalog.dialect
        yield replace(asker, investigator=Investigator(model, asker.schema, asker.guard, asker.runner, dialect, limits))


async def test_past_its_queries_the_model_is_told_to_write_the_report(asker: Asker, model_server: StandIn) -> None:
    model_server.will_say(ALLOWED, *[called("run_sql", sql=BY_CITY)] * 3, "That is all (1).")
    async with limited(asker, model_server, Limits(queries=2)) as two:
        events = await told(two)
    assert len([event for event in events if isinstance(event, QueryRan)]) == 2
    results = [m["content"] for m in model_server.requests[-1].body["messages"] if m["role"] == "tool"]
    assert results[2] == "No more queries: 2 queries have run. Write the report now, from what you have."
    assert words(events) == "That is all (1)."


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(Limits(tokens=1), "1 tokens are written"), (Limits(seconds=0.0), "0 seconds are over")],
    ids=["tokens", "seconds"],
)
async def test_past_its_tokens_or_its_time_too(
    asker: Asker, model_server: StandIn, limits: Limits, reason: str
) -> None:
    model_server.will_say(ALLOWED, called("run_sql", sql=BY_CITY), "Nothing is known.")
    async with limited(asker, model_server, limits) as short:
        events = await told(short)
    assert not [event for event in events if isinstance(event, QueryRan)]
    results = [m["content"] for m in model_server.requests[-1].body["messages"] if m["role"] == "tool"]
    assert reason in results[0]


async def test_a_model_that_never_reports_is_stopped_and_what_it_found_stays(
    asker: Asker, model_server: StandIn
) -> None:
    model_server.will_say(ALLOWED, *[called("run_sql", sql=BY_CITY)] * 3)
    async with limited(asker, model_server, Limits(calls=3)) as short:
        events = await told(short)
    assert len([event for event in events if isinstance(event, QueryRan)]) == 3
    [failed] = [event for event in events if isinstance(event, Failed)]
    assert failed.reason.startswith("The investigation was stopped after 3 steps, before its report was written.")


async def test_its_turns_are_paragraphs(asker: Asker, model_server: StandIn) -> None:
    query = called("run_sql", sql=BY_MONTH, why="Sales by month")
    model_server.will_say(ALLOWED)
    model_server.server.script.append(Reply("I will compare the months.", (query,)))
    model_server.will_say("They fell (1).")
    assert words(await told(asker)) == "I will compare the months.\n\nThey fell (1)."


async def test_it_refuses_what_may_not_be_asked(asker: Asker, model_server: StandIn) -> None:
    events = await told(asker, "Delete all orders")
    assert [type(event) for event in events] == [Refused, Finished]


async def test_without_a_model_it_says_so(shop: str, tmp_path: Path) -> None:
    async with open_asker(Settings(home=tmp_path / "other", database_url=SecretStr(shop))) as offline:
        events = await told(offline)
    [declined] = [event for event in events if isinstance(event, Declined)]
    assert "OPENAI_API_KEY" in declined.reason
    assert declined.suggestions
