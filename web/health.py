"""Answers whoever watches over the server: is it alive, could it answer a question, and what has it done so far."""

from __future__ import annotations

from typing import Any, Literal

from asyncer import asyncify
from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from errors import TooManyTries
from web.desk import Desk
from web.guards import may_know
from web.guests import Guests
from web.readiness import Readiness


class EndpointStatus(BaseModel):
    ok: bool
    reason: str = ""


class PartStatus(BaseModel):
    ok: bool
    reason: str = ""
    endpoints: dict[str, EndpointStatus] = {}


class ReadinessStatus(BaseModel):
    """Whether a question could be answered now; each part that is not well says why.

    Where the model is not well the offline analyst answers, so that alone leaves it ready.
    """

    status: Literal["ready", "not ready"]
    parts: dict[Literal["database", "index", "model"], PartStatus]


NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": ReadinessStatus, "description": "Not ready."}}
TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}}


def add_health(app: FastAPI, desk: Desk, readiness: Readiness, guests: Guests | None) -> None:
    """Add health, readiness and metrics to the app; where there is a login, only guests read the reasons."""

    @app.get("/healthz", summary="Is it alive?")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Could it answer now?", response_model=ReadinessStatus, responses=NOT_READY)
    async def readyz(request: Request) -> Response:
        outcome = await readiness.look()
        try:
            with_reasons = may_know(guests, request)
        except TooManyTries:
            with_reasons = False  # Whether the server is ready is told to everybody, whatever they guess.
        shown = outcome.as_json(with_reasons=with_reasons)
        return JSONResponse(shown, 200 if outcome.is_ready else 503, {"cache-control": "no-store"})

    @app.get("/metrics", summary="Metrics for Prometheus", response_class=Response, responses=TEXT)
    async def metrics(request: Request) -> Response:
        text, media_type = await asyncify(desk.metrics.as_text)(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": media_type})
