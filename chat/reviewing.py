"""Saves an answer that a person has looked through: who asks its question from then on gets its SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol, runtime_checkable

from asyncer import asyncify

from agents.offline.analyst import CHAIN
from agents.reviewed import OtherDays, other_days
from agents.typed_sql import looks_like_sql
from errors import AskError
from tools.catalog import Dialect, SavedQuestion

FIXED = (
    "This SQL holds fixed dates, or numbers that may tell one, and not all are surely those of a period that the "
    "question says, so it may be wrong another day. Name the dates in the question, like “in 2025”, or the period that "
    "they are, like “last month”."
)
SAVED: dict[OtherDays, str] = {
    "same": "Saved as reviewed",
    "moved": "Saved as reviewed. Asked another day, its period is counted from that day",
    "named": "Saved as reviewed. Its dates are fixed, so it answers only for those that its question names",
}
TOO_OLD = "This answer is too old to be saved. Ask its question again, and save the new answer."


@runtime_checkable
class Keeps(Protocol):
    async def save(self, question: str, sql: str, by: str, counts_from: date | None = None) -> None:
        """Keep the question with its SQL, and with the day on which that was written; raises SettingsInvalid."""


@dataclass(frozen=True)
class Reviewers:
    """Who may save: an answer that one of them saves speaks for everybody from then on, as reviewed."""

    names: Sequence[str]
    is_login: bool
    """Whether people have names here at all."""
    is_private: bool
    """Whether nobody but who sits at the machine can reach it."""

    def include(self, name: str | None) -> bool:
        return name in self.names if self.is_login else self.is_private


def in_words(reading: str) -> str:
    """Return the reading of a question, with all that was changed since, as one question."""
    first, *changes = reading.split(CHAIN)
    return ", ".join([first.rstrip(" ?.!"), *changes]) if changes else reading


async def save(kept: Keeps, reviewed: SavedQuestion, by: str, *, longest: int, dialect: Dialect) -> str:
    """Keep the question with its SQL and return what it is another day; raises AskError with a sentence on why not."""
    question = " ".join(reviewed.question.split())
    if not question or len(question) > longest:
        raise AskError(f"Write the question in 1 to {longest:,} characters.")
    if looks_like_sql(question):
        raise AskError("Write the question in words: typed SQL runs as it is.")
    reviewed = replace(reviewed, question=question)
    on_other_days = await asyncify(other_days)(reviewed, dialect)
    if on_other_days == "wrong":
        raise AskError(FIXED)
    await kept.save(question, reviewed.sql, by, reviewed.counts_from)
    return SAVED[on_other_days]
