"""Writes SQL for a question by rules, without a model, or says which part it did not understand."""

from __future__ import annotations

from asyncer import asyncify

from agents.offline.analyst import Analyst
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.starting import first_questions
from agents.question import Complaint, Draft, Question
from errors import QuestionDeclined, SQLFailed
from tools.catalog import Found
from tools.chart_wishes import without_wish

_SUGGESTED = 3


class OfflineWriter:
    def __init__(self, analyst: Analyst) -> None:
        self._analyst = analyst

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """Return SQL for the question. Raises QuestionDeclined naming the part that was not understood.

        Rules write the same SQL again, so a complaint cannot be mended: it is raised as SQLFailed.
        """
        if complaint is not None:
            raise SQLFailed(f"The database did not take the SQL that the offline analyst wrote: {complaint.text}")
        return await asyncify(self._write)(question, found)

    def _write(self, question: Question, found: Found) -> Draft:
        before = question.turns[-1].reading if question.turns else None
        text = without_wish(question.text)
        try:
            understood = self._analyst.understand(text, question.today, found.values, before)
        except NotUnderstood as reason:
            near = self._analyst.mentioned(text, question.today)
            suggestions = first_questions(self._analyst, question.today, near)[:_SUGGESTED]
            raise QuestionDeclined(str(reason), suggestions) from None
        return Draft(understood.sql, understood.reading, understood.assumptions)
