"""Reads adjectives for what has not happened or is not so: unpaid, unshipped, inactive."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from agents.offline.english.words import split
from agents.offline.meaning.items import Item
from agents.offline.plan import Col, Condition
from agents.offline.reading.reader import Reader


def take_lacking(r: Reader) -> None:
    """unpaid: without a date of payment, or with a no where paid is a yes"""
    item = r.take()
    before = r.peek(-2)
    noun = r.resolver.table(before) if before is not None and before.kind == "name" else None
    table = noun or r.scope.entity or r.subject
    columns = list(dict.fromkeys(m.col for m in item.columns if m.table == table))
    near = r.scope.entity in (None, table) or table == r.subject
    if len(columns) != 1 or not near or r.scope.negated:
        raise r.not_understood(item)
    if table == r.subject and r.scope.entity not in (None, table):
        r.open_scope()
    r.head = False
    r.add(_absent(r, columns[0]))


def _absent(r: Reader, column: Col) -> Condition:
    if r.lexicon.column(column).kind == "number" and r.resolver.yes(column) is None:
        return Condition(column, "<=", (0,))  # "out of stock"
    if r.lexicon.column(column).kind == "date":
        return Condition(column, "null")
    return Condition(column, "!=", (r.resolver.yes(column) or 1,))


def _nouns_first(items: list[Item]) -> list[Item]:
    """Return the items with "unpaid" after the noun it describes, where conditions stand."""
    found = list(items)
    for n, (item, following) in enumerate(pairwise(items)):
        if item.kind in {"lacking", "overdue", "free", "late"} and following.kind == "name" and following.tables:
            found[n : n + 2] = [following, item]
    return found


def _may_lack(r: Reader, column: Col) -> bool:
    """Whether a column can be empty, or a no."""
    found = r.lexicon.column(column)
    return found.nullable if found.kind == "date" else r.resolver.yes(column) is not None


def name_lacking(r: Reader) -> None:
    """Read unknown words like "unpaid" as what is not paid, where a column says whether something is."""
    for n, item in enumerate(r.items):
        columns = tuple(
            m
            for opposite in (_opposites(r.items, n) if item.kind == "unknown" else ())
            for used, m in r.lexicon.names_at(split(opposite))
            if used == 1 and m.column is not None and _may_lack(r, m.col)
        )
        if columns:
            r.items[n] = replace(item, kind="lacking", columns=columns, meanings=columns)
    _name_run_out(r)
    r.items = _nouns_first(r.items)


def _name_run_out(r: Reader) -> None:
    """Read "out of stock" as that there is no more, where a number says how many there are."""
    for n, (item, following) in enumerate(pairwise(r.items)):
        if item.kind != "in" or item.text != "out of" or "stock" not in following.text.lower().split():
            continue
        held = tuple(m for m in following.columns if r.resolver.is_numeric(m.col))
        if not held:
            raise r.not_understood(item)
        text = f"{item.text} {following.text}"
        r.items[n : n + 2] = [replace(following, kind="lacking", text=text, columns=held, meanings=held, tables=())]
        return


def _opposites(items: list[Item], n: int) -> tuple[str, ...]:
    item, word = items[n], items[n].text.lower()
    still = n > 0 and items[n - 1].text.lower() == "still" and items[n - 1].stated
    if word == "outstanding" and (item.stated or still):
        return ("paid",)  # no amount that is outstanding, which may be what is left of a bill
    if word == "failed":
        return ("passed", "succeeded", "successful")
    begun = tuple(p for p in ("un", "in") if word.startswith(p) and len(word) > len(p) + 3)
    return tuple(word.removeprefix(prefix) for prefix in begun)
