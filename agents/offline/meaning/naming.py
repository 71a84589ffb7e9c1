"""Takes a database's names apart into words, and finds the columns that identify and that name a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from agents.offline.english.vocabulary import ABBREVIATIONS, KEY_WORDS, LABEL_WORDS, SCHEMA_WORDS
from agents.offline.english.words import name_words, singular
from tools.catalog import Catalog, Column, Table

_SHORT_PARTS = frozenset({"id", "tx", "dt", "no", "is", "up", "ad"})
_NOT_A_NAME = frozenset({"first", "last", "middle", "user", "file"})


class Naming:
    """The names of one catalog, as people would say them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._vocabulary = _vocabulary(catalog)
        shared = _shared_prefix([t.name.rpartition(".")[2] for t in catalog], enough=3)
        self._tables = {t.name: self._words(t.name.rpartition(".")[2][len(shared) :]) for t in catalog}
        self._columns = {(t.name, c): w for t in catalog for c, w in self._column_words(t)}
        self._shared = Counter(c.name.lower() for t in catalog for c in t.columns)
        self._homes = {name: self._home(name) for name in self._shared}
        self._keys = {t.name: self._key(t) for t in catalog}
        self._labels = {t.name: self._label(t) for t in catalog}

    def table(self, name: str) -> tuple[str, ...]:
        """Return the table's name as singular lower-case words."""
        return self._tables[name]

    def column(self, table: str, name: str) -> tuple[str, ...]:
        """Return the column's name as singular words, without what it repeats of other columns' names."""
        return self._columns[table, name]

    def say_table(self, name: str, many: bool = True) -> str:
        words = self._tables[name]
        return " ".join((*words[:-1], plural(words[-1]) if many else words[-1]))

    def say_column(self, table: str, name: str) -> str:
        """Return the column's words, its last one in the plural where the name has it so: "visitors"."""
        *first, last = self._columns[table, name]
        ending = name_words(name)[-1:]
        return " ".join((*first, ending[0] if ending and singular(ending[0]) == last else last))

    def key(self, table: str) -> str | None:
        """Return the one column that identifies a row, or None where there is none."""
        return self._keys[table]

    def label(self, table: str) -> tuple[str, ...]:
        """Return the columns that a person would call a row by: its name, or first and last name; never empty."""
        return self._labels[table]

    def home(self, column: str) -> str:
        """Return the table that a column name shared by several tables comes from."""
        return self._homes[column.lower()]

    def is_key_like(self, words: tuple[str, ...]) -> bool:
        last = words[-1]
        return last in KEY_WORDS or (last.endswith("id") and len(last) <= 4) or (last == "name" and len(words) > 1)

    def _words(self, name: str) -> tuple[str, ...]:
        words: list[str] = list(ABBREVIATIONS.get(name.lower(), ()))
        for word in () if words else name_words(name):
            words.extend(ABBREVIATIONS.get(word) or self._unglue(word))
        return tuple(singular(w) for w in words) or (name.lower(),)

    def _unglue(self, word: str) -> tuple[str, ...]:
        """Return the known words that a word is glued from, or the word itself."""
        if len(word) < 5 or word in self._vocabulary:
            return (word,)
        parts = _cover(word, self._vocabulary)
        return tuple(p for part in parts for p in ABBREVIATIONS.get(part, (part,))) if parts else (word,)

    def _column_words(self, table: Table) -> Iterable[tuple[str, tuple[str, ...]]]:
        shared = _shared_prefix([c.name for c in table.columns], enough=4)
        for column in table.columns:
            words = self._words(column.name[len(shared) :])
            own = self._tables[table.name]
            words = tuple(own[-1] if _abbreviates(w, own[-1]) else w for w in words)
            yield column.name, words

    def _home(self, column: str) -> str:
        holders = [(t, c) for t in self._catalog for c in t.columns if c.name.lower() == column]

        def fit(table: Table, held: Column) -> tuple[bool, ...]:
            unique = held.distinct is not None and held.distinct == table.row_count
            own_keys = sum(self._shared[c.name.lower()] > 1 for c in table.columns)
            return (table.primary_key == (held.name,), unique, table.name.lower()[0] == column[0], own_keys == 1)

        return max(holders, key=lambda holder: (*fit(*holder), len(holder[0].columns)))[0].name

    def _key(self, table: Table) -> str | None:
        if len(table.primary_key) == 1:
            return table.primary_key[0]
        if table.primary_key:
            return None
        own = self._tables[table.name]
        for column in table.columns:
            if self.column(table.name, column.name) in {("id",), (*own, "id")}:
                return column.name
        for column in table.columns:
            words = self.column(table.name, column.name)
            unique = column.distinct is not None and column.distinct == table.row_count
            if unique and self.is_key_like(words) and self.home(column.name) == table.name:
                return column.name
        return None

    def _label(self, table: Table) -> tuple[str, ...]:
        texts = [c for c in table.columns if c.kind == "text"]
        by_words = {self.column(table.name, c.name): c.name for c in reversed(texts)}
        own = self._tables[table.name]
        if (("name",) not in by_words) and (person := self._person(table)):
            return person
        for word in LABEL_WORDS[:2]:
            for words in ((word,), (*own, word), (own[-1], word)):
                if words in by_words:
                    return (by_words[words],)
        if own in by_words or (own[-1],) in by_words:
            return (by_words.get(own) or by_words[own[-1],],)
        for word in LABEL_WORDS:
            found = [c for w, c in reversed(by_words.items()) if w[-1] == word and w[0] not in _NOT_A_NAME]
            if found:
                return (found[0],)
        key = self._keys[table.name]
        keys = {c for foreign in table.foreign_keys for c in foreign.columns}
        distinctive = [
            c.name
            for c in texts
            if c.distinct and c.distinct == table.row_count and c.name not in keys and c.name != key
        ]
        if distinctive:
            return (distinctive[0],)
        return (key,) if key else tuple(table.primary_key) or (table.columns[0].name,)

    def _person(self, table: Table) -> tuple[str, ...]:
        """Return the columns of a first and a last name, in this order, or nothing."""
        by_words = {self.column(table.name, c.name): c.name for c in table.columns if c.kind == "text"}
        first = [c for w, c in by_words.items() if w[0] in {"first", "given"} or w[0] == "forename"]
        last = [c for w, c in by_words.items() if w[0] in {"last", "family"} or w[0] == "surname"]
        return (first[0], last[0]) if first and last else ()


def plural(word: str) -> str:
    """Return a noun's plural, for sentences."""
    if word.endswith("s") and not word.endswith("ss"):
        return word
    if word in {"person", "child", "man", "woman"}:
        return {"person": "people", "child": "children", "man": "men", "woman": "women"}[word]
    if word.endswith("y") and word[-2:-1] not in set("aeiou"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh", "z")) else "s")


def possessive(noun: str) -> str:
    """Return whose something is: "orders'", "people's"."""
    return f"{noun}'" if noun.endswith("s") else f"{noun}'s"


def _abbreviates(word: str, whole: str) -> bool:
    return 3 <= len(word) < len(whole) and whole.startswith(word) and word not in SCHEMA_WORDS


def _vocabulary(catalog: Catalog) -> frozenset[str]:
    names = [t.name.rpartition(".")[2] for t in catalog] + [c.name for t in catalog for c in t.columns]
    separated = {w for name in names if len(name_words(name)) > 1 or len(name) <= 8 for w in name_words(name)}
    return SCHEMA_WORDS | {w for w in separated | {singular(w) for w in separated} if len(w) >= 4}


def _shared_prefix(names: list[str], enough: int) -> str:
    """Return what all names begin with, where that says nothing: `sb` of sbcustomer, sbticker; else ""."""
    lowered = [n.lower() for n in names]
    prefix = _begins_all(lowered) if len(names) >= enough else ""
    if "_" in prefix:
        prefix = prefix[: prefix.rindex("_") + 1]
    elif len(prefix) < 2 or any("_" in n for n in names):
        return ""
    return prefix if all(len(n) > len(prefix) for n in names) else ""


def _begins_all(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    same = [a == b for a, b in zip(first, last, strict=False)]
    return first[: same.index(False) if False in same else len(same)]


def _cover(word: str, vocabulary: frozenset[str]) -> tuple[str, ...] | None:
    """Return the fewest known words that make up the word, or None."""

    @cache
    def best(at: int) -> tuple[str, ...] | None:
        if at == len(word):
            return ()
        ways = []
        for end in range(at + 2, len(word) + 1):
            part = word[at:end]
            if part in _SHORT_PARTS or (len(part) >= 3 and (part in vocabulary or part in ABBREVIATIONS)):
                rest = best(end)
                if rest is not None:
                    ways.append((part, *rest))
        return min(ways, key=len) if ways else None

    return best(0)
