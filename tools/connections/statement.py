"""One statement on its way through a driver: its text, its limits, and how somebody else can stop it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from errors import QueryTimedOut


@dataclass(frozen=True)
class Fetched:
    """What a driver brings back: plain values, at most the statement's limit of rows."""

    columns: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    truncated: bool


class StatementStopped(Exception):
    """The statement was stopped before the driver began with it. Nobody but the runner meets this."""


class Statement:
    """Written by the runner, carried out by a driver in a thread, stopped from any other thread."""

    def __init__(self, sql: str, *, limit: int, timeout: float) -> None:
        self.sql = sql
        self.limit = limit
        self.timeout = timeout
        """Seconds it may run in the database."""
        self._lock = threading.Lock()
        self._stopped = False
        self._cancel: Callable[[], None] | None = None

    @property
    def stopped(self) -> bool:
        return self._stopped

    @contextmanager
    def stopped_by(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Within the block, `stop` calls `cancel`. Raises StatementStopped where it was stopped before."""
        with self._lock:
            if self._stopped:
                raise StatementStopped
            self._cancel = cancel
        try:
            yield
        finally:
            # Waits for a cancel under way, so that it never hits what the connection does next.
            with self._lock:
                self._cancel = None

    def stop(self) -> None:
        """Stop the statement where it is; returns once the driver's cancel has returned."""
        with self._lock:
            self._stopped = True
            if self._cancel is not None:
                self._cancel()

    def timed_out(self) -> QueryTimedOut:
        """Return what is raised when the deadline has passed."""
        return QueryTimedOut(
            f"The query did not finish within {self.timeout:g} seconds and was stopped. "
            "Narrow the question, or raise QUAESTOR_QUERY_TIMEOUT."
        )
