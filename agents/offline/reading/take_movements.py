"""Reads one file's rows by the noun that a column has too, and what went in and out: movements, outgoing, went out."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.english.words import singular
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT, Meaning
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_expenses import rows_named

_WAYS = {
    "out": frozenset({"out", "outgoing", "outbound", "outward"}),
    "in": frozenset({"in", "incoming", "inbound", "inward"}),
}
"""How people say the two ways that a column tells apart."""
_GONE = frozenset({"go", "com", "mov", "ship", "be"})


def name_movements(r: Reader) -> None:
    if r.lexicon.is_flat:
        _name_rows(r)
        _name_ways(r)
        _name_times(r)
        _name_last_time(r)


def _name_rows(r: Reader) -> None:
    """Read "movements" of stock movements as the rows, where each of them has a kind of movement, like in and out."""
    table = r.lexicon.catalog.tables[0]
    noun = r.naming.table(table.name)[-1]
    kinds = {c.name for c in table.columns if c.kind == "text" and r.naming.column(table.name, c.name) == (noun,)}
    distinct = max((c.distinct or 0 for c in table.columns if c.name in kinds), default=0)
    if not kinds or (table.row_count or 0) < 2 * distinct:
        return
    meanings = (Meaning(table.name, score=EXACT),)
    for n, item in enumerate(r.items):
        if item.kind != "name" or item.values or not any(m.column in kinds for m in item.columns):
            continue
        before = r.items[n - 1] if n else None
        if before is not None and before.kind == "distinct":
            continue
        if singular(item.text.lower()) != item.text.lower() or _is_one_row(r, n):
            r.items[n] = replace(item, meanings=meanings, tables=meanings, columns=())


def _is_one_row(r: Reader, n: int) -> bool:
    """Whether one row is meant: "the largest movement", "the highest quantity in a single movement"."""
    before = [i.kind for i in r.items[max(0, n - 3) : n]]
    return before[-1:] == ["superlative"] or (before[-1:] in (["in"], ["of"]) and before[:1] == ["superlative"])


def _name_ways(r: Reader) -> None:
    """Read "outgoing", "quantity out" and "went out" as the value of the one column that tells in from out."""
    table = r.lexicon.catalog.tables[0]
    ways = [(c.name, {v.strip().lower(): v for v in c.values}) for c in table.columns if c.kind == "text"]
    ways = [(name, held) for name, held in ways if held.keys() >= _WAYS.keys()]
    if len(ways) != 1:
        return
    (column, held), n = ways[0], 0
    while n < len(r.items):
        way = _way(r, n)
        if way is not None:
            meaning = (Meaning(table.name, column, score=EXACT, value=held[way]),)
            r.items[n] = replace(r.items[n], kind="name", meanings=meaning, values=meaning, tables=(), columns=())
            if n and r.items[n - 1].kind == "verb" and r.items[n - 1].stem in _GONE:
                del r.items[n - 1]
                n -= 1
            _number_first(r, n)
        n += 1
    _rank_by_quantity(r, column)


def _number_first(r: Reader, n: int) -> None:
    """Read "highest outgoing quantity" as the highest quantity of those."""
    before, after = r.items[n - 1] if n else None, r.items[n + 1] if n + 1 < len(r.items) else None
    computed = before is not None and before.kind in {"superlative", "aggregate", "count"}
    if computed and after is not None and any(r.resolver.is_numeric(m.col) for m in after.columns):
        r.items[n : n + 2] = [after, r.items[n]]


def _rank_by_quantity(r: Reader, column: str) -> None:
    """Read "which article went out the most" as the most pieces, and say so."""
    ends = [n for n, i in enumerate(r.items) if i.kind not in {"period", "in"}][-1:]
    last, before = (r.items[ends[0]], r.items[ends[0] - 1]) if ends and ends[0] else (None, None)
    table = r.lexicon.catalog.tables[0].name
    quantity = r.resolver.quantity(table)
    if last is None or before is None or last.text not in {"most", "least"} or quantity is None:
        return
    if any(m.column == column for m in before.values) and not any(i.kind in {"count", "how much"} for i in r.items):
        number = (Meaning(table, quantity, score=EXACT),)
        r.items.insert(
            ends[0] + 1, Item("name", quantity.lower(), None, number, columns=number, position=last.position)
        )
        r.assumptions.append(f"“{last.text}” goes by the sum of {r.naming.tell_column(table, quantity)}.")


def _name_times(r: Reader) -> None:
    """Read "how many times did we go to Lidl" as how many rows say so, where a value is named."""
    counts = r.items[0] if r.items else None
    if counts is None or counts.text not in {"how many times", "how often"} or not any(i.values for i in r.items):
        return
    table = r.lexicon.catalog.tables[0]
    numbered = [c for c in table.columns if r.naming.is_key_like(r.naming.column(table.name, c.name))]
    if any((c.distinct or 0) < (table.row_count or 0) for c in numbered):
        return  # lines of orders: one order has several
    rest = [i for i in r.items[1:] if i.kind != "verb"]
    if all(i.values or i.kind in {"period", "in", "of", "and", "or", "per", "grain"} for i in rest):
        rows = r.naming.say_table(table.name)
        r.items = [replace(counts, text="how many"), rows_named(r, replace(counts, text=rows)), *rest]
        r.assumptions.append("Each row counts as one time.")


def _name_last_time(r: Reader) -> None:
    """Read "when did we last go to Lidl" as the latest date of its rows."""
    dates = [c.name for c in r.lexicon.catalog.tables[0].columns if c.kind == "date"]
    asks = [i.text.lower() for i in r.items[:2]] == ["when", "last"] and len(dates) == 1
    rest = [i for i in r.items[2:] if i.kind != "verb"]
    if asks and rest and all(i.values or i.kind in {"in", "of", "and", "or"} for i in rest):
        date = (Meaning(r.lexicon.catalog.tables[0].name, dates[0], score=EXACT),)
        named = Item("name", dates[0].lower(), None, date, columns=date)
        r.items = [Item("aggregate", "maximum", "max"), named, *rest]


def _way(r: Reader, n: int) -> str | None:
    item, after = r.items[n], r.items[n + 1] if n + 1 < len(r.items) else None
    if item.kind == "in" and item.text == "out of":
        return "out"
    way = next((way for way, words in _WAYS.items() if item.text.lower() in words), None)
    if way is None or item.kind not in {"unknown", "in"}:
        return None
    if item.kind == "in":  # a preposition, but for "came in last week" and "quantity in per month"
        gone = n > 0 and r.items[n - 1].kind == "verb" and r.items[n - 1].stem in _GONE
        ends = after is None or after.kind in {"per", "by", "grain"}
        return way if n and (ends or (gone and after is not None and after.kind in {"period", "in"})) else None
    if n > 1 and r.items[n - 1].kind in {"and", "or"} and r.items[n - 2].kind == "in":
        raise NotUnderstood("I cannot set what went in beside what went out yet: ask for each of them.")
    return way
