"""Writes a question's events as server-sent events, and stops the work when nobody reads them any more."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, assert_never

import anyio
from asyncer import asyncify
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from agents.answer import query_as_json, receipt_as_json, values_as_json
from agents.ask import ROWS_AT_A_GLANCE
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
from agents.together import together

HEARTBEAT = 15.0
"""Seconds between two comments that keep a quiet connection open."""

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would gather them
)


class EventStream(Response):
    """Sends events as they come. The client's leaving stops the work, down to the statement in the database."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[Event, None]) -> None:
        super().__init__()
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        send = until_the_end(send)
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        async with aclosing(self._events), together() as tasks:
            tasks.start_soon(cancel_when_gone, receive, tasks.cancel_scope)
            tasks.start_soon(keep_open, send)
            async for event in self._events:
                await send(body(await as_sse(event)))
            await send(body("", more=False))
            tasks.cancel_scope.cancel()


async def cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    """Cancel the scope when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def keep_open(send: Send) -> None:
    """Send a comment now and then, for ever."""
    while True:
        await anyio.sleep(HEARTBEAT)
        await send(body(": still at it\n\n"))


def until_the_end(send: Send) -> Send:
    """Return what sends a response's messages, and nothing past its last piece: a comment may be due with that.

    A task that is due runs on before it can be cancelled, and uvicorn takes nothing more.
    """
    has_ended = False

    async def send_or_not(message: Message) -> None:
        nonlocal has_ended
        if not has_ended:
            has_ended = message["type"] == "http.response.body" and not message["more_body"]
            await send(message)

    return send_or_not


def body(text: str, *, more: bool = True) -> Message:
    """Return a piece of a response, the last one where there are no more."""
    return {"type": "http.response.body", "body": text.encode(), "more_body": more}


async def as_sse(event: Event) -> str:
    """Return the event as it goes over the wire: its name in snake_case, and one line of JSON."""
    many = isinstance(event, RowsFound) and len(event.rows.values) > ROWS_AT_A_GLANCE
    about = await asyncify(_dump)(event) if many else _dump(event)
    return f"event: {name_of(type(event))}\ndata: {about}\n\n"


def name_of(kind: type[Event]) -> str:
    """Return an event's name in the stream: `sql_written` of SQLWritten."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind.__name__).lower()


def _dump(event: Event) -> str:
    return json.dumps(about(event), ensure_ascii=False, allow_nan=False)


def about(event: Event) -> dict[str, Any]:
    """Return what the event tells, as JSON can carry it."""
    match event:
        case TablesFound(found):
            return {"tables": [{"name": table.name, "rows": table.row_count} for table in found.tables]}
        case SQLWritten(draft, attempt):
            return {**asdict(draft), "attempt": attempt}
        case RowsFound(rows):
            values = values_as_json(rows)
            return {"columns": rows.columns, "rows": values, "truncated": rows.truncated, "seconds": rows.seconds}
        case ChartDrawn(chart):
            return {"chart": asdict(chart)}
        case QueryRan():
            return query_as_json(event)
        case QueryDrawn(number, chart):
            return {"number": number, "chart": asdict(chart)}
        case ReceiptWritten(receipt):
            return receipt_as_json(receipt)
        case Finished() | Waiting() | SQLComplained() | TextChunk() | FollowupsSuggested():
            return asdict(event)
        case Declined() | Refused() | Failed() | FellBack():
            return asdict(event)
        case _:
            assert_never(event)
