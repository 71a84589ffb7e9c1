"""The stand-in plays the model of an investigation: who has no model at hand sees what Investigate is."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from agents.ask import Asker
from agents.events import QueryDrawn, QueryRan, TextChunk
from agents.question import Question
from benchmarks.model_command import open_analyst
from benchmarks.model_investigator import LIMITS
from bootstrap import open_asker
from settings import Settings

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

TODAY = date(2026, 5, 20)


@pytest.fixture
async def asker(tmp_path: Path, model_server: StandIn) -> AsyncIterator[Asker]:
    file = tmp_path / "shop.sqlite"
    with sqlite3.connect(file) as db:
        db.executescript("""
            CREATE TABLE orders (id INTEGER PRIMARY KEY, order_date DATE, channel TEXT, city TEXT, total REAL);
            INSERT INTO orders (order_date, channel, city, total) VALUES
                ('2026-02-01', 'online', 'Oslo', 10), ('2026-02-02', 'store', 'Bergen', 30),
                ('2026-03-05', 'online', 'Oslo', 12), ('2026-03-09', 'store', 'Oslo', 8),
                ('2026-04-01', 'online', 'Bergen', 5), ('2026-04-02', 'store', 'Oslo', 4);
        """)
    db.close()
    settings = Settings(
        home=tmp_path / "home",
        database_url=SecretStr(f"sqlite:///{file}"),
        openai_base_url=model_server.base_url,
        openai_api_key=SecretStr("sk-test-0123456789"),
        today=TODAY,
    )
    model_server.server.analyst = open_analyst(settings)
    async with open_asker(settings) as asker:
        yield asker


async def investigated(asker: Asker, text: str) -> tuple[str, list[QueryRan], list[QueryDrawn]]:
    async with aclosing(asker.ask(Question(text, TODAY, mode="investigate"))) as events:
        told = [event async for event in events]
    words = "".join(event.text for event in told if isinstance(event, TextChunk))
    ran = [event for event in told if isinstance(event, QueryRan)]
    return words, ran, [event for event in told if isinstance(event, QueryDrawn)]


async def test_it_splits_up_what_is_asked_draws_it_and_reports_with_the_queries_numbers(asker: Asker) -> None:
    words, ran, drawn = await investigated(asker, "Why did order totals fall in April?")
    assert [query.number for query in ran] == [1, 2, 3]
    assert all(query.rows is not None for query in ran)
    assert ran[0].why == "order totals by month"
    assert len({query.sql for query in ran}) == 3
    assert [chart.number for chart in drawn] == [1]
    report = words.partition("\n\n")[2].strip()
    assert "from 40 in February 2026 to 9 in April 2026" in report
    assert all(f" ({query.number})." in report for query in ran)
    assert report.endswith(LIMITS)
    assert not {"[", "rows:", "|", "SELECT"} & set(report.split())


async def test_what_the_rules_do_not_understand_is_said_and_nothing_is_run(asker: Asker) -> None:
    words, ran, _ = await investigated(asker, "Why is the moon made of cheese?")
    assert "How many orders" in words
    assert not ran
