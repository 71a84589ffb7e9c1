"""Takes one question to its answer; the only file that knows the order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from agents.events import Event
from agents.question import Complaint, Draft, Followup, Question, Say
from tools.catalog import Found
from tools.sql_runner import Rows


class Guardrails(Protocol):
    async def judge(self, question: Question) -> None:
        """Return when the question may be asked; raises QuestionRefused with the reason otherwise."""


class Writer(Protocol):
    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """Return SQL for the question, mended where a complaint about an earlier draft is given.

        Raises QuestionDeclined where the tables do not hold what is asked or a part was not understood.
        """


class Narrator(Protocol):
    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        """Say in words what the rows answer, piece by piece."""


class Suggester(Protocol):
    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        """Return next questions, best first, some more than are needed: those that do not run are dropped."""


class Asker:
    """Everything that one database's questions need. Built by `bootstrap.open_asker`, or by hand in a test."""

    analyst: str
    """Who answers: a model's name, or "offline analyst"."""

    def ask(self, question: Question) -> AsyncIterator[Event]:
        """Yield what happens; the last event is `Finished`. Closing the iterator stops the work, the statement too."""
        raise NotImplementedError
