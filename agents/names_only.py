"""Keeps what the database holds from a model: it is shown names, types and descriptions, and what people wrote."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from asyncer import asyncify
from sqlglot.errors import TokenError

from agents.blanking import BLANK, blank_complaint, blank_sql, blank_type, texts_in
from agents.parts import Guardrails, Suggester, Writer
from agents.question import Complaint, Draft, Followup, Question, Turn
from agents.typed_sql import looks_like_sql
from tools.catalog import Catalog, Column, Dialect, Found, Table
from tools.recent import Recent
from tools.sql_runner import Rows

NOTE = (
    f"The values of this database are not shown to you: {BLANK} in a query stands for one that was taken out, and is "
    "never to be written. Spell a value as the question does, and compare texts without regard to case."
)
"""Stands among the instructions."""

DRAFTS_KEPT = 2_000


class NamesOnlyWriter:
    """Lets another writer see a question and what was found for it, but no value of the database.

    What the writer itself wrote it may see again: nothing but names and the person's words went into it. SQL from
    anywhere else (typed, reviewed, by rules, of another process) may hold values that were found in the database, and
    loses every value.
    """

    def __init__(self, writer: Writer, catalog: Catalog) -> None:
        self._writer = writer
        self._dialect = catalog.dialect
        self._names = _names_of(catalog)
        # Each table once: the prompts remember the lines of the tables that they were given.
        self._tables = {table.name: (table, blank_table(table)) for table in catalog}
        self._written: Recent[bool] = Recent(DRAFTS_KEPT)

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """See agents.parts.Writer."""
        shown = await asyncify(self._shown)(question, found, complaint)
        draft = await self._writer.write(*shown)
        self._written.put(draft.sql, True)
        return draft

    def _shown(
        self, question: Question, found: Found, complaint: Complaint | None
    ) -> tuple[Question, Found, Complaint | None]:
        return self._question(question), self._found(found), self._complaint(complaint)

    def _question(self, question: Question) -> Question:
        return replace(question, turns=tuple(map(self._turn, question.turns)))

    def _found(self, found: Found) -> Found:
        return replace(
            found,
            tables=tuple(map(self._table, found.tables)),
            values=(),
            saved=tuple(replace(saved, sql=self._sql(saved.sql)) for saved in found.saved),
            instructions=(NOTE, *found.instructions),
        )

    def _complaint(self, complaint: Complaint | None) -> Complaint | None:
        if complaint is None:
            return None
        sql = self._sql(complaint.sql)
        return Complaint(sql, blank_complaint(complaint.text, sql, self._names))

    def _turn(self, turn: Turn) -> Turn:
        return replace(_without_sql(turn, self._dialect, self._names), sql=self._sql(turn.sql))

    def _sql(self, sql: str) -> str:
        return sql if self._written.get(sql) else blank_sql(sql, self._dialect, self._names)

    def _table(self, table: Table) -> Table:
        known, blank = self._tables.get(table.name, (None, table))
        return blank if known is table else blank_table(table)


class NamesOnlyGuardrails:
    """Lets other guardrails see a conversation without the values in SQL that was typed instead of a question."""

    def __init__(self, guardrails: Guardrails, catalog: Catalog) -> None:
        self._guardrails = guardrails
        self._dialect = catalog.dialect
        self._names = _names_of(catalog)

    async def judge(self, question: Question) -> None:
        """See agents.parts.Guardrails."""
        shown = await asyncify(self._shown)(question) if question.turns else question
        await self._guardrails.judge(shown)

    def _shown(self, question: Question) -> Question:
        turns = tuple(_without_sql(turn, self._dialect, self._names) for turn in question.turns)
        return replace(question, turns=turns)


class NamesOnlySuggester:
    """Proposes with a suggester that works by rules only such questions as name no value that the person did not.

    A click asks a question in so many words, and the model is shown them.
    """

    def __init__(self, suggester: Suggester, catalog: Catalog) -> None:
        self._suggester = suggester
        self._dialect = catalog.dialect

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        """See agents.parts.Suggester."""
        ideas = await self._suggester.suggest(question, draft, replace(rows, values=()), found)
        said = "\n".join([question.text, *(turn.question for turn in question.turns)])
        return [idea for idea in ideas if not self._names_a_value(idea, said)]

    def _names_a_value(self, idea: Followup, said: str) -> bool:
        try:
            texts = texts_in(idea.sql, self._dialect)
        except TokenError:
            return True
        return any(text.casefold() in idea.question.casefold() and not _is_said(text, said) for text in texts)


def blank_table(table: Table) -> Table:
    """Return the table with its names, keys, types and descriptions, and without anything else that is known of it."""
    return replace(table, row_count=None, columns=tuple(map(_blank_column, table.columns)))


def _names_of(catalog: Catalog) -> set[str]:
    return {name for t in catalog for name in (t.name, *t.parts, *(c.name for c in t.columns))}


def _without_sql(turn: Turn, dialect: Dialect, names: Collection[str]) -> Turn:
    """Return the turn without the values of SQL that stands in it as a question: it may come from an answer."""

    def without(text: str) -> str:
        is_sql = text == turn.sql or looks_like_sql(text)
        return blank_sql(text, dialect, names) if is_sql else text

    return replace(turn, question=without(turn.question), reading=without(turn.reading))


def _blank_column(column: Column) -> Column:
    return replace(column, type=blank_type(column.type), samples=(), values=(), distinct=None)


def _is_said(text: str, said: str) -> bool:
    """Return whether the text was said, letter by letter as the database spells it."""
    return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", said) is not None
