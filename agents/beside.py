"""Lets a piece of work go on beside others, and stops it with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, T], name: str) -> AsyncIterator[asyncio.Future[T]]:
    """Let the work go on while the block runs; what of it is left at the block's end is stopped.

    A task group does that too, but ties each task that it stops into a ring, with all that the task knew, which only
    Python's collector takes away: see docs/decisions/0014.
    """
    task = asyncio.create_task(work, name=name)
    try:
        # A block that is cancelled while it waits would pass that on, each time that it is: it is stopped once, below.
        yield asyncio.shield(task)
    finally:
        if not task.done():
            task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([task])
