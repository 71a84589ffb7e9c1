"""Says one reply of the stand-in model, whole or as a stream, at its pace and with the fault that it meets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from aiohttp import web

from benchmarks.model_faults import FAIL_MIDWAY, break_off
from benchmarks.model_wire import Chunks, Reply, Stamper, ToolCall, completion, error_body, tokens_of, usage

COMMENT_SECONDS = 0.2
CUT_IN_HALF = ("truncated", "length", "filtered")
FLOOD_TOKENS = 1_000


@dataclass(frozen=True)
class Pace:
    """How fast the model speaks."""

    first_token: float = 0.0
    """Seconds until the first token."""
    tokens_per_second: float = 0.0
    """0 sends all of them at once."""

    def seconds(self, tokens: int) -> float:
        """Return how long a reply of so many tokens takes."""
        return self.first_token + (tokens / self.tokens_per_second if self.tokens_per_second else 0.0)


@dataclass
class Speech:
    """One answer on its way out."""

    request: web.Request
    body: dict[str, Any]
    size: int
    """Bytes of the request."""
    reply: Reply
    pace: Pace
    fault: str | None
    ident: str
    own_ms: int = 0
    """How long the model took for the same question until the first token of this reply."""
    model: str = field(init=False)

    def __post_init__(self) -> None:
        self.model = str(self.body.get("model", ""))
        if self.fault == "wrong-arguments":
            self.reply = replace(self.reply, tool_calls=tuple(map(_cut, self.reply.tool_calls)))
        self._stamper = Stamper(self.own_ms)
        self._half = self.reply.length // 2
        self._length = self._half if self.fault in CUT_IN_HALF else self.reply.length
        self._usage = usage(self.size, self._length)

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
        await asyncio.sleep(self.pace.seconds(self._length))
        if self.reply.stamps:
            said = [self._stamper.token() for _ in range(self._length)]
        else:
            said = tokens_of(self.reply.text)[: self._length]
        reply = replace(self.reply, text="".join(said))
        answer = completion(self.ident, self.model, reply, self._finish, self._usage)
        if self.fault in ("empty-choices", "odd-shape"):
            answer["choices"] = [] if self.fault == "empty-choices" else [1]
        text = json.dumps(answer).encode()
        match self.fault:
            case "malformed":
                text = text[: len(text) // 2]
            case "no-text":
                text = text.replace(b'"content": "', b'"content": "\xff\xfe')
            case "reset-middle" | "stall" | "stall-first" | "flood":
                await self._fail_in_body(text)
        return web.Response(body=text, content_type="application/json")

    async def _fail_in_body(self, text: bytes) -> NoReturn:
        # Without a length it may go on for ever.
        length = {} if self.fault == "flood" else {"Content-Length": str(len(text))}
        response = web.StreamResponse(headers={"Content-Type": "application/json", **length})
        await response.prepare(self.request)
        await response.write(text[: 0 if self.fault == "stall-first" else len(text) // 2])
        while self.fault == "flood":
            await response.write(b"never " * FLOOD_TOKENS)
        if self.fault != "reset-middle":
            await asyncio.Event().wait()
        break_off(self.request)

    async def stream(self) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(self.request)
        self._response = response
        chunks = Chunks(self.ident, self.model)
        async for events in self._paced(chunks):
            await response.write(events)
        ending = [] if self.fault in ("no-finish", "empty-choices") else [chunks.event({}, self._finish)]
        if (self.body.get("stream_options") or {}).get("include_usage"):
            ending.append(chunks.no_choices(self._usage))
        await response.write(b"".join([*ending, b"data: [DONE]\n\n"]))
        await response.write_eof()
        return response

    async def _paced(self, chunks: Chunks) -> AsyncIterator[bytes]:
        """Yield the events of the answer when they are due; those that are late go together."""
        clock = asyncio.get_running_loop().time
        begin = clock() + self.pace.first_token
        await asyncio.sleep(self.pace.first_token)
        if self.fault in ("empty-choices", "odd-shape"):
            yield chunks.no_choices() if self.fault == "empty-choices" else chunks.odd_choices()
            return
        if self.fault == "stall-first":
            await self._keep_open()
        role = chunks.event({"role": "assistant", "content": ""})
        gap = 1 / self.pace.tokens_per_second if self.pace.tokens_per_second else 0.0
        said = 0
        while said < self._length:
            if (wait := begin + said * gap - clock()) > 0:
                await asyncio.sleep(wait)
            # At least one: a timer may wake us a moment early.
            due = max(said + 1, int((clock() - begin) / gap) + 1) if gap else self._length
            if said < self._half <= due and self.fault in FAIL_MIDWAY:
                yield role + self._events(chunks, said, self._half)
                async for wrong in self._fail_midway(chunks):
                    yield wrong
                return
            yield role + self._events(chunks, said, due)
            said, role = due, b""
        if role:
            yield role

    def _events(self, chunks: Chunks, first: int, end: int) -> bytes:
        if self.reply.stamps:
            count = min(end, self._length) - first
            return b"".join([chunks.token(self._stamper.token()) for _ in range(count)])
        return b"".join(map(chunks.delta, self.reply.deltas[first : min(end, self._length)]))

    async def _fail_midway(self, chunks: Chunks) -> AsyncIterator[bytes]:
        match self.fault:
            case "malformed":
                yield chunks.token("never")[:40] + b"\n\n"
            case "no-text":
                yield chunks.token("never").replace(b"never", b"\xff\xfe")
            case "error-middle":
                yield f"data: {error_body('The model crashed.', 'server_error')}\n\n".encode()
            case "flood":
                while True:
                    yield chunks.token("never ") * FLOOD_TOKENS
            case "stall":
                await self._keep_open()
            case "reset-middle":
                await asyncio.sleep(0.05)  # What was written has left by then.
                break_off(self.request)

    async def _keep_open(self) -> NoReturn:
        """Say nothing but comments."""
        while True:
            await self._response.write(b": still here\n\n")
            await asyncio.sleep(COMMENT_SECONDS)


def _cut(call: ToolCall) -> ToolCall:
    return ToolCall(call.name, call.arguments[: len(call.arguments) // 2])
