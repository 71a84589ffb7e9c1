"""What passes between the agents: a question with its conversation, and the SQL drafted for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from agents.typed_sql import looks_like_sql

Say = Callable[[str], Awaitable[None]]
"""Takes the next piece of the answer's text, in order."""

Mode = Literal["ask", "investigate"]

TURNS_KEPT = 5
"""How many earlier questions a conversation remembers."""


@dataclass(frozen=True)
class Turn:
    """An earlier question of the conversation that was answered."""

    question: str
    """As it was asked."""
    reading: str
    """The question as it was understood, whole: it needs no earlier turn to make sense of it."""
    sql: str
    by_hand: bool = False
    """See Draft.by_hand."""
    trusted: bool = False
    """See Draft.trusted."""

    @property
    def is_a_persons(self) -> bool:
        """Whether a person wrote or reviewed the SQL: nobody knows whether the reading says all that it does."""
        return self.by_hand or self.trusted


@dataclass(frozen=True)
class Question:
    text: str
    today: date
    """What "last month" counts from."""
    turns: tuple[Turn, ...] = ()
    """Oldest first, at most TURNS_KEPT."""
    mode: Mode = "ask"
    """Whether one query is to answer it, or several are to find out why."""
    edited_for: str | None = None
    """The reading of the question whose SQL the person has edited, "" where none is known: the text is that SQL."""

    @property
    def is_sql(self) -> bool:
        """Whether the text is SQL that a person wrote: it is checked and run like any other, but never rewritten."""
        return self.edited_for is not None or looks_like_sql(self.text)


@dataclass(frozen=True)
class Draft:
    """SQL that nobody has checked yet."""

    sql: str
    reading: str
    """See Turn.reading."""
    assumptions: tuple[str, ...] = ()
    """What was taken for granted, a short sentence each: "Last quarter is 1 July to 30 September 2026."."""
    trusted: bool = False
    """Whether a person has reviewed the SQL."""
    words: tuple[str, ...] = ()
    """Those of the assumptions that say what words were taken to mean: the statement does not show it."""
    by_hand: bool = False
    """Whether a person wrote the SQL: the reading does not say all that it does."""
    listing: bool = False
    """Whether the rows only list what there is in the database: no chart says more."""


@dataclass(frozen=True)
class Complaint:
    """Why an earlier draft of the same question did not work."""

    sql: str
    text: str


@dataclass(frozen=True)
class Followup:
    """A next question, and the SQL it would run (to see whether it would work)."""

    question: str
    sql: str
