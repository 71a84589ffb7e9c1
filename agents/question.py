"""What passes between the agents: a question with its conversation, and the SQL drafted for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

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


@dataclass(frozen=True)
class Question:
    text: str
    today: date
    """What "last month" counts from."""
    turns: tuple[Turn, ...] = ()
    """Oldest first, at most TURNS_KEPT."""
    mode: Mode = "ask"
    """Whether one query is to answer it, or several are to find out why."""


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
