"""Runs tasks side by side, and raises the first failure as itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import asyncer


@asynccontextmanager
async def together() -> AsyncIterator[asyncer.TaskGroup]:
    """Run tasks side by side; the first failure stops the others and is raised as itself, not in a group."""
    try:
        async with _kind()() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        raise _first_of(group) from None


@cache
def _kind() -> type[asyncer.TaskGroup]:
    """Return asyncer's kind of group; it makes a class for each group, which only Python's collector can take away."""
    return type(asyncer.create_task_group())


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
