"""Runs one guarded query on one database, within its limits, and can cancel it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.sql_guard import SafeQuery


@dataclass(frozen=True)
class Rows:
    columns: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    """Plain values: int, float, str, bool, None, date, datetime, time, Decimal, bytes."""
    truncated: bool
    """True when the database had more rows than we kept."""
    seconds: float
    """How long the database took."""


class SQLRunner:
    """Runs queries on one database. Cancelling the task that waits in `run` stops the statement in the database."""

    async def run(self, query: SafeQuery, *, limit: int | None = None, timeout: float | None = None) -> Rows:
        """Return at most `limit` rows. Raises SQLFailed, QueryTimedOut or DatabaseUnavailable."""
        raise NotImplementedError

    async def dry_run(self, query: SafeQuery) -> None:
        """Let the database plan the query (EXPLAIN) without running it; raises SQLFailed with its complaint."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close every connection."""


def open_runner(database_url: str, *, row_limit: int = 1_000, timeout: float = 30.0, threads: int = 8) -> SQLRunner:
    """Return a runner for the database; raises DatabaseUnavailable or SettingsInvalid in one clear sentence."""
    raise NotImplementedError
