"""Saves an answer that a person has looked through: who asks its question from then on gets its SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agents.offline.analyst import CHAIN
from agents.question import Turn
from agents.typed_sql import looks_like_sql
from errors import AskError
from tools.saved_questions import stays_right

TOO_OLD = "This answer is too old to be saved. Ask its question again, and save the new answer."


@runtime_checkable
class Keeps(Protocol):
    async def save(self, question: str, sql: str, by: str) -> None:
        """Keep the question with its SQL; raises SettingsInvalid."""


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


def wording(question: str, turns: Sequence[Turn], reading: str) -> str:
    """Return the question to save, for the person to change: one that goes on a conversation needs what came before."""
    if looks_like_sql(question):
        return ""
    if not turns:
        return question
    first, *changes = reading.split(CHAIN)
    return ", ".join([first.rstrip(" ?.!"), *changes]) if changes else reading


async def save(kept: Keeps, question: str, sql: str, by: str, *, longest: int) -> None:
    """Keep the question with its SQL; raises AskError with a sentence on why it cannot be."""
    question = " ".join(question.split())
    if not question or len(question) > longest:
        raise AskError(f"Write the question in 1 to {longest:,} characters.")
    if looks_like_sql(question):
        raise AskError("Write the question in words: typed SQL runs as it is.")
    if not stays_right(question, sql):
        raise AskError(
            "This SQL holds fixed dates, so it would be wrong another day. "
            "Name the dates in the question, like “in 2025”, and not “last month”."
        )
    await kept.save(question, sql, by)
