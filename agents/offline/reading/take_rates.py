"""Reads rates: the cancellation rate, the return rate, where a value, a flag or a table says what they count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agents.offline.english.words import root, singular, split, stem
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import SYNONYM, Meaning
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Condition, Filter, Measure, Related
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_measures import compares_next, rank_by

_HAPPENS = frozenset(
    stem(word)
    for word in "accident breakage cancellation claim complaint defect error failure fault incident no-show refund "
    "repair return".split()
)
"""What happens to some of the rows and not to others: a table of it tells to which."""


def name_rates(r: Reader) -> None:
    """Put one item in place of "cancellation rate"; decline a rate of something that no column is called."""
    for n in range(len(r.items) - 1, -1, -1):
        what, item = r.items[n - 1] if n else None, r.items[n]
        *words, last = item.text.lower().split() or ("",)  # A person may quote nothing: " ".
        if singular(last) != "rate" or item.kind == "rate":
            continue
        called = _called_rate(r, item)
        if called:
            r.items[n] = replace(item, tables=(), columns=called, meanings=called)
        if words and not called:
            raise _unclear(item.text)
        if words or (what is not None and (what.kind in _COMPUTING or (what.values and what.capital))):
            continue  # "hourly rate", "average rate", "films that Ann rated"
        if what is None or what.kind not in _NAMING or not _touch(what, item):
            if called and (what is None or what.kind != "not"):  # "no-show rate"
                continue
            raise _unclear(item.text)
        found = list(dict.fromkeys((*_of_values(r, what), *_of_flags(r, what), *_of_events(r, what))))
        if len(found) == 1:
            r.items[n - 1 : n + 1] = [_rate(r, what, item, *found[0])]
            r.items = [i for i in r.items if i.kind != "unknown" or i.text.lower() != "percent"]
        elif found or not {m.table for m in called} & {m.table for m in what.meanings}:
            raise _unclear(f"{what.text} {item.text}")


_NAMING = frozenset({"name", "verb", "unknown"})
_COMPUTING = frozenset({"aggregate", "superlative"})
_STATES = frozenset({"status", "state", "outcome", "result"})
"""Words of columns whose values are what has become of a row: not what it is."""


def take_rate(r: Reader) -> None:
    """the cancellation rate: computed, compared or ranked by like a count"""
    measure = r.take().value
    assert isinstance(measure, Measure)
    if r.ranking is not None and r.ranking.by is None:
        if r.ranking.word in {"best", "worst"}:
            raise NotUnderstood(f"Say whether the highest or the lowest {measure.said} is meant.")
        rank_by(r, measure)
    elif (not r.head or r.subject_named) and not r.pending and compares_next(r):
        r.pending_measure = measure
    else:
        r.measures.append(measure)


def _rate(r: Reader, what: Item, rate: Item, table: str, part: Filter) -> Item:
    text = f"{what.text} {rate.text}"
    rows = r.naming.say_table(table)
    if isinstance(part, Condition):
        column = r.naming.say_column(table, part.column.name)
        told = f"with {column} “{part.values[0]}”" if isinstance(part.values[0], str) else f"with {column}"
    else:
        assert isinstance(part, Related)
        told = f"with {r.naming.say_table(part.table)}"
    r.assumptions.append(f"The {text.lower()} is the share of {rows} {told}.")
    measure = Measure("share", table, only=(part,), said=text.lower())
    return replace(what, kind="rate", text=text, value=measure, meanings=(Meaning(table),), values=(), columns=())


def _of_values(r: Reader, what: Item) -> Iterator[tuple[str, Filter]]:
    """cancellation: the value "cancelled" of a status"""
    for table in r.lexicon.catalog:
        for column in table.columns if not table.is_view else ():
            becomes = bool(_STATES & set(r.naming.column(table.name, column.name)))
            for value in column.values:
                if _same(what.text, value) and (becomes or value.lower().endswith("ed")):
                    meaning = Meaning(table.name, column.name)
                    yield table.name, Condition(meaning.col, "=", (value,))


def _of_flags(r: Reader, what: Item) -> Iterator[tuple[str, Filter]]:
    """attendance: a yes or no that is called attended"""
    for table in r.lexicon.catalog:
        for column in table.columns if not table.is_view else ():
            col = Meaning(table.name, column.name).col
            words = [w for w in r.naming.column(table.name, column.name) if w not in {"is", "was", "has"}]
            if len(words) == 1 and _same(what.text, words[0]) and (yes := r.resolver.yes(col)) is not None:
                yield table.name, Condition(col, "=", (yes,))


def _of_events(r: Reader, what: Item) -> Iterator[tuple[str, Filter]]:
    """return: the rows to which a row of the returns belongs, where these belong to nothing else"""
    if what.stem not in _HAPPENS:
        return
    named = [m for _, m in r.lexicon.names_at(split(what.text)) if m.column is None and m.score >= SYNONYM]
    for table in dict.fromkeys(m.table for m in named):
        owners = {s.target for s in r.joins.steps_from(table) if s.to_one}
        if len(owners) == 1:
            yield owners.pop(), Related(table)


def _called_rate(r: Reader, item: Item) -> tuple[Meaning, ...]:
    """Return the columns that are called a rate, like that of an hour or of a night: a rating is none."""
    return tuple(m for m in item.columns if "rate" in r.naming.column(m.table, m.column or ""))


def _touch(what: Item, rate: Item) -> bool:
    return rate.position == what.position + len(what.text.split())


def _unclear(text: str) -> NotUnderstood:
    return NotUnderstood(f"I cannot tell what the “{text}” is a share of: ask for that share.")


def _same(noun: str, participle: str) -> bool:
    """Whether a noun is what a participle says: cancellation and cancelled, approval and approved."""
    one, other = (" ".join(text.lower().replace("-", " ").split()) for text in (noun, participle))
    return one == other or root(one) == root(other)
