"""Answers `POST /api/ask`: one question, as one JSON object or as its events while they happen."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any

from asyncer import asyncify
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBasic
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from starlette.responses import Response

from agents.answer import Answer
from agents.ask import ROWS_AT_A_GLANCE
from agents.events import Declined, Event, Failed, Finished, RowsFound, SQLWritten, TablesFound
from agents.question import TURNS_KEPT, Mode, Question, Turn
from agents.together import together
from errors import AskError
from web.desk import Desk
from web.events import EventStream, cancel_when_gone
from web.guards import refusal

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
EXAMPLE: JsonDict = {"question": "How many customers are there?"}
BROKEN_DOWN: JsonDict = {"sql": "SELECT city, COUNT(*) AS customers FROM customers GROUP BY city"}


ANSWER: JsonDict = {
    "question": "How many customers are there?",
    "status": "answered",
    "sql": "SELECT\n  COUNT(*) AS number_of_customers\nFROM customers",
    "columns": ["number_of_customers"],
    "rows": [[1900]],
    "truncated": False,
    "answer": "There are 1,900 customers.",
    "assumptions": [],
    "followups": ["How many customers are there by city?"],
    "asks": False,
    "queries": [],
    "chart": {
        "kind": "number",
        "title": "Number of customers",
        "x": "number_of_customers",
        "y": ["number_of_customers"],
        "series": None,
        "label": [],
        "is_stacked": False,
        "is_log": False,
        "is_unfinished": False,
    },
    "database": "sample",
    "analyst": "offline analyst",
    "fallback": None,
    "reading": "How many customers are there?",
    "suggestions": [],
    "tables": [{"name": "customers", "rows": 1900}],
    "receipt": {
        "assumed": [],
        "tables": [{"name": "customers", "rows": 1900}],
        "newest": "2026-11-19",
        "trusted": False,
        "names_only": False,
    },
    "seconds": {"judge": 0.0, "find": 0.008, "write": 0.006, "check": 0.002, "run": 0.001, "tell": 0.001},
    "tokens": 0,
    "retry_after": None,
}


Words = Annotated[str, Field(min_length=0)]
"""A text of whole characters: without any limit, half of a surrogate pair would be let through."""


class EarlierTurn(BaseModel):
    """An earlier question of the conversation, as the answer to it told."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    question: Words
    reading: Words = ""
    """The answer's `reading`; the question itself where it is left out."""
    sql: Words


class Asked(BaseModel):
    """A question in plain words, or a SELECT statement."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, json_schema_extra={"example": EXAMPLE})

    question: Annotated[str, Field(min_length=1)]
    turns: Annotated[list[EarlierTurn], Field(max_length=TURNS_KEPT)] = []
    """Oldest first."""
    mode: Mode = "ask"
    """`investigate` lets a model run several queries to find out why, and report."""
    today: Annotated[date | None, Field(ge=date(1970, 1, 1), le=date(2999, 12, 31))] = None
    """What "last month" counts from; the day of the question where it is left out."""

    def as_question(self, today: date) -> Question:
        return Question(self.question, self.today or today, as_turns(self.turns), self.mode)


def as_turns(turns: Sequence[EarlierTurn]) -> tuple[Turn, ...]:
    return tuple(Turn(turn.question, turn.reading or turn.question, turn.sql) for turn in turns)


@dataclass
class Told(Answer):
    """The answer to a question, whole."""

    reading: str = ""
    suggestions: list[str] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    tokens: int = 0
    retry_after: float | None = None

    def take(self, event: Event) -> None:
        super().take(event)
        match event:
            case TablesFound(found):
                self.tables = [{"name": table.name, "rows": table.row_count} for table in found.tables]
            case SQLWritten(draft):
                self.reading = draft.reading
            case Declined(suggestions=suggestions):
                self.suggestions, self.followups = list(suggestions), []
            case Failed(retry_after=seconds):
                self.retry_after = seconds
            case Finished(seconds=seconds, tokens=tokens):
                self.seconds, self.tokens = seconds, tokens
            case _:
                pass

    @property
    def http_status(self) -> int:
        """Return 200 where the question was dealt with, 403 where it may not be asked, 503 or 500 where it failed."""
        match self.status:
            case "answered" | "declined":
                return 200
            case "refused":
                return 403
            case "failed":
                return 500 if self.retry_after is None else 503

    def as_response(self) -> Response:
        status = self.http_status
        # Whoever reads only `detail` of what is not well finds it here too.
        text = (
            self.as_text() if status == 200 else json.dumps({"detail": self.answer, **vars(self)}, ensure_ascii=False)
        )
        return Response(text, status, retry_header(self.retry_after), "application/json")


class Problem(BaseModel):
    """Why there is no answer."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, json_schema_extra={"example": {"detail": "The request holds no “question”."}}
    )

    detail: str
    """One sentence for a person."""


class _Basic(HTTPBasic):
    """Stands in the description alone: `LoginCheck` has asked before anything gets here."""

    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        return None


LOGIN = _Basic(scheme_name="login", auto_error=False)

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer, or the events as they happen where `Accept` names `text/event-stream`.",
        "content": {
            "application/json": {"example": ANSWER},
            "text/event-stream": {"example": 'event: text_chunk\ndata: {"text": "There are 1,900 customers."}\n\n'},
        },
    },
    401: {"model": Problem, "description": "There is a login, and no name and password that it knows."},
    403: {"model": Problem, "description": "The question may not be asked, or not by a page of this origin."},
    413: {"model": Problem, "description": "The request is longer than 64 KiB."},
    422: {"model": Problem, "description": "The request is not as described here."},
    429: {
        "model": Problem,
        "description": "Too many passwords were wrong. `Retry-After` says when one is looked at again.",
    },
    500: {"model": Problem, "description": "The question failed; asked again it would most likely fail again."},
    503: {"model": Problem, "description": "Something is away or busy. `Retry-After` says when to ask again."},
}


def add_api(app: FastAPI, desk: Desk, today: date | None) -> None:
    """Add the API to the app; `today` is what "last month" counts from where the asker does not say."""
    router = APIRouter(prefix="/api")

    @router.post("/ask", summary="Ask one question", response_model=Told, responses=RESPONSES)
    async def ask(asked: Asked, request: Request, _: Annotated[None, Depends(LOGIN)]) -> Response:
        question = asked.as_question(today or date.today())
        try:
            asker = await desk.asker()
            if "text/event-stream" in request.headers.get("accept", ""):
                return EventStream(desk.ask(question))
            told = Told(question.text, database=asker.catalog.name, analyst=asker.analyst)
            await _listen(desk, question, told, request)
            many = len(told.rows) > ROWS_AT_A_GLANCE
            return await asyncify(told.as_response)() if many else told.as_response()
        except AskError as error:
            return refusal(503, str(error), retry_header(error.retry_after))

    @router.api_route("/{rest:path}", methods=METHODS, include_in_schema=False)
    async def nothing(rest: str) -> Response:
        # Else the chat, which answers every path with its page, would answer these too.
        if rest in ("ask", "breakdown"):
            return refusal(405, f"/api/{rest} takes POST alone.", {"allow": "POST"})
        return refusal(404, "There is nothing here. /openapi.json describes what there is.")

    @app.get("/docs", include_in_schema=False)
    @app.get("/redoc", include_in_schema=False)
    async def undrawn() -> Response:
        # Chainlit's app draws an API there, with scripts of strangers that may not run on a page of ours.
        return await nothing("")

    app.include_router(router)
    app.add_exception_handler(RequestValidationError, _explain)
    app.add_exception_handler(400, _give_up)


async def _listen(desk: Desk, question: Question, told: Told, request: Request) -> None:
    """Let `told` take every event; the client's leaving stops the work."""
    async with together() as tasks:
        tasks.start_soon(cancel_when_gone, request.receive, tasks.cancel_scope)
        async with aclosing(desk.ask(question)) as events:
            async for event in events:
                if isinstance(event, RowsFound) and len(event.rows.values) > ROWS_AT_A_GLANCE:
                    await asyncify(told.take)(event)
                else:
                    told.take(event)
        tasks.cancel_scope.cancel()


def retry_header(seconds: float | None) -> dict[str, str] | None:
    return None if seconds is None else {"retry-after": str(math.ceil(seconds))}


async def _explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    example = BROKEN_DOWN if request.url.path == "/api/breakdown" else EXAMPLE
    return refusal(422, explain(error.errors(), example))


async def _give_up(_: Request, __: Exception) -> Response:
    """Answer what FastAPI could not even read, such as lists ten thousand deep."""
    return refusal(422, "The request cannot be read: it is no JSON, or nested too deep.")


def explain(errors: Sequence[Any], example: JsonDict) -> str:
    """Return one sentence on the first thing that is wrong with a request."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    if first["type"] == "json_invalid":
        return f"The request is no JSON: {first['ctx']['error'].removesuffix(' at')}."
    if not where:
        return f"Send a JSON object, such as {json.dumps(example)}, with Content-Type: application/json."
    if first["type"] == "extra_forbidden":
        return f"The request holds “{where}”, which means nothing here."
    if first["type"] == "missing":
        return f"The request holds no “{where}”."
    return f"“{where}” cannot be used: {first['msg'][0].lower()}{first['msg'][1:]}."
