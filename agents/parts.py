"""What an `Asker` is made of: each part as the pipeline needs it, whoever does its work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Protocol

from agents.events import QueryDrawn, QueryRan
from agents.question import Complaint, Draft, Followup, Question, Say
from llm.pool import EndpointState
from tools.breakdown import Step
from tools.catalog import Found, SavedQuestion
from tools.line import TellPlace
from tools.sql_guard import SafeQuery
from tools.sql_runner import Rows
from tools.zero_rows import Emptying

Check = Callable[[], Awaitable[object]]
"""Returns when what it checks answers; raises AskError with the reason otherwise."""

Endpoints = Callable[[], tuple[EndpointState, ...]]
"""Returns how each endpoint of the model is."""


class Guardrails(Protocol):
    async def judge(self, question: Question) -> None:
        """Return when the question may be asked; raises QuestionRefused with the reason otherwise."""


class Schema(Protocol):
    async def find(self, question: str) -> Found:
        """Return the tables and values that the question may be about, nearest first."""


class SavedSearch(Protocol):
    async def find(self, question: str) -> tuple[SavedQuestion, ...]:
        """Return the saved questions like this one, nearest first."""


class Writer(Protocol):
    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """Return SQL for the question, mended where a complaint about an earlier draft is given.

        Raises QuestionDeclined where the tables do not hold what is asked or a part was not understood.
        """


class Guard(Protocol):
    async def check(self, sql: str) -> SafeQuery:
        """Return the query, safe to run; raises SQLRefused with the reason."""


class Runner(Protocol):
    async def run(
        self,
        query: SafeQuery,
        *,
        limit: int | None = None,
        timeout: float | None = None,
        dry_run: bool = False,
        trial: bool = False,
        tell_place: TellPlace | None = None,
    ) -> Rows:
        """Return the rows; raises SQLFailed, QueryTimedOut or DatabaseUnavailable. See tools.sql_runner.SQLRunner."""


class Narrator(Protocol):
    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        """Say in words what the rows answer, piece by piece."""


class Suggester(Protocol):
    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        """Return next questions, best first, some more than are needed: those that do not run are dropped."""


class Investigator(Protocol):
    async def investigate(
        self, question: Question, tell: Callable[[QueryRan | QueryDrawn], Awaitable[None]], say: Say
    ) -> tuple[str, ...]:
        """Tell each query and chart, say the report, and return the names of the tables that were read."""


class Explainer(Protocol):
    async def explain(self, sql: str) -> tuple[Emptying, ...]:
        """Return which filters of this SQL leave no rows, and what the data holds instead."""


class Breakdown(Protocol):
    async def steps(self, sql: str) -> tuple[Step, ...]:
        """Return the steps of the query in order, each run; raises SQLRefused."""


class Freshness(Protocol):
    async def newest(self, tables: Sequence[str], today: date) -> date | None:
        """Return the latest day in the dates of these tables, None where it is not known."""
