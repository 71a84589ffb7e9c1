"""Where a question may be read in several ways, tries them all: only where their rows differ is the person asked."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from agents.parts import Guard, Runner, Writer
from agents.question import Complaint, Draft, Question
from errors import AskError, QuestionUnclear
from tools.catalog import Found, Value
from tools.sql_runner import Rows
from tools.wording import in_words

READINGS = 3
"""More would cost more than an answer to the question."""

SECONDS = 10.0
"""For the statement of one reading."""

DIGITS = 9
"""Sums of the same numbers in another order differ by less than the last of so many significant digits."""


@dataclass(frozen=True)
class _Candidate:
    reading: str
    draft: Draft
    rows: Rows


class DoubtingWriter:
    """Writes with another writer; what is unclear to that one is written in each of its readings, side by side.

    A simple question costs nothing more. The readings' statements are checked and run like any other.
    """

    def __init__(self, writer: Writer, guard: Guard, runner: Runner) -> None:
        self._writer = writer
        self._guard = guard
        self._runner = runner

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """See agents.parts.Writer. Raises QuestionUnclear where the readings find different rows."""
        try:
            return await self._writer.write(question, found, complaint)
        except QuestionUnclear as unclear:
            return await self._weigh(question, found, unclear)

    async def _weigh(self, question: Question, found: Found, unclear: QuestionUnclear) -> Draft:
        readings = unclear.suggestions[:READINGS]
        tried = await asyncio.gather(*(self._try(question, reading, found) for reading in readings))
        candidates = [candidate for candidate in tried if candidate is not None]
        if len(candidates) < 2:
            raise unclear  # One that can be asked need not be the one that was meant.
        first, *others = candidates
        different = [c for n, c in enumerate(candidates) if not any(_agree(c, seen) for seen in candidates[:n])]
        if len(different) > 1:
            raise QuestionUnclear(
                f"{unclear} I tried {_count(len(candidates))}, and they find different rows.",
                tuple(candidate.reading for candidate in different),
            )
        also = " and ".join(f"“{other.reading}”" for other in others)
        told = f"Read as “{first.reading}”; {also} finds the same rows."
        return replace(first.draft, assumptions=(*first.draft.assumptions, told), words=(*first.draft.words, told))

    async def _try(self, question: Question, reading: str, found: Found) -> _Candidate | None:
        """Return what this reading finds; None where it cannot be asked."""
        try:
            draft = await self._writer.write(replace(question, text=reading), found, None)
            query = await self._guard.check(draft.sql)
            return _Candidate(reading, draft, await self._runner.run(query, timeout=SECONDS, trial=True))
        except AskError:
            return None


def unclear_value(question: Question, found: Found) -> QuestionUnclear | None:
    """Return what is to be asked where a value of the question lies in several columns, and it says none of them."""
    for text, values in _by_text(found.values):
        places = [(in_words(value.table).lower(), in_words(value.column).lower()) for value in values]
        named = any(_is_said(word, question.text) for place in places for word in place)
        if len(places) > 1 and not named and _is_said(text, question.text):
            said = [f"{column} of {table}" for table, column in places]
            readings = tuple(f"{question.text.rstrip(' ?.!')} (“{values[0].text}” is the {each})?" for each in said)
            listed = f"{', '.join(f'the {each}' for each in said[:-1])} and the {said[-1]}"
            return QuestionUnclear(f"“{values[0].text}” may be {listed}: which one do you mean?", readings)
    return None


def _by_text(values: Sequence[Value]) -> Iterator[tuple[str, list[Value]]]:
    """Yield each text with the columns that hold it, one for each column's name: a key's copies mean the same."""
    texts: dict[str, dict[tuple[str, str], Value]] = {}
    for value in values:
        texts.setdefault(value.text.casefold(), {}).setdefault((value.table, value.column), value)
    for text, places in texts.items():
        yield text, list(places.values())[:READINGS]


def _is_said(words: str, text: str) -> bool:
    """Return whether the text says these words, in the singular or the plural."""
    stem = re.escape(words.removesuffix("s"))
    return re.search(rf"(?<!\w){stem}(?:s|es|'s)?(?!\w)", text, re.IGNORECASE) is not None


def _agree(one: _Candidate, other: _Candidate) -> bool:
    """Return whether two readings find the same rows, in whatever order and under whatever names."""
    return not (one.rows.truncated or other.rows.truncated) and _bag(one.rows) == _bag(other.rows)


def _bag(rows: Rows) -> Counter[tuple[Hashable, ...]]:
    return Counter(tuple(map(_comparable, row)) for row in rows.values)


def _comparable(value: Any) -> Hashable:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | Decimal):
        return int(value) if value == value.__round__() else f"{value:.{DIGITS}g}"
    return repr(value)


def _count(number: int) -> str:
    return {2: "both", 3: "all three"}.get(number, str(number))
