"""What became of one case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from jobs.evaluation.cases import Case

Verdict = Literal["strict", "lenient", "wrong", "failed", "declined"]
"""The first two are right; see `compare`. "failed": the question ended with an error instead of rows."""


@dataclass(frozen=True)
class Sample:
    """The first rows of a query."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    count: int
    """How many rows there are."""


@dataclass(frozen=True)
class Outcome:
    case: Case
    database: str
    tables_there: int
    """How many tables the database has."""
    kind: str
    verdict: Verdict
    note: str
    """Why it was declined or failed, or in what the rows differ."""
    sql: str | None
    answer: Sample | None
    gold_sql: str
    """The gold query that the answer is shown beside: the one it matched, else the first."""
    gold: Sample | None
    """None where that query does not run, or the case has none."""
    found: tuple[str, ...]
    """The tables that the index found, nearest first."""
    needed: tuple[tuple[str, ...], ...]
    """The tables that each gold query reads."""
    repairs: int
    seconds: float
    tokens: int

    @property
    def is_right(self) -> bool:
        return self.verdict in (("strict", "lenient") if self.case.answerable else ("declined",))
