"""What an answer puts on the page, and that its work does not keep other people's pages waiting."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import warnings
from collections.abc import AsyncGenerator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from agents.events import (
    ChartDrawn,
    Event,
    Failed,
    Finished,
    FollowupsSuggested,
    ReceiptWritten,
    RowsFound,
    SQLWritten,
    TextChunk,
    Waiting,
)
from agents.question import Draft
from agents.receipt import Receipt
from errors import TooBusy
from tools.chart import Chart
from tools.sql_runner import Rows

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What Chainlit imports is written for older versions of what that imports.
    import chainlit as cl
    from chainlit.context import init_http_context
    from chainlit.server import sio
    from engineio.packet import Packet

    import chat.answer
    import chat.elements
    from chat.answer import Answer
    from chat.lean import make_lean

ROWS = Rows(("month", "revenue"), tuple((f"2026-{n:02}", n) for n in range(1, 13)), False, 0.0)
WHOLE = ReceiptWritten(Receipt((), (), None, trusted=False), {"run": 0.1, "tell": 2.0}, tokens=7)
CHART = Chart("line", "Revenue by month", "month", ("revenue",))


@pytest.mark.parametrize("name", ["draw", "table"])
async def test_large_results_are_drawn_and_written_beside_the_event_loop(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = getattr(chat.elements, name)
    threads: list[threading.Thread] = []

    def noting(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return real(*arguments)

    monkeypatch.setattr(chat.elements, name, noting)
    init_http_context()
    answer = Answer("offline analyst", ())
    many = Rows(ROWS.columns, ROWS.values * 10, False, 0.0)
    for event in (RowsFound(many), ChartDrawn(CHART)):
        await answer.show(event)
    assert threads
    assert threading.main_thread() not in threads


async def test_an_assumption_that_the_words_hold_is_not_repeated() -> None:
    init_http_context()
    answer = Answer("offline analyst", ())
    await answer.show(SQLWritten(Draft("SELECT 1", "x", ("May is *this* May.", "All years count.")), 1))
    await answer.show(TextChunk("No rows match. May is *this*"))
    await answer.show(TextChunk(" May."))
    await answer.close("answered")
    [ending] = [element for element in answer._shown.values() if "status" in element.props]  # type: ignore[attr-defined]
    assert ending.props["assumptions"] == ["All years count."]  # type: ignore[attr-defined]


class Page:
    """What an answer sends to its page, in order."""

    def __init__(self) -> None:
        self.elements: list[dict[str, Any]] = []
        self.words = ""

    def open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        emitter = init_http_context().emitter
        for name in ("send_element", "stream_start", "send_token"):
            monkeypatch.setattr(emitter, name, getattr(self, name))

    async def send_element(self, element: Any) -> None:
        self.elements.append(json.loads(json.dumps(element)))

    async def stream_start(self, step: Any) -> None:
        self.words += step["output"]

    async def send_token(self, id: str, token: str, **_: Any) -> None:
        self.words += token

    @property
    def stages(self) -> list[str]:
        """Return each stage that was shown, with its detail."""
        shown = (element["props"] for element in self.elements if element["name"] == "Next")
        return [f"{props['stage']}: {props['detail']}" if "stage" in props else props["status"] for props in shown]


@pytest.fixture
def page() -> Page:
    return Page()


async def show(page: Page, *events: Event, gathered: float, monkeypatch: pytest.MonkeyPatch) -> Answer:
    page.open(monkeypatch)
    monkeypatch.setattr(chat.answer, "GATHERED", gathered)
    answer = Answer("offline analyst", ())
    await answer.open()
    for event in events:
        await answer.show(event)
    return answer


async def test_a_place_in_a_line_is_shown_and_then_the_stage_that_waited(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [Waiting(2, "questions"), Waiting(1, "questions"), Waiting(0, "questions")]
    events += [Waiting(3, "database"), Waiting(0, "database")]
    await show(page, *events, gathered=0, monkeypatch=monkeypatch)
    assert page.stages == [
        "Finding the tables that matter: ",
        "Waiting for a turn: many questions at once, 1 before this one",
        "Waiting for a turn: many questions at once, this one is next",
        "Finding the tables that matter: ",
        "Waiting for a turn: the database is busy, 2 before this one",
        "Finding the tables that matter: ",
    ]


async def test_what_changes_together_travels_together(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = Draft("SELECT 1", "x", ())
    answer = await show(page, SQLWritten(draft, 1), RowsFound(ROWS), gathered=600, monkeypatch=monkeypatch)
    assert [element["name"] for element in page.elements] == ["Next"]
    await answer.show(Finished("answered"))
    assert [element["name"] for element in page.elements] == ["Next", "Evidence", "Next", "Breakdown"]
    evidence = page.elements[1]["props"]
    assert evidence["attempts"] == [{"sql": "SELECT 1"}]
    assert len(json.loads(evidence["table"])["cells"]) == 12
    assert page.stages[-1] == "answered"
    assert all(task.get_name() != "show" or task.cancelling() for task in asyncio.all_tasks())


async def test_what_changed_is_sent_without_another_event(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    await show(page, SQLWritten(Draft("SELECT 1", "x", ()), 1), gathered=0.01, monkeypatch=monkeypatch)
    async with asyncio.timeout(20):
        while len(page.elements) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert page.stages[-1].startswith("Running the query")


async def test_a_slow_answer_shows_each_stage_at_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    await show(page, SQLWritten(Draft("SELECT 1", "x", ()), 1), RowsFound(ROWS), gathered=0, monkeypatch=monkeypatch)
    assert [stage.partition(":")[0] for stage in page.stages[1:]] == ["Running the query", "Telling the answer"]


async def test_a_full_line_is_told_in_one_sentence(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = str(TooBusy(1))
    await show(page, Failed(reason), Finished("failed"), gathered=0, monkeypatch=monkeypatch)
    assert (
        page.words == reason == "Too many questions are being asked right now. Please ask this one again in a moment."
    )


@pytest.mark.parametrize(
    ("failed", "again", "instead"),
    [
        (Failed("The database is away.", 5.0), "How many?", []),
        (Failed("It took too long."), "", ["How many orders are there?"]),
    ],
    ids=["what may be back", "what would fail again"],
)
async def test_a_failed_question_is_offered_again_where_that_may_help(
    failed: Failed, again: str, instead: list[str], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.open(monkeypatch)
    answer = Answer("offline analyst", ("How many orders are there?",))
    answer.may_be_asked_again("How many?")
    await answer.show(failed)
    await answer.show(Finished("failed"))
    ending = page.elements[-1]["props"]
    assert (ending["again"], ending["questions"]) == (again, instead)


async def test_the_seconds_of_an_answer_end_with_its_words(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(chat.answer, "time", SimpleNamespace(monotonic=lambda: now[0]))
    page.open(monkeypatch)
    answer = Answer("a model", ())
    for seconds, event in ((2.5, TextChunk("There are 3.")), (4.0, Finished("answered"))):
        now[0] += seconds
        await answer.show(event)
    assert page.elements[-1]["props"]["seconds"] == 2.5


async def test_an_answer_is_whole_at_its_receipt_and_gets_its_next_questions_later(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await show(page, TextChunk("There are 3."), WHOLE, gathered=0, monkeypatch=monkeypatch)
    whole = page.elements[-1]["props"]
    assert (whole["status"], whole["coming"], whole["questions"]) == ("answered", True, [])
    assert (whole["tokens"], [stage["name"] for stage in whole["stages"]]) == (7, ["run", "tell"])

    async def rest() -> AsyncGenerator[Event, None]:
        yield FollowupsSuggested(("By city?",))
        yield Finished("answered", {"run": 0.1, "tell": 2.0, "suggest": 6.0}, tokens=12)

    answer.go_on(rest())
    assert answer.rest is not None
    await answer.rest
    ending = page.elements[-1]["props"]
    assert (ending["status"], ending["coming"], ending["questions"]) == ("answered", False, ["By city?"])
    assert (ending["tokens"], [stage["name"] for stage in ending["stages"]]) == (12, ["run", "tell", "suggest"])
    assert ending["seconds"] == whole["seconds"]
    assert answer.rest is None


async def test_what_is_dropped_leaves_the_answer_as_it_was(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await show(page, TextChunk("There are 3."), WHOLE, gathered=0, monkeypatch=monkeypatch)
    began, left = asyncio.Event(), asyncio.Event()

    async def rest() -> AsyncGenerator[Event, None]:
        try:
            began.set()
            await asyncio.Event().wait()
            yield FollowupsSuggested(("By city?",))
        finally:
            left.set()

    answer.go_on(rest())
    await began.wait()
    going_on = answer.rest
    assert going_on is not None
    going_on.cancel()
    await asyncio.wait([going_on])
    assert left.is_set() and answer.rest is None
    whole, ending = (element["props"] for element in page.elements if element["props"].get("status"))
    assert ending == {**whole, "coming": False}
    sent = len(page.elements)
    await answer.close("stopped")
    assert len(page.elements) == sent, "it has ended already"


async def test_what_fails_after_an_answer_is_logged_and_the_answer_stands(
    page: Page, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await show(page, TextChunk("There are 3."), WHOLE, gathered=0, monkeypatch=monkeypatch)

    async def rest() -> AsyncGenerator[Event, None]:
        raise RuntimeError("a fault of ours")
        yield

    answer.go_on(rest())
    assert answer.rest is not None
    await answer.rest
    assert "a fault of ours" in caplog.text
    assert (page.words, page.stages[-1]) == ("There are 3.", "answered")
    assert page.elements[-1]["props"]["coming"] is False


def test_a_message_and_a_step_are_made_without_a_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(seconds: float) -> None:
        pytest.fail("the event loop slept")

    make_lean()
    monkeypatch.setattr(time, "sleep", never)

    async def make() -> None:
        init_http_context()
        cl.Message("")
        cl.Step()

    asyncio.run(make())


async def test_an_event_reaches_its_page_whatever_stands_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    async def send_packet(page: str, packet: Packet) -> None:
        sent.append(packet.encode())

    make_lean()
    monkeypatch.setattr(sio.manager, "eio_sid_from_sid", lambda sid, namespace: sid)
    monkeypatch.setattr(sio.eio, "send_packet", send_packet)
    for said in ("東京 <b>", "half of \ud83d", 2**70):
        await sio.emit("told", {"said": said}, to="page")
        assert sent[-1].startswith("42") and json.loads(sent[-1][2:]) == ["told", {"said": said}]
