"""Knows which words may mean which table, column or value of one database; built once per catalog."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agents.offline.english.compounds import with_compounds
from agents.offline.english.operators import NOISE
from agents.offline.english.vocabulary import DEMONYMS, SYNONYMS, VALUE_WORDS
from agents.offline.english.words import Word, singular, split, stem
from agents.offline.meaning.foreign import bent
from agents.offline.meaning.joins import Joins
from agents.offline.meaning.naming import Naming
from agents.offline.meaning.units import unit_alone, units_of
from agents.offline.plan import Col
from tools.catalog import Catalog, Column, Table, Value

EXACT, SYNONYM, PART, ABBREVIATED, DESCRIBED = 1.0, 0.85, 0.7, 0.6, 0.5
"""How sure a match is: the whole name, another word for it, its last word, its beginning, a word of its description."""

_DERIVING = ("er", "or", "ing", "ed", "ly", "al", "ment", "ion", "ness", "ship", "able")
"""Endings that make another word of one: a publisher is not what was published."""
_COUNTING = frozenset({"number", "of", "total", "count"})
_PREPOSITIONS = frozenset({"by", "to", "from", "at", "in", "on", "for"})
_VERBS = frozenset({"is", "has", "was"})
_ROWS = ("row", "record", "entry")
"""What a person calls the rows of one file, whatever they are."""
_LONGEST_WORD = 25
_LONGEST = 6
"""Words that a name or value may span."""


@dataclass(frozen=True)
class Meaning:
    """What some words may stand for: a table, a column of it, or a value in that column."""

    table: str
    column: str | None = None
    value: str | None = None
    """As the data spells it."""
    score: float = EXACT
    length: int = 1
    """How many of the name's words were said."""
    owned: bool = False
    """The words named the table too: "singer name"."""

    @property
    def col(self) -> Col:
        assert self.column is not None
        return Col(self.table, self.column)

    def spells(self, word: Word) -> bool:
        """Whether the value is the word itself, not another form of it."""
        return (self.value or "").strip().lower() == word.lower


@dataclass(frozen=True)
class _Entry:
    stems: tuple[str, ...]
    meaning: Meaning


class Lexicon:
    """The words of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.naming = Naming(catalog)
        self.joins = Joins(catalog, self.naming)
        self.units = units_of(catalog)
        self.is_flat = len(catalog.tables) == 1
        """Whether all there is stands in one table, as in a file that somebody saved."""
        self._synonyms = _by_word(SYNONYMS)
        self._names: dict[str, list[_Entry]] = defaultdict(list)
        self._values: dict[str, list[_Entry]] = defaultdict(list)
        self._described: dict[str, list[Meaning]] = defaultdict(list)
        for table in catalog:
            self._learn_table(table)
            if not self.naming.is_english:
                self._learn_written(table)
        self._spelled = {_without_doubles(word): word for word in self._names if len(word) >= 5}

    def table(self, name: str) -> Table:
        found = self.catalog.table(name)
        assert found is not None
        return found

    def column(self, col: Col) -> Column:
        found = self.table(col.table).column(col.name)
        assert found is not None
        return found

    def names_at(self, words: Sequence[Word]) -> list[tuple[int, Meaning]]:
        """Return the tables and columns that the words begin by naming, each with how many words it took."""
        if not words or words[0].quoted:
            return []
        stems = [w.stem for w in words[: _LONGEST + 3] if not w.quoted]
        found: dict[tuple[int, str, str | None], Meaning] = {}
        for entry in self._candidates(stems[0]):
            matched = self._match(entry.stems, stems)
            if matched and (entry.meaning.score >= SYNONYM or matched[1] >= EXACT):
                used, score = matched
                key = (used, entry.meaning.table, entry.meaning.column)
                better = _scored(entry.meaning, entry.meaning.score * score)
                if key not in found or found[key].score < better.score:
                    found[key] = better
        return [(key[0], meaning) for key, meaning in found.items()]

    def values_at(self, words: Sequence[Word], extra: Iterable[Value] = ()) -> list[tuple[int, Meaning]]:
        """Return the values that the words begin by naming, each with how many words it took."""
        if not words:
            return []
        first = words[0]
        starts = {first.stem, stem(singular(first.lower)), *_stems(first.text)[:1]}
        known = {e.meaning: e for start in starts for e in self._values.get(start, ())}
        given = (self._entry(v.table, v.column, v.text) for v in extra)
        entries = [*known.values(), *(e for e in given if e.meaning not in known)]
        stems = tuple(s for w in words[:_LONGEST] for s in _stems(w.text))
        widths = [len(_stems(w.text)) for w in words[:_LONGEST]]
        found = []
        for entry in entries:
            used = _used(stems[: len(entry.stems)] == entry.stems, len(entry.stems), widths)
            if used and (used > 1 or _may_be_value(first, entry.meaning)):
                found.append((used, entry.meaning))
        return found or self._special_values(first)

    def letters(self, word: Word) -> list[tuple[int, Meaning]]:
        """Return the values that are just this letter."""
        return [
            (1, e.meaning) for e in self._values.get(word.lower, ()) if (e.meaning.value or "").strip() == word.text
        ]

    def described_by(self, word: str, alone: bool = True) -> list[Meaning]:
        """Return what a word may mean because a description says it: that of one table or column `alone`, or any."""
        found = self._described.get(word, [])
        if len(found) == 1 or not alone:
            return found
        whole = [m for m in found if m.column is None]
        alone_there = len(whole) == 1 and all(m.table == whole[0].table for m in found)
        return [Meaning(whole[0].table, score=SYNONYM)] if alone_there else []

    def nearest_name(self, word: Word) -> str | None:
        """Return the name's word that this one is probably a misspelling of."""
        if not 6 <= len(word.lower) <= _LONGEST_WORD or word.quoted:
            return None
        return next((self._spelled[s] for s in _misspellings(word.stem) if s in self._spelled), None)

    def _candidates(self, first: str) -> Iterator[_Entry]:
        yield from self._names.get(first, ())
        for other in self._synonyms.get(first, ()):
            if other != first:
                yield from self._names.get(other, ())
        if len(first) >= 6:
            for length in range(4, len(first)):
                yield from (e for e in self._names.get(first[:length], ()) if len(e.stems[0]) == length)

    def _match(self, name: tuple[str, ...], said: Sequence[str]) -> tuple[int, float] | None:
        """Return how many words say the name and how well, or None; "of the" may stand in between."""
        score, at, exact = 1.0, 0, len(name) == 1
        for part in name:
            while at and at < len(said) and said[at] in {"the", "a", "an"}:
                at += 1
            if at >= len(said):
                return None
            likeness = self._likeness(part, said[at])
            score, exact = min(score, likeness), exact or likeness == EXACT
            if not score:
                return None
            at += 1
        return (at, score) if exact else None  # an "order cost" is no "purchase price", though each word may be

    def _likeness(self, part: str, said: str) -> float:
        if part == said:
            return EXACT
        if part in self._synonyms.get(said, ()):
            return SYNONYM
        rest = said.removeprefix(part)
        shortened = len(part) >= 4 and len(rest) >= 2 and rest != said and not rest.startswith(_DERIVING)
        return ABBREVIATED if shortened else 0.0

    def _learn_table(self, table: Table) -> None:
        words = self.naming.table(table.name)
        self._learn(words, Meaning(table.name, length=len(words)))
        if len(words) > 1:
            self._learn(words[-1:], Meaning(table.name, score=SYNONYM if self._is_alone(words[-1], table) else PART))
        for word in self._of_rows(table):
            self._learn((word,), Meaning(table.name))
        label = self.naming.label(table.name)
        if label[0] != self.naming.key(table.name):
            self._learn(("name",), Meaning(table.name, label[0], score=SYNONYM))
            self._learn((*words, "name"), Meaning(table.name, label[0], score=SYNONYM, owned=True))
        for phrase in _other_names(table.description, ()):
            self._learn(phrase, Meaning(table.name, score=SYNONYM, length=len(phrase)))
        for word in _content(table.description):
            self._described[word].append(Meaning(table.name, score=DESCRIBED))
        for column in table.columns:
            self._learn_column(table, column, words)

    def _of_rows(self, table: Table) -> list[str]:
        """Return what else one flat file's rows are called: trips, where a "trip date" says when each of them was."""
        if len(self.catalog.tables) != 1 or self.naming.key(table.name) is not None:
            return []
        columns = {c.name: self.naming.column(table.name, c.name) for c in table.columns}
        dated = [columns[c.name][0] for c in table.columns if c.kind == "date" and columns[c.name][1:] == ("date",)]
        return [*_ROWS, *(word for word in dated if sum(word in words for words in columns.values()) == 1)]

    def _is_alone(self, word: str, table: Table) -> bool:
        """Whether the last word of a table's name can mean that table only: "tickets" for support tickets.

        Keys mean no other table, nor does an order's date where an order is known by its order number.
        """
        key = self.naming.key(table.name)
        numbered = key is not None and self.naming.column(table.name, key)[0] == word
        tables = sum(self.naming.table(t.name)[-1] == word for t in self.catalog)
        said = (
            self.naming.column(t.name, c.name)
            for t in self.catalog
            for c in t.columns
            if not (numbered and t is table) and c.name not in _keys(t)
        )
        return tables == 1 and not any(word in words and words[-1] not in {"id", "at", "on", "by"} for words in said)

    def _learn_column(self, table: Table, column: Column, own: tuple[str, ...]) -> None:
        words = self.naming.column(table.name, column.name)
        meaning = Meaning(table.name, column.name, length=len(words))
        bare = words[len(own) :] if words[: len(own)] == own and len(words) > len(own) else words
        if bare == words and len(words) > 1 and words[0] == own[-1]:
            bare = words[1:]
        self._learn(words, meaning)
        self._learn_bare(table, column, bare, own)
        foreign = any(column.name in key.columns for key in table.foreign_keys)
        if len(bare) == 2 and not foreign:
            self._learn((bare[1], "of", bare[0]), meaning)
        if len(bare) > 1 and bare[0] in _VERBS:
            self._learn(bare[1:], meaning)
        if len(bare) == 2 and bare[1] in _PREPOSITIONS:
            self._learn(bare[:1], Meaning(table.name, column.name, score=SYNONYM))  # "directed by": director
        if len(bare) > 1:
            self._learn(bare[-1:], Meaning(table.name, column.name, score=PART))
            self._learn(bare[:1], Meaning(table.name, column.name, score=PART - 0.45))
        if len(words) > 1 and words[-1] == "price":
            self._learn(("cost",), Meaning(table.name, column.name, score=PART))
        if len(bare) > 2:
            self._learn(bare[-2:], Meaning(table.name, column.name, score=PART + 0.1, length=2))
            if not _COUNTING & set(bare[:2]):
                self._learn(bare[:2], Meaning(table.name, column.name, score=PART, length=2))
        counted = re.match(r"how many (\w+)", column.description, re.IGNORECASE) if column.kind == "number" else None
        if counted:  # "How many people came in": people are what the column counts
            self._learn((counted[1].lower(),), Meaning(table.name, column.name, score=SYNONYM))
        for phrase in unit_alone(self.catalog, column):
            self._learn(phrase, Meaning(table.name, column.name, score=SYNONYM, length=len(phrase)))
        for phrase in _other_names(column.description, column.values):
            self._learn(phrase, Meaning(table.name, column.name, score=SYNONYM, length=len(phrase)))
        for word in _content(column.description):
            self._described[word].append(Meaning(table.name, column.name, score=DESCRIBED))
        for value in column.values:
            entry = self._entry(table.name, column.name, value)
            if entry.stems:
                self._values[entry.stems[0]].append(entry)

    def _learn_written(self, table: Table) -> None:
        """Learn the names of a schema in another language as they are written, and bent as its nouns may be."""
        for words in self.naming.written(table.name):
            for form in _forms(words):
                self._learn(form, Meaning(table.name, length=len(form)))
        for column in table.columns:
            words = tuple(self.naming.say_column(table.name, column.name).split())
            for form in _forms(words):
                self._learn(form, Meaning(table.name, column.name, length=len(form)))

    def _learn_bare(self, table: Table, column: Column, bare: tuple[str, ...], own: tuple[str, ...]) -> None:
        meaning = Meaning(table.name, column.name, length=len(bare))
        self._learn(bare, meaning)
        names = {own, own[-1:]} | ({own[:1]} if self._may_begin_with_table(column, own, bare) else set())
        for name in names if bare[-1] not in _PREPOSITIONS and bare[0] not in _VERBS else ():
            owned = Meaning(table.name, column.name, length=len(bare) + len(name), owned=True)
            self._learn((*name, *bare), owned)
        if bare[0] in {"number", "total"} and len(bare) == 2:
            self._learn((bare[0], "of", bare[1]), meaning)

    def _may_begin_with_table(self, column: Column, own: tuple[str, ...], bare: tuple[str, ...]) -> bool:
        """Whether a number may be said with the first word of its table: "exam score" for scores of exam entries."""
        named = any(self.naming.table(t.name)[:2] == (own[0], *bare)[:2] for t in self.catalog)
        return column.kind == "number" and len(bare) == 1 and not named and not self.naming.is_key_like(bare)

    def _learn(self, words: Sequence[str], meaning: Meaning) -> None:
        if all(w.isdigit() for w in words):
            return  # the 2 of an area in m2 names nothing
        stems = tuple(w.stem for w in with_compounds([Word(w, w.lower(), stem(w)) for w in words]))
        self._names[stems[0]].append(_Entry(stems, meaning))

    def _entry(self, table: str, column: str, value: str) -> _Entry:
        return _Entry(_stems(value), Meaning(table, column, value))

    def _special_values(self, word: Word) -> list[tuple[int, Meaning]]:
        """Return values that go by another word: French for France, female for F."""
        found = []
        letter, columns = VALUE_WORDS.get(singular(word.lower), VALUE_WORDS.get(word.stem, ("", frozenset())))
        place = DEMONYMS.get(singular(word.lower), "")
        for entry in [*self._values.get(letter, ()), *self._values.get(stem(place.split(" ")[0]), ())]:
            spelled = (entry.meaning.value or "").strip().lower()
            named = set(self.naming.column(entry.meaning.table, entry.meaning.column or ""))
            if (letter and spelled == letter and named & columns) or (place and spelled == place):
                found.append((1, _scored(entry.meaning, SYNONYM)))
        return found


def _keys(table: Table) -> set[str]:
    return {c for key in table.foreign_keys for c in key.columns} | set(table.primary_key)


def _forms(words: tuple[str, ...]) -> set[tuple[str, ...]]:
    *first, last = (w.lower() for w in words)
    return {(*first, form) for form in bent(last)}


def _scored(meaning: Meaning, score: float) -> Meaning:
    return Meaning(meaning.table, meaning.column, meaning.value, score, meaning.length, meaning.owned)


def _stems(text: str) -> tuple[str, ...]:
    return tuple(
        w.stem for w in split(text.replace("'", " ").replace('"', " ")) if w.stem.isalnum() or w.number is not None
    )


def _used(same: bool, wanted: int, widths: Sequence[int]) -> int:
    """Return how many words make up the first `wanted` stems, 0 where that ends within a word."""
    if not same or not wanted:
        return 0
    total = 0
    for n, width in enumerate(widths, 1):
        total += width
        if total == wanted:
            return n
    return 0


def _may_be_value(word: Word, meaning: Meaning) -> bool:
    """Whether one word alone may name a value: not by chance, as "no" or "in" might."""
    if word.quoted:
        return True
    spelled = (meaning.value or "").strip()
    if word.number is not None and not word.capital:
        return False
    if len(spelled) <= 2:
        return (
            word.text == spelled and not (len(spelled) == 1 and word.lower in {"a", "i", "s"}) and word.text.isupper()
        )
    return word.lower not in NOISE and (len(spelled) > 2 or word.text[:1] == spelled[:1])


def _without_doubles(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word)


def _misspellings(word: str) -> Iterator[str]:
    """Yield the word without doubled letters, and with each two neighbours exchanged.

    Other slips are not corrected: they make other words, like contact of contract.
    """
    yield _without_doubles(word)
    for n in range(1, len(word) - 1):
        yield _without_doubles(word[:n] + word[n + 1] + word[n] + word[n + 2 :])


def _content(text: str) -> set[str]:
    return {w.stem for w in split(text) if w.lower not in NOISE and len(w.lower) > 3 and not w.quoted}


def _other_names(description: str, values: Iterable[str]) -> list[tuple[str, ...]]:
    """Return what a description says after a colon: other names, as in "Who buys: clients, shoppers."."""
    _, colon, rest = description.partition(":")
    held = {v.strip().lower() for v in values}
    phrases = re.split(r"[,;.]| or | and ", rest) if colon else []
    names = [tuple(p.lower().split()) for p in phrases if p.strip() and p.strip().lower() not in held]
    return [n for n in names if len(n) <= 3 and all(w.isalpha() for w in n) and not (len(n) == 1 and n[0] in NOISE)]


def _by_word(groups: Iterable[frozenset[str]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for group in groups:
        stems = {stem(w) for w in group}
        for word in stems:
            found[word] |= stems
    return {word: frozenset(others) for word, others in found.items()}
