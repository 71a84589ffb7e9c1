"""Runs tasks side by side, and raises the first failure as itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncer


@asynccontextmanager
async def together() -> AsyncIterator[asyncer.TaskGroup]:
    """Run tasks side by side; the first failure stops the others and is raised as itself, not in a group."""
    try:
        async with asyncer.create_task_group() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        raise _first_of(group) from None


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
