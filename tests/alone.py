"""Lets a test that measures have the machine to itself, where several workers run the others."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

ROOM = Path(__file__)
DOOR = ROOM.parent
"""Two things that every worker sees and can lock: nothing is written, and nothing is left."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test in the room where others may be, too; one that is marked `alone` waits until they have left it.

    Who waits keeps the door shut, so that those who would come in meanwhile wait behind.
    """
    with ExitStack() as staying:
        if hasattr(item.config, "workerinput"):
            how = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
            with _locked(DOOR, fcntl.LOCK_EX):
                staying.enter_context(_locked(ROOM, how))
        return (yield)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield
        fcntl.flock(handle, fcntl.LOCK_UN)  # A process that the test has forked may hold it open.
    finally:
        os.close(handle)
