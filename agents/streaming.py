"""The async LangChain callback handler that turns model tokens into pieces of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup
from langchain_core.callbacks import AsyncCallbackHandler

from agents.question import Say

INTERVAL = 0.05
"""Seconds between two pieces. Sending costs by the piece, not by the letter; a model that gathers its tokens for longer
than this has each of its chunks said as it comes."""


class TokenSpeaker(AsyncCallbackHandler):
    """Says the tokens of a model's answer; `speaking` makes one.

    A token that comes an interval after the last piece is said by whoever brings it, who so waits for a slow
    listener. One that comes sooner is held, and a task says it when the interval is over.
    """

    run_inline = True  # Otherwise LangChain starts a task for every token.
    raise_error = True  # Otherwise LangChain logs what fails in here and goes on.

    def __init__(self, say: Say, interval: float, tasks: TaskGroup) -> None:
        self.fault: Exception | None = None
        """What `say` raised: nothing is said after it."""
        self._say = say
        self._interval = interval
        self._tasks = tasks
        self._clock = asyncio.get_running_loop().time
        self._held = ""
        self._free_at = 0.0
        """When the next piece may be said, by the loop's clock."""
        self._is_busy = False
        """Whether somebody is saying a piece, or waiting to."""
        self._waiting = anyio.CancelScope()

    async def on_llm_new_token(self, token: str | list[str | dict[str, Any]], **kwargs: Any) -> None:
        if self.fault is not None:
            raise self.fault
        if not token or not isinstance(token, str):
            return
        self._held += token
        if self._is_busy:
            return
        if self._clock() >= self._free_at:
            await self._say_held()
        if self._held:
            self._is_busy = True
            self._tasks.start_soon(self._say_later)

    async def finish(self) -> None:
        """Say what is held, without waiting for the interval; no token may follow."""
        self._interval = self._free_at = 0.0
        self._waiting.cancel()
        if not self._is_busy and self.fault is None:
            await self._say_held()

    async def _say_held(self) -> None:
        piece, self._held = self._held, ""
        if not piece:
            return
        self._is_busy = True
        try:
            await self._say(piece)
        except Exception as error:
            self.fault = error
            raise
        finally:
            self._is_busy = False
            self._free_at = self._clock() + self._interval

    async def _say_later(self) -> None:
        while self._held:
            self._is_busy = True
            with anyio.CancelScope() as self._waiting:
                await anyio.sleep_until(self._free_at)
            await self._say_held()


@asynccontextmanager
async def speaking(say: Say, interval: float = INTERVAL) -> AsyncIterator[TokenSpeaker]:
    """Yield a callback handler whose tokens are said in order; all of them have been said when the block is left.

    That holds when the block fails, too: what came before the fault stays. A cancelled block says nothing more. What
    `say` raises ends the block and is raised as itself, whatever was made of it on the way.
    """
    fault: Exception | None = None
    try:
        async with anyio.create_task_group() as tasks:
            speaker = TokenSpeaker(say, interval, tasks)
            try:
                yield speaker
            except Exception as error:
                fault = error  # It leaves after the group has ended, which it would otherwise cancel.
            await speaker.finish()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    if speaker.fault is not None:
        raise speaker.fault
    if fault is not None:
        raise fault
