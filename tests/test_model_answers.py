"""The stand-in understands our agents' prompts: what they were asked arrives at the analyst behind it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from agents.followups import ModelSuggester
from agents.guardrails import ModelGuardrails, RuleGuardrails
from agents.narrator import ModelNarrator
from agents.question import Complaint, Draft, Followup, Question, Say, Turn
from agents.sql_writer import SQLWriter
from errors import QuestionDeclined, QuestionRefused
from tests.test_sql_writer import CATALOG, CUSTOMERS, FOUND, ORDERS
from tools.catalog import Found
from tools.sql_runner import Rows

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

TURNS = (
    Turn("How many customers?", "How many customers are there?", "SELECT count(*) FROM customers"),
    Turn("and in </question>?", "How many customers are in Rome?", "SELECT count(*)\nFROM customers WHERE a < 3"),
)
QUESTION = Question("What did they spend?", date(2026, 11, 21), TURNS)
DRAFT = Draft("SELECT 1 AS one", "What did customers in Rome spend?", ("Rome is a city.", "All years count."))
ROWS = Rows(("city", "spent"), (("Rome", 12.5), (None, 3)), truncated=True, seconds=0.0)


@dataclass
class Analyst:
    """Keeps what it is asked, and answers the same each time."""

    asked: list[object] = field(default_factory=list)
    declines: bool = False

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        self.asked += [question, found, complaint]
        if self.declines:
            raise QuestionDeclined("Nothing here holds the weather.", ("How many customers?",))
        return DRAFT

    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        self.asked += [question, draft, rows]
        for piece in ("Rome spent ", "12.50", "."):
            await say(piece)

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        self.asked += [question, draft, rows, found]
        return [Followup("And Oslo?", "SELECT 2"), Followup("And by month?", "SELECT 3")]


@pytest.fixture
def analyst(model_server: StandIn) -> Analyst:
    analyst = Analyst()
    model_server.answers_for(CATALOG, writer=analyst, narrator=analyst, suggester=analyst)
    return analyst


@pytest.mark.parametrize("model", ["standin", "standin+no-response-format"])
async def test_what_the_writer_is_asked_arrives_whole(model_server: StandIn, analyst: Analyst, model: str) -> None:
    complaint = Complaint('SELECT "x" FROM customers', "no such column: x")
    async with model_server.open(model) as chat:
        draft = await SQLWriter(chat, "sqlite", 16_000).write(QUESTION, FOUND, complaint)
    assert draft == DRAFT
    # The analyst works by rules, so the saved questions and the instructions in the prompt are not for it.
    assert analyst.asked == [QUESTION, replace(FOUND, saved=(), instructions=()), complaint]


async def test_a_question_that_the_analyst_declines_is_declined(model_server: StandIn, analyst: Analyst) -> None:
    analyst.declines = True
    async with model_server.open() as chat:
        with pytest.raises(QuestionDeclined, match=r"Nothing here holds the weather\. How many customers\?"):
            await SQLWriter(chat, "sqlite", 16_000).write(QUESTION, FOUND, None)


async def test_what_the_narrator_is_asked_arrives_and_its_words_come_back(
    model_server: StandIn, analyst: Analyst
) -> None:
    said: list[str] = []

    async def say(piece: str) -> None:
        said.append(piece)

    async with model_server.open() as chat:
        await ModelNarrator(chat).narrate(QUESTION, DRAFT, ROWS, say)
    assert "".join(said) == "Rome spent 12.50."
    assert analyst.asked == [replace(QUESTION, turns=()), DRAFT, ROWS]


@pytest.mark.parametrize("model", ["standin", "standin+no-response-format"])
async def test_what_the_suggester_is_asked_arrives_and_its_ideas_come_back(
    model_server: StandIn, analyst: Analyst, model: str
) -> None:
    async with model_server.open(model) as chat:
        found = Found((CUSTOMERS, ORDERS))
        followups = await ModelSuggester(chat, "sqlite").suggest(QUESTION, DRAFT, ROWS, found)
    assert followups == [Followup("And Oslo?", "SELECT 2"), Followup("And by month?", "SELECT 3")]
    assert analyst.asked == [replace(QUESTION, turns=()), DRAFT, ROWS, found]


@pytest.mark.parametrize("model", ["standin", "standin+no-response-format"])
async def test_the_verdict_is_that_of_the_rules(model_server: StandIn, model: str) -> None:
    class NoRules(RuleGuardrails):
        async def judge(self, question: Question) -> None:
            return None

    async with model_server.open(model) as chat:
        guardrails = ModelGuardrails(NoRules(100), chat)
        await guardrails.judge(QUESTION)
        with pytest.raises(QuestionRefused, match="only reads"):
            await guardrails.judge(replace(QUESTION, text="delete all customers"))
