"""Takes one question to its answer; the only file that knows the order."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from asyncer import asyncify

from agents.beside import beside
from agents.events import (
    ChartDrawn,
    Declined,
    Event,
    Failed,
    Finished,
    FollowupsSuggested,
    ReceiptWritten,
    Refused,
    RowsFound,
    SQLComplained,
    SQLWritten,
    Status,
    TablesFound,
    TextChunk,
    Waiting,
)
from agents.fallback import falling_back
from agents.followups import keep_runnable, remember_trials, unlike
from agents.nothing_found import ask_instead, say_why
from agents.offline.reading.turns import stands_alone
from agents.parts import (
    Breakdown,
    Check,
    Endpoints,
    Explainer,
    Freshness,
    Guard,
    Guardrails,
    Investigator,
    Narrator,
    Runner,
    SavedSearch,
    Schema,
    Suggester,
    Writer,
)
from agents.question import Complaint, Draft, Followup, Question
from agents.receipt import Receipt, read_assumed
from agents.redrawing import Redrawing, read_redrawing, say_redrawn
from agents.reviewed import reviewed_draft
from agents.stages import Stages
from agents.together import together
from errors import (
    AskError,
    NameMissing,
    NameUnknown,
    QueryTimedOut,
    QuestionDeclined,
    QuestionRefused,
    QuestionUnclear,
    SQLFailed,
    SQLRefused,
)
from llm.spending import spending, spent_so_far
from tools.breakdown import Step
from tools.catalog import Catalog, Found
from tools.chart import Chart, choose_chart
from tools.line import Line, TellPlace
from tools.recent import Recent
from tools.sql_guard import SafeQuery
from tools.sql_runner import Rows
from tools.zero_rows import Emptying, found_nothing

log = logging.getLogger("quaestor.ask")

REPAIRS = 3
"""How often SQL that failed goes back to its writer."""

FOLLOWUPS_SHOWN = 3

NO_INVESTIGATOR = (
    "To find out why takes several queries and a model that reads their rows; none is set up here (OPENAI_API_KEY). "
    "Ask for one number after the other instead, split by what may explain it."
)

NO_ROWS = (
    "To find out why takes a model that reads rows, and the model is shown names only here (QUAESTOR_MODEL_SEES). "
    "Ask for one number after the other instead, split by what may explain it."
)

BUSY_FROM = 0.02
"""From this share of the questions that may be answered at once, follow-ups are offered as they were proposed."""

ROWS_AT_A_GLANCE = 500
"""More rows than this are looked through beside the event loop: ten thousand would hold it up for everybody."""

EVENTS_AHEAD = 256
"""How many events may wait for a slow reader before the work waits for it."""


Tell = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True)
class Asker:
    """Takes questions about one database to their answers.

    Built by `bootstrap.open_asker`, or by hand in a test.
    """

    catalog: Catalog
    guardrails: Guardrails
    schema: Schema
    saved: SavedSearch
    writer: Writer
    guard: Guard
    runner: Runner
    narrator: Narrator
    suggester: Suggester
    analyst: str
    """Who answers: a model's name, or "offline analyst"."""
    investigator: Investigator | None = None
    """Finds out why, with several queries; None where no model answers."""
    explainer: Explainer | None = None
    """Looks into answers that are empty; None leaves them as they are."""
    freshness: Freshness | None = None
    """Knows how new the data is; None leaves that out of the receipt."""
    breakdown: Breakdown | None = None
    """Shows a query step by step, when somebody wants to see that."""
    names_only: bool = False
    """Whether the model is shown names only: no question is then offered that names a value found in the database."""
    starters: tuple[str, ...] = ()
    """Questions to begin with."""
    notices: tuple[str, ...] = ()
    """What a person should know of how the database was read, a sentence each."""
    line: Line = field(default_factory=lambda: Line(500))
    """The questions that are answered now, and those that wait for it."""
    tried: Recent[bool] = field(default_factory=remember_trials)
    """The follow-ups that were tried lately."""
    checks: Mapping[str, Check] = field(default_factory=dict)
    """What a question needs, by its name: "database", "index" and, where a model answers, "model"."""
    endpoints: Endpoints = tuple
    """How each endpoint of the model is; none where no model answers."""

    async def ask(self, question: Question) -> AsyncGenerator[Event, None]:
        """Yield what happens; the last event is `Finished`.

        Closing the iterator stops the work, down to the statement in the database: use `aclosing`.
        """
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        room = asyncio.Semaphore(EVENTS_AHEAD)

        async def tell(event: Event) -> None:
            await room.acquire()
            events.put_nowait(event)

        # The work runs beside the reader in one task owned here: yielding from inside its task groups would
        # tie their cancellation to whoever happens to read.
        async with beside(_Asking(self, question, tell).to_the_end(), "ask") as asking:
            asking.add_done_callback(lambda _: events.put_nowait(None))
            while (event := await events.get()) is not None:
                room.release()
                yield event

    async def steps(self, sql: str) -> tuple[Step, ...]:
        """Return the steps of a query, the last one with the query's own rows. Raises SQLRefused or TooBusy."""
        if self.breakdown is None:
            raise AskError("Queries are not shown step by step here.")
        async with self.line.turn():
            return await self.breakdown.steps(sql)


@dataclass
class _Asking:
    """One question on its way."""

    asker: Asker
    question: Question
    tell: Tell
    stages: Stages = field(default_factory=Stages)
    redrawing: Redrawing | None = None

    def __post_init__(self) -> None:
        if redrawing := read_redrawing(self.question):
            self.redrawing, self.question = redrawing, redrawing.question

    async def to_the_end(self) -> None:
        """Tell every event of the question; whatever happens, the last is `Finished`."""
        with spending() as spent, falling_back(self.tell):
            status = await self._status()
        await self.tell(Finished(status, self.stages.seconds, spent.tokens, self.stages.began))

    async def _status(self) -> Status:
        try:
            await self._answer()
            return "answered"
        except QuestionDeclined as declined:
            await self.tell(Declined(str(declined), declined.suggestions, isinstance(declined, QuestionUnclear)))
            return "declined"
        except QuestionRefused as refused:
            await self.tell(Refused(str(refused)))
            return "refused"
        except AskError as failed:
            await self.tell(Failed(str(failed), failed.retry_after))
        except Exception:
            incident = secrets.token_hex(4)
            log.exception("question failed, incident %s", incident)
            await self.tell(Failed(f"Something went wrong on our side. The log has the details under {incident}."))
        return "failed"

    async def _answer(self) -> None:
        async with self.asker.line.turn(self._tell_place("questions")):
            await self._answer_now()

    async def _answer_now(self) -> None:
        if self.question.mode == "investigate":
            return await self._investigate()
        found = await self._look()
        await self.tell(TablesFound(found))
        draft, query, rows = await self._write_and_run(found)
        await self.tell(RowsFound(rows))
        if chart := await self._chart(draft, rows):
            await self.tell(ChartDrawn(chart))
        if self.asker.explainer is not None and found_nothing(rows):
            return await self._tell_nothing(self.asker.explainer, draft, query, rows, found)
        async with beside(self._suggest(draft, rows, found), "suggest") as followups:
            async with together() as tasks:
                newest = tasks.soonify(self._newest)(query.tables)
                await self._narrate(draft, rows, chart)
            await self._write_receipt(self._receipt(draft, query, newest.value))
            await self._offer(await followups)

    async def _investigate(self) -> None:
        if self.asker.investigator is None:
            why = NO_ROWS if self.asker.names_only else NO_INVESTIGATOR
            raise QuestionDeclined(why, self.asker.starters[:FOLLOWUPS_SHOWN])
        await self._judge()
        with self.stages.stage("investigate"):
            tables = await self.asker.investigator.investigate(self.question, self.tell, self._say)
        newest = await self._newest(tables)
        await self._write_receipt(Receipt((), self._sizes(tables), newest, trusted=False))

    async def _tell_nothing(
        self, explainer: Explainer, draft: Draft, query: SafeQuery, rows: Rows, found: Found
    ) -> None:
        """Tell that there are no rows, why, and what to ask instead."""
        async with together() as tasks:
            newest = tasks.soonify(self._newest)(query.tables)
            emptying = tasks.soonify(self._explain)(explainer, draft)
            await self._narrate(draft, rows, None)
        if why := say_why(emptying.value):
            await self.tell(TextChunk(why))
        await self._write_receipt(self._receipt(draft, query, newest.value))
        # Offered, a value would come back as the question of whoever clicks on it; the words above tell it.
        instead = [] if self.asker.names_only else ask_instead(self.question, draft, emptying.value)
        await self._offer(unlike(instead) if instead else await self._suggest(draft, rows, found))

    async def _newest(self, tables: Sequence[str]) -> date | None:
        freshness = self.asker.freshness
        return await freshness.newest(tables, self.question.today) if freshness else None

    async def _write_receipt(self, receipt: Receipt) -> None:
        """Tell that the answer is whole: whoever asked may ask on, and need not wait for the next questions."""
        await self.tell(ReceiptWritten(receipt, self.stages.ended, spent_so_far(), dict(self.stages.began)))

    def _receipt(self, draft: Draft, query: SafeQuery, newest: date | None) -> Receipt:
        asker, assumed = self.asker, read_assumed(query.premises)
        return Receipt(assumed, self._sizes(query.tables), newest, draft.trusted, asker.names_only)

    def _sizes(self, tables: Iterable[str]) -> tuple[tuple[str, int | None], ...]:
        known = map(self.asker.catalog.table, tables)
        return tuple((table.name, table.row_count) for table in known if table is not None)

    async def _explain(self, explainer: Explainer, draft: Draft) -> tuple[Emptying, ...]:
        with self.stages.stage("explain"):
            return await explainer.explain(draft.sql)

    async def _look(self) -> Found:
        async with together() as tasks:
            tasks.soonify(self._judge)()
            found = tasks.soonify(self._find)()
            saved = tasks.soonify(self.asker.saved.find)(self.question.text)
        return replace(found.value, saved=saved.value)

    async def _judge(self) -> None:
        if self.redrawing:
            return  # It was judged when it was asked, and what was added speaks of the chart alone.
        with self.stages.stage("judge"):
            await self.asker.guardrails.judge(self.question)

    async def _find(self) -> Found:
        with self.stages.stage("find"):
            # "as a share of the total" is about the tables of the question before it, too.
            before = [turn.reading for turn in self.question.turns[-1:]]
            return await self.asker.schema.find("\n".join([self.question.text, *before]))

    async def _write_and_run(self, found: Found) -> tuple[Draft, SafeQuery, Rows]:
        """Return the first draft that runs, as it was checked, and its rows; one that fails goes back to its writer."""
        complaint: Complaint | None = None
        for attempt in range(1, 2 + REPAIRS):
            draft = await self._write(found, complaint)
            await self.tell(SQLWritten(draft, attempt))
            try:
                return draft, *await self._run(draft)
            except QueryTimedOut:
                raise  # A repair would most likely run as long again.
            except (SQLRefused, SQLFailed) as error:
                await self.tell(SQLComplained(str(error), attempt, isinstance(error, NameUnknown | NameMissing)))
                if self.question.is_sql or attempt > REPAIRS:
                    raise
                complaint = Complaint(draft.sql, str(error))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _write(self, found: Found, complaint: Complaint | None) -> Draft:
        if self.question.is_sql:
            return Draft(self.question.text, reading=self.question.text, by_hand=True)
        if complaint is None and self.redrawing:
            return self.redrawing.draft
        if complaint is None and (reviewed := await self._reviewed(found)):
            return reviewed
        with self.stages.stage("write"):
            return await self.asker.writer.write(self.question, found, complaint)

    async def _reviewed(self, found: Found) -> Draft | None:
        """Return the SQL of a saved question that asks the very same; a follow-up means more than its own words say."""
        saved = next((saved for saved in found.saved if saved.same), None)
        alone = not self.question.turns or (saved and stands_alone(self.question.text, as_well_as=saved.question))
        if saved is None or not alone:
            return None
        asked, dialect = self.question, self.asker.catalog.dialect
        return await asyncify(reviewed_draft)(saved, asked.text, asked.today, dialect)

    async def _run(self, draft: Draft) -> tuple[SafeQuery, Rows]:
        with self.stages.stage("check"):
            query = await self.asker.guard.check(draft.sql)
        with self.stages.stage("run"):
            return query, await self.asker.runner.run(query, dry_run=True, tell_place=self._tell_place("database"))

    async def _chart(self, draft: Draft, rows: Rows) -> Chart | None:
        if draft.listing and not self.redrawing:
            return None
        wish = self.redrawing.wish if self.redrawing else None
        if len(rows.values) <= ROWS_AT_A_GLANCE:
            return choose_chart(self.question.text, rows, wish, self.question.today)
        return await asyncify(choose_chart)(self.question.text, rows, wish, self.question.today)

    async def _narrate(self, draft: Draft, rows: Rows, chart: Chart | None) -> None:
        if self.redrawing and rows.values:
            return await self._say(say_redrawn(self.redrawing.wish, chart))
        with self.stages.stage("tell"):
            await self.asker.narrator.narrate(self.question, draft, rows, self._say)

    async def _say(self, text: str) -> None:
        await self.tell(TextChunk(text))

    async def _suggest(self, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        with self.stages.stage("suggest"):
            try:
                ideas = await self.asker.suggester.suggest(self.question, draft, rows, found)
                return await self._runnable(ideas)
            except AskError as error:
                log.warning("no follow-ups: %s", error)
            except Exception:
                log.exception("no follow-ups")  # The answer stands without them.
        return []

    async def _offer(self, followups: Sequence[Followup]) -> None:
        if followups:
            await self.tell(FollowupsSuggested(tuple(followup.question for followup in followups)))

    async def _runnable(self, ideas: list[Followup]) -> list[Followup]:
        """Return the ideas to offer. Where many ask, all are offered as they were proposed: a click asks anew."""
        asker = self.asker
        if self._is_busy():
            return unlike(ideas)[:FOLLOWUPS_SHOWN]
        return await keep_runnable(ideas, asker.guard, asker.runner, wanted=FOLLOWUPS_SHOWN, tried=asker.tried)

    def _is_busy(self) -> bool:
        """Whether what nobody waits for had better not be done: somebody may soon have to wait for it."""
        line = self.asker.line
        return self.stages.has_waited or line.in_turn > line.at_once * BUSY_FROM

    def _tell_place(self, line: Literal["questions", "database"]) -> TellPlace:
        """Return what tells the places in this line; the time in it is a stage of its own."""
        began: list[float] = []

        async def tell_place(place: int) -> None:
            began.append(time.perf_counter())
            if not place:
                self.stages.add_wait(began[-1] - began[0])
            await self.tell(Waiting(place, line))

        return tell_place
