"""Looks every second whether an endpoint that could not be reached is there again: the next question is for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from beat import rest
from llm.pool import CallFailed, Pool

LOOK_SECONDS = 1.0
"""Between two looks at an endpoint: a refused connection costs a millisecond, and nobody waits for it."""
PATIENCE = 3.0
"""Seconds that one look may take."""


@asynccontextmanager
async def looking_out(pool: Pool, check: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
    """Look out for the pool's endpoints while the block runs; `check` asks one, by its name, whether it is there.

    What an endpoint says is a question's to find out; here it is enough that it says anything.
    """
    # Not a task group: it would wrap what is raised where the model is used.
    looking = asyncio.create_task(_keep_looking(pool, check), name="look out for endpoints")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def _keep_looking(pool: Pool, check: Callable[[str], Awaitable[None]]) -> None:
    while True:
        await rest(LOOK_SECONDS)
        names = pool.unreached()
        found = await asyncio.gather(*(_is_there(check(name)) for name in names))
        for name, is_there in zip(names, found, strict=True):
            if is_there:
                pool.reached(name)


async def _is_there(checking: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            await checking
    except TimeoutError:
        return False
    except CallFailed as failed:
        return failed.fault.status is not None
    return True
