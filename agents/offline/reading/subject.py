"""Decides which table's rows a question is about."""

from __future__ import annotations

from collections.abc import Sequence

from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT, SYNONYM
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_money import asks_what_was_made


def find_subject(r: Reader) -> str:
    """Return the table whose rows the question is about."""
    items = r.items
    for n, item in enumerate(items):
        if item.kind in {"rate", "days"} and not _something_before(r, items[:n]):
            return item.meanings[0].table
        if item.kind in {"count", "exist"}:
            found = _counted_table(r, items[n + 1 :])
            if found and not _something_before(r, items[:n]):
                return found
    leading = _first_tables(r)
    first = next(
        (n for n, i in enumerate(items) if leading and i.kind == "name" and any(m.table in leading for m in i.tables)),
        len(items),
    )
    columns = [i for i in items[:first] if i.kind == "name" and i.columns and not i.values]
    for table in leading:
        if not columns or any(
            m.table == table or r.joins.to_one(table, m.table) for m in columns[0].columns if m.score >= SYNONYM
        ):
            return table
    if leading:
        return leading[0]
    earned = any(r.resolver.is_money(i.text) for i in items) or asks_what_was_made(r)
    if not columns and earned and (money := r.resolver.money(())) is not None:
        return money.table
    return _table_of_columns(r)


def _something_before(r: Reader, items: Sequence[Item]) -> bool:
    """Whether a table or column is named before the count: it is what the counts are listed by."""
    return any(i.kind == "name" and (i.tables or i.columns) for i in items) and not any(
        i.kind == "per" for i in items[:1]
    )


def _counted_table(r: Reader, items: Sequence[Item]) -> str | None:
    for item in items:
        if item.kind == "name" and (item.tables or item.columns):
            table = r.resolver.table(item)
            if table is not None:
                return table
            return None
        if item.kind not in {"distinct", "name", "of", "both", "per"}:
            return None
    return None


def _first_tables(r: Reader) -> list[str]:
    found = []
    for n, item in enumerate(r.items):
        before = r.items[n - 1].kind if n else ""
        if item.kind != "name" or before == "per":
            continue
        table = r.resolver.table(item)
        owned = [m.table for m in item.columns if m.owned and m.score >= SYNONYM]
        acted = _is_of_verb(r, item, table) and any(i.tables or i.values for i in r.items if i is not item)
        if acted:
            continue  # "which novel was loaned": loaned is what happened to it
        if table is not None and (not owned or item.tables[0].score > 1):
            found.append(table)
        elif owned:
            found.append(owned[0])
    if not found:
        named = [i for i in r.items if i.kind == "name" and i.values and not i.tables and not i.columns]
        found = [m.table for i in named[:1] for m in i.values if len({v.table for v in i.values}) == 1]
    if not found:
        found = [
            t
            for item in r.items
            if item.kind == "name" and not item.columns
            for t in [r.resolver.table(item, 0.7)]
            if t
        ]
    if not found:
        found = [t for n, item in enumerate(r.items) if item.kind == "name" for t in [r.resolver.table(item)] if t]
    return list(dict.fromkeys(found))


def _is_of_verb(r: Reader, item: Item, table: str | None) -> bool:
    """Whether a word has a verb's ending: "loaned" of loans, but not a "building" where these are called so."""
    called = r.naming.say_table(table, many=False).split()[-1].lower() if table is not None else ""
    return item.text.lower().endswith(("ed", "ing")) and item.text.lower() != called


def _table_of_columns(r: Reader) -> str:
    scores: dict[str, float] = {}
    for item in r.items:
        best: dict[str, float] = {}
        for m in item.meanings:
            best[m.table] = max(best.get(m.table, 0), m.score * m.length**0.5)
        for table, score in best.items():
            scores[table] = scores.get(table, 0) + score
    if not scores:
        raise NotUnderstood("I found nothing in this question that is about the database.")
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])
    return ranked[0][0]


def mention_tables(r: Reader) -> None:
    for item in r.items:
        if item.kind == "name":
            r.resolver.mentioned.extend(m.table for m in item.tables if m.score >= EXACT)
            r.resolver.mentioned.extend(m.table for m in item.columns if m.owned and m.score >= EXACT)
