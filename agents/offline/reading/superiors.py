"""Reads who somebody's manager is, and who reports to whom, where a key of a table refers to the table itself."""

from __future__ import annotations

from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import PART, Meaning
from agents.offline.plan import Col, Condition, Through
from agents.offline.reading.reader import Reader

_UNDER = frozenset({"report", "answer"})
"""Stems of verbs that say who stands under whom: "who reports to Ann"."""
_SUPERIORS = frozenset("boss manager supervisor superior".split())


def take_superior(r: Reader) -> bool:
    """Read a question that is only about one row's superior, or about those under it; return whether it is one."""
    items = [i for i in r.items if i.kind != "of"]
    if items and items[0].kind == "relative" and items[0].text in {"who", "which"}:
        items = items[1:]
    if len(items) == 2:
        named, asked = (
            (items[0], items[1]) if items[1].text.lower() in _SUPERIORS or not items[1].values else (items[1], items[0])
        )
        found = _key_asked(r, asked, named)
        if found is None:
            return False
        key, row = found
        chosen = r.naming.key(key.table)
        if chosen is None:
            return False
        _answer(r, Through(Col(key.table, chosen), key.table, (_is(row),), chosen=key.name))
        return True
    return len(items) == 3 and _under(r, *items)


def _under(r: Reader, who: Item, to: Item, named: Item) -> bool:
    """who reports to Ann; which clerks report to Ann"""
    said = who.stem in _UNDER or who.tables
    if to.kind != "in" or to.text != "to" or not said:
        return False
    for row in named.values:
        keys = _own_keys(r, row.table)
        asked = row.table == r.resolver.table(who) or who.stem in _UNDER
        if len(keys) == 1 and asked and _names_a_row(r, row):
            _answer(r, Through(keys[0], row.table, (_is(row),)))
            return True
    return False


def _key_asked(r: Reader, asked: Item, named: Item) -> tuple[Col, Meaning] | None:
    superior = asked.text.lower() in _SUPERIORS
    if not superior and (asked.kind != "name" or asked.values):
        return None
    for row in named.values:
        keys = [k for k in _own_keys(r, row.table) if any(m.col == k and m.score >= PART for m in asked.columns)]
        keys = keys or [k for k in _own_keys(r, row.table) if _first_word(r, k, asked)]
        if not keys and superior:
            keys = [k for k in _own_keys(r, row.table) if _SUPERIORS & set(r.naming.column(k.table, k.name))]
        if len(keys) == 1 and _names_a_row(r, row):
            return keys[0], row
    return None


def _first_word(r: Reader, key: Col, asked: Item) -> bool:
    return any(m.col == key for m in asked.columns) and asked.text.lower() == r.naming.column(key.table, key.name)[0]


def _own_keys(r: Reader, table: str) -> list[Col]:
    keys = r.lexicon.table(table).foreign_keys
    return [Col(table, k.columns[0]) for k in keys if k.table == table and len(k.columns) == 1]


def _names_a_row(r: Reader, row: Meaning) -> bool:
    return row.column in r.naming.label(row.table) and len(r.naming.label(row.table)) == 1


def _is(row: Meaning) -> Condition:
    return Condition(row.col, "=", (row.value or "",))


def _answer(r: Reader, condition: Through) -> None:
    r.subject = condition.table
    r.subject_named = True
    r.add(condition)
    r.items = []
