"""Writes what an answer rests on, and what to ask where something else was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tools.guard_premises import Kind, Premise

PERIODS = (
    "this month",
    "last month",
    "this quarter",
    "last quarter",
    "this year",
    "last year",
    "the last 12 months",
    "for all time",
)
"""Follow-ups that the offline analyst reads as well as a model does."""
LIMITS = (5, 10, 20)


@dataclass(frozen=True)
class Assumed:
    """One thing that the answer takes for granted."""

    kind: Kind
    text: str
    instead: tuple[str, ...] = ()
    """Follow-ups that ask the same with this taken otherwise."""


@dataclass(frozen=True)
class Receipt:
    assumed: tuple[Assumed, ...]
    tables: tuple[tuple[str, int | None], ...]
    """The tables that were read, each with how many rows it holds; None where nobody has counted."""
    newest: date | None
    """The latest day in their dates; None where there is none."""
    trusted: bool
    """Whether the SQL is one that a person has reviewed."""
    names_only: bool = False
    """Whether the model was shown names only, and nothing that the database holds."""


def read_assumed(premises: Sequence[Premise]) -> tuple[Assumed, ...]:
    """Return what a checked statement takes for granted, with what to ask instead."""
    return tuple(Assumed(kind, text, _instead(kind, about)) for kind, text, about in premises)


def _instead(kind: Kind, about: str) -> tuple[str, ...]:
    match kind:
        case "period":
            return PERIODS
        case "filter":
            return (f"without the filter on {about}",) if about else ()
        case "limit":
            return (*(f"top {limit}" for limit in LIMITS if str(limit) != about), "without the limit")
        case "measure":
            return ()
