"""The ways in which the stand-in model can fail, by name."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from benchmarks.model_wire import error_body

FAULTS = {
    "refuse": "503 at once",
    "rate-limit": "429 without Retry-After",
    "rate-limit-wait": "429 with Retry-After: 1",
    "quota": "429 insufficient_quota",
    "bad-key": "401",
    "no-model": "404 model_not_found",
    "no-response-format": "400 for a request with response_format, an answer otherwise",
    "too-long": "400 context_length_exceeded",
    "error-object": "200 with an error object",
    "html": "200 with an HTML page",
    "empty-body": "200 with nothing",
    "empty-choices": "200 with choices: []",
    "hang": "no byte, ever",
    "reset": "the connection breaks before the first byte",
    "reset-middle": "the connection breaks in the middle of the answer",
    "malformed": "half an event or half a JSON document in the middle",
    "truncated": "half the answer, said to be all of it",
    "no-finish": "the whole answer without a finish_reason",
    "length": "half the answer, finish_reason length",
    "error-middle": "half a stream, then an error object",
    "filtered": "half the answer, finish_reason content_filter",
    "stall": "half the answer, then nothing but comments",
}

FAIL_MIDWAY = {"reset-middle", "malformed", "error-middle", "stall"}
"""Those that begin a stream well."""

_STATUS: dict[str, tuple[int, str, str]] = {
    "refuse": (503, "server_error", "The server is overloaded."),
    "rate-limit": (429, "rate_limit_exceeded", "Rate limit reached."),
    "rate-limit-wait": (429, "rate_limit_exceeded", "Rate limit reached."),
    "quota": (429, "insufficient_quota", "You exceeded your current quota."),
    "no-model": (404, "model_not_found", "The model does not exist."),
    "too-long": (400, "context_length_exceeded", "This model's maximum context length is 4096 tokens."),
}


@dataclass
class FaultPicker:
    """Decides which fault a request meets; a seed makes the choice repeatable."""

    fault: str | None = None
    share: float = 1.0
    """How many of the requests meet `fault`, 0 to 1."""
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def pick(self, headers: Mapping[str, str], model: str) -> str | None:
        """Return the fault that the request asks for (header `X-Fault`, or a model named `any+fault`), or ours.

        Raises HTTPBadRequest for a name that is no fault.
        """
        _, _, of_model = model.partition("+")
        asked = headers.get("X-Fault") or of_model or None
        if asked is not None and asked not in FAULTS:
            raise web.HTTPBadRequest(text=error_body(f"{asked} is no fault: {', '.join(FAULTS)}.", "no_such_fault"))
        if asked is not None or self.fault is None:
            return asked
        return self.fault if self.chance.random() < self.share else None


async def answer_with_fault(request: web.Request, fault: str, *, has_format: bool) -> web.StreamResponse | None:
    """Return the reply of a fault that comes instead of an answer, None where it lies within the answer."""
    if fault in _STATUS:
        status, code, text = _STATUS[fault]
        headers = {"Retry-After": "1"} if fault == "rate-limit-wait" else None
        return _json(error_body(text, code), status, headers)
    match fault:
        case "bad-key":
            # As compatible servers do it: the key itself stands in the text.
            key = request.headers.get("Authorization", "").removeprefix("Bearer ")
            return _json(error_body(f"Incorrect API key provided: {key}", "invalid_api_key"), 401)
        case "no-response-format" if has_format:
            return _json(error_body("response_format is not supported", "unsupported"), 400)
        case "error-object":
            return _json(error_body("The model crashed.", "server_error"))
        case "html":
            return web.Response(text="<html><body>Welcome to nginx!</body></html>", content_type="text/html")
        case "empty-body":
            return web.Response(body=b"", content_type="application/json")
        case "hang":
            await asyncio.Event().wait()
        case "reset":
            break_off(request)
    return None


def break_off(request: web.Request) -> None:
    """Drop the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("broken off on purpose")


def _json(body: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=body, status=status, headers=headers, content_type="application/json")
