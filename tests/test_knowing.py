"""A deployment's own words are understood by rules and told to a model, and a saved question answers by itself."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from pydantic import SecretStr

from agents.ask import Asker
from agents.events import Event, ReceiptWritten, SQLWritten, TablesFound
from agents.question import Draft, Question, Turn
from benchmarks.model_wire import ToolCall
from bootstrap import open_asker
from settings import Settings
from tests.asked import Answer, ask, offline_settings

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

TODAY = date(2026, 11, 20)
GUIDE = (Path(__file__).resolve().parent.parent / "docs" / "knowledge.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^\| (.+?) \| (.+?) \|$", GUIDE.split("| is read as |\n|---|---|\n")[1].split("\n\n")[0], re.MULTILINE
)
GLOSSARY = f"""\
{GUIDE.split("```markdown")[1].split("```")[0]}
- shoppers = customers
- order: what a customer buys in one go.
- darling: whoever we like best.
"""
STALE = '{"question": "How many stores are there?", "sql": "SELECT COUNT(*) FROM shops"}\n'
SAVED = '{"question": "How many people do we owe a parcel?", "sql": "SELECT COUNT(*) AS parcels FROM shipments"}\n'


def with_knowledge(home: Path, **more: object) -> Settings:
    (home / "knowledge").mkdir(exist_ok=True)
    (home / "knowledge" / "glossary.md").write_text(GLOSSARY)
    (home / "knowledge" / "instructions.md").write_text("- A walk-in is an order without a customer.\n")
    (home / "knowledge" / "questions.jsonl").write_text(STALE + SAVED)
    return offline_settings(home, today=TODAY).model_copy(update=more)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@asynccontextmanager
async def knowing(home: Path) -> AsyncIterator[Asker]:
    async with open_asker(with_knowledge(home)) as asker:
        yield asker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asker(home: Path) -> AsyncIterator[Asker]:
    async with knowing(home) as asker:
        yield asker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plain(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asker]:
    """The same without anything written down."""
    async with open_asker(offline_settings(tmp_path_factory.mktemp("plain"), today=TODAY)) as asker:
        yield asker


async def drafted(asker: Asker, question: str) -> Draft:
    answer: Answer = await ask(asker, question, TODAY)
    assert answer.status == "answered" and answer.draft is not None
    return answer.draft


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("ours", "everybodys"),
    [*EXAMPLES, ("How many shoppers are there?", "How many customers are there?")],
)
async def test_a_word_of_ours_asks_what_it_means(asker: Asker, plain: Asker, ours: str, everybodys: str) -> None:
    told, meant = await drafted(asker, ours), await drafted(plain, everybodys)
    assert told.sql == meant.sql
    assert any(text.startswith("By the glossary, ") for text in told.assumptions)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_definition_takes_no_word_from_the_rules_that_they_know(asker: Asker, plain: Asker) -> None:
    question = "How many orders were cancelled?"
    told = await drafted(asker, question)
    assert told.sql == (await drafted(plain, question)).sql
    assert told.assumptions[0] == "What the glossary says of “order” was not needed to read it."


@pytest.mark.asyncio(loop_scope="module")
async def test_a_definition_that_rules_cannot_read_is_no_answer(asker: Asker) -> None:
    assert (await ask(asker, "How many darlings do we have?", TODAY)).status == "declined"


@pytest.mark.asyncio(loop_scope="module")
async def test_the_tables_of_what_a_word_means_are_found(asker: Asker) -> None:
    async with aclosing(asker.ask(Question("How many churned customers do we have?", TODAY))) as events:
        [found] = [event.found async for event in events if isinstance(event, TablesFound)]
    assert {"customers", "orders"} <= {table.name for table in found.tables[:4]}
    assert found.terms[0].names == ("churned customer",)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "question", ["How many people do we owe a parcel?", "the number of people that we owe a parcel"]
)
async def test_a_saved_question_answers_at_once_and_is_labelled(asker: Asker, question: str) -> None:
    async with aclosing(asker.ask(Question(question, TODAY))) as asked:
        events: list[Event] = [event async for event in asked]
    [written] = [event.draft for event in events if isinstance(event, SQLWritten)]
    [receipt] = [event.receipt for event in events if isinstance(event, ReceiptWritten)]
    assert written.sql == "SELECT COUNT(*) AS parcels FROM shipments"
    assert receipt.trusted


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("question", "trusted"),
    [
        ("How many people do we owe a parcel?", True),
        ("How many of those people do we owe a parcel?", False),
        ("and how many people do we owe a parcel?", False),
        ("How many people do we owe a parcel there?", False),
    ],
)
async def test_in_a_conversation_it_answers_a_question_that_stands_alone(
    asker: Asker, question: str, trusted: bool
) -> None:
    before = Turn("How many customers live in Porto?", "How many customers live in Porto?", "SELECT 1")
    answer = await ask(asker, question, TODAY, [before])
    assert (answer.draft is not None and answer.draft.trusted) is trusted


@pytest.mark.asyncio(loop_scope="module")
async def test_its_opposite_is_not_answered_by_it(asker: Asker) -> None:
    answer = await ask(asker, "How many people do we owe no parcel?", TODAY)
    assert answer.draft is None or not answer.draft.trusted


@pytest.mark.asyncio(loop_scope="module")
async def test_saved_sql_that_no_longer_runs_leaves_the_question_to_the_rules(asker: Asker) -> None:
    draft = await drafted(asker, "How many stores are there?")
    assert "FROM stores" in draft.sql and not draft.trusted


async def test_a_model_is_told_what_is_known(home: Path, model_server: StandIn) -> None:
    endpoint = {"openai_base_url": model_server.base_url, "openai_api_key": SecretStr("none"), "model": "standin"}
    model_server.will_say('{"allowed": true, "reason": ""}')
    model_server.will_say('{"answerable": true, "sql": "SELECT 1 AS n", "reading": "x"}')
    async with open_asker(with_knowledge(home, **endpoint)) as asker:
        await ask(asker, "How many churned customers do we have?", TODAY)
    prompts = ["\n".join(str(m["content"]) for m in request.body["messages"]) for request in model_server.requests]
    [prompt] = [text for text in prompts if "<tables>" in text and "Write reason" in text]
    assert '"words": ["churned customer"], "means": "a customer who placed no order in the last 12 months."' in prompt
    assert "<instructions>\n- A walk-in is an order without a customer.\n</instructions>" in prompt


async def test_an_investigation_is_told_what_is_known(home: Path, model_server: StandIn) -> None:
    endpoint = {"openai_base_url": model_server.base_url, "openai_api_key": SecretStr("none"), "model": "standin"}
    looked = ToolCall("find_tables", '{"question": "churned customers by city"}')
    model_server.will_say('{"allowed": true, "reason": ""}', looked, "Nobody left.")
    why = Question("Why did customers leave?", TODAY, mode="investigate")
    async with open_asker(with_knowledge(home, **endpoint)) as asker, aclosing(asker.ask(why)) as events:
        assert [event async for event in events]
    [told] = [m["content"] for m in model_server.requests[-1].body["messages"] if m["role"] == "tool"]
    assert "a customer who placed no order" in told
    assert "- A walk-in is an order without a customer." in told
