"""Keeps an Asker of the database as it is now; one that was replaced is closed when its questions are done."""

from __future__ import annotations

import asyncio
import logging
import operator
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from asyncer import asyncify

from agents.ask import Asker
from beat import rest
from bootstrap import Ground, open_ground
from errors import AskError
from settings import Settings
from tools.schema_catalog import Reading

log = logging.getLogger("quaestor.renewing")

LOOKED_AGAIN = 60.0
"""Seconds between two looks because of a name that is not there: most are a model's slips."""
PATIENCE = 30.0
"""Seconds that a question waits for such a look; to read a large database takes 20 (tools/reflection_profile.py)."""

Tell = Callable[[Asker], None]
"""Hears who is asked from now on, whenever it is known that this is what the database holds."""


@dataclass(eq=False)
class _Opened:
    """An Asker, and the reading of the database that it was made of."""

    asker: Asker
    reading: Reading
    closing: AsyncExitStack
    lent: int = 0
    """How many questions it has."""


@asynccontextmanager
async def open_renewing(settings: Settings, *, begin: Callable[[str], None], tell: Tell) -> AsyncIterator[Renewing]:
    """Open the database, and look at it again as often as the settings say; raises like `bootstrap.open_asker`."""
    async with open_ground(settings, begin=begin) as ground:
        renewing = Renewing(ground, await _open(ground, await ground.read()), tell)
        if settings.schema_refresh:
            renewing.look_every(settings.schema_refresh)
        try:
            yield renewing
        finally:
            await renewing.close()


class Renewing:
    """The Askers of one database, one after the other: each has a catalog, an index and a guard of its own.

    A look that fails leaves everything as it was, and is logged. One goes on at a time.
    """

    def __init__(self, ground: Ground, first: _Opened, tell: Tell) -> None:
        self._ground = ground
        self._now = first
        self._tell = tell
        self._open = {first}
        """With those that were replaced and still have questions."""
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = float("-inf")
        self._keeping: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        tell(first.asker)

    @property
    def asker(self) -> Asker:
        """Return who is asked now; to ask it, have it lent."""
        return self._now.asker

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Asker]:
        """Lend who is asked now: it stays open until it is given back, whatever the database holds meanwhile."""
        opened = self._now
        opened.lent += 1
        try:
            yield opened.asker
        finally:
            opened.lent -= 1
            self._close_unused(opened)

    def look_every(self, seconds: float) -> None:
        """Look from now on, every so many seconds, whether anything has changed that a question may be about."""

        async def keep() -> None:
            while True:
                await rest(seconds)
                if self._looking:
                    await asyncio.wait([self._looking])
                await asyncio.wait([self._look()])

        self._keeping = asyncio.create_task(keep(), name="keep the schema")

    async def is_replaced(self, asker: Asker) -> bool:
        """Return whether somebody else is asked by now, after a look for tables and columns that this one lacks.

        There is one such look a minute; in between the answer is what is known already.
        """
        if asker is self.asker:
            if time.monotonic() - self._looked_at >= LOOKED_AGAIN:
                self._look(for_names=True)
            if self._looking:
                await asyncio.wait([self._looking], timeout=PATIENCE)
        return asker is not self.asker

    async def close(self) -> None:
        """Close every Asker; no more looks are taken."""
        stopped = [task for task in (self._keeping, self._looking) if task]
        for task in stopped:
            task.cancel()
        if left := [*stopped, *self._ending]:
            await asyncio.wait(left)
        for opened in self._open:
            await opened.closing.aclose()

    def _look(self, *, for_names: bool = False) -> asyncio.Task[None]:
        """Return the look that goes on; where none does, one that begins."""
        if self._looking is None or self._looking.done():
            self._looked_at = time.monotonic()
            self._looking = asyncio.create_task(self._renew(for_names), name="look at the schema")
        return self._looking

    async def _renew(self, for_names: bool) -> None:
        before = self._now.reading
        try:
            if for_names and await self._ground.is_as_declared(before.catalog):
                return
            reading = await self._ground.read(before)
            if await asyncify(operator.eq)(reading.catalog, before.catalog):
                self._now.reading = reading
            else:
                await self._replace(reading)
            self._tell(self.asker)
        except AskError as error:
            log.warning("what is known of the database stays as it was: %s", error)
        except Exception:
            log.exception("what is known of the database stays as it was")

    async def _replace(self, reading: Reading) -> None:
        opened = await _open(self._ground, reading)
        before, self._now = self._now, opened
        self._open.add(opened)
        self._close_unused(before)
        log.info("The database has changed; tables that are known from now on: %d.", len(reading.catalog.tables))

    def _close_unused(self, opened: _Opened) -> None:
        if opened is self._now or opened.lent or opened not in self._open:
            return
        self._open.remove(opened)
        # In a task: whoever gave it back may be about to be stopped.
        ending = asyncio.create_task(_close(opened), name="close a schema")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


async def _open(ground: Ground, reading: Reading) -> _Opened:
    closing = AsyncExitStack()
    return _Opened(await closing.enter_async_context(ground.open_asker(reading.catalog)), reading, closing)


async def _close(opened: _Opened) -> None:
    try:
        await opened.closing.aclose()
    except Exception:
        log.exception("what was known of the database before could not be closed")
