"""Says what a store of entries does; one is a Qdrant server, one is this process's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tools.schema_entries import Entry

NEAREST = 80
"""Entries taken by each kind of likeness, before they are fused."""
NEAREST_VALUES = 20
FOUND = 2 * NEAREST + NEAREST_VALUES

MEANING, WORDS, VALUE_WORDS = "meaning", "words", "value_words"
"""The named vectors. Values have a sparse vector of their own, because a filter would cost more than the search."""

GONE = "The schema index is gone from Qdrant. Restart Quaestor, which builds it again."

Vector = list[float]


@dataclass(frozen=True)
class Hit:
    kind: str
    """As the entry's: `table`, `column`, …"""
    table: str
    column: str
    score: float
    """It orders the hits of one question and, unless it is a cosine, means nothing across questions."""
    id: str = ""
    """The entry's."""


class EntryStore(Protocol):
    """One collection. Its methods block, one at a time may run, and each may raise IndexUnavailable."""

    def probe(self) -> None:
        """Return when the collection is there; raises IndexUnavailable otherwise."""

    def digests(self) -> dict[str, str]:
        """Return the digest of each entry kept, by its id."""

    def create(self, dimensions: int | None) -> None:
        """Make the collection where there is none; without dimensions it matches words alone."""

    def drop(self) -> None:
        """Forget every entry, and the collection."""

    def put(self, entries: Sequence[Entry], digests: Mapping[str, str], vectors: Mapping[str, Vector]) -> None:
        """Keep the entries, each with its digest and, where it has one, its vector, by the entries' ids."""

    def remove(self, ids: Sequence[str]) -> None:
        """Forget the entries of these ids."""

    def search(self, text: str, vector: Vector | None) -> list[Hit]:
        """Return the entries nearest in words and in meaning, fused by their ranks (RRF), nearest first."""

    def nearest(self, kind: str, vector: Vector, limit: int) -> list[Hit]:
        """Return the entries of this kind nearest in meaning, nearest first; each score is the cosine."""

    def close(self) -> None:
        """Let go of connections and memory."""
