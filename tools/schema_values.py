"""Finds the values of a database that a question names, as the data spells them."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tools.catalog import Catalog, Value
from tools.schema_entries import words

LONGEST = 6
"""Words of a value that a question may name."""
KEPT = 20
NEAR_LENGTH = 5
"""A shorter word with one letter changed is another word."""
SHORT_END, LONG, LONG_END = 2, 8, 3
"""Letters at either end by which near values are looked up: two, or three where there are eight letters and more."""
PLACES = 4
"""A misspelled word that could be more values than this is none of them."""
SHORTEST_NUMBER = 3
SHORT_NAME = 3

# Words that a question says anyway; as values they count only as the data spells them, in capitals: "US", "IT".
_COMMON = frozenset(
    "a all am an and any are as at be by can did do does for from had has have he her his how i in is it its list many "
    "may me more most much my no not of off on one or our out over per she show so some than that the their them there "
    "these they this those to too top two under up us was we were what when where which who whose why will with yes "
    "you your total number name names date count average sum first last new old year month day week today other none "
    "unknown".split()
)
_YEAR = re.compile(r"(19|20)\d\d")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class _Phrase:
    """Words of the question that stand side by side."""

    start: int
    end: int
    spelled: str
    """As they stand in the question."""
    key: str


class ValueLookup:
    """Every value of a catalog by its words, whatever their case, accents and punctuation."""

    def __init__(self, catalog: Catalog) -> None:
        names = [table.name for table in catalog] + [column.name for table in catalog for column in table.columns]
        self._names = {word for name in names for word in words(name).split()}
        self._values: dict[str, list[Value]] = defaultdict(list)
        self._near: dict[str, list[str]] = defaultdict(list)
        for table in catalog:
            for column in table.columns:
                for text in column.values:
                    if len(parts := _WORD.findall(_plain(text))) <= LONGEST and parts:
                        self._values[" ".join(parts)].append(Value(table.name, column.name, text))
        for key in self._values:
            if len(key) >= NEAR_LENGTH and not key[0].isdigit():
                for end in _ends(key, LONG_END if len(key) >= LONG else SHORT_END):
                    self._near[end].append(key)

    def find(self, question: str) -> list[Value]:
        """Return the values that the question names, longest first, each where it stands; one letter may be wrong."""
        taken: set[int] = set()
        found: list[Value] = []
        phrases = list(_phrases(question))
        for near in (False, True):
            for phrase in phrases:
                places = range(phrase.start, phrase.end)
                if taken.intersection(places):
                    continue
                values = self._nearly(phrase) if near else self._exactly(phrase)
                if values:
                    taken.update(places)
                    found += values
        return found[:KEPT]

    def _exactly(self, phrase: _Phrase) -> list[Value]:
        if phrase.key.isdigit() and (len(phrase.key) < SHORTEST_NUMBER or _YEAR.fullmatch(phrase.key)):
            return []  # A count, a day or a year.
        values = self._values.get(phrase.key, []) or self._values.get(_singular(phrase.key), [])
        if phrase.key in _COMMON or len(phrase.key) == 1:
            return [value for value in values if value.text == phrase.spelled and not value.text.islower()]
        # "ID" asks for a column, though it is Idaho too.
        return [] if len(phrase.key) <= SHORT_NAME and phrase.key in self._names else list(values)

    def _nearly(self, phrase: _Phrase) -> list[Value]:
        # One lower-case word like "signed" is far more often itself than a slip for the name Signe.
        a_name = " " in phrase.key or (phrase.start > 0 and not phrase.spelled.islower())
        if len(phrase.key) < NEAR_LENGTH or not a_name or phrase.key in _COMMON:
            return []
        # A word of the schema is spelled right: it means the table or the column.
        if {phrase.key, _singular(phrase.key)} & self._names:
            return []
        near = {
            key
            for size in (SHORT_END, LONG_END)
            for end in _ends(phrase.key, size)
            for key in self._near.get(end, ())
            if abs(len(key) - len(phrase.key)) <= 1 and _one_slip_apart(key, phrase.key)
        }
        return [value for key in sorted(near) for value in self._values[key]] if len(near) <= PLACES else []


def _ends(key: str, size: int) -> tuple[str, str]:
    """Return the first and the last letters. One slip leaves one of the two as it was: so near values are looked up."""
    return f"{key[:size]}-", f"-{key[-size:]}"


def _phrases(question: str) -> Iterator[_Phrase]:
    """Yield the question's phrases, the longest first and then from left to right."""
    question = unicodedata.normalize("NFC", question)
    spelled = list(_WORD.finditer(question))
    plain = [" ".join(_WORD.findall(_plain(match[0]))) for match in spelled]
    for length in range(min(LONGEST, len(spelled)), 0, -1):
        for start in range(len(spelled) - length + 1):
            end = start + length
            key = " ".join(word for word in plain[start:end] if word)
            yield _Phrase(start, end, question[spelled[start].start() : spelled[end - 1].end()], key)


def _plain(text: str) -> str:
    """Return the text in lower case and without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _singular(key: str) -> str:
    return key[:-1] if key.endswith("s") and len(key) > 3 else key


def _one_slip_apart(one: str, other: str) -> bool:
    """Whether one letter changed, left out, added or swapped with its neighbour makes one of the other."""
    if len(one) > len(other):
        one, other = other, one
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[start:] == other[start + 1 :]
    swapped = one[start + 1 : start + 2] + one[start : start + 1]
    return one[start + 1 :] == other[start + 1 :] or (
        swapped == other[start : start + 2] and one[start + 2 :] == other[start + 2 :]
    )
