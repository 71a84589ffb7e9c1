"""Counts the tokens that models write for a piece of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MOST_TOLD = 10_000_000
"""Tokens of one answer that are believed: more would shut an endpoint with a limit for good."""


@dataclass
class Spent:
    """What a piece of work has used so far."""

    tokens: int = 0
    """Written by models: as the endpoint counts them, else the pieces that their answers came in."""


_spent: ContextVar[Spent | None] = ContextVar("spent", default=None)


@contextmanager
def spending() -> Iterator[Spent]:
    """Yield the count of what is spent in this block, in the tasks that start in it too.

    Not around the `yield` of an async generator: the block would leak into whoever reads it.
    """
    spent = Spent()
    token = _spent.set(spent)
    try:
        yield spent
    finally:
        _spent.reset(token)


def spent_so_far() -> int:
    """Return the tokens of the innermost `spending` block that we run in."""
    return spent.tokens if (spent := _spent.get()) is not None else 0


def counted(told: object) -> int | None:
    """Return how many tokens an endpoint says that an answer took, None where that cannot be."""
    return told if type(told) is int and 0 <= told <= MOST_TOLD else None


def spend(tokens: int) -> None:
    """Add to the innermost `spending` block that we run in, if any."""
    if (spent := _spent.get()) is not None:
        spent.tokens += tokens
