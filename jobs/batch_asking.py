"""Takes a job's lines through the whole pipeline, so many at a time, and has each answer written down."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from datetime import date
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from asyncer import asyncify

from agents.answer import Answer
from agents.ask import ROWS_AT_A_GLANCE, Asker
from agents.events import Failed, FellBack, RowsFound
from agents.question import TURNS_KEPT, Draft, Followup, Question, Turn
from agents.together import together
from bootstrap import open_asker
from errors import ModelUnavailable
from jobs.engine import Files, Tell
from jobs.lines import Entry, Lines, open_lines
from jobs.lines_writer import input_of
from settings import Settings
from tools.catalog import Found
from tools.line import Line
from tools.sql_runner import Rows

ATTEMPTS = 3
"""How often a question is asked at most whose database or model was away; it waits as long as the failure says."""

TOLD_SECONDS = 0.5


class LineUnusable(ValueError):
    """A line that holds no question; the text is one sentence."""


class NoSuggester:
    """Proposes nothing: nobody sits in front of a file, and a model's proposals cost as much as its SQL."""

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        return []


async def ask_lines(settings: Settings, concurrency: int, files: Files, tell: Tell) -> None:
    """Ask every question that is still to do, and tell now and then, and at the end, how far it is.

    Raises AskError where the files, the database or the model cannot be used at all.
    """
    async with (
        open_lines(files.requests, files.save, files.errors, resume=files.resume, share=files.share) as lines,
        open_asker(settings) as asker,
    ):
        await _check(asker)
        # The job keeps to its own concurrency, so nobody is turned away from the line.
        alone = replace(asker, suggester=NoSuggester(), line=Line(concurrency))
        try:
            async with together() as tasks:
                tasks.soonify(_keep_telling)(lines, tell)
                await _Asking(alone, lines, settings.today).ask_all(concurrency)
                tasks.cancel_scope.cancel()
        finally:
            tell(lines.counts)


async def _keep_telling(lines: Lines, tell: Tell) -> None:
    while True:
        await anyio.sleep(TOLD_SECONDS)
        tell(lines.counts)


async def _check(asker: Asker) -> None:
    """Return when everything that a question needs answers; raises AskError with the reason otherwise."""
    for check in asker.checks.values():
        await check()


class _Asking:
    """Asks one process's lines."""

    def __init__(self, asker: Asker, lines: Lines, today: date | None) -> None:
        self._asker = asker
        self._lines = lines
        self._today = today

    async def ask_all(self, concurrency: int) -> None:
        send, receive = anyio.create_memory_object_stream[Entry](0)
        # Open beyond the group: where all who ask have ended with an error, handing out is to be stopped by that error.
        async with receive, together() as tasks:
            for _ in range(concurrency):
                tasks.soonify(self._ask_some)(receive.clone())
            await self._hand_out(send)

    async def _hand_out(self, send: MemoryObjectSendStream[Entry]) -> None:
        async with send, aclosing(self._lines.entries()) as batches:
            async for batch in batches:
                self._lines.counts.pending += len(batch)
                for entry in batch:
                    await send.send(entry)

    async def _ask_some(self, entries: MemoryObjectReceiveStream[Entry]) -> None:
        async with entries:
            async for entry in entries:
                await self._ask(entry)
                self._lines.counts.pending -= 1
                await self._lines.room()

    async def _ask(self, entry: Entry) -> None:
        try:
            question = self._question(entry.fields)
        except LineUnusable as unusable:
            self._lines.failed(entry, str(unusable))
            return
        began = time.perf_counter()
        answer = await self._answer(question)
        milliseconds = round((time.perf_counter() - began) * 1e3, 1)
        if answer.status == "failed":
            self._lines.failed(entry, answer.answer, sql=answer.sql, milliseconds=milliseconds)
        else:
            found = {name: value for name, value in vars(answer).items() if name not in ("question", "answer")}
            self._lines.saved(entry, {"response": answer.answer, **found, "milliseconds": milliseconds})

    async def _answer(self, question: Question) -> Answer:
        """Return the answer; what was only away for a moment is asked again.

        Raises AskError where the database or the model is away altogether: the other lines would fail as well.
        """
        for _ in range(1, ATTEMPTS):
            answer, again_after = await self._ask_once(question)
            if again_after is None:
                return answer
            self._lines.counts.retries += 1
            await asyncio.sleep(again_after)
        answer, again_after = await self._ask_once(question)
        if again_after is not None:
            await _check(self._asker)
        return answer

    async def _ask_once(self, question: Question) -> tuple[Answer, float | None]:
        """Return the answer, and in how many seconds it is worth asking again where something was away."""
        answer = Answer(question.text, database=self._asker.catalog.name, analyst=self._asker.analyst)
        again_after: float | None = None
        async with aclosing(self._asker.ask(question)) as events:
            async for event in events:
                if isinstance(event, FellBack) and event.part == "question":
                    # Who has a model asked wants its SQL in the file: the line fails, and --resume asks it again.
                    answer.answer = event.reason
                    return answer, ModelUnavailable.retry_after
                if isinstance(event, RowsFound) and len(event.rows.values) > ROWS_AT_A_GLANCE:
                    await asyncify(answer.take)(event)
                    continue
                answer.take(event)
                if isinstance(event, Failed):
                    again_after = event.retry_after
        return answer, again_after

    def _question(self, fields: dict[str, Any]) -> Question:
        text = input_of(fields)
        if not isinstance(text, str) or not text.strip():
            raise LineUnusable('The line holds no question: write {"input": "…"}.')
        try:
            turns = tuple(map(_turn, fields.get("turns", ())))
        except (TypeError, LookupError):
            raise LineUnusable(
                'The line\'s "turns" are no earlier questions: write [{"question": "…", "sql": "…"}].'
            ) from None
        return Question(text, self._today or date.today(), turns[-TURNS_KEPT:])


def _turn(written: dict[str, Any]) -> Turn:
    question, sql = written["question"], written["sql"]
    reading = written.get("reading") or question
    if not all(isinstance(part, str) for part in (question, reading, sql)):
        raise TypeError
    return Turn(question, reading, sql)
