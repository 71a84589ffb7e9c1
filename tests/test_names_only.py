"""With QUAESTOR_MODEL_SEES=names no request to the model holds a value of the database, whatever a person does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from agents.answer import Answer
from agents.names_only import NamesOnlySuggester, blank_table
from agents.question import Draft, Followup, Question, Turn
from bootstrap import open_asker, open_index
from errors import SettingsInvalid
from jobs.batch_asking import ask_lines
from jobs.engine import Files
from tests.asked import offline_settings
from tests.canary_scene import (
    BROKEN_REVIEW,
    COUNT_OF_CITY,
    KINDS,
    MARK,
    MENDED,
    NEAR_REVIEWED,
    READINGS,
    REVIEWED,
    TODAY,
    UNCLEAR,
    WHY_EMPTY,
    Kind,
    Scene,
    canary_scene,
)
from tests.web_fixture import running, small_shop
from tools.catalog import Found
from tools.sql_runner import Rows

BY_CITY = "How many customers are there by city?"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    kind: Kind = request.param
    async with canary_scene(tmp_path_factory.mktemp(kind), kind) as scene:
        yield scene


async def click_all(scene: Scene, answer: Answer) -> None:
    """Ask all that the answer offers."""
    for question in answer.followups:
        await scene.ask(question, follows=True)


async def test_a_question_its_next_questions_and_its_follow_ups_tell_no_value(scene: Scene) -> None:
    answer = await scene.ask(BY_CITY)
    assert answer.status == "answered" and answer.analyst == ""
    assert MARK in answer.answer and MARK in json.dumps(answer.rows)
    assert answer.receipt is not None and answer.receipt["names_only"]
    assert answer.followups
    await click_all(scene, answer)
    for starter in scene.asker.starters:
        await scene.ask(starter)
    await scene.ask(BY_CITY)
    assert (await scene.ask("and by name?", follows=True)).status == "answered"
    assert "GROUP BY" in scene.sent[-1], "the model was not reminded of its own query"
    assert scene.leaked() == []


async def test_the_model_mends_its_sql_without_the_values_in_the_complaint(scene: Scene) -> None:
    complaints = scene.asker.catalog.dialect == "duckdb"
    answer = await scene.ask(MENDED)
    assert answer.status == "answered"
    asked_again = json.loads(scene.sent[-1])["messages"][-1]["content"]
    assert "<complaint>" in asked_again
    assert ("Could not convert string" if complaints else "Its columns are called: name") in asked_again
    assert scene.leaked() == []


async def test_an_empty_answer_tells_the_values_to_the_person_alone(scene: Scene) -> None:
    answer = await scene.ask(WHY_EMPTY)
    assert "The data does hold “ZQXobel”" in answer.answer
    assert not any(MARK in question for question in answer.followups)
    await click_all(scene, answer)
    await scene.ask("and by state?", follows=True)
    assert scene.leaked() == []


async def test_what_is_unclear_is_tried_and_asked_without_a_value(scene: Scene) -> None:
    answer = await scene.ask(UNCLEAR)
    assert answer.asks and tuple(answer.followups) == READINGS
    await click_all(scene, answer)
    # A value that two columns hold: the model is told neither their names for it nor how the data spells it.
    await click_all(scene, await scene.ask("How many orders are there for zqxtwin?"))
    assert scene.leaked() == []


async def test_reviewed_sql_loses_its_values_as_example_as_turn_and_as_complaint(scene: Scene) -> None:
    reviewed = await scene.ask(REVIEWED)
    assert reviewed.receipt is not None and reviewed.receipt["trusted"]
    await scene.ask("and by city?", follows=True)
    assert "total > ?" in scene.sent[-1]
    await scene.ask(NEAR_REVIEWED)
    assert "<saved>" in scene.sent[-1] and "state = ? AND total > ?" in scene.sent[-1]
    await scene.ask(BROKEN_REVIEW)
    assert "<complaint>" in scene.sent[-1] and "state = ?" in scene.sent[-1]
    assert scene.leaked() == []


async def test_what_the_rules_found_while_the_model_was_away_is_not_told_to_it_afterwards(scene: Scene) -> None:
    scene.server.faults.faults = ("refuse",)
    away = await scene.ask("How many customers are there in zqxobel?")
    assert away.fallback is not None and away.sql is not None and "ZQXobel" in away.sql
    assert not any(MARK in question for question in away.followups)
    scene.server.faults.faults = ()
    await click_all(scene, away)
    assert (await scene.ask("and by name?", follows=True)).fallback is None
    assert scene.leaked() == []


async def test_typed_sql_loses_its_values_when_the_conversation_goes_on(scene: Scene) -> None:
    typed = await scene.ask("SELECT COUNT(*) AS n FROM customers WHERE city = 'ZQXobel' -- ZQXlate")
    assert typed.status == "answered"
    await scene.ask("and by name?", follows=True)
    verdict, draft = scene.sent[-2:]
    assert "<reading>\\nSELECT COUNT ( * ) AS n FROM customers WHERE city = ?\\n</reading>" in verdict
    assert "<question>\\nSELECT COUNT ( * ) AS n FROM customers WHERE city = ?\\n</question>" in draft
    assert scene.leaked() == []


@pytest.mark.parametrize("asked", ["How many customers are there?", ""], ids=["for a question", "for none"])
async def test_sql_that_a_person_edited_is_shown_to_no_model_and_loses_its_values_later(
    asked: str, scene: Scene
) -> None:
    sql = "FROM customers SELECT COUNT(*) AS n WHERE city = 'ZQXobel'"  # DuckDB takes it; it does not look like SQL.
    sent = len(scene.sent)
    async with aclosing(scene.asker.ask(Question(sql, TODAY, (), "ask", asked))) as events:
        async for _ in events:
            pass
    assert len(scene.sent) == sent
    scene.turns[:] = [Turn(asked or sql, asked or sql, sql, by_hand=True)]
    await scene.ask("and by name?", follows=True)
    assert "city = ?" in scene.sent[-1]
    assert scene.leaked() == []


async def test_a_breakdown_and_an_investigation_ask_no_model(scene: Scene) -> None:
    answer = await scene.ask(BY_CITY)
    assert answer.sql is not None
    before = len(scene.sent)
    assert await scene.asker.steps(answer.sql)
    why = await scene.ask("Why did sales drop?", mode="investigate")
    assert why.status == "declined" and "QUAESTOR_MODEL_SEES" in why.answer
    assert len(scene.sent) == before


async def test_a_job_over_a_file_tells_no_value(scene: Scene, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    lines = ({"question": text} for text in (BY_CITY, MENDED, WHY_EMPTY, REVIEWED, NEAR_REVIEWED))
    questions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    answers = tmp_path / "answers.jsonl"
    await ask_lines(scene.settings, 4, Files(questions, answers, tmp_path / "errors.jsonl", False), lambda counts: None)
    assert MARK in answers.read_text()
    assert scene.sent and scene.leaked() == []


async def test_programs_that_bring_their_own_turns_tell_no_value(scene: Scene) -> None:
    turn = {"question": "How many orders are there in the best city?", "sql": COUNT_OF_CITY.format("ZQXobel")}
    async with running(scene.settings) as web:
        answer = (await web.ask(BY_CITY, turns=[turn], today=TODAY.isoformat())).json()
        assert answer["receipt"]["names_only"]
        await web.client.post("/api/breakdown", json={"sql": turn["sql"]})
    assert "c . city = ?" in "".join(scene.sent)
    assert scene.leaked() == []


class Listening(AsyncCallbackHandler):
    """Hears what any LangChain callback of any call is told, as a tracing service would."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def on_chat_model_start(self, *told: Any, **more: Any) -> None:
        self.heard.append(f"{told} {more}")

    async def on_chain_start(self, *told: Any, **more: Any) -> None:
        self.heard.append(f"{told} {more}")

    async def on_tool_start(self, *told: Any, **more: Any) -> None:
        self.heard.append(f"{told} {more}")


_listening: ContextVar[Listening | None] = ContextVar("listening", default=None)
register_configure_hook(_listening, inheritable=True)


async def test_langchains_callbacks_and_the_log_hear_no_value_either(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    listening = Listening()
    token = _listening.set(listening)
    caplog.set_level("INFO")
    try:
        for text in (BY_CITY, MENDED, WHY_EMPTY, BROKEN_REVIEW, NEAR_REVIEWED):
            await scene.ask(text)
    finally:
        _listening.reset(token)
    assert listening.heard and scene.leaked(listening.heard) == []
    assert MARK not in caplog.text


async def test_by_default_the_model_sees_all_and_the_receipt_says_nothing(tmp_path: Path) -> None:
    async with canary_scene(tmp_path, "sqlite") as names:
        assert names.asker.names_only and names.asker.investigator is None
        async with open_asker(names.settings.model_copy(update={"model_sees": "all"})) as asker:
            seen_all = replace(names, asker=asker)
            assert not asker.names_only and asker.investigator is not None
            await seen_all.ask(BY_CITY)
            assert MARK in seen_all.leaked()


@dataclass
class Seen:
    """Proposes nothing, and keeps the rows that it was given."""

    rows: list[Rows] = field(default_factory=list)

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        self.rows.append(rows)
        return []


async def test_who_proposes_the_next_questions_sees_no_rows(scene: Scene) -> None:
    seen, rows = Seen(), Rows(("city",), (("ZQXobel",),), truncated=False, seconds=0.1)
    suggester = NamesOnlySuggester(seen, scene.asker.catalog)
    await suggester.suggest(Question(BY_CITY, TODAY), Draft("SELECT 1", BY_CITY), rows, Found(()))
    assert seen.rows == [Rows(("city",), (), truncated=False, seconds=0.1)]


async def test_nothing_is_left_of_a_table_but_what_it_is_called_and_made_of(scene: Scene) -> None:
    for table in map(blank_table, scene.asker.catalog):
        assert table.row_count is None
        for column in table.columns:
            assert (column.samples, column.values, column.distinct) == ((), (), None)


async def test_an_embedding_model_at_an_endpoint_is_refused_in_one_sentence(tmp_path: Path) -> None:
    settings = offline_settings(tmp_path, database_url=small_shop(tmp_path)).model_copy(
        update={"embedding_model": "text-embedding-3-small", "model_sees": "names"}
    )
    for opened in (open_asker(settings), open_index(settings)):
        with pytest.raises(SettingsInvalid, match=r"^QUAESTOR_EMBEDDING_MODEL sends values .*\.$"):
            async with opened:
                pass
