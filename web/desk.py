"""Keeps one Asker open for everybody who asks: the chat, the API, readiness and metrics."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from functools import cache
from typing import TypeVar

from asyncer import asyncify

from agents.ask import Asker
from agents.events import Event, RowsFound, SQLComplained
from agents.question import Question
from errors import AskError
from settings import Settings
from tools.breakdown import Step
from tools.sql_runner import Rows, SQLRunner
from web.metrics import Metrics
from web.renewing import Renewing, open_renewing

log = logging.getLogger("quaestor.desk")

T = TypeVar("T")

DOWNLOADED = 100_000
"""Rows of a file, which nobody reads on the page: about 120 MB while it is written, and one is written at a time."""


class Desk:
    """Keeps the one Asker open; where it could not be opened, the next question tries again."""

    def __init__(self, settings: Settings) -> None:
        self.trouble: AskError | None = None
        """Why the Asker could not be opened."""
        self.begun = ""
        """While it is being opened, what takes a while of it, in a sentence."""
        self.metrics = Metrics()
        self.rows_at = float("-inf")
        """When the database last gave rows, on the monotonic clock."""
        self._settings = settings
        self._renewing: Renewing | None = None
        self._opening = asyncio.Lock()
        self._starting: asyncio.Task[Asker | None] | None = None
        self._has_begun = asyncio.Event()
        self._downloading = asyncio.Lock()
        self._closing = AsyncExitStack()

    async def start(self, tell: Callable[[Asker | None], None]) -> None:
        """Open the Asker, and tell it, or None where it cannot be opened; what takes a while goes on by itself."""

        async def begin() -> Asker | None:
            asker = await self.ready()
            tell(asker)
            return asker

        self._starting = asyncio.create_task(begin(), name="start")
        waiting = asyncio.create_task(self._has_begun.wait())
        try:
            await asyncio.wait([self._starting, waiting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    async def ready(self) -> Asker | None:
        """Return the open Asker, or None at once where it could not be opened before."""
        if self._renewing is None and not self.trouble:
            with suppress(AskError):
                await self._opened()
        return self._renewing.asker if self._renewing else None

    async def asker(self) -> Asker:
        """Return the open Asker; raises AskError where it cannot be opened."""
        return (await self._opened()).asker

    async def _opened(self) -> Renewing:
        known = self.trouble
        async with self._opening:
            if self._renewing is None:
                if self.trouble is not None and self.trouble is not known:
                    raise self.trouble  # It failed while we waited: each of many would read a long file once more.
                try:
                    opening = open_renewing(self._settings, begin=self._begin, tell=self._watch)
                    self._renewing = await self._closing.enter_async_context(opening)
                except AskError as error:
                    self.trouble = error
                    raise
                except Exception:
                    self.trouble = AskError(incident("the database could not be opened"))
                    raise self.trouble from None
                finally:
                    self.begun = ""
            return self._renewing

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Asker]:
        """Lend the open Asker: it is not closed meanwhile, though the database changes. Raises AskError as `asker`."""
        async with (await self._opened()).lent() as asker:
            yield asker

    def _begin(self, what: str) -> None:
        log.info("%s", what)
        self.begun = what
        self._has_begun.set()

    async def ask(self, question: Question) -> AsyncGenerator[Event, None]:
        """Yield what happens to the question, measured; raises AskError where the Asker cannot be opened.

        Where its SQL names what is not there, and the database has changed, it is asked anew, once. Closing the
        iterator stops the work, down to the statement in the database: use `aclosing`.
        """
        with self.metrics.question() as watched:
            renewing = await self._opened()
            for may_be_asked_anew in (True, False):
                async with renewing.lent() as asker, aclosing(asker.ask(question)) as events:
                    async for event in events:
                        watched.take(event)
                        if isinstance(event, RowsFound):
                            self.rows_at = time.monotonic()
                        yield event
                        names_nothing = may_be_asked_anew and isinstance(event, SQLComplained) and event.unknown
                        if names_nothing and await renewing.is_replaced(asker):
                            break
                    else:
                        return

    async def steps(self, sql: str) -> tuple[Step, ...]:
        """Return the steps of a query; raises AskError as `Asker.steps`, and where the Asker cannot be opened."""
        async with self.lent() as asker:
            return await asker.steps(sql)

    async def download(self, sql: str, write: Callable[[Rows], T]) -> T:
        """Return what `write` makes, in a thread, of the rows of a query that is run now, DOWNLOADED at most.

        Raises AskError as `steps` does, and where the query fails.
        """
        async with self.lent() as asker:
            query = await asker.guard.check(sql)
            async with self._downloading:
                async with asker.line.turn():
                    rows = await asker.runner.run(query, limit=DOWNLOADED)
                return await asyncify(write)(rows)

    async def close(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        self._renewing = None
        await self._closing.aclose()

    def _watch(self, asker: Asker) -> None:
        self.metrics.schema_was_read()
        self.metrics.watch_endpoints(asker.endpoints)
        self.metrics.watch_line("questions", asker.line)
        if isinstance(asker.runner, SQLRunner):
            self.metrics.watch_line("database", asker.runner.line)


@cache
def desk_of(settings: Settings) -> Desk:
    """Return the one desk of these settings: the chat, which Chainlit loads by itself, and the server share it."""
    return Desk(settings)


def incident(what: str) -> str:
    """Log the exception at hand under a new id; return the sentence that tells a person the id."""
    number = secrets.token_hex(4)
    log.exception("%s, incident %s", what, number)
    return f"Something went wrong on our side. The log has the details under {number}."
