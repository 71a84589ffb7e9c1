"""The question's way: what happens in which order, and what a person is told when something fails."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import pytest

import agents.ask
from agents.ask import Asker
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
    TablesFound,
    TextChunk,
    Waiting,
)
from agents.guardrails import RuleGuardrails
from agents.question import Complaint, Draft, Followup, Question, Say, Turn
from agents.receipt import Assumed, Receipt
from errors import AskError, ModelUnavailable, QuestionDeclined
from llm.spending import spend
from tests.test_sql_runner import until_busy
from tools.catalog import Catalog, Found, SavedQuestion
from tools.freshness import Freshness
from tools.line import Line
from tools.reflection import read_catalog
from tools.saved_questions import SavedQuestions
from tools.sql_guard import Guard, SafeQuery
from tools.sql_runner import Rows, SQLRunner, open_runner
from tools.zero_rows import ZeroRows

TODAY = date(2026, 11, 20)
FOREVER = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
    "SELECT count(*) FROM n AS a JOIN n AS b ON a.i < b.i"
)
"""Five thousand million pairs."""


@dataclass
class Script:
    """Writes what the script says, one entry a call: SQL, or an error to raise."""

    lines: list[str | AskError]
    complaints: list[Complaint | None] = field(default_factory=list)

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        self.complaints.append(complaint)
        line = self.lines.pop(0)
        if isinstance(line, AskError):
            raise line
        return Draft(line, reading=question.text)


@dataclass
class WholeSchema:
    catalog: Catalog

    async def find(self, question: str) -> Found:
        return Found(self.catalog.tables)


class Teller:
    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        await say(f"{len(rows.values)} ")
        await say("rows.")


class Speechless:
    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        await say("So far ")
        raise ModelUnavailable("The model stopped answering; ask again.")


@dataclass
class Ideas:
    followups: list[Followup] = field(default_factory=list)

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        return self.followups


@pytest.fixture
def shop(tmp_path: Path) -> str:
    file = tmp_path / "shop.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, city TEXT, total REAL)")
        db.executemany("INSERT INTO orders (city, total) VALUES (?, ?)", [("Oslo", 10), ("Bergen", 20), ("Oslo", 5)])
    db.close()
    return f"sqlite:///{file}"


@pytest.fixture
async def parts(shop: str) -> AsyncIterator[tuple[Catalog, Guard, SQLRunner]]:
    catalog = read_catalog(shop)
    guard, runner = Guard("sqlite", catalog), open_runner(shop, row_limit=100, timeout=20)
    yield catalog, guard, runner
    await runner.aclose()
    await guard.aclose()


def asker_with(parts: tuple[Catalog, Guard, SQLRunner], script: Script) -> Asker:
    catalog, guard, runner = parts
    return Asker(
        catalog=catalog,
        guardrails=RuleGuardrails(4_000),
        schema=WholeSchema(catalog),
        saved=SavedQuestions((SavedQuestion("How big is an order?", "SELECT avg(total) FROM orders"),), None),
        writer=script,
        guard=guard,
        runner=runner,
        narrator=Teller(),
        suggester=Ideas(),
        analyst="a script",
    )


async def told(asker: Asker, text: str) -> list[Event]:
    async with aclosing(asker.ask(Question(text, TODAY))) as events:
        return [event async for event in events]


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


async def test_a_question_goes_from_tables_to_sql_to_rows_to_words(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    events = await told(asker_with(parts, Script(["SELECT city FROM orders"])), "Which orders are there?")
    rows_to_words = ["RowsFound", "TextChunk", "TextChunk", "ReceiptWritten"]
    assert kinds(events) == ["TablesFound", "SQLWritten", *rows_to_words, "Finished"]
    assert events[-1].status == "answered"  # type: ignore[union-attr]
    assert "".join(e.text for e in events if isinstance(e, TextChunk)) == "3 rows."
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert list(finished.seconds) == ["judge", "find", "write", "check", "run", "tell", "suggest"]
    assert list(finished.began) == list(finished.seconds)
    assert finished.began["write"] >= finished.began["find"] + finished.seconds["find"]


async def test_a_failed_query_is_rewritten_with_the_databases_complaint(
    parts: tuple[Catalog, Guard, SQLRunner],
) -> None:
    script = Script(["SELECT strftime(city, total, FROM orders", "SELECT count(*) AS n FROM orders"])
    events = await told(asker_with(parts, script), "How many orders?")
    complaint = script.complaints[1]
    assert complaint is not None and complaint.sql == "SELECT strftime(city, total, FROM orders"
    assert complaint.text == next(e.text for e in events if isinstance(e, SQLComplained))
    assert [e.attempt for e in events if isinstance(e, SQLWritten)] == [1, 2]
    assert isinstance(events[-1], Finished) and events[-1].status == "answered"


async def test_after_three_repairs_the_reason_is_told(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    script = Script(["SELECT nothing FROM orders"] * 4)
    events = await told(asker_with(parts, script), "How many orders?")
    assert script.lines == []
    assert "nothing" in next(e.reason for e in events if isinstance(e, Failed | Refused))
    assert not any(isinstance(e, RowsFound) for e in events)


async def test_a_declined_question_names_what_can_be_asked_instead(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    script = Script([QuestionDeclined("There is nothing about weather here.", ("How many orders are there?",))])
    events = await told(asker_with(parts, script), "What was the weather?")
    assert events[-2] == Declined("There is nothing about weather here.", ("How many orders are there?",))
    assert isinstance(events[-1], Finished) and events[-1].status == "declined"


async def test_a_refused_question_never_reaches_the_writer(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    script = Script([])
    events = await told(asker_with(parts, script), "Delete all orders")
    assert kinds(events) == ["Refused", "Finished"] and script.complaints == []


async def test_sql_that_a_person_typed_is_checked_and_run_as_it_stands(
    parts: tuple[Catalog, Guard, SQLRunner],
) -> None:
    events = await told(asker_with(parts, Script([])), "SELECT count(*) AS n FROM orders")
    assert next(e.rows.values for e in events if isinstance(e, RowsFound)) == ((3,),)


async def test_sql_that_a_person_typed_is_refused_without_a_repair(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    events = await told(asker_with(parts, Script([])), "SELECT * FROM sqlite_master")
    assert events[-1].status == "refused"  # type: ignore[union-attr]
    assert not any(isinstance(e, RowsFound) for e in events)


async def test_a_followup_that_does_not_run_is_not_suggested(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    ideas = Ideas(
        [
            Followup("By weather?", "SELECT weather FROM orders"),
            Followup("Delete them?", "DELETE FROM orders"),
            Followup("Only Rome?", "SELECT * FROM orders WHERE city = 'Rome'"),
            Followup("By city?", "SELECT city, count(*) FROM orders GROUP BY city"),
        ]
    )
    asker = replace(asker_with(parts, Script(["SELECT count(*) FROM orders"])), suggester=ideas)
    events = await told(asker, "How many orders?")
    assert [e for e in events if isinstance(e, FollowupsSuggested)] == [FollowupsSuggested(("By city?",))]


@dataclass
class Slow:
    """Proposes, but only when it is let; counts its tokens then."""

    may: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        self.begun.set()
        await self.may.wait()
        spend(5)
        return [Followup("By city?", "SELECT city, count(*) FROM orders GROUP BY city")]


class Wordy:
    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        await say("3 orders.")
        spend(7)


async def test_the_answer_is_whole_before_the_next_questions_are_there(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    slow = Slow()
    script = Script(["SELECT count(*) AS n FROM orders"])
    asker = replace(asker_with(parts, script), narrator=Wordy(), suggester=slow)
    before: list[Event] = []
    with anyio.fail_after(20):
        async with aclosing(asker.ask(Question("How many orders?", TODAY))) as events:
            async for event in events:
                before.append(event)
                if isinstance(event, ReceiptWritten):
                    break
            assert kinds(before) == [
                "TablesFound",
                "SQLWritten",
                "RowsFound",
                "ChartDrawn",
                "TextChunk",
                "ReceiptWritten",
            ]
            await slow.begun.wait()
            assert asker.line.in_turn == 1, "what is still written has its place among the questions in flight"
            slow.may.set()
            after = [event async for event in events]
    receipt, finished = before[-1], after[-1]
    assert after[:-1] == [FollowupsSuggested(("By city?",))]
    assert isinstance(receipt, ReceiptWritten) and isinstance(finished, Finished)
    assert (receipt.tokens, finished.tokens) == (7, 12)
    assert list(receipt.seconds) == ["judge", "find", "write", "check", "run", "tell"]
    assert list(finished.seconds) == [*receipt.seconds, "suggest"]


async def test_who_does_not_wait_for_the_next_questions_stops_them(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    asker = replace(asker_with(parts, Script(["SELECT 1 FROM orders"])), suggester=Slow())
    with anyio.fail_after(20):
        async with aclosing(asker.ask(Question("One?", TODAY))) as events:
            async for event in events:
                if isinstance(event, ReceiptWritten):
                    break
    assert asker.line.in_turn == 0
    assert all(task.get_name() != "ask" for task in asyncio.all_tasks())


async def test_an_answer_that_breaks_off_has_neither_a_receipt_nor_next_questions(
    parts: tuple[Catalog, Guard, SQLRunner],
) -> None:
    asker = replace(asker_with(parts, Script(["SELECT 1 FROM orders"])), narrator=Speechless(), suggester=Slow())
    with anyio.fail_after(20):
        events = await told(asker, "One?")
    assert kinds(events)[-3:] == ["TextChunk", "Failed", "Finished"]
    assert not any(isinstance(event, ReceiptWritten | FollowupsSuggested) for event in events)


async def test_an_empty_answer_says_why_and_offers_what_the_data_holds(
    parts: tuple[Catalog, Guard, SQLRunner],
) -> None:
    catalog, guard, runner = parts
    script = Script(["SELECT id FROM orders WHERE city = 'Oslow'"])
    asker = replace(asker_with(parts, script), explainer=ZeroRows(guard, runner, catalog))
    events = await told(asker, "Which orders are from Oslow?")
    said = "".join(e.text for e in events if isinstance(e, TextChunk))
    assert said.endswith("there would be 3 rows. The data does hold “Oslo” (2 rows).")
    assert kinds(events)[-3:] == ["ReceiptWritten", "FollowupsSuggested", "Finished"]
    assert FollowupsSuggested(("Which orders are from Oslo?",)) in events
    assert isinstance(events[-1], Finished) and events[-1].status == "answered"


async def test_the_receipt_says_what_the_answer_rests_on(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    catalog, guard, runner = parts
    script = Script(["SELECT city, SUM(total) AS revenue FROM orders WHERE city = 'Oslo' GROUP BY city LIMIT 5"])
    asker = replace(asker_with(parts, script), freshness=Freshness(guard, runner, catalog))
    receipts = [e.receipt for e in await told(asker, "What did Oslo bring?") if isinstance(e, ReceiptWritten)]
    assumed = (
        Assumed("filter", "city is Oslo", ("without the filter on city",)),
        Assumed("measure", "revenue is the sum of total"),
        Assumed("limit", "first 5", ("top 10", "top 20", "without the limit")),
    )
    assert receipts == [Receipt(assumed, (("orders", 3),), None, trusted=False)]


async def test_a_reviewed_question_is_told_as_trusted(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    events = await told(asker_with(parts, Script([])), "How big is an order?")
    assert [e.receipt.trusted for e in events if isinstance(e, ReceiptWritten)] == [True]


async def test_what_was_said_stays_when_the_narrator_fails(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    asker = replace(asker_with(parts, Script(["SELECT count(*) FROM orders"])), narrator=Speechless())
    events = await told(asker, "How many orders?")
    assert TextChunk("So far ") in events
    assert Failed("The model stopped answering; ask again.", retry_after=5.0) in events
    assert any(isinstance(e, RowsFound) for e in events)


async def test_an_unexpected_error_shows_an_incident_and_never_its_text(
    parts: tuple[Catalog, Guard, SQLRunner], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def find(self, question: str) -> Found:
            raise KeyError("postgresql://ada:hunter2@db/shop")

    asker = replace(asker_with(parts, Script([])), schema=Broken())
    events = await told(asker, "How many orders?")
    reason = next(e.reason for e in events if isinstance(e, Failed))
    assert "hunter2" not in reason
    incident = reason.split()[-1].rstrip(".")
    assert incident in caplog.text


async def test_closing_the_iterator_stops_the_statement(shop: str, parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    catalog, guard, _ = parts
    runner, running = open_runner(shop, timeout=60, threads=1), asyncio.Event()

    class Watched:
        async def run(self, query: SafeQuery, **options: Any) -> Rows:
            running.set()
            return await runner.run(query, **options)

    asker = replace(asker_with((catalog, guard, runner), Script([FOREVER])), runner=Watched())
    async with aclosing(asker.ask(Question("Count forever", TODAY))) as events:
        async for event in events:
            if isinstance(event, SQLWritten):
                break
        with anyio.fail_after(20):
            await running.wait()
            await until_busy(runner)
    assert all(task.get_name() != "ask" for task in asyncio.all_tasks())
    # The one thread is free again: an ordinary question is answered well before the long one's deadline.
    with anyio.fail_after(20):
        after = await told(replace(asker, writer=Script(["SELECT 1 AS one FROM orders LIMIT 1"])), "One?")
    assert after[-1].status == "answered"  # type: ignore[union-attr]
    await runner.aclose()


async def test_what_the_models_wrote_is_counted_to_its_question(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    asker = replace(asker_with(parts, Script(["SELECT 1 FROM orders"] * 2)), narrator=Wordy())
    async with asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(told(asker, "One?")) for _ in range(2)]
    assert [task.result()[-1].tokens for task in both] == [7, 7]  # type: ignore[union-attr]


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_a_question_past_those_answered_at_once_is_told_its_place_and_is_answered(
    parts: tuple[Catalog, Guard, SQLRunner],
) -> None:
    line = Line(1)
    asker = replace(asker_with(parts, Script(["SELECT 1 FROM orders"])), line=line)
    async with line.turn():
        answer = asyncio.create_task(told(asker, "One?"))
        await until(lambda: line.waiting == 1)
    events = await answer
    assert events[:2] == [Waiting(1, "questions"), Waiting(0, "questions")]
    words = ["TextChunk", "TextChunk"]
    assert kinds(events)[2:] == ["TablesFound", "SQLWritten", "RowsFound", *words, "ReceiptWritten", "Finished"]
    assert (line.in_turn, line.waiting) == (0, 0)


async def test_a_question_that_finds_the_line_full_is_told_so_at_once(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    line = Line(1, most_waiting=0)
    asker = replace(asker_with(parts, Script([])), line=line)
    async with line.turn():
        events = await told(asker, "One?")
    assert kinds(events) == ["Failed", "Finished"]
    assert "ask this one again in a moment" in events[0].reason  # type: ignore[union-attr]


async def test_waiting_for_the_database_is_told_and_does_not_count_as_its_time(
    shop: str, parts: tuple[Catalog, Guard, SQLRunner]
) -> None:
    catalog, guard, _ = parts
    async with aclosing(open_runner(shop, timeout=60, threads=1)) as runner:
        asker = asker_with((catalog, guard, runner), Script(["SELECT 1 FROM orders"]))
        async with runner.line.turn():
            answer = asyncio.create_task(told(asker, "One?"))
            await until(lambda: runner.line.waiting == 1)
            await asyncio.sleep(0.2)
        events = await answer
    assert kinds(events)[1:5] == ["SQLWritten", "Waiting", "Waiting", "RowsFound"]
    assert [e for e in events if isinstance(e, Waiting)] == [Waiting(1, "database"), Waiting(0, "database")]
    seconds = events[-1].seconds  # type: ignore[union-attr]
    assert seconds["wait"] > 0.15 > seconds["run"]


async def test_a_question_that_leaves_the_line_is_no_longer_in_it(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    line = Line(1)
    asker = replace(asker_with(parts, Script([])), line=line)
    async with line.turn():
        async with aclosing(asker.ask(Question("One?", TODAY))) as events:
            async for event in events:
                assert event == Waiting(1, "questions")
                break
        assert line.waiting == 0


async def test_a_chart_of_many_rows_is_chosen_beside_the_event_loop(
    parts: tuple[Catalog, Guard, SQLRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def noting(question: str, rows: Rows, wish: None, today: date) -> None:
        threads.append(threading.current_thread())

    monkeypatch.setattr(agents.ask, "choose_chart", noting)
    monkeypatch.setattr(agents.ask, "ROWS_AT_A_GLANCE", 2)
    await told(asker_with(parts, Script(["SELECT id FROM orders"])), "Which?")
    await told(asker_with(parts, Script(["SELECT id FROM orders LIMIT 2"])), "Which?")
    assert [thread is threading.main_thread() for thread in threads] == [False, True]


async def test_leaving_early_is_a_stop_and_no_fault(
    parts: tuple[Catalog, Guard, SQLRunner], caplog: pytest.LogCaptureFixture
) -> None:
    class Chatterbox:
        async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
            while True:
                await say("and ")
                await asyncio.sleep(0)

    asker = replace(asker_with(parts, Script(["SELECT 1 FROM orders"])), narrator=Chatterbox())
    async with aclosing(asker.ask(Question("One?", TODAY))) as events:
        async for event in events:
            if isinstance(event, TextChunk):
                break
    assert caplog.text == ""


async def test_a_suggester_that_breaks_leaves_the_answer_whole(
    parts: tuple[Catalog, Guard, SQLRunner], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
            raise IndexError("no ideas")

    events = await told(replace(asker_with(parts, Script(["SELECT 1 FROM orders"])), suggester=Broken()), "One?")
    assert events[-1].status == "answered"  # type: ignore[union-attr]
    assert "no follow-ups" in caplog.text


async def test_a_slow_reader_holds_the_work_back_and_loses_nothing(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    class Chatterbox:
        async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
            for number in range(1_000):
                await say(f"{number} ")

    asker = replace(asker_with(parts, Script(["SELECT count(*) FROM orders"])), narrator=Chatterbox())
    text = ""
    async with aclosing(asker.ask(Question("How many orders?", TODAY))) as events:
        async for event in events:
            await asyncio.sleep(0)
            if isinstance(event, TextChunk):
                text += event.text
    assert text == "".join(f"{number} " for number in range(1_000))


async def test_the_tables_are_told_before_the_sql(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    events = await told(asker_with(parts, Script(["SELECT 1 AS x FROM orders"])), "Anything?")
    assert isinstance(events[0], TablesFound)
    assert [t.name for t in events[0].found.tables] == ["orders"]


async def test_a_saved_question_is_answered_with_its_reviewed_sql(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    events = await told(asker_with(parts, Script([])), "how big is an order")
    draft = next(e.draft for e in events if isinstance(e, SQLWritten))
    assert draft.sql == "SELECT avg(total) FROM orders"
    assert draft.assumptions == ("The SQL is the reviewed one of “How big is an order?”.",)


async def test_saved_sql_that_no_longer_runs_goes_to_the_writer(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    stale = SavedQuestions((SavedQuestion("How big is an order?", "SELECT avg(price) FROM orders"),), None)
    script = Script(["SELECT avg(total) FROM orders"])
    events = await told(replace(asker_with(parts, script), saved=stale), "How big is an order?")
    assert events[-1].status == "answered"  # type: ignore[union-attr]
    assert script.complaints[0] is not None and script.complaints[0].sql == "SELECT avg(price) FROM orders"


async def test_another_chart_of_the_same_rows_asks_nobody_again(parts: tuple[Catalog, Guard, SQLRunner]) -> None:
    asker = asker_with(parts, Script([]))  # Nothing to write: it would fail if it were asked.
    turn = Turn("Sales by city?", "Sales by city", "SELECT city, sum(total) AS sales FROM orders GROUP BY city")
    question = Question("as a pie chart", TODAY, (turn,))
    async with aclosing(asker.ask(question)) as events:
        told = [event async for event in events]
    assert [event.chart.kind for event in told if isinstance(event, ChartDrawn)] == ["pie"]
    assert [event.text for event in told if isinstance(event, TextChunk)] == ["The same rows as a pie chart."]
    assert [event.draft.reading for event in told if isinstance(event, SQLWritten)] == ["Sales by city"]
