"""What a newcomer says first: greetings, and questions about the database rather than its rows."""

from __future__ import annotations

import sqlite3
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from agents.events import ChartDrawn, RowsFound
from agents.offline.analyst import Analyst
from agents.offline.followups import OfflineSuggester
from agents.offline.writer import OfflineWriter
from agents.question import Draft, Question
from bootstrap import open_asker
from errors import QuestionDeclined
from tests.asked import offline_settings
from tests.sqlite_files import write
from tests.test_offline_everyday import BIKES, TODAY
from tools.catalog import Found
from tools.reflection import read_catalog
from tools.sql_runner import Rows

TABLES = (
    "What tables are there?",
    "which tables do you have",
    "how many tables are there in the database?",
    "show me the schema",
    "What's in this database?",
    "what data do you have",
)
BIKE_COLUMNS = (
    "describe the bikes table",
    "Which columns does bikes have?",
    "What do you know about bikes?",
    "show me the columns of bikes",
    "what's in the bikes table",
)
POLITE = ("hi", "Hello there!", "help", "What can you do?", "who are you", "thanks!", "what can I ask?")


GREETED_FIRST = (
    "hi, what can I ask you?",
    "hello! what can you do",
    "hey there, who are you?",
    "Good morning! How does this work?",
    "hi, can you help me please?",
)
ABLE = (
    "hey there",
    "what should I ask",
    "what questions can I ask",
    "can you help me?",
    "how does this work?",
    "so what can you do?",
    "tell me what I can ask",
    *GREETED_FIRST,
)


@pytest.fixture(scope="module")
def bikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bikes") / "bikes.sqlite", BIKES)


def _analyst(file: Path) -> Analyst:
    return Analyst(read_catalog(f"sqlite:///{file}"))


async def _asked(file: Path, question: str) -> tuple[Draft, list[tuple[object, ...]]]:
    draft = await OfflineWriter(_analyst(file)).write(Question(question, TODAY), Found(()), None)
    with closing(sqlite3.connect(file)) as connection:
        return draft, connection.execute(draft.sql).fetchall()


@pytest.mark.parametrize("question", TABLES)
async def test_the_tables_are_told_with_how_many_rows_they_have_now(bikes: Path, question: str) -> None:
    rows = {str(name): count for name, count in (await _asked(bikes, question))[1]}
    assert rows["purchases"] == 120 and rows["regions"] == 3 and len(rows) == 8


@pytest.mark.parametrize("question", BIKE_COLUMNS)
async def test_a_table_is_told_by_its_columns(bikes: Path, question: str) -> None:
    _, rows = await _asked(bikes, question)
    assert [row[0] for row in rows] == ["bike_id", "model", "brand_id", "style", "list_price", "discontinued"]


@pytest.mark.parametrize("said", POLITE)
async def test_who_is_greeted_says_what_can_be_asked(bikes: Path, said: str) -> None:
    with pytest.raises(QuestionDeclined) as told:
        await _asked(bikes, said)
    assert "nothing" not in str(told.value) and "What tables are there?" in told.value.suggestions


@pytest.mark.parametrize("said", ABLE)
async def test_who_asks_what_can_be_asked_is_told_what_is_answered(bikes: Path, said: str) -> None:
    with pytest.raises(QuestionDeclined, match="I answer questions about this database") as told:
        await _asked(bikes, said)
    assert "Hello" in str(told.value) or said not in GREETED_FIRST


async def test_a_greeting_before_a_question_does_not_hide_it(bikes: Path) -> None:
    assert len((await _asked(bikes, "Hi, what tables are there?"))[1]) == 8
    assert (await _asked(bikes, "hello, how many purchases are there?"))[1] == [(120,)]


async def test_after_the_tables_first_questions_are_proposed(bikes: Path) -> None:
    draft, rows = await _asked(bikes, TABLES[0])
    shown = Rows(("table_name", "number_of_rows"), tuple(rows), False, 0.0)
    suggester = OfflineSuggester(_analyst(bikes))
    proposed = await suggester.suggest(Question(TABLES[0], TODAY), draft, shown, Found(()))
    assert len(proposed) >= 3


async def test_tables_of_a_restaurant_are_its_own(tmp_path: Path) -> None:
    script = (
        "CREATE TABLE tables (table_id INTEGER PRIMARY KEY, seats INTEGER); INSERT INTO tables VALUES (1, 4), (2, 6)"
    )
    file = write(tmp_path / "restaurant.sqlite", script)
    assert (await _asked(file, "How many tables are there?"))[1] == [(2,)]


async def test_no_chart_is_drawn_of_a_list_of_the_tables(bikes: Path, tmp_path: Path) -> None:
    settings = offline_settings(tmp_path, today=TODAY, database_url=f"sqlite:///{bikes}")
    async with open_asker(settings) as asker, aclosing(asker.ask(Question("What tables are there?", TODAY))) as events:
        listed = [event async for event in events]
    assert any(isinstance(event, RowsFound) for event in listed)
    assert not any(isinstance(event, ChartDrawn) for event in listed)
