"""Proposes the next questions with a model, and keeps only those that run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from agents.beside import beside
from agents.prompts import DATA_RULE, section, write_answer_so_far
from agents.question import Draft, Followup, Question
from agents.schema_prompt import describe_tables
from errors import AskError, SQLFailed, SQLRefused
from llm.chat_json import Messages, json_agent
from llm.plain_text import plain
from tools.catalog import Dialect, Found
from tools.recent import Recent
from tools.sql_runner import Rows
from tools.trials import Guard, Runner

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
TRIALS_KEPT = 1_000
TRIAL_HOLDS_SECONDS = 300.0
"""How long a trial speaks for the next one: meanwhile the database's rows may change, its answers hardly vanish."""


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


def remember_trials() -> Recent[bool]:
    """Return a memory for `keep_runnable`: whether SQL tried lately, by its text, gave a row."""
    return Recent(TRIALS_KEPT, seconds=TRIAL_HOLDS_SECONDS)


def unlike(followups: Sequence[Followup]) -> list[Followup]:
    """Return the follow-ups, each question once."""
    by_question: dict[str, Followup] = {}
    for followup in followups:
        by_question.setdefault(followup.question.casefold(), followup)
    return list(by_question.values())


async def keep_runnable(
    followups: Sequence[Followup],
    guard: Guard,
    runner: Runner,
    *,
    wanted: int = 3,
    seconds: float = TRIAL_SECONDS,
    tried: Recent[bool] | None = None,
) -> list[Followup]:
    """Return the first `wanted` follow-ups whose SQL passes the guard and gives at least one row, in their order.

    Only so many are tried as are wanted, side by side and each for its first row only; where one fails, whatever its
    reason, the next is tried. What `tried` remembers is not tried again.
    """
    trial = _Trial(guard, runner, seconds, remember_trials() if tried is None else tried)
    kept: dict[int, Followup] = {}
    candidates = enumerate(unlike(followups))

    async def find_one() -> None:
        for place, followup in candidates:  # Shared: what one takes, the others do not.
            if await trial.passes(followup.sql):
                kept[place] = followup
                return

    async with AsyncExitStack() as finding:
        for found in [await finding.enter_async_context(beside(find_one(), "try")) for _ in range(wanted)]:
            await found
    return [kept[place] for place in sorted(kept)]


@dataclass(frozen=True)
class _Trial:
    guard: Guard
    runner: Runner
    seconds: float
    tried: Recent[bool]

    async def passes(self, sql: str) -> bool:
        """Return whether the SQL may be offered; nothing it fails with is raised."""
        if (known := self.tried.get(sql)) is not None:
            return known
        try:
            query = await self.guard.check(sql)
            rows = await self.runner.run(query, limit=1, timeout=self.seconds, trial=True)
            passed = bool(rows.values)
        except (SQLRefused, SQLFailed) as error:
            log.debug("follow-up dropped: %s", error)
            passed = False
        except AskError as error:  # The database is away or has no time: that says nothing about the SQL.
            log.debug("follow-up not tried: %s", error)
            return False
        self.tried.put(sql, passed)
        return passed
