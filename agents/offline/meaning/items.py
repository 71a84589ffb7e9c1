"""An item: some words of a question, and what they may mean in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agents.offline.meaning.lexicon import Meaning


@dataclass(frozen=True)
class Item:
    """Some words of the question, and what they are."""

    kind: str
    """A kind of operator (see english.OPERATORS), or name, number, period, grain, superlative, comparative, verb or
    unknown."""
    text: str
    value: Any = None
    meanings: tuple[Meaning, ...] = ()
    sentence: int = 0
    quoted: bool = False
    capital: bool = False
    tables: tuple[Meaning, ...] = ()
    columns: tuple[Meaning, ...] = ()
    stem: str = ""
    held: bool = False
    """Whether "have" or "has" stands just before it."""
    only: bool = False
    """Whether "only" stands just before it."""
    stated: bool = False
    """Whether a form of "be" or "come" stands just before it."""
    some: bool = False
    """Whether "with a" or "with any" stands just before it."""
    listed: bool = False
    """Whether the question begins with "list": rows are to be shown, not what they come to."""
    position: int = 0
    """The number of its first word in the question."""
    values: tuple[Meaning, ...] = ()
    unit: str = ""
    """What a number is counted in, where that is said after it: kg, euros."""
