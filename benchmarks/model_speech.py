"""Says one reply of the stand-in model, whole or as a stream, at its pace and with the fault that it meets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from benchmarks.model_faults import FAIL_MIDWAY, break_off
from benchmarks.model_wire import Chunks, Reply, Stamper, completion, error_body, tokens_of, usage

COMMENT_SECONDS = 0.2
CUT_IN_HALF = ("truncated", "length", "filtered")


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
        if self.fault == "empty-choices":
            yield chunks.no_choices()
            return
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
