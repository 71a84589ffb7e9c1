"""Reads verbs that only tie a value or another table to what is asked, where nothing else can be meant."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.meaning.items import Item
from agents.offline.reading.reader import Reader

_STATING = frozenset("end specialis specializ focus classifi classify label mark tag list base bas fall".split())
"""Stems of verbs that say no more than "is" before a preposition and a value: "ended in a draw"."""
_RELATING = frozenset(
    """
    supply lend offer curat inspect maintain compos design train guid mentor illustrat edit translat stock breed
    grow paint sponsor fund manufactur own mak cook sew bak brew captain instruct tutor lectur hous feed
    """.split()
)
"""Stems of verbs for what one thing does to another; the key between them says the same."""


def name_ties(r: Reader) -> None:
    """Make verbs of the unknown words that tie: "supply at least 3 parts", "ended in a draw"."""
    for n, item in enumerate(r.items):
        if item.kind == "unknown" and not item.capital and (_states(r, n) or _relates(r, n)):
            r.items[n] = replace(item, kind="verb")


def _states(r: Reader, n: int) -> bool:
    item, after = r.items[n], r.items[n + 1 : n + 3]
    tied = len(after) == 2 and after[0].kind in {"in", "by", "of"} and bool(after[1].values)
    return item.stem in _STATING and tied


def _relates(r: Reader, n: int) -> bool:
    """Whether the verb stands between a table, or a column, and the table whose rows belong to it by one key."""
    if r.items[n].stem not in _RELATING:
        return False
    before = next((i for i in reversed(r.items[:n]) if i.kind == "name"), None)
    after = next((i for i in r.items[n + 1 :] if i.kind not in {"compare", "number", "superlative", "not"}), None)
    table = r.resolver.table(after) if after is not None and after.kind == "name" else None
    if table is None or before is None:
        return False
    doer = r.resolver.table(before)
    if doer is None:
        return _is_own(before, table)
    way = r.joins.path(doer, table) or ()
    return doer != table and (len(way) == 1 or (len(way) == 2 and _only_keys(r, way[0].target)))


def _is_own(named: Item, table: str) -> bool:
    return any(m.table == table for m in named.columns)


def _only_keys(r: Reader, table: str) -> bool:
    """Whether a table says no more than which rows belong together."""
    found = r.lexicon.table(table)
    keys = {c for key in found.foreign_keys for c in key.columns} | set(found.primary_key)
    return all(c.name in keys for c in found.columns)
