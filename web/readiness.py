"""Tells whether a question could be answered now: the database, the index and the model, each with its reason."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from errors import AskError, DatabaseUnavailable, IndexUnavailable, ModelUnavailable
from web.desk import Desk, incident

PARTS = ("database", "index", "model")
NEEDED = ("database", "index")
"""Without the model the offline analyst answers."""

PART_OF: tuple[tuple[type[AskError], str], ...] = (
    (DatabaseUnavailable, "database"),
    (IndexUnavailable, "index"),
    (ModelUnavailable, "model"),
)

GOOD_FOR = 2.0
"""Seconds that an outcome stands: a storm of probes costs one look."""
PATIENCE = 3.0
"""Seconds that a part may take to answer. What takes longer goes on, and the next look finds how it ended."""
QUICK = 1.0
"""Seconds within which a try to open the database may be made at each look; of longer ones each costs as much."""
RESTS = 10
"""How many times as long as a longer one took nobody tries again here: a long file would be read over and over."""
ROWS_PROVE = 5.0
"""Seconds for which rows that an answer got prove that the database answers: under load a check waits in line too."""


@dataclass(frozen=True)
class Part:
    ok: bool
    reason: str = ""
    """A sentence for a person; empty where all is well."""
    endpoints: Mapping[str, Part] = field(default_factory=dict)
    """Of the model, each endpoint by its name."""

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"ok": self.ok, "reason": self.reason}
        if self.endpoints:
            told["endpoints"] = {name: endpoint.as_json() for name, endpoint in self.endpoints.items()}
        return told


@dataclass(frozen=True)
class Outcome:
    parts: Mapping[str, Part]

    @property
    def is_ready(self) -> bool:
        return all(part.ok for name, part in self.parts.items() if name in NEEDED)

    def as_json(self, *, with_reasons: bool = True) -> dict[str, Any]:
        """Return it as JSON can carry it; the reasons name hosts and files, which are not for everybody."""
        parts = {name: part.as_json() if with_reasons else {"ok": part.ok} for name, part in self.parts.items()}
        return {"status": "ready" if self.is_ready else "not ready", "parts": parts}


class Readiness:
    """Looks at the parts, at most once every two seconds, however many ask."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._running: dict[str, asyncio.Task[object]] = {}
        self._outcome = Outcome({})
        self._until = float("-inf")
        self._tried_again = float("-inf")
        """When the database may be tried again, on the monotonic clock; a question does at any time."""
        self._looking = asyncio.Lock()

    async def look(self) -> Outcome:
        """Return how things stand. A database that could not be opened before is tried again."""
        async with self._looking:
            if time.monotonic() >= self._until:
                self._outcome = Outcome(await self._parts())
                self._until = time.monotonic() + GOOD_FOR
            return self._outcome

    async def close(self) -> None:
        """Stop what still waits for an answer."""
        for task in self._running.values():
            task.cancel()
        if self._running:
            await asyncio.wait(self._running.values())

    async def _parts(self) -> dict[str, Part]:
        if self._desk.begun:
            return self._unopened(self._desk.begun)
        trouble = self._desk.trouble
        if trouble and time.monotonic() < self._tried_again and await self._desk.ready() is None:
            return self._unopened(str(trouble))
        opened = await self._check("open", self._open)
        if not opened.ok:
            return self._unopened(opened.reason)
        async with self._desk.lent() as asker:
            checks = dict(asker.checks)
            if time.monotonic() - self._desk.rows_at < ROWS_PROVE:
                checks.pop("database", None)
            found = await asyncio.gather(*(self._check(name, check) for name, check in checks.items()))
        well = {name: Part(True) for name in PARTS}
        if "model" not in checks:
            well["model"] = Part(True, f"The {asker.analyst} answers.")
        parts = well | dict(zip(checks, found, strict=True))
        endpoints = {each.name: Part(each.is_up, "" if each.is_up else each.reason) for each in asker.endpoints()}
        return parts | {"model": replace(parts["model"], endpoints=endpoints)}

    async def _open(self) -> None:
        began = time.monotonic()
        try:
            await self._desk.asker()
        finally:
            took = time.monotonic() - began
            self._tried_again = began if took < QUICK else began + RESTS * took

    def _unopened(self, reason: str) -> dict[str, Part]:
        """Return the trouble at the part that it names, or at each where it names none."""
        trouble = self._desk.trouble
        part = next((part for kind, part in PART_OF if isinstance(trouble, kind)), None)
        unknown = Part(False, f"Not known yet, because of the {part}.")
        return {name: Part(False, reason) if part in (name, None) else unknown for name in PARTS}

    async def _check(self, name: str, check: Callable[[], Awaitable[object]]) -> Part:
        """Return how the check ends, or that it is late; a late one goes on, and is not started twice."""

        async def carry_out() -> object:
            return await check()

        task = self._running.get(name) or asyncio.create_task(carry_out(), name=f"check {name}")
        self._running[name] = task
        if not (await asyncio.wait([task], timeout=PATIENCE))[0]:
            return Part(False, LATE.get(name, f"The {name} did not answer within {PATIENCE:.0f} seconds."))
        del self._running[name]
        try:
            await task
        except AskError as error:
            return Part(False, str(error))
        except Exception:
            return Part(False, incident(f"the {name} could not be checked"))
        return Part(True)


LATE = {"open": "The database is being read and indexed. This takes a while the first time."}
