"""An unclear question is tried in each of its readings; only where these differ is the person asked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents.ask import Asker
from agents.doubt import DoubtingWriter, unclear_value
from agents.events import Declined, Event, SQLWritten
from agents.question import Complaint, Draft, Question
from benchmarks.model_command import open_analyst
from benchmarks.model_server import ModelServer, Pace, serving
from bootstrap import open_asker
from errors import QuestionUnclear
from settings import Settings
from tools.catalog import Catalog, Found, Value
from tools.reflection import read_catalog
from tools.sql_guard import Guard
from tools.sql_runner import SQLRunner, open_runner

TODAY = date(2026, 11, 20)
SHOP = """
CREATE TABLE stores (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, store_id INTEGER REFERENCES stores(id),
    customer_id INTEGER REFERENCES customers(id), total REAL);
INSERT INTO stores VALUES (1, 'Harbour', 'Oslo'), (2, 'Hill', 'Bergen');
INSERT INTO customers VALUES (1, 'Ann', 'Oslo'), (2, 'Bo', 'Bergen'), (3, 'Cy', 'Oslo');
"""
SAME = "INSERT INTO orders VALUES (1, 1, 1, 10.0), (2, 2, 2, 20.0), (3, 1, 3, 30.0);"
OTHER = "INSERT INTO orders VALUES (1, 1, 1, 10.0), (2, 2, 2, 20.0), (3, 2, 3, 30.0);"


def shop(folder: Path, orders: str) -> str:
    file = folder / "shop.sqlite"
    with sqlite3.connect(file) as db:
        db.executescript(SHOP + orders)
    db.close()
    return f"sqlite:///{file}"


@dataclass
class Torn:
    """Writes what is told for a reading, and cannot choose one by itself."""

    sqls: dict[str, str]
    asked: list[str] = field(default_factory=list)

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        self.asked.append(question.text)
        if question.text in self.sqls:
            return Draft(self.sqls[question.text], question.text)
        raise QuestionUnclear("Which do you mean?", tuple(self.sqls))


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[tuple[Catalog, Guard, SQLRunner]]:
    url = shop(tmp_path, OTHER)
    catalog = read_catalog(url)
    guard, runner = Guard("sqlite", catalog), open_runner(url, row_limit=100, timeout=20)
    yield catalog, guard, runner
    await runner.aclose()
    await guard.aclose()


async def written(parts: tuple[Catalog, Guard, SQLRunner], **sqls: str) -> Draft:
    catalog, guard, runner = parts
    writer = DoubtingWriter(Torn(sqls), guard, runner)
    return await writer.write(Question("Which?", TODAY), Found(catalog.tables), None)


async def test_readings_with_the_same_rows_are_an_answer(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    draft = await written(
        parts, one="SELECT sum(total) AS a FROM orders", other="SELECT 60.0 AS b UNION SELECT 60 FROM orders"
    )
    assert draft.sql == "SELECT sum(total) AS a FROM orders"
    assert draft.assumptions == ("Read as “one”; “other” finds the same rows.",)


async def test_readings_with_different_rows_are_a_question(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    with pytest.raises(QuestionUnclear, match="I tried all three, and they find different rows") as unclear:
        await written(
            parts,
            one="SELECT count(*) FROM orders",
            two="SELECT count(*) FROM customers",
            three="SELECT count(*) FROM stores",
        )
    # Orders and customers are three each: to choose between these would be no choice.
    assert unclear.value.suggestions == ("one", "three")


async def test_a_reading_that_cannot_be_asked_is_none(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    same = "SELECT id FROM orders"
    draft = await written(parts, one="SELECT nothing FROM nowhere", two=same, three=same)
    assert draft.assumptions == ("Read as “two”; “three” finds the same rows.",)
    for broken in ("SELECT nothing FROM nowhere", "DROP TABLE orders"):
        with pytest.raises(QuestionUnclear, match=r"^Which do you mean\?$"):
            await written(parts, one=broken, two=same)


async def test_a_clear_question_is_written_once(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    catalog, guard, runner = parts
    torn = Torn({"Which?": "SELECT id FROM orders"})
    await DoubtingWriter(torn, guard, runner).write(Question("Which?", TODAY), Found(catalog.tables), None)
    assert torn.asked == ["Which?"]


IN_TWO = (Value("stores", "city", "Oslo"), Value("customers", "city", "Oslo"))


@pytest.mark.parametrize(
    ("question", "values", "readings"),
    [
        (
            "How many orders in oslo?",
            IN_TWO,
            (
                "How many orders in oslo (“Oslo” is the city of stores)?",
                "How many orders in oslo (“Oslo” is the city of customers)?",
            ),
        ),
        ("How many orders of the store in Oslo?", IN_TWO, None),
        ("How many orders of a customer in Oslo?", IN_TWO, None),
        ("How many orders?", IN_TWO, None),
        ("How many orders in Oslo?", IN_TWO[:1], None),
        ("How many orders in Oslofjord?", IN_TWO, None),
    ],
)
def test_a_value_in_two_columns_is_unclear_where_the_question_names_neither(
    question: str, values: tuple[Value, ...], readings: tuple[str, ...] | None
) -> None:
    unclear = unclear_value(Question(question, TODAY), Found((), values))
    assert (unclear and unclear.suggestions) == readings
    if readings:  # What was chosen is not asked about again.
        assert unclear_value(Question(readings[0], TODAY), Found((), values)) is None


async def told(asker: Asker, text: str) -> list[Event]:
    async with aclosing(asker.ask(Question(text, TODAY))) as events:
        return [event async for event in events]


def offline(folder: Path, orders: str) -> Settings:
    return Settings(home=folder / "home", database_url=shop(folder, orders), today=TODAY)


async def test_the_offline_analyst_asks_back_and_understands_each_answer(tmp_path: Path) -> None:
    async with open_asker(offline(tmp_path, OTHER)) as asker:
        [declined] = [e for e in await told(asker, "How many orders are from Oslo?") if isinstance(e, Declined)]
        assert declined.asks
        assert "I tried both" in declined.reason
        counts = set()
        for reading in declined.suggestions:
            [sql] = [e.draft.sql for e in await told(asker, reading) if isinstance(e, SQLWritten)]
            counts.add("customers" in sql)
        assert counts == {True, False}


async def test_the_offline_analyst_answers_where_it_makes_no_difference(tmp_path: Path) -> None:
    async with open_asker(offline(tmp_path, SAME)) as asker:
        events = await told(asker, "How many orders are from Oslo?")
        [draft] = [e.draft for e in events if isinstance(e, SQLWritten)]
        assert draft.assumptions[-1].endswith("finds the same rows.")


@pytest.mark.parametrize("question", ["How many orders are from Oslo?", "Total of the orders by city?"])
async def test_a_models_readings_are_tried_too(tmp_path: Path, question: str) -> None:
    settings = offline(tmp_path, OTHER)
    analyst = await asyncio.to_thread(open_analyst, settings)
    async with serving(ModelServer(analyst, Pace(0, 0))) as base_url:
        asking = settings.model_copy(update={"openai_base_url": base_url, "openai_api_key": SecretStr("sk-test-0123")})
        async with open_asker(asking) as asker:
            [declined] = [e for e in await told(asker, question) if isinstance(e, Declined)]
            assert declined.asks
            assert "they find different rows" in declined.reason
            for reading in declined.suggestions:
                events = await told(asker, reading)
                assert [e for e in events if isinstance(e, SQLWritten)], events


async def test_a_models_readings_that_agree_are_an_answer(tmp_path: Path) -> None:
    settings = offline(tmp_path, SAME)
    analyst = await asyncio.to_thread(open_analyst, settings)
    async with serving(ModelServer(analyst, Pace(0, 0))) as base_url:
        asking = settings.model_copy(update={"openai_base_url": base_url, "openai_api_key": SecretStr("sk-test-0123")})
        async with open_asker(asking) as asker:
            events = await told(asker, "How many orders are from Oslo?")
            [draft] = [e.draft for e in events if isinstance(e, SQLWritten)]
            assert draft.assumptions[-1].endswith("finds the same rows.")
