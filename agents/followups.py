"""Proposes the next questions with a model, and keeps only those that run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio
from pydantic import BaseModel

from agents.prompts import DATA_RULE, section, write_answer_so_far
from agents.question import Draft, Followup, Question
from agents.schema_prompt import describe_tables
from errors import AskError
from llm.chat_json import Messages, json_agent
from llm.plain_text import plain
from tools.catalog import Dialect, Found
from tools.sql_guard import SafeQuery
from tools.sql_runner import Rows

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

log = logging.getLogger("quaestor.followups")

NAME = "followups"
"""What the shape of the answer is called on the wire."""

PROMPT = """\
You propose what a person may want to ask next about their database, after the answer they have just got.

{data_rule}

Propose six questions, the most useful first: look closer at what stands out in <rows>, compare with another period,
split by something else in <tables>. Each is one short sentence that needs no earlier question to make sense, and that
one {dialect} query over <tables> answers: a SELECT without semicolon, names quoted as in <tables>, dates as literals.

Answer with one JSON object and nothing else:
{{"followups": [{{"question": "the question, in the language of the person's", "sql": "its query"}}]}}"""

MOST = 6
TABLES_TOKENS = 4_000
"""How much of the prompt the tables may fill."""
TRIAL_SECONDS = 2.0
"""A follow-up that takes longer than this to give its first row is not worth a click."""


class _Idea(BaseModel):
    question: str
    sql: str


class Ideas(BaseModel):
    """What the model answers; see PROMPT."""

    followups: list[_Idea]


@dataclass(frozen=True)
class _Answered:
    question: Question
    draft: Draft
    rows: Rows
    found: Found


class ModelSuggester:
    """Proposes with a model."""

    def __init__(self, model: BaseChatModel, dialect: Dialect) -> None:
        self._dialect: Dialect = dialect
        self._agent = json_agent(self._prompt, model, NAME, Ideas)

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        """See agents.ask.Suggester. Raises ModelUnavailable or ModelMisbehaved."""
        ideas = await self._agent.ainvoke(_Answered(question, draft, rows, found))
        followups = (Followup(plain(i.question, 200), i.sql.strip().rstrip(";")) for i in ideas.followups[:MOST])
        return [f for f in followups if f.question and f.sql]

    def _prompt(self, answered: _Answered) -> Messages:
        question, found = answered.question, answered.found
        tables = describe_tables(found, answered.draft.reading, self._dialect, TABLES_TOKENS)
        told = write_answer_so_far(question, answered.draft, answered.rows)
        system = PROMPT.format(data_rule=DATA_RULE, dialect=self._dialect)
        return [("system", system), ("human", "\n".join([section("tables", tables), *told]))]


class Guard(Protocol):
    async def check(self, sql: str) -> SafeQuery:
        """Return the query, safe to run; raises SQLRefused with the reason."""


class Runner(Protocol):
    async def run(self, query: SafeQuery, *, limit: int | None = None, timeout: float | None = None) -> Rows:
        """Return the rows; raises SQLFailed, QueryTimedOut or DatabaseUnavailable."""


async def keep_runnable(
    followups: Sequence[Followup], guard: Guard, runner: Runner, *, wanted: int = 3, seconds: float = TRIAL_SECONDS
) -> list[Followup]:
    """Return the first `wanted` follow-ups whose SQL passes the guard and gives at least one row, in their order.

    They are tried side by side, each for its first row only. One that fails is dropped, whatever its reason.
    """
    by_question: dict[str, Followup] = {}
    for followup in followups:
        by_question.setdefault(followup.question.casefold(), followup)
    unique = list(by_question.values())
    runs = [False] * len(unique)

    async def attempt(index: int) -> None:
        try:
            query = await guard.check(unique[index].sql)
            rows = await runner.run(query, limit=1, timeout=seconds)
            runs[index] = bool(rows.values)
        except AskError as error:
            log.debug("follow-up dropped: %s", error)

    async with anyio.create_task_group() as tasks:
        for index in range(len(unique)):
            tasks.start_soon(attempt, index)
    return [followup for followup, ran in zip(unique, runs, strict=True) if ran][:wanted]
