"""Takes a database's names apart into words, and finds the columns that identify and that name a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import dropwhile

from agents.offline.english.vocabulary import ABBREVIATIONS, KEY_WORDS, LABEL_WORDS, SCHEMA_WORDS
from agents.offline.english.words import name_words, singular, unaccented, written_words
from agents.offline.meaning.foreign import language_of, singulars
from agents.offline.meaning.units import unit_of
from tools.catalog import Catalog, Column, Table
from tools.wording import with_unit

_SHORT_PARTS = frozenset({"id", "tx", "dt", "no", "is", "up", "ad"})
_NOT_A_NAME = frozenset({"first", "last", "middle", "user", "file"})


class Naming:
    """The names of one catalog, as people would say them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._vocabulary = _vocabulary(catalog)
        self._language = None
        shared = _shared_prefix([t.name.rpartition(".")[2] for t in catalog], enough=3)
        bare = {t.name: t.name.rpartition(".")[2][len(shared) :] for t in catalog}
        names = [*bare.values(), *(c.name for t in catalog for c in t.columns)]
        self._language = language_of(_each(names, name_words), _each(names, self._words))
        self._tables = _without_years({t: self._words(name) for t, name in bare.items()})
        self._columns = {(t.name, c): w for t in catalog for c, w in self._column_words(t)}
        self._written = _without_years({t: _as_written(name) for t, name in bare.items()})
        self._written_one = {t.name: self._one_in_keys(t) for t in catalog}
        self._shared = Counter(c.name.lower() for t in catalog for c in t.columns)
        self._homes = {name: self._home(name) for name in self._shared}
        self._keys = {t.name: self._key(t) for t in catalog}
        self._labels = {t.name: self._label(t) for t in catalog}
        self._name_halves()

    def table(self, name: str) -> tuple[str, ...]:
        """Return the table's name as singular lower-case words; in English where it is in a language known here."""
        return self._tables[name]

    def column(self, table: str, name: str) -> tuple[str, ...]:
        """Return the column's name as singular words, without what it repeats of other columns' names; see `table`."""
        return self._columns[table, name]

    @property
    def is_english(self) -> bool:
        return self._language is None

    def table_named(self, name: str) -> str | None:
        """Return the table of this name, whatever the case of its letters."""
        return next((table for table in self._tables if table.lower() == name.lower()), None)

    def written(self, table: str) -> tuple[tuple[str, ...], ...]:
        """Return the names that a table of a schema in another language goes by there, each as its words."""
        return tuple(dict.fromkeys((self._written[table], self._written_one[table])))

    def say_table(self, name: str, many: bool = True) -> str:
        if self._language is not None:
            return " ".join(self._written[name] if many else self._written_one[name])
        words = self._tables[name]
        return " ".join((*words[:-1], plural(words[-1]) if many else words[-1]))

    def many(self, words: str) -> str:
        """Return the plural of a column's words; in another language than English they stay as they are."""
        first, _, last = words.rpartition(" ")
        return f"{first} {plural(last)}".strip() if self._language is None else words

    def say_column(self, table: str, name: str) -> str:
        """Return the column's words, its last one in the plural where the name has it so: "visitors"."""
        if self._language is not None:
            return " ".join(_as_written(name))
        *first, last = self._columns[table, name]
        ending = name_words(name)[-1:]
        unit = [u for u in (unit_of(name),) if u and singular(u) != last]
        return " ".join((*first, ending[0] if ending and singular(ending[0]) == last else last, *unit))

    def tell_column(self, table: str, name: str) -> str:
        """Return the column's words as sentences have them, a unit in brackets: "fare (€)"."""
        return with_unit(self.say_column(table, name))

    def key(self, table: str) -> str | None:
        """Return the one column that identifies a row, or None where there is none."""
        return self._keys[table]

    def label(self, table: str) -> tuple[str, ...]:
        """Return the columns that a person would call a row by: its name, or first and last name; never empty."""
        return self._labels[table]

    def is_nameless(self, table: str) -> bool:
        """Whether rows without a key have no name either, as what stands for them is the same in many of them."""
        found = next(t for t in self._catalog if t.name == table)
        first, *more = self._labels[table]
        column = found.column(first)
        distinct = column.distinct if column is not None else None
        dated = column is not None and column.kind == "date"  # the day of a row is no name, were there one of each
        repeats = dated or (bool(distinct and found.row_count) and 2 * (distinct or 0) <= (found.row_count or 0))
        return self._keys[table] is None and not found.primary_key and not more and repeats

    def home(self, column: str) -> str:
        """Return the table that a column name shared by several tables comes from."""
        return self._homes[column.lower()]

    def is_key_like(self, words: tuple[str, ...]) -> bool:
        last = words[-1]
        return last in KEY_WORDS or (last.endswith("id") and len(last) <= 4) or (last == "name" and len(words) > 1)

    def _words(self, name: str) -> tuple[str, ...]:
        words: list[str] = list(ABBREVIATIONS.get(name.lower(), ()))
        for word in () if words else name_words(name):
            words.extend(ABBREVIATIONS.get(word) or self._in_english(word) or self._unglue(word))
        found = tuple(singular(w) for w in words) or (name.lower(),)
        return found if self._language is None else self._language.in_english_order(found)

    def _in_english(self, word: str) -> tuple[str, ...]:
        return self._language.in_english(word) if self._language is not None else ()

    def _one_in_keys(self, table: Table) -> tuple[str, ...]:
        """Return the table's name as keys that mean one row have it: Kurs_ID of Kurse, id_cliente of clientes."""
        whole = self._written[table.name]
        keys = [*table.primary_key] + [c for t in self._catalog for k in t.foreign_keys for c in k.columns]
        for key in keys:
            words = tuple(w for w in _as_written(key) if w.lower() not in KEY_WORDS)
            plain, many = unaccented(" ".join(words).lower()), unaccented(" ".join(whole).lower())
            if plain and (plain in singulars(many)):
                return words
        return whole

    def _name_halves(self) -> None:
        """Know the nombre beside an apellido as the half of a name that it is: "name" alone asks for both."""
        for table, label in self._labels.items():
            for column, half in zip(label, ("first", "last"), strict=False):
                if len(label) == 2 and self._columns[table, column] == ("name",):
                    self._columns[table, column] = (half, "name")

    def _unglue(self, word: str) -> tuple[str, ...]:
        """Return the known words that a word is glued from, or the word itself."""
        if len(word) < 5 or word in self._vocabulary:
            return (word,)
        parts = _cover(word, self._vocabulary)
        return tuple(p for part in parts for p in ABBREVIATIONS.get(part, (part,))) if parts else (word,)

    def _column_words(self, table: Table) -> Iterable[tuple[str, tuple[str, ...]]]:
        shared = _shared_prefix([c.name for c in table.columns], enough=4)
        own = self._tables[table.name]
        found = {}
        for column in table.columns:
            words = self._words(column.name[len(shared) :])
            found[column.name] = tuple(own[-1] if _abbreviates(w, own[-1]) else w for w in words)
        bare = {name: self._without_unit(name, words) for name, words in found.items()}
        several = Counter(bare.values())
        return ((name, bare[name] if several[bare[name]] == 1 else words) for name, words in found.items())

    def _without_unit(self, name: str, words: tuple[str, ...]) -> tuple[str, ...]:
        """Return "rent" for `rent_eur`, "area" for `area_sqm`."""
        unit = unit_of(name)
        said = next((n for n in (1, 2) if unit and singular(unit) == singular("".join(words[-n:]))), 0)
        return words[:-said] if said < len(words) and said else words  # "m2" and "kWh" are read as two words

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
        if (("name",) not in by_words or self._language is not None) and (person := self._person(table)):
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
        if self._language is not None and ("name",) in by_words:  # nom beside prénom, nombre beside apellido
            first, last = first or [by_words["name",]], last or [by_words["name",]]
        return (first[0], last[0]) if first and last and first != last else ()


def _without_years(tables: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the tables' words without the numbers that some end with: nobody asks for the “jobs 2025 26” of a file."""
    bare = {table: tuple(dropwhile(str.isdigit, reversed(words)))[::-1] or words for table, words in tables.items()}
    several = Counter(bare.values())
    return {table: bare[table] if several[bare[table]] == 1 else words for table, words in tables.items()}


def _each(names: Iterable[str], words: Callable[[str], tuple[str, ...]]) -> list[str]:
    return [word for name in names for word in words(name)]


def _as_written(name: str) -> tuple[str, ...]:
    """Return a name's words with the capitals that nouns have in German, but none where all is in capitals."""
    return name_words(name) if name.isupper() else written_words(name)


def plural(word: str) -> str:
    """Return a noun's plural, for sentences; a file's year, as in "sales 2026", has none."""
    if word[-1:].isdigit() or (word.endswith("s") and not word.endswith("ss")):
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
