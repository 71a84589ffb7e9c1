"""Which next questions are proposed, and which of them are kept."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agents.followups import ModelSuggester, keep_runnable, remember_trials
from agents.prompts import read_section
from agents.question import Draft, Followup, Question
from errors import DatabaseUnavailable, ModelUnavailable
from tools.catalog import Catalog, Found
from tools.reflection import read_catalog
from tools.sql_guard import Guard, SafeQuery
from tools.sql_runner import Rows, SQLRunner, open_runner

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

QUESTION = Question("Which city ordered most?", date(2026, 11, 21))
DRAFT = Draft("SELECT city, count(*) FROM orders GROUP BY city", "Which city ordered most?")
ROWS = Rows(("city", "orders"), (("Rome", 2), ("Oslo", 1)), truncated=False, seconds=0.0)


@pytest.fixture
def url(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "shop.sqlite") as shop:
        shop.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, city TEXT)")
        shop.executemany("INSERT INTO orders (city) VALUES (?)", [("Rome",), ("Rome",), ("Oslo",)])
    shop.close()
    return f"sqlite:///{tmp_path / 'shop.sqlite'}"


@pytest.fixture
def catalog(url: str) -> Catalog:
    return read_catalog(url)


@pytest.fixture
async def runner(url: str) -> AsyncIterator[SQLRunner]:
    runner = open_runner(url)
    yield runner
    await runner.aclose()


@pytest.fixture
async def guard(catalog: Catalog) -> AsyncIterator[Guard]:
    guard = Guard(catalog.dialect, catalog)
    yield guard
    await guard.aclose()


async def test_the_models_ideas_become_followups(model_server: StandIn, catalog: Catalog) -> None:
    ideas = [
        {"question": "Which [city](http://evil.example) is last?", "sql": "SELECT city FROM orders;"},
        {"question": " ", "sql": "SELECT 1"},
        {"question": "And without SQL?", "sql": ""},
        *({"question": f"Number {i}?", "sql": f"SELECT {i}"} for i in range(9)),
    ]
    model_server.will_say(json.dumps({"followups": ideas}))
    async with model_server.open() as model:
        suggester = ModelSuggester(model, catalog.dialect)
        followups = await suggester.suggest(QUESTION, DRAFT, ROWS, Found(catalog.tables))
    assert followups[0] == Followup("Which (city) is last?", "SELECT city FROM orders")
    assert [f.question for f in followups[1:]] == ["Number 0?", "Number 1?", "Number 2?"]


async def test_the_model_sees_the_tables_and_the_rows(model_server: StandIn, catalog: Catalog) -> None:
    model_server.will_say('{"followups": []}')
    async with model_server.open() as model:
        suggester = ModelSuggester(model, catalog.dialect)
        assert await suggester.suggest(QUESTION, DRAFT, ROWS, Found(catalog.tables)) == []
    body = model_server.requests[0].body
    assert body["response_format"]["json_schema"]["name"] == "followups"
    prompt = body["messages"][-1]["content"]
    assert "table orders" in (read_section("tables", prompt) or "")
    assert '["Rome", 2]' in (read_section("rows", prompt) or "")


async def test_a_model_that_fails_is_told_as_such(model_server: StandIn, catalog: Catalog) -> None:
    async with model_server.open("standin+refuse") as model:
        with pytest.raises(ModelUnavailable):
            await ModelSuggester(model, catalog.dialect).suggest(QUESTION, DRAFT, ROWS, Found(catalog.tables))


async def test_only_followups_that_run_and_return_rows_are_kept(guard: Guard, runner: SQLRunner) -> None:
    followups = [
        Followup("Delete them?", "DELETE FROM orders"),
        Followup("By weather?", "SELECT weather FROM orders"),
        Followup("By city?", "SELECT city, count(*) FROM orders GROUP BY city"),
        Followup("Only Paris?", "SELECT * FROM orders WHERE city = 'Paris'"),
        Followup("Not SQL?", "hello"),
        Followup("How many?", "SELECT count(*) FROM orders"),
    ]
    kept = await keep_runnable(followups, guard, runner)
    assert [f.question for f in kept] == ["By city?", "How many?"]


async def test_the_first_that_run_are_kept_each_question_once(guard: Guard, runner: SQLRunner) -> None:
    followups = [Followup(q, f"SELECT {i} FROM orders") for i, q in enumerate(["A?", "a?", "B?", "A?", "C?", "D?"])]
    kept = await keep_runnable(followups, guard, runner, wanted=3)
    assert [f.sql[7] for f in kept] == ["0", "2", "4"]


class Watched:
    """The runner, and the SQL that it was asked to run."""

    def __init__(self, runner: SQLRunner) -> None:
        self._runner = runner
        self.ran: list[str] = []
        self.is_down = False

    async def run(
        self, query: SafeQuery, *, limit: int | None = None, timeout: float | None = None, trial: bool = False
    ) -> Rows:
        assert trial, "nobody waits for a follow-up: it may not go before a question's own statement"
        self.ran.append(query.sql)
        if self.is_down:
            raise DatabaseUnavailable("The database is away.")
        return await self._runner.run(query, limit=limit, timeout=timeout, trial=trial)


NOTHING = "SELECT * FROM orders WHERE city = 'Paris'"


async def test_no_more_are_tried_than_are_wanted_and_the_next_only_where_one_fails(
    guard: Guard, runner: SQLRunner
) -> None:
    watched = Watched(runner)
    sqls = ["SELECT 0", NOTHING, "SELECT 2", "SELECT nothing FROM orders", "SELECT 4", "SELECT 5", "SELECT 6"]
    followups = [Followup(f"{i}?", sql) for i, sql in enumerate(sqls)]
    assert [f.question for f in await keep_runnable(followups, guard, watched)] == ["0?", "2?", "4?"]
    assert sorted(watched.ran) == sorted([*sqls[:3], "SELECT 4"])  # the guard refused the fourth


async def test_what_was_tried_lately_is_not_tried_again(guard: Guard, runner: SQLRunner) -> None:
    watched, tried = Watched(runner), remember_trials()
    followups = [Followup("Paris?", NOTHING), Followup("All?", "SELECT * FROM orders")]
    for _ in range(2):
        assert [f.question for f in await keep_runnable(followups, guard, watched, tried=tried)] == ["All?"]
    assert sorted(watched.ran) == sorted(f.sql for f in followups)


async def test_a_database_that_was_away_says_nothing_about_the_sql(guard: Guard, runner: SQLRunner) -> None:
    watched, tried = Watched(runner), remember_trials()
    followups = [Followup("All?", "SELECT * FROM orders")]
    watched.is_down = True
    assert await keep_runnable(followups, guard, watched, tried=tried) == []
    watched.is_down = False
    assert await keep_runnable(followups, guard, watched, tried=tried) == followups


async def test_a_followup_that_takes_too_long_is_dropped(guard: Guard, runner: SQLRunner) -> None:
    joined = ", ".join(f"orders o{i}" for i in range(30))
    followups = [Followup("Long?", f"SELECT count(*) FROM {joined}"), Followup("Short?", "SELECT count(*) FROM orders")]
    kept = await keep_runnable(followups, guard, runner, seconds=0.2)
    assert [f.question for f in kept] == ["Short?"]
