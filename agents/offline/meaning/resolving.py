"""Decides, where words may mean several things in a database, which of them a question's tables make likely."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agents.offline.english.vocabulary import ADJECTIVES, LABEL_WORDS, MONEY_EARNED
from agents.offline.english.words import name_words, stem
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT, PART, SYNONYM, Lexicon, Meaning
from agents.offline.plan import Col, Measure
from tools.catalog import Column

_NOT_EVENTS = frozenset(
    "birth born created updated modified due expiry expire end termination deleted timestamp".split()
)
"""Words of dates that say when a row was kept or ends, not when the thing happened."""
_MONEY_COLUMNS = tuple(
    tuple(name.split())
    for name in (
        "revenue, line total, total price, total amount, sale amount, sale price, net amount, amount, total, "
        "grand total, order total, subtotal, sale, amount paid, paid amount"
    ).split(", ")
)
_YEAR_WORDS = frozenset(
    "published released founded established built opened made launched issued publication release".split()
)
_PRICES = (("unit", "price"), ("price",), ("sale", "price"))
_QUANTITIES = (("quantity",), ("unit",), ("order", "quantity"))


_AMOUNTS = frozenset(
    "quantity number count total amount sum rating score rank year age level price position id day month hour".split()
)
"""Words of columns that hold numbers, even where only 0 and 1 occur so far."""


_WIDE = 12
"""Columns up to which a row without a name is listed whole."""


class NotUnderstood(Exception):
    """A part of the question that matters was not understood; the text says which."""


class AskedBack(NotUnderstood):
    """All was understood but whether a column is added up or averaged, which the text asks for."""

    def __init__(self, text: str, column: Col) -> None:
        super().__init__(text)
        self.column = column


class Ambiguous(NotUnderstood):
    """A word may mean several things; `readings` say each of them so that it is one."""

    def __init__(self, text: str, word: str, readings: tuple[str, ...]) -> None:
        super().__init__(text)
        self.word = word
        self.readings = readings


class Resolver:
    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.mentioned: list[str] = []
        """Tables that the question names, in order."""

    def table(self, item: Item, at_least: float = SYNONYM) -> str | None:
        """Return the table that an item names, the closest to those already mentioned where several fit."""
        fits = [m for m in item.tables if m.score >= at_least]
        if not fits:
            return None
        best = max(fits, key=lambda m: (m.score, m.length, m.table in self.mentioned))
        return best.table

    def column(self, item: Item, context: Sequence[str], numeric: bool = False) -> Col | None:
        """Return the column that an item names, nearest to the tables of the context, the likeliest table first."""
        options = [m for m in item.columns if not numeric or self._is_number(m)]
        ranked = sorted(((self._rank(m, context), m) for m in options), key=lambda pair: -pair[0])
        if not ranked or (ranked[0][0] < PART - 0.1 and len({m.col for m in options}) > 1) or ranked[0][0] < 0:
            return None
        best = self._exact_beside([m for _, m in ranked], ranked[0][1])
        if best.score < PART and (named := self._called(ranked, best)) is not None:
            return named
        rivals = [m for rank, m in ranked[1:] if rank >= ranked[0][0] - 0.01 and m.col != best.col]
        if rivals and any(m.score > best.score for m in item.tables):
            return None
        if rivals:
            raise Ambiguous(
                f"“{item.text}” may be {self._say(best)} or {self._say(rivals[0])}: say which one you mean.",
                item.text,
                self._names((best, *rivals)),
            )
        return best.col

    def _exact_beside(self, options: Sequence[Meaning], best: Meaning) -> Meaning:
        """Return the column that is called just so, where rows of its table belong to those of the likeliest one.

        Of a plan's “max seats” and a subscription's “seats” the seats are the subscription's.
        """
        exact = [m for m in options if m.score >= EXACT and self.lexicon.joins.to_one(m.table, best.table)]
        return exact[0] if best.score < SYNONYM and len({m.col for m in exact}) == 1 else best

    def _called(self, ranked: Sequence[tuple[float, Meaning]], best: Meaning) -> Col | None:
        """Return, of columns that begin with a word, the one that names the thing: "song" is the song's name."""
        same = [m for rank, m in ranked if rank >= ranked[0][0] - 0.01 and m.table == best.table]
        names = [m.col for m in same if self.lexicon.naming.column(m.table, m.col.name)[-1] in LABEL_WORDS]
        return names[0] if len(names) == 1 else None

    def value(self, item: Item, context: Sequence[str], near: Iterable[Meaning] = ()) -> Meaning | None:
        """Return where an item's value lies; `near` are names said beside it ("the city Aberdeen")."""
        named = list(near)
        beside = {m.col for m in named if m.column is not None}
        tables = {m.table for m in named if m.column is None}

        def rank(m: Meaning) -> float:
            bonus = 1.0 if m.col in beside else 0.0
            bonus += 0.6 if m.table in tables else 0.0
            bonus += 0.6 if (m.value or "").strip().lower() == item.text.lower() else 0.0
            label = 0.05 if m.column in self.lexicon.naming.label(m.table) else 0.0
            return m.score + bonus + label + self._closeness(m.table, context)

        ranked = sorted(((rank(m), m) for m in item.values), key=lambda pair: -pair[0])
        if not ranked or ranked[0][0] < 0:
            return None
        best = ranked[0][1]
        rivals = [m for r, m in ranked[1:] if r >= ranked[0][0] - 0.01 and m.col != best.col]
        if rivals and rivals[0].table != best.table:
            raise Ambiguous(
                f"“{item.text}” is {self._say(best)} as well as {self._say(rivals[0])}: say which one you mean.",
                item.text,
                tuple(f"{name} {item.text}" for name in self._names((best, *rivals))),
            )
        return best

    def degree(self, adjective: str, tables: Sequence[str], verb: Item | None = None) -> Col | None:
        """Return the column that an adjective is a degree of: age for "old", nearest to the tables."""
        _, hints = ADJECTIVES.get(stem_of_adjective(adjective), (True, ()))
        for table in tables:
            for hint in hints:
                if hint == "date":
                    found = self.date(table, verb)
                    if found:
                        return found
                    continue
                columns = self.lexicon.table(table).columns
                fits = [c for c in columns if self._words(table, c)[-1] == hint or hint in self._words(table, c)]
                fits = [c for c in fits if c.kind == "date" or self.is_numeric(Col(table, c.name))]
                if len(fits) >= 1:
                    return Col(table, min(fits, key=lambda c: len(self._words(table, c))).name)
        return None

    def date(self, table: str, verb: Item | None = None) -> Col | None:
        """Return the date column that says when a row of the table happened, by a verb's word where one fits."""
        dates = [c for c in self.lexicon.table(table).columns if c.kind == "date"]
        if not dates:
            return None
        if verb is not None:
            said = {m.col for m in verb.columns if m.table == table}
            hinted = [c for c in dates if Col(table, c.name) in said]
            if hinted:
                return Col(table, hinted[0].name)
        own = set(self.lexicon.naming.table(table))
        events = [c for c in dates if not _NOT_EVENTS & set(self._words(table, c))]
        events = events or [c for c in dates if not self.is_birth(Col(table, c.name))] or dates
        return Col(table, max(events, key=lambda c: bool(own & set(self._words(table, c)))).name)

    def year(self, table: str) -> Col | None:
        """Return a column of plain year numbers."""
        columns = [c for c in self.lexicon.table(table).columns if c.kind in {"number", "text"}]
        named = [c for c in columns if "year" in self._words(table, c) and not _NOT_EVENTS & set(self._words(table, c))]
        dated = [c for c in columns if _YEAR_WORDS & set(self._words(table, c)) and _are_years(c.samples)]
        found = [*named, *dated, *(c for c in columns if "year" in self._words(table, c))]
        return Col(table, found[0].name) if found else None

    def place(self, table: str) -> Col | None:
        """Return the column that says where a row is."""
        for word in ("city", "town", "location", "place", "address", "country", "region"):
            for column in self.lexicon.table(table).columns:
                if word in self._words(table, column):
                    return Col(table, column.name)
        return None

    def yes(self, column: Col) -> str | int | None:
        """Return how a column of yes and no spells yes, or None for any other column."""
        found = self.lexicon.column(column)
        held = {v.strip().lower(): v for v in (found.values or found.samples)}
        if found.kind == "boolean":
            return True
        for yes, no in (("yes", "no"), ("y", "n"), ("t", "f"), ("true", "false")):
            if yes in held and set(held) <= {yes, no}:
                return held[yes]
        words = self.lexicon.naming.column(column.table, column.name)
        if found.kind != "number" or not held or not set(held) <= {"0", "1"} or found.distinct not in {1, 2}:
            return None
        counted = name_words(column.name)[-1] != words[-1] or bool(_AMOUNTS & set(words))
        named = words[0] in {"is", "has", "was", "can"}
        return 1 if named or (found.distinct == 2 and not counted and not self._is_key(column)) else None

    def _is_key(self, column: Col) -> bool:
        table = self.lexicon.table(column.table)
        return column.name in table.primary_key or any(column.name in key.columns for key in table.foreign_keys)

    def is_year(self, col: Col) -> bool:
        """Whether a column holds plain year numbers."""
        column, words = self.lexicon.column(col), set(self.lexicon.naming.column(col.table, col.name))
        return column.kind != "date" and ("year" in words or (bool(_YEAR_WORDS & words) and _are_years(column.samples)))

    def is_event(self, col: Col) -> bool:
        """Whether a date says when something happened, not when a row was kept or somebody was born."""
        return not _NOT_EVENTS & set(self.lexicon.naming.column(col.table, col.name))

    def shown(self, table: str) -> tuple[Col, ...]:
        """Return what stands for a row in a list: its name, or what is known of it where it has none."""
        naming, columns = self.lexicon.naming, self.lexicon.table(table).columns
        label = naming.label(table)
        nameless = (label == (naming.key(table),) or naming.is_nameless(table)) and len(columns) <= _WIDE
        return tuple(Col(table, name) for name in ([c.name for c in columns] if nameless else label))

    def holds_zero(self, col: Col) -> bool:
        """Whether a column of amounts says 0 where there was none, as its samples show."""
        return self.is_numeric(col) and any(
            _is_number_text(s) and not float(s) for s in self.lexicon.column(col).samples
        )

    def price(self, table: str, only: bool = False) -> Col | None:
        """Return the column of a price, the `only` one or the first."""
        columns = self.lexicon.table(table).columns
        found = [c.name for c in columns if c.kind == "number" and self._words(table, c)[-1] == "price"]
        return Col(table, found[0]) if len(found) == 1 or (found and not only) else None

    def counts_back(self, col: Col) -> bool:
        """Whether the older is the smaller: a date, a year or when somebody was born."""
        return self.lexicon.column(col).kind == "date" or self.is_year(col) or self.is_birth(col)

    def is_birth(self, col: Col) -> bool:
        """Whether the column says when somebody was born: the older, the smaller."""
        return bool({"birth", "born"} & set(self.lexicon.naming.column(col.table, col.name)))

    def date_near(self, tables: Sequence[str], verb: Item | None = None) -> Col | None:
        """Return the date (or year) column of the first table that has one, else of a table each row belongs to."""
        kept: Col | None = None
        for table in tables:
            found = self.date(table, verb) or self.year(table) or self._date_of_owner(table, verb)
            said = verb is not None and found is not None and any(m.col == found for m in verb.columns)
            if found and (said or self.is_event(found)):
                return found
            kept = kept or found  # when a row was written down says less than when another thing happened
        return kept

    def _date_of_owner(self, table: str, verb: Item | None) -> Col | None:
        """Return the date of the fullest table that each row belongs to: an order's lines happened when it did."""
        owners = [s.target for s in self.lexicon.joins.steps_from(table) if s.to_one]
        for owner in sorted(owners, key=lambda t: -(self.lexicon.table(t).row_count or 0)):
            found = self.date(owner, verb)
            if found and not _NOT_EVENTS & set(self.lexicon.naming.column(found.table, found.name)):
                return found
        return None

    def money(self, tables: Sequence[str]) -> Measure | None:
        """Return what sales brought in, at the finest level from which every table is reached without doubling rows."""
        ranked: list[tuple[int, int, Measure]] = []
        for table in self.lexicon.catalog:
            if table.is_view or not all(self.lexicon.joins.to_one(table.name, t) for t in tables):
                continue
            measure = self.money_of(table.name)
            if measure:
                keys = len(table.foreign_keys)
                ranked.append(
                    (
                        -sum(w in {"refund", "return", "cost", "salary", "payment"} for w in self._about(measure)),
                        keys,
                        measure,
                    )
                )
        return max(ranked, key=lambda r: r[:2])[2] if ranked else None

    def is_money(self, word: str) -> bool:
        return stem(word.lower()) in MONEY_EARNED

    def pieces(self, table: str) -> Measure | None:
        """Return the sum of the quantities in which a table's rows were sold."""
        for other in self.lexicon.catalog:
            if other.name == table or not self.lexicon.joins.to_one(other.name, table) or not self.money_of(other.name):
                continue
            if (quantity := self.quantity(other.name)) is not None:
                return Measure("sum", other.name, quantity)
        return None

    def quantity(self, table: str) -> str | None:
        """Return the column that says how many were sold: called so, or as the unit of a price, like bottles."""
        by_words = {self._words(table, c): c.name for c in self.lexicon.table(table).columns if c.kind == "number"}
        units = tuple((words[0],) for words in by_words if len(words) == 2 and words[1] == "price")
        return next((by_words[w] for w in (*_QUANTITIES, *units) if w in by_words), None)

    def _about(self, measure: Measure) -> tuple[str, ...]:
        naming = self.lexicon.naming
        return (*naming.table(measure.table), *naming.column(measure.table, measure.column or ""))

    def money_of(self, table: str) -> Measure | None:
        """Return what the rows of one table alone brought in."""
        by_words = {self._words(table, c): c.name for c in self.lexicon.table(table).columns if c.kind == "number"}
        for words in _MONEY_COLUMNS:
            if words in by_words:
                return Measure("sum", table, by_words[words])
        quantity = self.quantity(table)
        unit = (*self.lexicon.naming.column(table, quantity), "price") if quantity is not None else ()
        price = next((by_words[w] for w in (*_PRICES, unit) if w in by_words), None)
        return Measure("sum", table, price, times=quantity) if price and quantity else None

    def _rank(self, meaning: Meaning, context: Sequence[str]) -> float:
        owned = 0.3 if meaning.owned else 0.0
        foreign = self._is_foreign_key(meaning)
        return (
            meaning.score
            + owned
            + 0.02 * meaning.length
            + self._closeness(meaning.table, context)
            - (0.15 if foreign else 0)
        )

    def _closeness(self, table: str, context: Sequence[str]) -> float:
        """Return a bonus for tables that the question is about, and a malus for those that nothing joins."""
        if table in context:
            return 0.5 - 0.1 * min(list(context).index(table), 2)
        if table in self.mentioned:
            return 0.25
        if not context:
            return 0.0
        if self.lexicon.joins.to_one(context[0], table):
            return 0.2 - 0.04 * len(self.lexicon.joins.path(context[0], table) or ())
        path = self.lexicon.joins.path(context[0], table)
        return -0.05 * len(path) if path else -3.0

    def _is_number(self, meaning: Meaning) -> bool:
        column = self.lexicon.column(meaning.col)
        return self.is_numeric(meaning.col) and not column.primary_key and not self._is_foreign_key(meaning)

    def is_numeric(self, col: Col) -> bool:
        """Whether the column holds numbers, also where they are kept as text."""
        column = self.lexicon.column(col)
        return column.kind == "number" or (
            column.kind == "text" and bool(column.samples) and all(_is_number_text(s) for s in column.samples)
        )

    def _is_foreign_key(self, meaning: Meaning) -> bool:
        table = self.lexicon.table(meaning.table)
        return any(meaning.column in key.columns for key in table.foreign_keys)

    def _words(self, table: str, column: Column) -> tuple[str, ...]:
        return self.lexicon.naming.column(table, column.name)

    def _say(self, m: Meaning) -> str:
        naming = self.lexicon.naming
        table = naming.say_table(m.table, many=False)
        if m.column is None:
            return f"the table {naming.say_table(m.table)}"
        words = naming.tell_column(m.table, m.column)
        return words if words.startswith(table) else f"{'an' if table[0] in 'aeiou' else 'a'} {table}'s {words}"

    def _names(self, meanings: Sequence[Meaning]) -> tuple[str, ...]:
        """Return a name for each column that means it alone among these."""
        naming = self.lexicon.naming
        columns = [naming.say_column(m.table, m.column or "") for m in meanings]
        if len(set(columns)) == len(columns) and len({m.table for m in meanings}) == 1:
            return tuple(columns)
        tables = [naming.say_table(m.table, many=False) for m in meanings]
        return tuple(
            words if words.startswith(table) else f"{table} {words}"
            for table, words in zip(tables, columns, strict=True)
        )


def stem_of_adjective(word: str) -> str:
    """Return the adjective of "oldest", "most recent" or "older": the key of english.ADJECTIVES."""
    return word if word in ADJECTIVES else word.removesuffix("ly")


def _are_years(samples: Sequence[str]) -> bool:
    return bool(samples) and all(len(s) == 4 and s.isdigit() and 1000 <= int(s) <= 2100 for s in samples)


def _is_number_text(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
