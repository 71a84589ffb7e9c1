"""The async LangChain callback handler that turns model tokens into pieces of the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from langchain_core.callbacks import AsyncCallbackHandler

from agents.question import Say

INTERVAL = 0.05
"""Seconds between two pieces. Sending costs by the piece, not by the letter."""


class TokenSpeaker(AsyncCallbackHandler):
    """Gathers the tokens of a model's answer; `speaking` makes one."""

    run_inline = True  # Otherwise LangChain starts a task for every token.
    raise_error = True  # Otherwise LangChain logs what fails in here and goes on.

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._something_came = anyio.Event()
        self._ended = anyio.Event()

    async def on_llm_new_token(self, token: str | list[str | dict[str, Any]], **kwargs: Any) -> None:
        if token and isinstance(token, str):
            self._waiting.append(token)
            self._something_came.set()

    def end(self) -> None:
        """No token follows: what waits goes out at once."""
        self._ended.set()
        self._something_came.set()

    async def speak(self, say: Say, interval: float) -> None:
        """Say the tokens until the end: the first at once, then a piece for each interval that brought some."""
        while True:
            await self._something_came.wait()
            self._something_came = anyio.Event()
            text = "".join(self._waiting)
            self._waiting.clear()
            if text:
                await say(text)
            if self._ended.is_set() and not self._waiting:
                return
            with anyio.move_on_after(interval):
                await self._ended.wait()
            if self._ended.is_set():
                self._something_came.set()


@asynccontextmanager
async def speaking(say: Say, interval: float = INTERVAL) -> AsyncIterator[TokenSpeaker]:
    """Yield a callback handler whose tokens are said in order; all of them have been said when the block is left.

    That holds when the block fails, too: what came before the fault stays. A cancelled block says nothing more.
    """
    speaker = TokenSpeaker()
    fault: Exception | None = None
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speaker.speak, say, interval)
            try:
                yield speaker
            except Exception as error:
                fault = error  # It leaves after the group has ended, which it would otherwise cancel.
            speaker.end()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    if fault is not None:
        raise fault
