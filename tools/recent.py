"""Remembers what was found last for a text, within bounds."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")

CHARACTERS = 1_000_000
"""Of all texts together, unless told otherwise."""


class Recent(Generic[V]):
    """At most `entries` values by their texts; the one not asked for longest is forgotten first.

    The texts together have at most `characters`. After `seconds`, where given, a value is forgotten.
    """

    def __init__(
        self,
        entries: int,
        *,
        characters: int = CHARACTERS,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries = entries
        self._characters = characters
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[str, tuple[V, float]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, text: str) -> V | None:
        """Return what is remembered for the text, or None."""
        with self._lock:
            if (kept := self._kept.get(text)) is None:
                return None
            if self._seconds is not None and self._clock() - kept[1] > self._seconds:
                self._forget(text)
                return None
            self._kept.move_to_end(text)
            return kept[0]

    def put(self, text: str, value: V) -> None:
        """Remember the value for the text."""
        with self._lock:
            if text in self._kept:
                self._forget(text)
            self._kept[text] = (value, self._clock())
            self._size += len(text)
            while len(self._kept) > self._entries or self._size > self._characters:
                self._forget(next(iter(self._kept)))

    def _forget(self, text: str) -> None:
        del self._kept[text]
        self._size -= len(text)
