"""Writes SQL for a question by rules, without a model, or says which part it did not understand."""

from __future__ import annotations

import re

from asyncer import asyncify

from agents.offline.about import TABLES_ASKED, About, about
from agents.offline.analyst import Analyst, Understood
from agents.offline.meaning.resolving import Ambiguous, NotUnderstood
from agents.offline.reading.periods_kept import is_of_words
from agents.offline.reading.turns import is_elliptic
from agents.offline.sql.carrying import carry
from agents.offline.starting import first_questions
from agents.question import Complaint, Draft, Question, Turn
from agents.typed_sql import looks_like_sql
from errors import QuestionDeclined, QuestionUnclear, SQLFailed
from tools.catalog import Found
from tools.chart_wishes import without_wish

BY_HAND = (
    "The SQL before is a person's, and the rules cannot take it over to this question: edit that SQL, or ask the whole "
    "question."
)
CARRIED = "The conditions that a person edited in the SQL before hold here, too."
CARRIED_REVIEWED = "The conditions of the reviewed SQL before hold here, too."

_SUGGESTED = 3
_READINGS = 3


class OfflineWriter:
    def __init__(self, analyst: Analyst) -> None:
        self._analyst = analyst

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """Return SQL for the question. Raises QuestionDeclined naming the part that was not understood.

        Raises QuestionUnclear where a word may mean several things, with the questions that name each of them.

        Rules write the same SQL again, so a complaint cannot be mended: it is raised as SQLFailed.
        """
        draft = await asyncify(self._write)(question, found)
        if complaint is not None and draft.sql == complaint.sql:  # Else it was a model's, or saved.
            raise SQLFailed(f"The database did not take the SQL that the offline analyst wrote: {complaint.text}")
        return draft

    def _write(self, question: Question, found: Found) -> Draft:
        before = _before(question)
        last = question.turns[-1] if question.turns else None
        text = without_wish(question.text)
        if (told := about(text, self._analyst.lexicon)) is not None:
            return self._tell(told, question)
        if before is None and question.turns and is_elliptic(text):
            raise QuestionDeclined(BY_HAND)
        try:
            understood = self._analyst.understand(text, question.today, found.values, before)
        except NotUnderstood as reason:
            if last and last.is_a_persons and is_elliptic(text) and not self._written(last, question, found):
                raise QuestionDeclined(BY_HAND) from None  # Else a word would be named that nobody has just said.
            if isinstance(reason, Ambiguous) and len(readings := self._readings(question, found, text, reason)) > 1:
                raise QuestionUnclear(str(reason), readings) from None
            near = self._analyst.mentioned(text, question.today)
            suggestions = first_questions(self._analyst, question.today, near)[:_SUGGESTED]
            raise QuestionDeclined(str(reason), suggestions) from None
        if last and last.is_a_persons and understood.reading != text:
            return self._carry(understood, last, question, found)
        return _drafted(understood)

    def _written(self, last: Turn, question: Question, found: Found) -> str:
        """Return what the rules write for the question before; nothing where they do not understand it."""
        try:
            return self._analyst.understand(last.reading, question.today, found.values).sql
        except NotUnderstood:
            return ""

    def _carry(self, understood: Understood, last: Turn, question: Question, found: Found) -> Draft:
        """Return SQL that goes on SQL which a person has edited or reviewed: the reading may not say all of it."""
        written = self._written(last, question, found)
        sql = carry(written, last.sql, understood.sql, self._analyst.lexicon.catalog.dialect) if written else None
        if sql is None:
            raise QuestionDeclined(BY_HAND)
        if sql == understood.sql:
            return _drafted(understood)
        told = CARRIED_REVIEWED if last.trusted else CARRIED
        words = (told, *filter(is_of_words, understood.assumptions))
        return Draft(sql, understood.reading, (told, *understood.assumptions), words=words, by_hand=True)

    def _tell(self, told: About, question: Question) -> Draft:
        if told.sql:
            return Draft(told.sql, question.text, listing=True)
        first = first_questions(self._analyst, question.today)[: _SUGGESTED - 1]
        raise QuestionDeclined(told.words, (*first, TABLES_ASKED))

    def _readings(self, question: Question, found: Found, text: str, unclear: Ambiguous) -> tuple[str, ...]:
        """Return the question once for each thing that its word may mean, where it is then understood."""
        before = _before(question)
        kept = []
        for words in unclear.readings[:_READINGS]:
            told = re.sub(rf"\b{re.escape(unclear.word)}\b", lambda _, words=words: words, text, count=1, flags=re.I)  # type: ignore[misc]
            try:
                self._analyst.understand(told, question.today, found.values, before)
            except NotUnderstood:
                continue
            kept.append(told)
        return tuple(dict.fromkeys(kept))


def _drafted(understood: Understood) -> Draft:
    words = tuple(filter(is_of_words, understood.assumptions))
    each = understood.plan.within is not None  # bars could only show one of the two things that a row is about
    return Draft(understood.sql, understood.reading, understood.assumptions, words=words, listing=each)


def _before(question: Question) -> str | None:
    """Return the reading that a follow-up changes; None where there is none, or where it says not all of the SQL."""
    last = question.turns[-1] if question.turns else None
    return last.reading if last and not (last.by_hand and looks_like_sql(last.reading)) else None
