"""What docs/faults.md says of each fault is what a person, a program and a job's file are told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from agents.events import Event, Failed, FellBack, Finished, RowsFound, TextChunk
from benchmarks.model_faults import FAULTS, FaultPicker
from benchmarks.model_server import MODEL, serving
from benchmarks.model_wire import ToolCall
from endpoints import Endpoint
from errors import ModelMisbehaved, ModelUnavailable
from jobs.lines import open_lines
from jobs.sending import Sender
from llm.chat import open_chat_model
from llm.chat_faults import address_of
from llm.requester import open_requester
from tests.certificate import make_certificate, tls_with
from tests.model_fixture import KEY, StandIn, stand_in
from tests.ports import kept_port
from tests.shop_asker import ROWS, open_shop, told
from web.api import Told

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"
NOTHING, SQL, WORDS, TOOLS = (
    "No answer at all",
    "Half an answer, while the SQL is written",
    "Half an answer, while the words are told",
    "Tools",
)
Calls = Literal["wholes", "streams"]
"""Which calls fail: SQL is asked for whole, words are streamed."""

SILENT = {"hang", "slow-headers", "stall-first", "stall", "rate-limit-wait", "rate-limit-date"}
"""Those that last as long as our patience."""
TOLD_WHOLE = "Oslo has the highest number of orders with 2"


@dataclass(frozen=True)
class Row:
    """One row of the page."""

    fault: str
    said: str
    then: str
    another: bool
    in_a_job: str


def rows_of(heading: str) -> list[Row]:
    """Return the rows of the table under a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    rows = []
    for line in lines[2:]:
        fault, _, said, then, another, *job = (cell.strip() for cell in line.strip().strip("|").split("|"))
        assert then in ("offline", "fails") and another in ("yes", "no"), line
        rows.append(Row(fault.strip("`"), said, then, another == "yes", job[0] if job else ""))
    return rows


@pytest.fixture
async def first() -> AsyncIterator[StandIn]:
    async with stand_in() as running:
        yield running


CASES = [
    *((row, calls) for row in rows_of(NOTHING) for calls in ("wholes", "streams")),
    *((row, "wholes") for row in rows_of(SQL)),
    *((row, "streams") for row in rows_of(WORDS)),
]
IN_A_JOB = [row for heading in (NOTHING, SQL) for row in rows_of(heading) if row.in_a_job]
every_row = pytest.mark.parametrize("row, calls", CASES, ids=[f"{row.fault}-{calls}" for row, calls in CASES])


def test_the_page_leaves_no_fault_out() -> None:
    on_the_page = {row.fault for heading in (NOTHING, SQL, WORDS, TOOLS) for row in rows_of(heading)}
    # Who takes no response_format is asked again without, and answers.
    assert set(FAULTS) - on_the_page == {"no-response-format"}
    assert on_the_page - set(FAULTS) == {"nobody", "certificate"}


@asynccontextmanager
async def failing(model: StandIn, fault: str, calls: Calls, folder: Path) -> AsyncIterator[Endpoint]:
    """Yield an endpoint that fails in this way, and would otherwise be asked first and nearly always."""
    async with AsyncExitStack() as closing:
        endpoint = Endpoint(model.base_url, MODEL, model.endpoint().key, weight=1_000, name="first")
        if fault == "nobody":
            endpoint = replace(endpoint, base_url=f"http://127.0.0.1:{closing.enter_context(kept_port())}/v1")
        elif fault == "certificate":
            tls = tls_with(make_certificate(folder))
            endpoint = replace(endpoint, base_url=await closing.enter_async_context(serving(model.server, tls=tls)))
        else:
            model.server.faults = FaultPicker((fault,), of=calls)
        yield endpoint


def as_on_the_page(text: str, endpoint: Endpoint) -> str:
    """Return the text with the page's marks instead of what differs from run to run."""
    text = text.replace(address_of(endpoint), "ADDRESS")
    return text.replace(f"model {MODEL}", "model MODEL").replace(f"{endpoint.name} ", "NAME ")


def words_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextChunk))


def check_nothing_leaks(events: list[Event], caplog: pytest.LogCaptureFixture) -> None:
    shown = repr(events) + caplog.text
    assert KEY not in shown and "Traceback" not in shown and "sqlite:" not in shown


@every_row
async def test_a_person_and_a_program_are_told_what_the_page_says(
    first: StandIn, tmp_path: Path, caplog: pytest.LogCaptureFixture, row: Row, calls: Calls
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_shop(tmp_path) as shop, failing(first, row.fault, calls, tmp_path) as endpoint:
        shop.teach(first)
        timeout, idle = (0.8, 0.4) if row.fault in SILENT else (20.0, 10.0)
        async with open_chat_model([endpoint], timeout=timeout, idle=idle) as model:
            events = await told(shop.asker(model))
    check_nothing_leaks(events, caplog)
    fell_back = [event for event in events if isinstance(event, FellBack)]
    failures = [event.reason for event in events if isinstance(event, Failed)]
    api = Told("")
    for event in events:
        api.take(event)
    response = api.as_response()
    if row.then == "offline":
        part = "question" if calls == "wholes" or row.fault in ("nobody", "certificate") else "words"
        assert [(each.part, as_on_the_page(each.reason, endpoint)) for each in fell_back] == [(part, row.said)]
        assert f"“{fell_back[0].text}”" in " ".join(PAGE.read_text(encoding="utf-8").split())
        assert not failures and words_of(events).startswith(TOLD_WHOLE)
        assert response.status_code == 200
        assert json.loads(bytes(response.body))["fallback"]["reason"] == fell_back[0].reason
    else:
        assert [as_on_the_page(reason, endpoint) for reason in failures] == [row.said] and not fell_back
        has_begun = row in rows_of(WORDS)
        assert bool(words_of(events)) is has_begun
        assert response.status_code == 503 and response.headers["retry-after"] == "5"
        assert json.loads(bytes(response.body))["detail"].endswith(failures[0])
    has_rows = [set(event.rows.values) for event in events if isinstance(event, RowsFound)]
    assert has_rows == ([ROWS] if calls == "streams" or row.then == "offline" else [])


@every_row
async def test_another_endpoint_is_asked_where_the_page_says_so(
    first: StandIn, tmp_path: Path, caplog: pytest.LogCaptureFixture, row: Row, calls: Calls
) -> None:
    caplog.set_level(logging.DEBUG)
    async with AsyncExitStack() as closing:
        shop = await closing.enter_async_context(open_shop(tmp_path))
        second = await closing.enter_async_context(stand_in())
        endpoint = await closing.enter_async_context(failing(first, row.fault, calls, tmp_path))
        for each in (first, second):
            shop.teach(each)
        both = [endpoint, second.endpoint(name="second")]
        timeout, idle = (2.4, 0.4) if row.fault in SILENT else (20.0, 10.0)
        model = await closing.enter_async_context(open_chat_model(both, timeout=timeout, idle=idle))
        events = await told(shop.asker(model))
    check_nothing_leaks(events, caplog)
    assert bool(second.requests) is row.another
    if row.another:
        assert not any(isinstance(event, FellBack | Failed) for event in events)
        assert words_of(events).startswith(TOLD_WHOLE)
        assert isinstance(events[-1], Finished) and events[-1].status == "answered"
    else:
        failures = [as_on_the_page(event.reason, endpoint) for event in events if isinstance(event, Failed)]
        assert failures == [row.said]


async def send_one(endpoints: Sequence[Endpoint], folder: Path, seconds: float) -> tuple[str, str]:
    """Send a file of one line; return what was answered, and what the errors file or the stopped job says."""
    requests, save, errors = (folder / name for name in ("in.jsonl", "answers.jsonl", "errors.jsonl"))
    for file in (save, errors):
        file.unlink(missing_ok=True)
    requests.write_text('{"input": "Good morning"}\n')
    async with (
        open_lines(requests, save, errors, resume=False) as lines,
        open_requester(endpoints, seconds=seconds, attempts=2) as requester,
    ):
        try:
            await Sender(lines, requester).send(1)
        except ModelUnavailable as stopped:
            return "", str(stopped)
    saved, failed = (json.loads(file.read_text() or "{}") for file in (save, errors))
    return saved.get("response", ""), failed.get("error", "")


@pytest.mark.parametrize("row", [*IN_A_JOB, *rows_of(TOOLS)], ids=lambda row: row.fault)
async def test_a_jobs_errors_say_what_the_page_says(
    first: StandIn, tmp_path: Path, caplog: pytest.LogCaptureFixture, row: Row
) -> None:
    caplog.set_level(logging.DEBUG)
    seconds = 0.3 if row.fault in SILENT else 10.0
    if row.fault == "wrong-arguments":
        first.will_say(*[ToolCall("look_up", '{"question": "why not"}')] * 2)
    async with failing(first, row.fault, "wholes", tmp_path) as endpoint:
        _, error = await send_one([endpoint], tmp_path, seconds)
    assert as_on_the_page(error, endpoint) == row.in_a_job
    written = (tmp_path / "errors.jsonl").read_text() + error + caplog.text
    assert KEY not in written and "Traceback" not in written


@pytest.mark.parametrize("row", IN_A_JOB, ids=lambda row: row.fault)
async def test_a_job_asks_another_endpoint_where_the_page_says_so(first: StandIn, tmp_path: Path, row: Row) -> None:
    seconds = 0.5 if row.fault in SILENT else 10.0
    async with stand_in() as second, failing(first, row.fault, "wholes", tmp_path) as endpoint:
        both = [endpoint, second.endpoint(name="second")]
        answer, error = await send_one(both, tmp_path, seconds)
    if row.another:
        assert (answer, error) == ("You said: Good morning", "")
    else:
        assert (answer, as_on_the_page(error, endpoint)) == ("", row.in_a_job) and not second.requests


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("row", rows_of(TOOLS), ids=lambda row: row.fault)
async def test_a_call_that_is_cut_is_not_acted_on(first: StandIn, tmp_path: Path, row: Row, is_stream: bool) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
    first.will_say(ToolCall("look_up", '{"question": "why not"}'))
    async with (
        stand_in() as second,
        failing(first, row.fault, "streams" if is_stream else "wholes", tmp_path) as endpoint,
        open_chat_model([endpoint, second.endpoint(name="second")]) as model,
    ):
        agent = model.bind(tools=[tool])
        with pytest.raises(ModelMisbehaved) as raised:
            await (_all_of(agent) if is_stream else agent.ainvoke([("human", "Why?")]))
        assert str(raised.value) == row.said and not second.requests


async def _all_of(agent: Any) -> None:
    async for _ in agent.astream([("human", "Why?")]):
        await asyncio.sleep(0)
