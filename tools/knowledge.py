"""Keeps what people wrote down about a database (words, instructions, saved questions) in Qdrant, and finds it."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import anyio
from asyncer import asyncify

from errors import AskError, SettingsInvalid
from tools.catalog import SavedQuestion, Term
from tools.knowledge_glossary import Glossary, read_glossary
from tools.knowledge_instructions import read_instructions
from tools.saved_questions import Nearest, SavedQuestions, read_saved_questions
from tools.schema_entries import Entry
from tools.schema_index import Index

log = logging.getLogger(__name__)

Kind = Literal["term", "instruction", "question"]

GLOSSARY, INSTRUCTIONS, QUESTIONS = "glossary.md", "instructions.md", "questions.jsonl"
LOOK_SECONDS = 2.0
"""How often the files are looked at: what is written there holds from then on."""
NEAR = 0.5
"""Cosine likeness from which a term that the question does not say is worth showing to a model; SQLBot takes 0.4."""
TERMS_NEAR = 5
INSTRUCTIONS_TOGETHER = 4_000
"""Characters of instructions that every question gets; of more, it gets the nearest that fit into so many."""
INSTRUCTIONS_NEAR = 20


@dataclass(frozen=True)
class Told:
    """What is known about the words of a question."""

    said: tuple[Term, ...] = ()
    """The terms that it says, and those that their meanings say."""
    near: tuple[Term, ...] = ()
    """Others whose meaning is near to its own, nearest first."""
    instructions: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Held:
    """What stands in the files, ready to be looked up."""

    terms: dict[str, Term]
    """By the texts under which the index holds them."""
    instructions: tuple[str, ...]
    glossary: Glossary
    saved: SavedQuestions
    entries: dict[str, Entry]
    """What the index should hold, by the ids of the entries."""


@asynccontextmanager
async def open_knowledge(folder: Path, index: Index | None) -> AsyncIterator[Knowledge]:
    """Read the folder's files, and index what they hold; without an index, words alone are matched.

    Raises SettingsInvalid, with the line, where a file is not of its form, or IndexUnavailable.
    """
    knowledge = Knowledge(folder, index)
    try:
        await knowledge.read()
        yield knowledge
    finally:
        if index:
            await index.aclose()


class Knowledge:
    """The files of a folder, as they are now: what changes there is read again."""

    def __init__(self, folder: Path, index: Index | None, *, look_every: float = LOOK_SECONDS) -> None:
        self._folder = folder
        self._index = index
        self._look_every = look_every
        self._look_at = 0.0
        self._reading = anyio.Lock()
        self._threads = anyio.CapacityLimiter(1)
        self._stamp: object = None
        self._held = _hold((), (), (), None)

    async def read(self) -> None:
        """Read the files where they changed; raises SettingsInvalid or IndexUnavailable."""
        async with self._reading:
            stamp = await asyncify(self._stamp_of_files, limiter=self._threads)()
            self._look_at = time.monotonic() + self._look_every
            if stamp == self._stamp:
                return
            try:
                held = await asyncify(self._read_files, limiter=self._threads)()
            except SettingsInvalid:
                self._stamp = stamp  # Read once more they would say the same: somebody has to mend them.
                raise
            if self._index and (held.entries or self._held.entries):
                await self._index.bring_up(list(held.entries.values()))
            self._stamp, self._held = stamp, held

    async def find(self, question: str) -> tuple[SavedQuestion, ...]:
        """Return the saved questions like this one, nearest first; one that asks the same has `same` set."""
        await self._look()
        return await self._held.saved.find(question)

    async def told(self, question: str) -> Told:
        """Return what the question's words mean here, and what is to be heeded."""
        await self._look()
        held = self._held
        said = held.glossary.in_other_words(question)[1]
        texts = [text for text, likeness in await self._near("term", question, TERMS_NEAR) if likeness >= NEAR]
        near = tuple(held.terms[text] for text in texts if text in held.terms)
        return Told(said, tuple(term for term in near if term not in said), await self._instructions(question))

    async def save(self, question: str, sql: str, by: str, counts_from: date | None = None) -> None:
        """Keep the question with SQL that a person has reviewed, and with the day on which it was written, where known.

        It answers from now on. Raises SettingsInvalid.
        """
        line = {"question": question, "sql": sql, "by": by, "when": datetime.now(UTC).isoformat(timespec="seconds")}
        if counts_from is not None:
            line["counts_from"] = counts_from.isoformat()
        try:
            await asyncify(_append, limiter=self._threads)(
                self._folder / QUESTIONS, json.dumps(line, ensure_ascii=False)
            )
        except OSError as error:
            raise SettingsInvalid(
                f"The question cannot be saved: {self._folder} cannot be written ({error.strerror}). "
                "Name another folder in QUAESTOR_KNOWLEDGE."
            ) from None
        await self.read()

    async def _look(self) -> None:
        """Read the files where they changed; what cannot be read leaves everything as it was."""
        if time.monotonic() < self._look_at or self._reading.statistics().locked:
            return
        try:
            await self.read()
        except AskError as error:
            log.warning("what was known stays as it was: %s", error)

    async def _instructions(self, question: str) -> tuple[str, ...]:
        every = self._held.instructions
        if sum(map(len, every)) <= INSTRUCTIONS_TOGETHER:
            return every
        nearest = [text for text, _ in await self._near("instruction", question, INSTRUCTIONS_NEAR)]
        kept, room = [], INSTRUCTIONS_TOGETHER
        for text in nearest or every:
            room -= len(text)
            if room < 0:
                break
            kept.append(text)
        return tuple(kept)

    async def _near(self, kind: Kind, question: str, limit: int) -> list[tuple[str, float]]:
        """Return the texts of a kind nearest to the question in meaning, each with its cosine."""
        index, entries = self._index, self._held.entries
        if index is None or not any(entry.kind == kind for entry in entries.values()):
            return []
        vector = await index.vector(question)
        if vector is None:
            return []
        hits = await asyncify(index.nearest, limiter=index.thread)(kind, vector, limit)
        return [(entries[hit.id].text, hit.score) for hit in hits if hit.id in entries]

    def _read_files(self) -> _Held:
        async def nearest(question: str, limit: int) -> list[tuple[str, float]]:
            return await self._near("question", question, limit)

        return _hold(
            read_glossary(self._folder / GLOSSARY),
            read_instructions(self._folder / INSTRUCTIONS),
            read_saved_questions(self._folder / QUESTIONS),
            nearest,
        )

    def _stamp_of_files(self) -> list[tuple[int, int] | None]:
        """Return what changes with the files."""
        stamps: list[tuple[int, int] | None] = []
        for name in (GLOSSARY, INSTRUCTIONS, QUESTIONS):
            try:
                found = os.stat(self._folder / name)
            except OSError:
                stamps.append(None)
            else:
                stamps.append((found.st_mtime_ns, found.st_size))
        return stamps


def _hold(
    terms: Sequence[Term],
    instructions: tuple[str, ...],
    questions: Sequence[SavedQuestion],
    nearest: Nearest | None,
) -> _Held:
    synonyms = Glossary(term for term in terms if term.is_synonym)
    by_text = {f"{', '.join(term.names)}: {term.meaning}": term for term in terms}
    entries = [
        *(Entry("term", "", "", text) for text in by_text),
        *(Entry("instruction", "", "", text) for text in instructions),
        *(Entry("question", "", "", saved.question) for saved in questions),
    ]
    return _Held(
        by_text,
        instructions,
        Glossary(terms),
        SavedQuestions(questions, nearest, lambda text: synonyms.in_other_words(text)[0]),
        {entry.id: entry for entry in entries},
    )


def _append(file: Path, line: str) -> None:
    """Add a line in one write, so that processes that save at the same time do not mix theirs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab+") as lines:
        begins = lines.seek(0, os.SEEK_END) == 0
        if not begins:
            lines.seek(-1, os.SEEK_END)
            begins = lines.read(1) == b"\n"
        lines.write(f"{line}\n".encode() if begins else f"\n{line}\n".encode())
