"""`python -m benchmarks model`: our agents ask it over HTTP, and the offline analyst's answers come back."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest

from agents.followups import ModelSuggester, keep_runnable
from agents.guardrails import ModelGuardrails, RuleGuardrails
from agents.narrator import ModelNarrator
from agents.question import Question, Turn
from agents.sql_writer import SQLWriter
from benchmarks.model_command import open_analyst
from data import ensure_sample
from endpoints import Endpoint
from errors import QuestionDeclined
from llm.chat import open_chat_model
from settings import Settings
from tools.catalog import Catalog, Found
from tools.reflection import read_catalog
from tools.sql_guard import Guard
from tools.sql_runner import SQLRunner, open_runner

TODAY = date(2026, 11, 21)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    with sqlite3.connect(file) as shop:
        shop.executescript(
            """
            CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
            CREATE TABLE orders (
                id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), total REAL, ordered_on DATE
            );
            INSERT INTO customers (name, city) VALUES ('Anna', 'Rome'), ('Bert', 'Oslo'), ('Cleo', 'Rome');
            INSERT INTO orders (customer_id, total, ordered_on)
            VALUES (1, 10.5, '2026-10-02'), (1, 20, '2026-10-09'), (2, 5, '2026-11-01'), (3, 7, '2025-01-01');
            """
        )
    shop.close()
    return f"sqlite:///{file}"


@pytest.fixture(scope="module")
def catalog(url: str) -> Catalog:
    return read_catalog(url)


@asynccontextmanager
async def command(*options: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python -m benchmarks model`; it is stopped at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks", "model", *options),
        cwd=Path(__file__).parent.parent,
        env=os.environ | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[str]:
    """Yield the base URL that the command prints, and see that a SIGTERM ends it well."""
    pace = ("--port", "0", "--first-token-ms", "10", "--tokens-per-second", "500")
    async with command(*pace, "--database-url", url) as process:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode().strip()
        assert line.startswith("OPENAI_BASE_URL=http://127.0.0.1:") and line.endswith(" QUAESTOR_MODEL=standin")
        yield line.split()[0].removeprefix("OPENAI_BASE_URL=")
        process.terminate()
        _, complaints = await process.communicate()
        assert (process.returncode, complaints) == (0, b"")


@asynccontextmanager
async def reading(url: str, catalog: Catalog) -> AsyncIterator[tuple[Guard, SQLRunner]]:
    guard, runner = Guard(catalog.dialect, catalog), open_runner(url)
    try:
        yield guard, runner
    finally:
        await guard.aclose()
        await runner.aclose()


async def test_a_question_goes_all_the_way_through_the_model(url: str, catalog: Catalog) -> None:
    said: list[str] = []

    async def say(piece: str) -> None:
        said.append(piece)

    question, found = Question("How many customers are there per city?", TODAY), Found(catalog.tables)
    async with (
        serving(url) as base_url,
        open_chat_model([Endpoint(base_url, "standin")]) as model,
        reading(url, catalog) as (guard, runner),
    ):
        await ModelGuardrails(RuleGuardrails(1_000), model).judge(question)
        draft = await SQLWriter(model, catalog.dialect, 16_000).write(question, found, None)
        rows = await runner.run(await guard.check(draft.sql))
        await ModelNarrator(model).narrate(question, draft, rows, say)
        ideas = await ModelSuggester(model, catalog.dialect).suggest(question, draft, rows, found)
        kept = await keep_runnable(ideas, guard, runner)
        turn = Turn(question.text, draft.reading, draft.sql)
        later = Question("only in Rome", TODAY, (turn,))
        follow_up = await SQLWriter(model, catalog.dialect, 16_000).write(later, found, None)
        fewer = await runner.run(await guard.check(follow_up.sql))
        with pytest.raises(QuestionDeclined):
            await SQLWriter(model, catalog.dialect, 16_000).write(Question("What is the weather?", TODAY), found, None)
    assert {("Rome", 2), ("Oslo", 1)} == set(rows.values)
    told = "".join(said)
    assert "Rome" in told and told.endswith("."), told
    assert kept
    assert [value for row in fewer.values for value in row if isinstance(value, int)] == [2]


async def complaint(*options: str, **settings: str) -> tuple[int | None, str]:
    """Return how the command ends, and what it says on stderr."""
    async with command(*options, **settings) as process:
        _, complaints = await process.communicate()
        return process.returncode, complaints.decode()


async def test_a_database_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    code, text = await complaint("--database-url", f"sqlite:///{tmp_path}/none.sqlite")
    assert code == 1 and len(text.strip().split("\n")) == 1 and "Traceback" not in text


async def test_a_port_that_is_taken_is_one_sentence(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, text = await complaint("--port", port, "--database-url", url)
    assert code == 1
    assert text.strip() == f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another --port."


async def test_a_fault_that_is_none_is_answered_with_the_list() -> None:
    code, text = await complaint("--fault", "nonsense")
    assert code == 2 and "reset-middle" in text


def test_without_a_database_it_answers_for_the_sample_of_the_settings_home_and_day(tmp_path: Path) -> None:
    open_analyst(Settings(home=tmp_path, today=TODAY, database_url=None))
    assert not ensure_sample(tmp_path / "sample.sqlite", TODAY), "the day's sample was not there yet"


async def test_the_command_reads_the_settings(tmp_path: Path) -> None:
    code, text = await complaint(QUAESTOR_TODAY="no day")
    assert code == 1 and "QUAESTOR_TODAY" in text and "Traceback" not in text
