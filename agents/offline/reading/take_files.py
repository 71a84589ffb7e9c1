"""Reads one flat file in its owner's words: rows by the number they go by, debits as what was spent, bags as pieces."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.english.vocabulary import SOLD
from agents.offline.english.words import singular
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT, Meaning
from agents.offline.plan import Col
from agents.offline.reading.reader import Reader

_PACKED = frozenset("bag bottle box can carton case crate jar pack packet piece sack tin tub unit".split())
"""What things are sold in, one by one."""
_THINGS = frozenset({"product", "item", "article"})
_OUT = frozenset({"debit", "withdrawal", "outflow"})
_IN = frozenset({"credit", "deposit", "inflow"})
_SPENT, _EARNED = frozenset({"spend", "pay", "expens"}), frozenset({"earn", "receiv", "incom"})
_COMPUTED = frozenset({"count", "how much", "aggregate", "per", "by", "superlative", "share"})


def name_lines(r: Reader) -> None:
    _name_pieces(r)
    if r.lexicon.is_flat:
        _name_listed_sales(r)
        _name_by_number(r)
        _name_spent(r)


def _name_pieces(r: Reader) -> None:
    """Read "how many bags of Sumatra did we sell" as how many of it, where its pieces are counted."""
    kinds = [i.kind for i in r.items[:3]]
    sold = any(i.stem in SOLD | {"order"} for i in r.items[3:])
    if kinds != ["count", "unknown", "of"] or singular(r.items[1].text.lower()) not in _PACKED or not sold:
        return
    packed, after = r.items[1], r.items[3]
    held = [m for m in after.values if after.kind == "name" and _is_thing(r, m)]
    if held and any(r.resolver.quantity(t.name) is not None for t in r.lexicon.catalog):
        del r.items[1:3]
        r.assumptions.append(f"I took the quantities that were sold for the {packed.text.lower()}.")


def _is_thing(r: Reader, value: Meaning) -> bool:
    """Whether a value is the name of one thing, no kind of things of which some may not come in bags."""
    column, label = value.column or "", r.naming.label(value.table)
    return (column in label and not r.lexicon.is_flat) or bool(_THINGS & set(r.naming.column(value.table, column)))


def _name_listed_sales(r: Reader) -> None:
    """Read "list returned sales" as the lines, not as what they come to."""
    if any(i.kind in _COMPUTED for i in r.items):
        return
    for n, item in enumerate(r.items):
        if item.listed and item.stem == "sale" and item.kind in {"unknown", "name"} and not item.columns:
            r.items[n] = _rows(r, item)


def _rows(r: Reader, item: Item) -> Item:
    meanings = (Meaning(r.lexicon.catalog.tables[0].name, score=EXACT),)
    return replace(item, kind="name", text="rows", stem="row", meanings=meanings, tables=meanings, columns=())


def _name_by_number(r: Reader) -> None:
    """Read "orders" as the numbers that lines of them have, each once; where each row has its own, as the rows."""
    for n, item in enumerate(r.items):
        column = _numbered(r, item)
        if column is None:
            continue
        if singular(item.text.lower()) == item.text.lower():
            if n and item is r.items[-1]:
                raise r.not_understood(item)  # "what did Ann order": things, and no number
            continue
        rows, distinct = r.lexicon.table(column.table).row_count, r.lexicon.column(column).distinct
        if column.name == r.naming.key(column.table) or (rows and rows == distinct):
            r.items[n] = replace(_rows(r, item), text=item.text)
            return
        meanings = (Meaning(column.table, column.name, score=EXACT),)
        r.items[n] = replace(item, kind="name", meanings=meanings, columns=meanings, tables=())
        r.distinct = r.distinct or not any(i.kind in _COMPUTED for i in r.items)
        if n == 0 and len(r.items) > 1 and r.items[1].kind in {"per", "by"}:
            r.items[:0] = [Item("count", "number of", "rows")]  # "orders by country"
        return


def _numbered(r: Reader, item: Item) -> Col | None:
    """Return the column of the numbers or codes that what is named goes by: Order No of "orders"."""
    word = singular(item.text.lower())
    if item.kind not in {"name", "verb"} or item.tables or item.values or any(m.score >= EXACT for m in item.columns):
        return None
    table = r.lexicon.catalog.tables[0]
    words = {c.name: r.naming.column(table.name, c.name) for c in table.columns}
    found = [name for name, w in words.items() if len(w) == 2 and w[0] == word and r.naming.is_key_like(w)]
    numbers = [name for name in found if words[name][-1] != "name"]
    return Col(table.name, numbers[0]) if len(numbers) == 1 else None


def _name_spent(r: Reader) -> None:
    """Read "how much did I spend on fuel" and "income per month" of a file of debits and credits."""
    table = r.lexicon.catalog.tables[0]
    numbers = {c.name: set(r.naming.column(table.name, c.name)) for c in table.columns if c.kind == "number"}
    out, into = ([c for c, words in numbers.items() if words & side] for side in (_OUT, _IN))
    if len(out) != 1 or len(into) != 1:
        return
    for n, item in enumerate(r.items):
        column = out[0] if item.stem in _SPENT else into[0] if item.stem in _EARNED else None
        asks = bool(r.items) and r.items[0].kind == "how much"
        if column is None or item.values or not (asks or n == 0):
            continue
        what = r.naming.tell_column(table.name, column)
        meanings = (Meaning(table.name, column, score=EXACT),)
        r.items[n] = replace(item, kind="name", text=what, meanings=meanings, columns=meanings, tables=())
        if asks:
            named = r.items.pop(n)
            r.items[:1] = [Item("aggregate", "total", "sum"), named]
        r.assumptions.append(f"I took “{item.text}” to mean the {what}.")
        return
