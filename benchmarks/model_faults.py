"""The ways in which the stand-in model can fail, by name."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal, NoReturn

from aiohttp import web

from benchmarks.model_wire import error_body

FAULTS = {
    "error": "500 at once",
    "refuse": "503 at once",
    "rate-limit": "429 without Retry-After",
    "rate-limit-wait": "429 with Retry-After: 1",
    "rate-limit-date": "429 with Retry-After, a date two seconds from now",
    "quota": "429 insufficient_quota",
    "bad-key": "401",
    "no-model": "404 model_not_found",
    "no-response-format": "400 for a request with response_format, an answer otherwise",
    "too-long": "400 context_length_exceeded",
    "error-object": "200 with an error object",
    "html": "200 with an HTML page",
    "redirect": "307 to itself under another name, again and again",
    "empty-body": "200 with nothing",
    "empty-choices": "200 with choices: []",
    "odd-shape": "200 with JSON whose choices hold a number each",
    "deep": "200 with JSON a hundred thousand lists deep",
    "hang": "no byte, ever",
    "slow-headers": "the status line and the headers come a byte at a time, and without end",
    "no-http": "bytes that are no HTTP",
    "reset": "the connection breaks before the first byte",
    "reset-middle": "the connection breaks in the middle of the answer",
    "malformed": "half an event or half a JSON document in the middle",
    "no-text": "bytes that are no UTF-8 in the middle",
    "wrong-arguments": "half of a tool call's arguments, finish_reason tool_calls; an answer in words otherwise",
    "truncated": "half the answer, said to be all of it",
    "no-finish": "the whole answer without a finish_reason",
    "length": "half the answer, finish_reason length",
    "error-middle": "half a stream, then an error object",
    "filtered": "half the answer, finish_reason content_filter",
    "stall": "half the answer, then nothing but comments",
    "stall-first": "200 and its headers, then nothing but comments",
    "flood": "the answer never ends, and comes as fast as it is read",
}

FAIL_MIDWAY = {"reset-middle", "malformed", "no-text", "error-middle", "stall", "flood"}
"""Those that begin a stream well."""

SLOW_HEAD = b"HTTP/1.1 200 OK\r\nX-Long: "
BYTE_SECONDS = 0.05
"""Between two bytes of slow headers."""

_STATUS: dict[str, tuple[int, str, str]] = {
    "error": (500, "server_error", "The server had an error."),
    "refuse": (503, "server_error", "The server is overloaded."),
    "rate-limit": (429, "rate_limit_exceeded", "Rate limit reached."),
    "rate-limit-wait": (429, "rate_limit_exceeded", "Rate limit reached."),
    "rate-limit-date": (429, "rate_limit_exceeded", "Rate limit reached."),
    "quota": (429, "insufficient_quota", "You exceeded your current quota."),
    "no-model": (404, "model_not_found", "The model does not exist."),
    "too-long": (400, "context_length_exceeded", "This model's maximum context length is 4096 tokens."),
}


@dataclass
class FaultPicker:
    """Decides which fault a request meets; a seed makes the choice repeatable."""

    faults: tuple[str, ...] = ()
    share: float = 1.0
    """How many of the requests meet one of `faults`, 0 to 1."""
    of: Literal["all", "streams", "wholes"] = "all"
    """Which requests may meet one: those that ask for a stream, those that do not, or all."""
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def pick(self, headers: Mapping[str, str], model: str, *, stream: bool = False) -> str | None:
        """Return the fault that the request asks for (header `X-Fault`, or a model named `any+fault`), or one of ours.

        Raises HTTPBadRequest for a name that is no fault.
        """
        _, _, of_model = model.partition("+")
        asked = headers.get("X-Fault") or of_model or None
        if asked is not None and asked not in FAULTS:
            raise web.HTTPBadRequest(text=error_body(f"{asked} is no fault: {', '.join(FAULTS)}.", "no_such_fault"))
        if asked is not None or not self.faults or self.of == ("wholes" if stream else "streams"):
            return asked
        return self.chance.choice(self.faults) if self.chance.random() < self.share else None


async def answer_with_fault(request: web.Request, fault: str, *, has_format: bool) -> web.StreamResponse | None:
    """Return the reply of a fault that comes instead of an answer, None where it lies within the answer.

    Raises ConnectionResetError where it breaks the connection.
    """
    if fault in _STATUS:
        status, code, text = _STATUS[fault]
        return _json(error_body(text, code), status, _wait_of(fault))
    match fault:
        case "bad-key":
            # As compatible servers do it: the key itself stands in the text.
            key = request.headers.get("Authorization", "").removeprefix("Bearer ")
            return _json(error_body(f"Incorrect API key provided: {key}", "invalid_api_key"), 401)
        case "no-response-format" if has_format:
            return _json(error_body("response_format is not supported", "unsupported"), 400)
        case "redirect":
            port = request.url.port
            other = "localhost" if request.url.host == "127.0.0.1" else "127.0.0.1"
            return web.Response(status=307, headers={"Location": f"http://{other}:{port}{request.path}"})
        case "hang":
            await asyncio.Event().wait()
        case "slow-headers":
            await _trickle(request)
        case "no-http":
            await _say_raw(request, b"SSH-2.0-OpenSSH_9.6\r\n")
            break_off(request)
        case "reset":
            break_off(request)
    return _instead(fault)


def _instead(fault: str) -> web.Response | None:
    """Return the body that comes under a status of success and is no answer."""
    match fault:
        case "error-object":
            return _json(error_body("The model crashed.", "server_error"))
        case "html":
            return web.Response(text="<html><body>Welcome to nginx!</body></html>", content_type="text/html")
        case "empty-body":
            return web.Response(body=b"", content_type="application/json")
        case "deep":
            return _json('{"choices": ' + "[" * 100_000)
    return None


def _wait_of(fault: str) -> dict[str, str] | None:
    match fault:
        case "rate-limit-wait":
            return {"Retry-After": "1"}
        case "rate-limit-date":
            return {"Retry-After": formatdate(time.time() + 2, usegmt=True)}
    return None


async def _trickle(request: web.Request) -> None:
    for place in itertools.count():
        await _say_raw(request, SLOW_HEAD[place : place + 1] or b"x")
        await asyncio.sleep(BYTE_SECONDS)


async def _say_raw(request: web.Request, said: bytes) -> None:
    """Write bytes past aiohttp, which would make proper HTTP of them."""
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError("nobody listens any more")
    request.transport.write(said)
    await asyncio.sleep(0.01)  # They have left before the connection breaks.


def break_off(request: web.Request) -> NoReturn:
    """Drop the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("broken off on purpose")


def _json(body: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=body, status=status, headers=headers, content_type="application/json")
