"""Reads questions whose SQL a person has reviewed, and finds those like a new question."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Protocol

from errors import SettingsInvalid
from tools.catalog import SavedQuestion
from tools.saved_likeness import differ_in_form_alone, words_that_count

RELATED = 0.7
"""Cosine likeness from which a saved question is worth showing to a model; Wren AI's threshold for the same."""
NEARLY_THE_SAME = 0.9
"""Cosine likeness from which a word may stand in another form: "spend" for "spent"."""
SHOWN = 5

_A_DAY = re.compile(r"['\"](?:19|20)\d\d-\d\d")
_A_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_MOVING = re.compile(
    r"\b(?:today|yesterday|tomorrow|now|current\w*|recent\w*|latest|ago|so far|to date|ytd|mtd"
    r"|(?:this|last|next|past|previous|coming) (?:\w+ )?(?:days?|weeks?|months?|quarters?|years?))\b",
    re.IGNORECASE,
)


class Nearest(Protocol):
    async def __call__(self, question: str, limit: int) -> Sequence[tuple[str, float]]:
        """Return the saved questions nearest in meaning, nearest first, each with its cosine."""


def read_saved_questions(file: Path) -> tuple[SavedQuestion, ...]:
    """Return the questions of a JSONL file of `{"question", "sql"}`, none where there is no such file.

    A line may say "counts_from", the day on which its SQL was written.

    Of two that ask in the same words the later one stands. Raises SettingsInvalid where a line is not of that form.
    """
    if not file.is_file():
        return ()
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise SettingsInvalid(f"The saved questions in {file.name} cannot be read: write them as UTF-8 text.") from None
    saved: dict[str, SavedQuestion] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            read = _read(line, f"Line {number} of {file.name}")
            saved[read.question] = read
    return tuple(saved.values())


def _read(line: str, where: str) -> SavedQuestion:
    try:
        entry = json.loads(line)
        question, sql = entry["question"], entry["sql"]
        if all(isinstance(text, str) and text.strip() for text in (question, sql)):
            return SavedQuestion(question.strip(), sql.strip(), counts_from=_day(entry.get("counts_from"), where))
    except (ValueError, KeyError, TypeError):
        pass
    raise SettingsInvalid(f'{where} is no saved question: write {{"question": "…", "sql": "…"}}.')


def _day(text: object, where: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise SettingsInvalid(
            f'{where} counts from no day: write one, like "counts_from": "2026-11-21", or leave it out.'
        ) from None


def stays_right(question: str, sql: str) -> bool:
    """Whether the SQL still answers the question tomorrow: it holds no dates, or just those that the question names."""
    if names_its_dates(question):
        return True
    years = set(_A_YEAR.findall(sql)) - set(_A_YEAR.findall(question)) if moves(question) else ()
    return not holds_days(sql) and not years


def names_its_dates(question: str) -> bool:
    """Whether the question says which days it means, on whatever day it is asked: "in 2025"."""
    return bool(_A_YEAR.search(question)) and not moves(question)


def holds_days(sql: str) -> bool:
    """Whether a day or a month stands in the SQL."""
    return bool(_A_DAY.search(sql))


def moves(question: str) -> bool:
    """Whether the question says days that are others tomorrow: "last month"."""
    return bool(_MOVING.search(question))


class SavedQuestions:
    """Finds saved questions that ask the same, and those that lie near in meaning."""

    def __init__(
        self,
        questions: Iterable[SavedQuestion],
        nearest: Nearest | None,
        in_one_wording: Callable[[str], str] = str,
    ) -> None:
        """Take the questions, what finds those near (None: there are no embeddings), and what replaces synonyms."""
        self._questions = {saved.question: saved for saved in questions}
        self._nearest = nearest
        self._wording = in_one_wording
        self._words = {question: self._words_of(question) for question in self._questions}
        self._by_words = {words: question for question, words in self._words.items()}

    async def find(self, question: str) -> tuple[SavedQuestion, ...]:
        """Return at most SHOWN saved questions like this one, nearest first; one that asks the same has `same` set.

        Where it says the day of its SQL, whether that speaks for another day is still to be seen.
        """
        if not self._questions:
            return ()
        words = self._words_of(question)
        asked = self._by_words.get(words) if words else None
        near = await self._nearest(question, SHOWN) if self._nearest else ()
        kept = {name: likeness for name, likeness in near if likeness >= RELATED and name in self._questions}
        if asked is None:
            nearly = (name for name, likeness in kept.items() if likeness >= NEARLY_THE_SAME)
            asked = next((name for name in nearly if differ_in_form_alone(words, self._words[name])), None)
        names = dict.fromkeys([*([asked] if asked else []), *kept])
        return tuple(self._marked(name, is_same=name == asked) for name in names)[:SHOWN]

    def _marked(self, name: str, *, is_same: bool) -> SavedQuestion:
        saved = self._questions[name]
        may_speak = saved.counts_from is not None or stays_right(name, saved.sql)
        return replace(saved, same=True) if is_same and may_speak else saved

    def _words_of(self, question: str) -> tuple[str, ...]:
        return words_that_count(self._wording(question))
