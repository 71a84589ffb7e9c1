"""Shows one question's events on the page: its words, its chart, its evidence, and what to ask next."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any, assert_never

import chainlit as cl
from chainlit.data import get_data_layer
from chainlit.element import Element

from agents.answer import receipt_as_json
from agents.events import (
    ChartDrawn,
    Declined,
    Event,
    Failed,
    FellBack,
    Finished,
    FollowupsSuggested,
    QueryDrawn,
    QueryRan,
    ReceiptWritten,
    Refused,
    RowsFound,
    SQLComplained,
    SQLWritten,
    TablesFound,
    TextChunk,
    Waiting,
)
from agents.question import Draft, Question
from beat import rest
from chat.editing import whole_question
from chat.elements import draw_figure, element, show, write_table
from chat.markdown import MarkdownStream, as_markdown
from chat.table import count
from tools.catalog import Found
from tools.chart import Chart
from tools.sql_runner import Rows

log = logging.getLogger("quaestor.chat")

TABLES_NAMED = 4
"""How many of the found tables the line about the stage names."""

GATHERED = 0.05
"""Seconds after which a change beside the words travels at once. One that comes sooner waits for the next beat, and
travels with what comes until then: a quick answer passes its stages unseen."""


class Answer:
    """One answer on the page.

    A message carries the words, so that they are streamed, copied and kept in the history like any other. Under it
    stand a chart, the evidence, and a last line that tells the stage while the work goes on and offers the next
    questions when it is done. Everything that came out of the database stays in elements, which show text as text.
    """

    def __init__(self, analyst: str, instead: tuple[str, ...]) -> None:
        """Take who answers, and the questions to offer instead where this one is refused or fails."""
        self.draft: Draft | None = None
        """The SQL that was written last."""
        self.rest: asyncio.Task[None] | None = None
        """Shows what comes after the answer, while it does; to be cancelled where nobody waits for it any more."""
        self._analyst = analyst
        self._instead = instead
        self._began = time.monotonic()
        self._told_at: float | None = None
        """When the last words came."""
        self._message = cl.Message("")
        self._said = ""
        self._markdown = MarkdownStream()
        self._is_whole = False
        self._rows: Rows | None = None
        self._shown: dict[str, Element] = {}
        self._changed: dict[str, Element] = {}
        """What the page does not know yet."""
        self._sent_at = float("-inf")
        self._sending: asyncio.Task[None] | None = None
        self._stage_before_waiting: dict[str, Any] | None = None
        self._evidence = element("Evidence", self._message.id, key=self._message.id, attempts=[])
        self._queries = element("Queries", self._message.id, key=self._message.id, queries=[])
        self._next = element("Next", self._message.id, key=self._message.id)
        self._questions: tuple[str, ...] = ()
        self._asks = False
        self._notes: list[str] = []
        """What else is to be known about the answer."""
        self._receipt: dict[str, Any] | None = None
        self._saving: tuple[str, Question] | None = None
        self._question: Question | None = None
        self._asked = ""
        self._again = ""
        """The question, where asking it once more may help."""
        self._found: dict[int, Rows] = {}
        """The rows of an investigation's queries."""

    def may_be_saved(self, turn: str, question: Question) -> None:
        """Offer to save the answer; the page gives the turn's id back."""
        self._saving = turn, question

    def may_be_edited(self, turn: str, question: Question) -> None:
        """Let the answer's SQL be edited; the page gives the turn's id back. Of edited SQL, say for which question."""
        self._question, self._evidence.props["turn"] = question, turn
        if question.edited_for is not None:
            words = whole_question(question, None)
            self._evidence.props["edited"] = True
            self._evidence.props["asked"] = words
            self._instead = ()  # Where it fails, the SQL is there to be edited once more.
            self._notes.append(f"A person has edited the SQL{f', for the question “{words}”' if words else ''}.")

    def may_be_asked_again(self, question: str) -> None:
        """Offer the question once more where it fails and what it needs may be back soon."""
        self._asked = question

    async def open(self) -> None:
        """Put the answer on the page, at its first stage."""
        await self._message.send()
        self._stage("Finding the tables that matter")
        await self._send()

    async def show(self, event: Event) -> None:
        """Show what happened."""
        await self._take(event)
        if not self._changed or self._sending:
            return
        if time.monotonic() - self._sent_at >= GATHERED:
            await self._send()
        else:
            self._sending = asyncio.create_task(self._send_soon(), name="show")

    async def _take(self, event: Event) -> None:
        match event:
            case Waiting(place, line):
                self._wait(place, line)
            case TablesFound(found):
                self._show_tables(found)
            case FellBack():
                self._name_who_goes_on(event)
            case SQLWritten(draft):
                self._show_sql(draft)
            case SQLComplained(text):
                self._evidence.props["attempts"][-1]["complaint"] = text
                self._change(self._evidence)
                self._stage("Mending the SQL", "the database did not take it")
            case RowsFound(rows):
                await self._show_rows(rows)
            case ChartDrawn(chart):
                await self._show_chart(chart)
            case QueryRan():
                await self._show_query(event)
            case QueryDrawn(number, chart):
                await self._draw(chart, self._found[number])
            case TextChunk(text):
                await self._tell(text)
            case FollowupsSuggested(questions):
                self._questions = questions
            case Declined(reason, suggestions, asks):
                self._questions, self._asks = suggestions, asks
                await self._say(reason)
            case Refused(reason):
                self._questions = self._instead
                await self._say(reason)
            case Failed(reason, retry_after):
                await self._tell_failure(reason, retry_after)
            case ReceiptWritten(receipt):
                self._receipt = receipt_as_json(receipt)
                await self._end("answered", event)
            case Finished(status):
                await self.close(status, event)
            case _:
                assert_never(event)

    async def fail(self, reason: str, retry_after: float | None = None) -> None:
        """End with a sentence on what did not work; `retry_after` as in an AskError."""
        await self._tell_failure(reason, retry_after)
        await self.close("failed")

    def go_on(self, events: AsyncGenerator[Event, None]) -> None:
        """Show what comes after the answer, in a task of its own: the person may ask on meanwhile."""
        self.rest = asyncio.create_task(self._show_rest(events), name="rest")

    async def close(self, status: str, finished: Finished | None = None) -> None:
        """Let nothing more come: an answer that is not whole ends like this, one that is gets its next questions."""
        if not self._is_whole:
            await self._end(status, finished)
        elif self._next.props["coming"]:
            questions = list(self._questions)
            self._next.props = {**self._next.props, **_spent(finished), "questions": questions, "coming": False}
            self._change(self._next)
            await self._send()
            await self._keep([self._next])

    async def _end(self, status: str, told: ReceiptWritten | Finished | None) -> None:
        """End the answer: say what it rests on and how long it took. After a receipt, next questions may come."""
        await self._write(self._markdown.end())
        is_coming = isinstance(told, ReceiptWritten)
        self._next.props = {
            "key": self._message.id,
            "status": status,
            "questions": list(self._questions),
            "coming": is_coming,
            "again": self._again,
            "asks": self._asks,
            "notes": [*self._notes, *self._in_our_words()],
            "assumptions": self._unsaid(),
            "analyst": self._analyst,
            "seconds": round((self._told_at or time.monotonic()) - self._began, 2),
            "stages": [],
            "tokens": 0,
            **_spent(told),
            "receipt": self._receipt,
            "save": self._offer_saving() if status == "answered" else None,
        }
        self._is_whole, self._rows = True, None
        self._found.clear()
        if status == "answered" and self.draft:
            self._change(element("Breakdown", self._message.id, key=self._message.id, sql=self.draft.sql))
        elif self._question and self._question.edited_for is not None:
            self._keep_edited(self._question.text, status)
        self._change(self._next)
        if self._sending:
            self._sending.cancel()
        await self._send()
        await self._message.update()
        await self._keep(each for each in self._shown.values() if each is not self._next or not is_coming)

    def _keep_edited(self, sql: str, status: str) -> None:
        """Let the person go on from what they typed, also where it was refused before anybody looked at it."""
        attempts = self._evidence.props["attempts"]
        attempts[:] = attempts or [{"sql": sql}]
        self._evidence.props["editing"] = status != "stopped"
        self._change(self._evidence)

    async def _show_rest(self, events: AsyncGenerator[Event, None]) -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    await self.show(event)
        except Exception:
            log.exception("what comes after an answer could not be shown")  # The answer itself stands.
        finally:
            # The task knows its page's session, by which this answer is found: it would keep itself alive.
            self.rest = None
            await self.close("answered")

    async def show_again(self) -> None:
        """Show a page that was away all that it may have missed."""
        await cl.context.emitter.send_step(self._message.to_dict())
        for each in self._shown.values():
            await show(each)
        if not self._is_whole:
            await cl.context.emitter.task_start()

    def _name_who_goes_on(self, fell_back: FellBack) -> None:
        self._notes.append(fell_back.text)
        analyst = fell_back.analyst
        self._analyst = analyst if fell_back.part == "question" else f"{self._analyst}, told by the {analyst}"

    async def _tell(self, text: str) -> None:
        """Write the next piece of the answer's own words."""
        self._said += text
        self._told_at = time.monotonic()
        await self._write(self._markdown.feed(text))

    def _wait(self, place: int, line: str) -> None:
        """Show the place in a line; at 0 the turn has come, and the stage is again what it was."""
        before = self._stage_before_waiting = self._stage_before_waiting or self._next.props
        if place:
            self._stage("Waiting for a turn", _in_line(place, line))
        else:
            self._stage(before["stage"], before["detail"])
            self._stage_before_waiting = None

    def _show_tables(self, found: Found) -> None:
        self._evidence.props["tables"] = [{"name": t.name, "rows": t.row_count} for t in found.tables]
        names = ", ".join(t.name for t in found.tables[:TABLES_NAMED])
        more = len(found.tables) - TABLES_NAMED
        self._stage("Writing the SQL", f"from {names}" + (f" and {more} more" if more > 0 else ""))

    def _show_sql(self, draft: Draft) -> None:
        self.draft = draft
        self._evidence.props["attempts"].append({"sql": draft.sql})
        self._evidence.props["assumptions"] = list(draft.assumptions)
        self._evidence.props["reading"] = draft.reading
        if self._question:
            self._evidence.props["asked"] = whole_question(self._question, draft)
        self._change(self._evidence)
        self._stage("Running the query", "read-only, within its limits")

    async def _show_rows(self, rows: Rows) -> None:
        self._rows = rows
        self._evidence.props["table"] = await write_table(rows)
        self._evidence.props["seconds"] = rows.seconds
        self._change(self._evidence)
        self._stage("Telling the answer", f"from {count(rows)}")

    async def _show_chart(self, chart: Chart) -> None:
        assert self._rows is not None, "rows come before their chart"
        if chart.kind != "number":  # The words and the one row say it already.
            await self._draw(chart, self._rows)

    async def _draw(self, chart: Chart, rows: Rows) -> None:
        self._change(await draw_figure(chart, rows, self._message.id))

    async def _show_query(self, ran: QueryRan) -> None:
        """Show a query of an investigation, where there is one."""
        told = {"number": ran.number, "why": ran.why, "sql": ran.sql, "complaint": ran.complaint}
        if ran.rows is not None:
            self._found[ran.number] = ran.rows
            told |= {"table": await write_table(ran.rows), "count": count(ran.rows)}
        self._queries.props["queries"].append(told)
        self._change(self._queries)
        self._stage("Investigating", ran.why or f"query {ran.number}")

    async def _tell_failure(self, reason: str, retry_after: float | None) -> None:
        """Say what did not work; what else could be asked is offered only where that would not fail as well."""
        if retry_after is None:
            self._questions = self._instead
        else:
            self._again = self._asked
        await self._say(reason)

    async def _say(self, reason: str) -> None:
        """Add a sentence of ours, which may hold names and values from the database."""
        await self._write(self._markdown.end())
        await self._write(("\n\n" if self._message.content else "") + as_markdown(reason))

    async def _write(self, markdown: str) -> None:
        if markdown:
            await self._message.stream_token(markdown)

    def _unsaid(self) -> list[str]:
        """Return what was assumed and is not already said in the answer's words."""
        assumed = self.draft.assumptions if self.draft else ()
        return [each for each in assumed if each not in self._said and each not in self._in_our_words()]

    def _in_our_words(self) -> tuple[str, ...]:
        return self.draft.words if self.draft else ()

    def _offer_saving(self) -> dict[str, str] | None:
        """Return what the page needs to save the answer, None where it may not or need not be."""
        if self._saving is None or self.draft is None or self.draft.trusted:
            return None
        turn, question = self._saving
        words = whole_question(question, self.draft)
        return {"turn": turn, "question": words} if words else None

    def _stage(self, name: str, detail: str = "") -> None:
        self._next.props = {"key": self._message.id, "stage": name, "detail": detail}
        self._change(self._next)

    def _change(self, element: Element) -> None:
        self._shown[element.id] = self._changed[element.id] = element

    async def _send_soon(self) -> None:
        await rest(0)
        await self._send()

    async def _send(self) -> None:
        """Let the page know what has changed, each element as it is by now."""
        self._sent_at, self._sending = time.monotonic(), None
        changed, self._changed = self._changed, {}
        for each in changed.values():
            await show(each)

    async def _keep(self, ended: Iterable[Element]) -> None:
        """Keep elements as they ended, where there is a history."""
        if history := get_data_layer():
            try:
                for each in ended:
                    await history.create_element(each)
            except Exception:
                log.exception("an answer's evidence could not be kept in the history")  # The answer itself stands.


def _spent(told: ReceiptWritten | Finished | None) -> dict[str, Any]:
    """Return the tokens, and each stage's name, when it began and how long it took, in seconds; nothing of None.

    Stages that overlap ran side by side.
    """
    if told is None:
        return {}
    stages = [
        {"name": name, "began": round(told.began.get(name, 0.0), 4), "seconds": round(spent, 4)}
        for name, spent in told.seconds.items()
    ]
    return {"stages": stages, "tokens": told.tokens}


def _in_line(place: int, line: str) -> str:
    ahead = f"{place - 1} before this one" if place > 1 else "this one is next"
    return f"many questions at once, {ahead}" if line == "questions" else f"the database is busy, {ahead}"
