"""Carries what happens in a thread over to the event loop, in order, and holds a thread that is too far ahead."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.runnables import RunnableConfig

log = logging.getLogger("quaestor.threads")

Item = TypeVar("Item")

AHEAD = 64
"""How many tokens a thread may be ahead of the loop."""


class NobodyWaits(BaseException):
    """Ends a thread whose caller has left; no `except Exception` on the way may keep it going."""


@dataclass(frozen=True)
class Told:
    """A callback that an async handler is to hear on the loop."""

    handler: AsyncCallbackHandler
    call: Callable[[], Awaitable[None]]

    async def pass_on(self) -> None:
        """Like LangChain: what a handler fails with is logged, unless the handler wants it raised."""
        try:
            await self.call()
        except Exception as error:
            if self.handler.raise_error:
                raise
            log.warning("%s failed: %r", type(self.handler).__name__, error)


class Crossing(Generic[Item]):
    """The way from threads to the loop it is made on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Queue[Item | Told | None]()
        self._room = threading.Semaphore(AHEAD)
        self._is_closed = False

    def put(self, item: Item | Told) -> None:
        """Send one over, from any thread; raises NobodyWaits once the loop's side is closed."""
        self._room.acquire()
        self.check()
        self._loop.call_soon_threadsafe(self._arrived.put_nowait, item)

    def check(self) -> None:
        if self._is_closed:
            self._room.release()  # for the next one who waits for room
            raise NobodyWaits

    def end(self, task: asyncio.Task[None]) -> None:
        """Nothing follows: the task that ran the thread is done."""
        if not task.cancelled():
            task.exception()  # Otherwise asyncio complains of it where the caller has left.
        self._arrived.put_nowait(None)

    def close(self) -> None:
        self._is_closed = True
        self._room.release()

    def __aiter__(self) -> Crossing[Item]:
        return self

    async def __anext__(self) -> Item | Told:
        item = await self._arrived.get()
        self._room.release()
        if item is None:
            raise StopAsyncIteration
        return item


class _Bridge(BaseCallbackHandler):
    """Stands in a thread for an async handler.

    LangChain's sync side would run the handler's coroutines in a new event loop in the thread, and swallow what they
    raise; an Event or a stream of the real loop does not survive that.
    """

    raise_error = True

    def __init__(self, handler: AsyncCallbackHandler, crossing: Crossing[Any]) -> None:
        self._handler = handler
        self._crossing = crossing

    def __getattribute__(self, name: str) -> Any:
        own = super().__getattribute__
        if name.startswith("ignore_"):
            return getattr(own("_handler"), name)
        if name.startswith("on_") and _has_own(own("_handler"), name):
            return partial(own("_tell"), getattr(own("_handler"), name))
        return own(name)

    def _tell(self, method: Callable[..., Awaitable[None]], *args: Any, **kwargs: Any) -> None:
        self._crossing.put(Told(self._handler, partial(method, *args, **kwargs)))


def _has_own(handler: AsyncCallbackHandler, name: str) -> bool:
    return getattr(type(handler), name, None) is not getattr(AsyncCallbackHandler, name, None)


def cross(config: RunnableConfig, crossing: Crossing[Any]) -> RunnableConfig:
    """Return the config for a thread: its async handlers hear on the loop what the thread calls them for."""
    callbacks = config.get("callbacks")
    if callbacks is None:
        return config

    bridges: dict[int, _Bridge] = {}

    def bridge(handler: BaseCallbackHandler) -> BaseCallbackHandler:
        if not isinstance(handler, AsyncCallbackHandler):
            return handler
        return bridges.setdefault(id(handler), _Bridge(handler, crossing))

    if isinstance(callbacks, list):
        return {**config, "callbacks": [bridge(handler) for handler in callbacks]}
    callbacks = callbacks.copy()
    callbacks.handlers = [bridge(handler) for handler in callbacks.handlers]
    callbacks.inheritable_handlers = [bridge(handler) for handler in callbacks.inheritable_handlers]
    return {**config, "callbacks": callbacks}
