"""A stand-in model: an OpenAI-compatible HTTP server that answers our prompts through the offline analyst."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from benchmarks.model_answers import Analyst
from benchmarks.model_faults import FAIL_MIDWAY, FaultPicker, answer_with_fault, break_off
from benchmarks.model_wire import (
    DIMENSIONS,
    Chunks,
    Reply,
    ToolCall,
    completion,
    embeddings,
    error_body,
    tokens_of,
    usage,
)

MODEL = "standin"
BODY_LARGEST = 16 * 2**20
COMMENT_SECONDS = 0.2
REQUESTS_KEPT = 1_000


@dataclass(frozen=True)
class Pace:
    """How fast the model speaks."""

    first_token: float = 0.0
    """Seconds until the first token."""
    tokens_per_second: float = 0.0
    """0 sends all of them at once."""


@dataclass
class Received:
    """A request that came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    broken_off: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the connection has gone before the answer had ended."""


@dataclass
class ModelServer:
    """The stand-in with all that can be changed while it runs."""

    analyst: Analyst
    pace: Pace = field(default_factory=Pace)
    faults: FaultPicker = field(default_factory=FaultPicker)
    script: deque[Reply] = field(default_factory=deque)
    """Replies to give before any other, in order; a request's header `X-Script` holds one as JSON."""
    received: deque[Received] = field(default_factory=lambda: deque(maxlen=REQUESTS_KEPT))
    """The newest requests, oldest first."""
    _idents: Iterator[int] = field(default_factory=itertools.count)

    def app(self) -> web.Application:
        """Return the server's routes."""
        app = web.Application(client_max_size=BODY_LARGEST)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/embeddings", self._embed)
        app.router.add_get("/v1/models", self._models)
        app.router.add_route("*", "/{anything:.*}", _unknown)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "quaestor"}]})

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        fault = self.faults.pick(request.headers, str(body.get("model", "")))
        if fault and (reply := await answer_with_fault(request, fault, has_format=False)):
            return reply
        texts = body.get("input")
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _bad("input must be a string or a list of strings")
        size = int(body.get("dimensions") or DIMENSIONS)
        as_base64 = body.get("encoding_format") == "base64"
        return web.json_response(embeddings(texts, str(body.get("model", MODEL)), size, as_base64))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            raise _bad("messages must be a list that is not empty")
        fault = self.faults.pick(request.headers, str(body.get("model", "")))
        received = self.received[-1]
        try:
            if fault:
                has_format = body.get("response_format") is not None
                if instead := await answer_with_fault(request, fault, has_format=has_format):
                    return instead
            reply = await self._reply(request, body)
            saying = _Saying(request, body, reply, self.pace, fault, f"chatcmpl-{next(self._idents)}")
            return await (saying.stream() if body.get("stream") else saying.whole())
        except asyncio.CancelledError:
            received.broken_off.set()
            raise
        except ConnectionResetError:
            received.broken_off.set()
            return web.Response()  # Nobody gets it; raising would log a traceback.

    async def _reply(self, request: web.Request, body: dict[str, Any]) -> Reply:
        if script := request.headers.get("X-Script"):
            told = json.loads(script)
            calls = (ToolCall(c["name"], json.dumps(c["arguments"])) for c in told.get("tool_calls", ()))
            return Reply(told.get("text", ""), tuple(calls))
        return self.script.popleft() if self.script else await self.analyst.answer(body)

    async def _read(self, request: web.Request) -> dict[str, Any]:
        try:
            body = await request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise _bad("the body must be a JSON object")
        self.received.append(Received(request.path, dict(request.headers), body))
        return body


@dataclass
class _Saying:
    """One answer on its way out, with the fault that it meets within."""

    request: web.Request
    body: dict[str, Any]
    reply: Reply
    pace: Pace
    fault: str | None
    ident: str

    def __post_init__(self) -> None:
        tokens = tokens_of(self.reply.text)
        self._half = len(tokens) // 2
        self._tokens = tokens[: self._half] if self.fault in ("truncated", "length", "filtered") else tokens
        self._usage = usage(json.dumps(self.body["messages"]), len(self._tokens))

    @property
    def _finish(self) -> str | None:
        match self.fault:
            case "no-finish":
                return None
            case "length":
                return "length"
            case "filtered":
                return "content_filter"
            case _:
                return "tool_calls" if self.reply.tool_calls else "stop"

    async def whole(self) -> web.StreamResponse:
        rate = self.pace.tokens_per_second
        await asyncio.sleep(self.pace.first_token + (len(self._tokens) / rate if rate else 0))
        reply = replace(self.reply, text="".join(self._tokens))
        answer = completion(self.ident, self.body.get("model", MODEL), reply, self._finish, self._usage)
        if self.fault == "empty-choices":
            answer["choices"] = []
        text = json.dumps(answer).encode()
        if self.fault == "malformed":
            return web.Response(body=text[: len(text) // 2], content_type="application/json")
        if self.fault not in ("reset-middle", "stall"):
            return web.Response(body=text, content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(text))})
        await response.prepare(self.request)
        await response.write(text[: len(text) // 2])
        if self.fault == "stall":
            await asyncio.Event().wait()
        break_off(self.request)
        return response

    async def stream(self) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(self.request)
        chunks = Chunks(self.ident, self.body.get("model", MODEL))
        async for events in self._paced(chunks):
            await response.write(events)
        if self.fault not in ("no-finish", "empty-choices"):
            await response.write(chunks.event({}, self._finish))
        if (self.body.get("stream_options") or {}).get("include_usage"):
            await response.write(chunks.no_choices(self._usage))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _paced(self, chunks: Chunks) -> AsyncIterator[bytes]:
        """Yield the events of the answer when they are due; those that are late go together."""
        clock = asyncio.get_running_loop().time
        begin = clock() + self.pace.first_token
        await asyncio.sleep(self.pace.first_token)
        if self.fault == "empty-choices":
            yield chunks.no_choices()
            return
        yield chunks.event({"role": "assistant", "content": ""})
        for call in chunks.tool_calls(self.reply):
            yield call
        gap = 1 / self.pace.tokens_per_second if self.pace.tokens_per_second else 0.0
        said = 0
        while said < len(self._tokens):
            if (wait := begin + said * gap - clock()) > 0:
                await asyncio.sleep(wait)
            # At least one: a timer may wake us a moment early.
            due = max(said + 1, int((clock() - begin) / gap) + 1) if gap else len(self._tokens)
            if said < self._half <= due and self.fault in FAIL_MIDWAY:
                yield b"".join(map(chunks.token, self._tokens[said : self._half]))
                async for wrong in self._fail_midway(chunks):
                    yield wrong
                return
            yield b"".join(map(chunks.token, self._tokens[said:due]))
            said = due

    async def _fail_midway(self, chunks: Chunks) -> AsyncIterator[bytes]:
        if self.fault == "malformed":
            yield chunks.token("never")[:40] + b"\n\n"
            return
        if self.fault == "error-middle":
            yield f"data: {error_body('The model crashed.', 'server_error')}\n\n".encode()
            return
        while self.fault == "stall":
            yield b": still here\n\n"
            await asyncio.sleep(COMMENT_SECONDS)
        await asyncio.sleep(0.05)  # What was written has left by then.
        break_off(self.request)


async def _unknown(request: web.Request) -> web.Response:
    return web.json_response(
        text=error_body(f"Unknown request URL: {request.method} {request.path}", "unknown_url"), status=404
    )


def _bad(text: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=error_body(text), content_type="application/json")


@asynccontextmanager
async def serving(server: ModelServer, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve until the block is left, on a free port by default; yields the base URL, which ends in /v1."""
    # A handler whose client has gone is cancelled: a model stops working then, too.
    runner = web.AppRunner(server.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
