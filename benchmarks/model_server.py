"""A stand-in model: an OpenAI-compatible HTTP server that answers our prompts through the offline analyst."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from aiohttp import web

from benchmarks.model_answers import Analyst
from benchmarks.model_faults import FaultPicker, answer_with_fault
from benchmarks.model_memory import OwnTime, Replies, what_is_asked
from benchmarks.model_speech import Pace, Speech
from benchmarks.model_wire import DIMENSIONS, Reply, ToolCall, embeddings, error_body

__all__ = ["MODEL", "ModelServer", "Pace", "Received", "serving"]

MODEL = "standin"
BODY_LARGEST = 16 * 2**20
REQUESTS_KEPT = 1_000


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
    replies: Replies = field(default_factory=lambda: Replies(0))
    own_time: OwnTime = field(default_factory=OwnTime)
    _idents: Iterator[int] = field(default_factory=itertools.count)

    def app(self) -> web.Application:
        """Return the server's routes."""
        app = web.Application(client_max_size=BODY_LARGEST)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/embeddings", self._embed)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/faults", self._fail_from_now_on)
        app.router.add_route("*", "/{anything:.*}", _unknown)
        return app

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "quaestor"}]})

    async def _fail_from_now_on(self, request: web.Request) -> web.Response:
        """Meet requests with other faults, or with none: `{"faults": ["error"], "share": 0.5}`."""
        asked = await request.json()
        self.faults.faults, self.faults.share = tuple(asked["faults"]), float(asked.get("share", 1.0))
        return web.Response(status=204)

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        body, _ = await self._read(request)
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
        body, raw = await self._read(request)
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            raise _bad("messages must be a list that is not empty")
        fault = self.faults.pick(request.headers, str(body.get("model", "")), stream=bool(body.get("stream")))
        received = self.received[-1]
        try:
            if fault:
                has_format = body.get("response_format") is not None
                if instead := await answer_with_fault(request, fault, has_format=has_format):
                    return instead
            reply = await self._reply(request, body)
            ident = f"chatcmpl-{next(self._idents)}"
            speech = Speech(request, body, len(raw), reply, self.pace, fault, ident, self._own_ms(reply))
            return await (speech.stream() if body.get("stream") else speech.whole())
        except asyncio.CancelledError:
            received.broken_off.set()
            raise
        except ConnectionResetError:
            received.broken_off.set()
            return web.Response()  # Nobody gets it; raising would log a traceback.

    def _own_ms(self, reply: Reply) -> int:
        """Return the milliseconds that a person waits for the model itself until this reply's first token."""
        if reply.part is None:
            return 0
        self.own_time.note(reply.part, self.pace.seconds(reply.length))
        return round(1e3 * (self.own_time.before(reply.part) + self.pace.first_token))

    async def _reply(self, request: web.Request, body: dict[str, Any]) -> Reply:
        if script := request.headers.get("X-Script"):
            told = json.loads(script)
            calls = (ToolCall(c["name"], json.dumps(c["arguments"])) for c in told.get("tool_calls", ()))
            return Reply(told.get("text", ""), tuple(calls))
        if self.script:
            return self.script.popleft()
        return await self.replies.get(what_is_asked(body), lambda: self.analyst.answer(body))

    async def _read(self, request: web.Request) -> tuple[dict[str, Any], bytes]:
        raw = await request.read()
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise _bad("the body must be a JSON object")
        self.received.append(Received(request.path, dict(request.headers), body))
        return body, raw


async def _unknown(request: web.Request) -> web.Response:
    return web.json_response(
        text=error_body(f"Unknown request URL: {request.method} {request.path}", "unknown_url"), status=404
    )


def _bad(text: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=error_body(text), content_type="application/json")


@asynccontextmanager
async def serving(
    server: ModelServer, *, host: str = "127.0.0.1", port: int = 0, tls: SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve until the block is left, on a free port by default; yields the base URL, which ends in /v1."""
    # A handler whose client has gone is cancelled: a model stops working then, too.
    runner = web.AppRunner(server.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        yield f"{'https' if tls else 'http'}://{host}:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
