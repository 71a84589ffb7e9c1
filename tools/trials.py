"""What a part is given that runs statements nobody waits for: a guard, and a runner that lets others go first."""

from __future__ import annotations

from typing import Protocol

from tools.sql_guard import SafeQuery
from tools.sql_runner import Rows


class Guard(Protocol):
    async def check(self, sql: str) -> SafeQuery:
        """See tools.sql_guard.Guard."""


class Runner(Protocol):
    async def run(
        self, query: SafeQuery, *, limit: int | None = None, timeout: float | None = None, trial: bool = False
    ) -> Rows:
        """See tools.sql_runner.SQLRunner."""
