"""Sends a job's lines to the model endpoints, so many at a time, and has what came of each written down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from errors import AskError, ModelUnavailable
from jobs.lines import Counts, Entry, Lines
from llm.pool import Blame, CallFailed, Kind
from llm.requester import Request, Requester
from llm.requester_reply import Answer

_LOOK_SECONDS = 0.05
_UNKNOWN = (404, 405)
"""Statuses of an endpoint that does not know the model or the path."""
_KEPT_HERE = {"id", "input", "model"}
"""What of a line is not passed on as it is."""


class LineUnusable(ValueError):
    """A line that holds no request; the text is one sentence."""


class Sender:
    """Sends lines until there is none left, or until it is stopped. It belongs to one event loop."""

    def __init__(self, lines: Lines, requester: Requester) -> None:
        self._lines = lines
        self._requester = requester
        self._entries = lines.entries()
        self._ready: deque[Entry] = deque()
        self._reading = asyncio.Lock()
        self._working: dict[asyncio.Task[None], Request | None] = {}
        self._stopping = asyncio.Event()
        self._halted: AskError | None = None

    async def send(self, concurrency: int) -> None:
        """Return when every line is done, or the sender was stopped.

        Raises ModelUnavailable where no endpoint can be used at all, and FileUnusable where nothing can be read or
        written any more; what is not done by then is left for another run.
        """
        async with aclosing(self._entries), asyncio.TaskGroup() as tasks:
            winding_down = tasks.create_task(self._wind_down())
            workers = [tasks.create_task(self._work()) for _ in range(concurrency)]
            self._working.update(dict.fromkeys(workers))
            await asyncio.wait(workers)
            winding_down.cancel()
        if self._halted is not None:
            raise self._halted

    def stop(self) -> None:
        """Begin nothing more: what an endpoint has is waited for. A second time, nothing is."""
        if self._stopping.is_set():
            for worker in self._working:
                worker.cancel()
        self._stopping.set()

    @property
    def counts(self) -> Counts:
        """How far it is."""
        counts = self._lines.counts
        counts.retries = self._requester.retries
        counts.pending = len(self._ready) + sum(request is not None for request in self._working.values())
        return counts

    @property
    def is_stopped(self) -> bool:
        return self._stopping.is_set()

    @property
    def obstacle(self) -> str:
        """Why nothing can be sent at the moment, in a sentence; empty where something can."""
        pool = self._requester.pool
        if pool.healthy or not (whys := [f"{state.name} {state.reason}" for state in pool.states if state.reason]):
            return ""
        return f"No model endpoint answers at the moment: {'; '.join(whys)}. The job goes on as soon as one does."

    async def _wind_down(self) -> None:
        """Once stopped, end whoever waits for a turn or before a retry, until cancelled."""
        await self._stopping.wait()
        while True:
            for worker, request in self._working.items():
                if request is None or not request.is_under_way:
                    worker.cancel()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _work(self) -> None:
        worker = asyncio.current_task()
        assert worker is not None
        lines, working = self._lines, self._working
        try:
            while not self._stopping.is_set():
                entry = self._ready.popleft() if self._ready else await self._read()
                if entry is None:
                    return
                try:
                    request = working[worker] = request_of(entry.fields)
                    lines.saved(entry, _record(request, await self._requester.ask(request)))
                except LineUnusable as error:
                    lines.failed(entry, str(error), attempts=0)
                except CallFailed as failed:
                    self._failed(entry, request, failed)
                working[worker] = None
                if not lines.has_room:
                    await lines.room()
        except AskError as error:
            self._halted = self._halted or error
            self._stopping.set()
        finally:
            self._working[worker] = None

    async def _read(self) -> Entry | None:
        """Return the next line when it is read; None at the end."""
        async with self._reading:
            if not self._ready:
                async for batch in self._entries:
                    self._ready.extend(batch)
                    break
            return self._ready.popleft() if self._ready else None

    def _failed(self, entry: Entry, request: Request, failed: CallFailed) -> None:
        """Have the failure written; raises ModelUnavailable where it says more of the endpoints than of the line."""
        fault = failed.fault
        if fault.kind is Kind.FINAL and fault.blame is Blame.ENDPOINT and not self._requester.pool.healthy:
            raise ModelUnavailable(f"No model endpoint can be used: {request.endpoint} {fault.reason}.")
        if fault.status in _UNKNOWN and request.model is None and not self._lines.counts.answered:
            # The first answer of all: every line would fail like this one.
            raise ModelUnavailable(
                f"No model endpoint can be used: {request.endpoint} {fault.reason}. "
                "Check --model, and that the address is right (it usually ends in /v1)."
            )
        more: dict[str, Any] = {} if fault.status is None else {"status": fault.status}
        if request.said is not None:
            more["response"] = request.said
        self._lines.failed(entry, f"{request.endpoint} {fault.reason}.", **more, attempts=request.attempts)


def _record(request: Request, answer: Answer) -> dict[str, Any]:
    record: dict[str, Any] = {"response": answer.text}
    if answer.tool_calls is not None:
        record["tool_calls"] = answer.tool_calls
    record["usage"] = answer.usage
    record["endpoint"] = request.endpoint
    record["attempts"] = request.attempts
    record["milliseconds"] = round(request.seconds * 1e3, 1)
    return record


def request_of(fields: Mapping[str, Any]) -> Request:
    """Return the request that a line holds; raises LineUnusable."""
    model = fields.get("model")
    if model is not None and (not isinstance(model, str) or not model):
        raise LineUnusable('The line\'s "model" is no name.')
    if fields.get("stream"):
        raise LineUnusable('The line asks for a stream: leave "stream" out, an answer is written when it is whole.')
    if fields.get("n") not in (None, 1):
        raise LineUnusable('The line asks for several answers: leave "n" out, one is kept for a line.')
    passed = {name: value for name, value in fields.items() if name not in _KEPT_HERE}
    if "input" in fields:
        if "messages" in fields or not isinstance(fields["input"], str):
            raise LineUnusable('The line\'s "input" must be a text, and the only one beside "messages".')
        passed["messages"] = [{"role": "user", "content": fields["input"]}]
    elif not isinstance(fields.get("messages"), list) or not fields["messages"]:
        raise LineUnusable('The line has neither "input" nor "messages": write {"input": "…"}.')
    try:
        return Request(passed, model)
    except RecursionError:
        raise LineUnusable("The line is nested too deeply.") from None
