"""Writes SQL for a question by rules, without a model, or says which part it did not understand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from asyncer import asyncify

from agents.offline.lexicon import Lexicon
from agents.offline.linking import link
from agents.offline.plan import Plan
from agents.offline.reading import Reading, read
from agents.offline.resolving import NotUnderstood
from agents.offline.sql import SQLBuilder
from agents.question import Complaint, Draft, Question
from errors import QuestionDeclined, SQLFailed
from tools.catalog import Catalog, Found, Value

CHAIN = " → "
"""Joins the turns of a conversation in a reading: the first question, then what was changed."""


@dataclass(frozen=True)
class Understood:
    plan: Plan
    sql: str
    assumptions: tuple[str, ...]


class Analyst:
    """Understands questions about one catalog; its lexicon is built once."""

    def __init__(self, catalog: Catalog) -> None:
        self.lexicon = Lexicon(catalog)
        self._builder = SQLBuilder(self.lexicon)

    def understand(self, text: str, today: date, values: tuple[Value, ...] = ()) -> Understood:
        """Return the plan and SQL of a question that stands on its own; raises NotUnderstood."""
        linked = link(text, self.lexicon, values, today)
        reading: Reading = read(linked.items, self.lexicon)
        corrected = tuple(f"I read “{typed}” as “{taken}”." for typed, taken in linked.corrections)
        return Understood(reading.plan, self._builder.build(reading.plan), (*corrected, *reading.assumptions))


class OfflineWriter:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._analyst: Analyst | None = None

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """Return SQL for the question. Raises QuestionDeclined naming the part that was not understood.

        Rules write the same SQL again, so a complaint cannot be mended: it is raised as SQLFailed.
        """
        if complaint is not None:
            raise SQLFailed(f"The database did not take the SQL that the offline analyst wrote: {complaint.text}")
        return await asyncify(self._write)(question, found)

    def _write(self, question: Question, found: Found) -> Draft:
        if self._analyst is None:
            self._analyst = Analyst(self._catalog)
        try:
            understood = self._analyst.understand(question.text, question.today, found.values)
        except NotUnderstood as reason:
            raise QuestionDeclined(str(reason)) from None
        return Draft(understood.sql, question.text, understood.assumptions)
