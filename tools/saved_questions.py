"""Keeps questions whose SQL a person has reviewed, and finds those like a new question."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio
from asyncer import asyncify

from errors import ModelUnavailable, SettingsInvalid
from tools.catalog import SavedQuestion

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

RELATED = 0.7
"""Cosine likeness from which a saved question is worth showing to a model; Wren AI's threshold for the same."""
SHOWN = 5

# Words that change nothing about what is asked. Everything else must agree before saved SQL answers by itself:
# "orders in 2024" and "orders in 2025" lie nearer to each other than most rephrasings do.
_POLITE = frozenset(
    "a an are can could do does did for give i is me of please show tell that the there us was were".split()
)
_WORD = re.compile(r"\w+")


class Embedder(Protocol):
    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector per text; raises ModelUnavailable."""


def read_saved_questions(file: Path) -> tuple[SavedQuestion, ...]:
    """Return the questions of a JSONL file of `{"question", "sql"}`, none where there is no such file.

    Raises SettingsInvalid where a line is not of that form.
    """
    if not file.is_file():
        return ()
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise SettingsInvalid(f"The saved questions in {file.name} cannot be read: write them as UTF-8 text.") from None
    saved = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            saved.append(SavedQuestion(str(entry["question"]), str(entry["sql"])))
        except (ValueError, KeyError, TypeError):
            raise SettingsInvalid(
                f'Line {number} of {file.name} is no saved question: write {{"question": "…", "sql": "…"}}.'
            ) from None
    return tuple(saved)


class SavedQuestions:
    """Finds saved questions by their meaning in a Qdrant of their own, in this process.

    There are few of them and the file is their home, so a server would only be a second copy to keep in step.
    """

    def __init__(self, questions: Sequence[SavedQuestion], embedder: Embedder | None) -> None:
        self._questions = tuple(questions)
        self._asked = [_words(saved.question) for saved in self._questions]
        self._embedder = embedder
        self._client: QdrantClient | None = None
        self._thread = anyio.CapacityLimiter(1)
        self._filling = anyio.Lock()

    async def find(self, question: str) -> tuple[SavedQuestion, ...]:
        """Return at most SHOWN saved questions like this one, nearest first; one that asks the same has `same` set."""
        if not self._questions:
            return ()
        words = _words(question)
        same = tuple(
            replace(saved, same=True)
            for saved, asked in zip(self._questions, self._asked, strict=True)
            if asked == words
        )
        return (same + tuple(s for s in await self._related(question) if not _is_in(s, same)))[:SHOWN]

    async def _related(self, question: str) -> list[SavedQuestion]:
        if self._embedder is None:
            return []
        try:
            async with self._filling:
                if self._client is None:
                    vectors = await self._embedder.embed([saved.question for saved in self._questions])
                    self._client = await asyncify(self._fill, limiter=self._thread)(vectors)
            [vector] = await self._embedder.embed([question])
        except ModelUnavailable:
            return []  # They help a model to write; nothing depends on them.
        return await asyncify(self._nearest, limiter=self._thread)(vector)

    def _fill(self, vectors: list[list[float]]) -> QdrantClient:
        from qdrant_client import QdrantClient, models

        client = QdrantClient(":memory:")
        size = models.VectorParams(size=len(vectors[0]), distance=models.Distance.COSINE)
        client.create_collection("saved", vectors_config=size)
        client.upsert("saved", [models.PointStruct(id=i, vector=vector) for i, vector in enumerate(vectors)])
        return client

    def _nearest(self, vector: list[float]) -> list[SavedQuestion]:
        assert self._client is not None
        found = self._client.query_points("saved", query=vector, limit=SHOWN, score_threshold=RELATED)
        return [self._questions[int(point.id)] for point in found.points]


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower())) - _POLITE


def _is_in(saved: SavedQuestion, others: tuple[SavedQuestion, ...]) -> bool:
    return any(saved.question == other.question for other in others)
