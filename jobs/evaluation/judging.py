"""Asks the whole pipeline one case's question, and judges its rows by those of the gold query."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from agents.answer import Answer, values_as_json
from agents.ask import Asker
from agents.events import Event, Finished, SQLWritten, TablesFound
from agents.question import Draft, Question, Turn
from errors import SQLFailed, SQLRefused
from jobs.evaluation.cases import Case
from jobs.evaluation.kinds import kind_of
from jobs.evaluation.outcome import Outcome, Sample, Verdict
from jobs.evaluation.rows import Match, compare, difference

ROWS_COMPARED = 20_000
ROWS_SHOWN = 5
MATCHES: tuple[Match, ...] = ("strict", "lenient")

_TODAY = re.compile(r"(?<!:):today\b")


@dataclass
class _Told:
    """What one question's events told."""

    answer: Answer
    seconds: float = 0.0
    draft: Draft | None = None
    found: tuple[str, ...] = ()
    repairs: int = 0
    tokens: int = 0

    def take(self, event: Event) -> None:
        self.answer.take(event)
        match event:
            case TablesFound(found=found):
                self.found = tuple(table.name for table in found.tables)
            case SQLWritten(draft=draft, attempt=attempt):
                self.draft, self.repairs = draft, attempt - 1
            case Finished(tokens=tokens):
                self.tokens = tokens


@dataclass(frozen=True)
class _Gold:
    """A gold query that was run."""

    sql: str
    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: list[list[Any]] = field(default_factory=list)
    complaint: str = ""
    """Why it gave no rows; "" where it did."""


@dataclass(frozen=True)
class Judge:
    asker: Asker
    today: date

    asks_model: bool
    """Whether a model answers; the offline analyst reads questions, and not what is said beside them."""

    async def outcome(self, case: Case) -> Outcome:
        told = await self._ask(case)
        answer = await self._whole(told.answer)
        gold = [await self._run_gold(sql) for sql in case.gold]
        verdict, note, beside = _judge(case, answer, gold)
        catalog = self.asker.catalog
        return Outcome(
            case=case,
            database=case.database or catalog.name,
            tables_there=len(catalog.tables),
            kind=case.kind or (kind_of(case.gold[0], catalog.dialect) if case.answerable else "unanswerable"),
            verdict=verdict,
            note=note,
            sql=answer.sql,
            answer=_sample(answer.columns, answer.rows) if answer.columns else None,
            gold_sql=beside.sql if beside else "",
            gold=_sample(beside.columns, beside.rows) if beside and not beside.complaint else None,
            found=told.found,
            needed=tuple(each.tables for each in gold if each.tables),
            repairs=told.repairs,
            seconds=told.seconds,
            tokens=told.tokens,
        )

    async def _ask(self, case: Case) -> _Told:
        """Return what the case's question told, asked after those before it; one of them that fails ends it."""
        turns: list[Turn] = []
        for text in case.turns:
            earlier = await self._ask_one(Question(text, self.today, tuple(turns)))
            if earlier.draft is None or earlier.answer.status != "answered":
                return earlier
            turns.append(Turn(text, earlier.draft.reading, earlier.draft.sql))
        instructions = f"\n\n{case.instructions}" if case.instructions and self.asks_model else ""
        return await self._ask_one(Question(case.question + instructions, self.today, tuple(turns)))

    async def _ask_one(self, question: Question) -> _Told:
        told, began = _Told(Answer(question.text)), time.perf_counter()
        async with aclosing(self.asker.ask(question)) as events:
            async for event in events:
                told.take(event)
        told.seconds = time.perf_counter() - began
        return told

    async def _whole(self, answer: Answer) -> Answer:
        """Return the answer with all its rows: the query is judged, and not where a page of rows ends."""
        if answer.truncated and answer.sql:
            with suppress(SQLRefused, SQLFailed):  # What came before stands.
                answer.rows = (await self._run(answer.sql)).rows
        return answer

    async def _run_gold(self, sql: str) -> _Gold:
        sql = _TODAY.sub(f"'{self.today.isoformat()}'", sql)
        try:
            return await self._run(sql)
        except (SQLRefused, SQLFailed) as error:
            return _Gold(sql, complaint=f"The gold query does not run: {error}")

    async def _run(self, sql: str) -> _Gold:
        query = await self.asker.guard.check(sql)
        rows = await self.asker.runner.run(query, limit=ROWS_COMPARED)
        return _Gold(sql, query.tables, rows.columns, values_as_json(rows))


def _judge(case: Case, answer: Answer, gold: Sequence[_Gold]) -> tuple[Verdict, str, _Gold | None]:
    """Return the verdict, its note, and the gold query to show beside the answer."""
    first = next(iter(gold), None)
    if answer.status in ("declined", "refused"):
        return "declined", answer.answer, first
    if not case.answerable:
        return "wrong", "The data does not hold what is asked.", None
    if not answer.columns:
        return "failed", answer.answer, first
    matches = {compare(g.rows, answer.rows, ordered=case.ordered): g for g in reversed(gold) if not g.complaint}
    for match in MATCHES:
        if match in matches:
            return match, "", matches[match]
    assert first is not None, "an answerable case has a gold query"
    return "wrong", first.complaint or difference(first.rows, answer.rows), first


def _sample(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Sample:
    return Sample(tuple(columns), tuple(map(tuple, rows[:ROWS_SHOWN])), len(rows))
