"""Answers `POST /api/breakdown`: a query, step by step, as one JSON object."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from agents.steps import steps_as_json
from agents.together import together
from errors import AskError, SQLRefused
from tools.breakdown import Step
from web.api import BROKEN_DOWN, LOGIN, RESPONSES, retry_header
from web.desk import Desk
from web.events import cancel_when_gone
from web.guards import refusal


class Query(BaseModel):
    """A SELECT statement, such as the `sql` of an answer."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, json_schema_extra={"example": BROKEN_DOWN})

    sql: Annotated[str, Field(min_length=1)]


class ToldStep(BaseModel):
    """One step of the query, run on its own."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    words: str
    """What it does, in one sentence."""
    part: str
    """The part of the query that it belongs to; empty for the query itself."""
    takes: list[int]
    """The numbers of the steps that it goes on from; the first is 1."""
    before: int | None
    """How many rows came in, where it goes on from one step and that is known."""
    count: int | None
    """How many rows it leaves; null where that is not known."""
    columns: list[str]
    rows: list[list[Any]]
    """Its first rows."""
    sql: str
    trouble: str
    """Why it could not be run, or not be counted; empty where it could."""


class Steps(BaseModel):
    """The steps of a query, in order."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    steps: list[ToldStep]
    """The last one's rows are the query's own."""


def add_breakdown(app: FastAPI, desk: Desk) -> None:
    """Add the way to see a query step by step; it goes before `add_api`, which answers for all that is not there."""
    router = APIRouter(prefix="/api")
    responses = {status: told for status, told in RESPONSES.items() if status not in (200, 500)}

    @router.post("/breakdown", summary="Show a query step by step", response_model=Steps, responses=responses)
    async def breakdown(query: Query, request: Request, _: Annotated[None, Depends(LOGIN)]) -> Response:
        try:
            steps = steps_as_json(await _steps(desk, query.sql, request))
        except SQLRefused as refused:
            return refusal(403, str(refused))
        except AskError as error:
            return refusal(503, str(error), retry_header(error.retry_after))
        return Response(json.dumps({"steps": steps}, ensure_ascii=False), media_type="application/json")

    app.include_router(router)


async def _steps(desk: Desk, sql: str, request: Request) -> tuple[Step, ...]:
    """Return the query's steps; the client's leaving stops the statements in the database."""
    steps: tuple[Step, ...] = ()
    async with together() as tasks:
        tasks.start_soon(cancel_when_gone, request.receive, tasks.cancel_scope)
        steps = await desk.steps(sql)
        tasks.cancel_scope.cancel()
    return steps
