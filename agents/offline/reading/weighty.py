"""Gives a place to words that seem to add nothing, or declines them where they say which rows are meant."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from agents.offline.english.words import singular
from agents.offline.meaning.items import Item
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.reading.reader import Reader

_IRREGULAR = frozenset("sold bought paid lent held made sent won led kept taught given spoken written taken".split())
_JOINING = frozenset("register regist enrol enroll employ hir record list belong associat relat".split())
"""Stems of what is true of every row: a registered customer is a customer."""
_OPENING = frozenset({"count", "per", "aggregate", "distinct", "number", "yes or no"})
"""What may stand before a word that tells more of the name after it: "how many paid orders"."""
_ALSO = frozenset({"including", "includes", "include"})
_OFTEN = {"once": 1.0, "twice": 2.0}


def weigh(r: Reader) -> None:
    _name_leading(r)
    _name_running_count(r)
    _name_often(r)
    _name_all_but(r)
    _refuse_often(r)
    _refuse_place(r)
    _refuse_none_of_money(r)
    _refuse_also(r)
    _refuse_together(r)
    _refuse_telling_verbs(r)
    _refuse_other_dates(r)


def _name_leading(r: Reader) -> None:
    """Read "leading products", "the 5 leading products" as the top ones."""
    for n, item in enumerate(r.items):
        if item.text.lower() != "leading" or not _tells_of_next(r, n):
            continue
        r.items[n] = replace(item, kind="superlative", text="top", value=(True, ""), stem="top")
        if n and r.items[n - 1].kind == "number":
            r.items[n - 1 : n + 1] = [r.items[n], r.items[n - 1]]
        return


def _name_running_count(r: Reader) -> None:
    """Read "running count of orders by month", "running number of" as the running total of the count."""
    for n, (item, after) in enumerate(pairwise(r.items)):
        if item.text.lower() == "running" and not item.meanings and after.kind == "count":
            total = replace(item, kind="unknown", text="cumulative", stem="cumulativ")
            r.items[n] = total
            return


def _name_often(r: Reader) -> None:
    """Read "customers who ordered twice" as those with exactly two orders: no number of an order."""
    for n, item in enumerate(r.items):
        often = item.kind == "number" and (item.text.lower() in _OFTEN or item.unit == "times")
        if not often or item.only or n < 2 or r.items[n - 1].kind in {"compare", "comparative", "than", "or"}:
            continue
        act = r.items[n - 1]
        doers = [i for i in r.items[: n - 1] if i.kind == "name" and r.resolver.table(i) is not None]
        if act.kind != "name" or r.resolver.table(act) is None or not doers:
            raise r.not_understood(item)
        count = replace(item, value=_OFTEN.get(item.text.lower(), item.value), unit="")
        r.items[n - 1 : n + 1] = [Item("relative", "with"), Item("compare", "exactly", "="), count, act]
        r.assumptions.append(f"“{item.text}” is taken as neither more nor less often.")
        return


def _name_all_but(r: Reader) -> None:
    """Read "all stores but Canal House" as those without it."""
    for n in range(1, len(r.items) - 1):
        before, but, value = r.items[n - 1 : n + 2]
        named = but.kind == "but" and value.kind == "name" and value.values and not value.tables
        table = r.resolver.table(before) if named and before.kind == "name" else None
        if table is not None and {m.column for m in value.values if m.table == table} & set(r.naming.label(table)):
            r.items[n] = replace(but, kind="not", text="except", value="")


def _refuse_often(r: Reader) -> None:
    """Decline "how often do customers order": what is counted is no row of theirs, or one for each of them."""
    for n, item in enumerate(r.items):
        if item.kind != "count" or item.text not in {"how often", "how many times"}:
            continue
        names = [i for before, i in pairwise(r.items[n:]) if i.kind == "name" and before.kind not in {"per", "by"}]
        if sum(r.resolver.table(i) is not None and not i.values for i in names) != 1:
            raise NotUnderstood(f"I did not understand what “{item.text}” is about: ask for the number of something.")


def _refuse_place(r: Reader) -> None:
    """Decline "rank of the north shop": its place among the others is not counted."""
    for item, after in pairwise(r.items):
        if item.kind == "order" and item.text == "rank" and after.kind == "of":
            raise r.not_understood(item)


def _refuse_none_of_money(r: Reader) -> None:
    """Decline "stores without any sales": money is no row that there may be none of; and "good", which is no goods."""
    for item, after in pairwise(r.items):
        if item.kind == "not" and after.kind == "unknown" and r.resolver.is_money(after.text):
            raise r.not_understood(after)
        if item.kind == "name" and item.text.lower() == "good" and after.kind == "name":
            raise r.not_understood(item)


def _refuse_also(r: Reader) -> None:
    """Decline "revenue including cancelled orders": those as well, and not those alone."""
    for item, after in pairwise(r.items):
        if item.kind == "like" and item.text in _ALSO and after.values and not after.quoted:
            raise r.not_understood(item)
    for n, item in enumerate(r.items):
        adds = item.kind == "and" and item.text == "plus"
        if adds and {"aggregate", "how much"} & {i.kind for i in r.items[:n]}:
            raise r.not_understood(item)


def _refuse_together(r: Reader) -> None:
    """Decline "bought together": each with which others is not asked of one row."""
    for item in r.items:
        if item.kind == "unknown" and item.text.lower() == "together":
            raise r.not_understood(item)


def _refuse_telling_verbs(r: Reader) -> None:
    """Decline "paid orders", "visiting customers", "running average", where nothing says which those are."""
    for n, item in enumerate(r.items):
        if item.kind not in {"verb", "name"} or item.stem in _JOINING or not _tells_of_next(r, n):
            continue
        after = r.items[n + 1]
        table = r.resolver.table(after) if after.kind == "name" else None
        price = item.text.lower() == "selling" and "price" in after.text.lower()
        total = item.text.lower() == "running" and after.value == "sum"
        ends = item.text.lower().endswith("ing") and item.kind == "verb" and not item.meanings
        if not (price or total) and (ends or table is not None) and not _is_of(r, item, table):
            raise r.not_understood(item)


def _is_of(r: Reader, item: Item, table: str | None) -> bool:
    """Whether a word is known of just those rows, or is a noun: hired staff, cancelled orders, building managers."""
    said = {item.text.lower(), singular(item.text.lower())}
    noun = any(said & set(r.naming.table(m.table)) for m in item.tables)
    return noun or bool(item.values) or any(m.table == table for m in (*item.tables, *item.columns))


def _tells_of_next(r: Reader, n: int) -> bool:
    """Whether a participle stands before a name as an adjective does, with nobody before it who does it."""
    item, before = r.items[n], r.items[n - 1] if n else None
    after = r.items[n + 1] if n + 1 < len(r.items) else None
    text = item.text.lower()
    if after is None or not r.touches(item, after) or not (text.endswith(("ed", "ing")) or text in _IRREGULAR):
        return False
    if any(i.kind == "superlative" for i in r.items[:n]):
        return False  # "the most sold products" are ranked
    counted = after.kind in {"aggregate", "count"} and text.endswith("ing")
    opens = before is None or before.kind in _OPENING or (n == 1 and before.text in {"which", "what"})
    return opens and (counted or after.kind == "name" or (after.kind == "number" and text == "leading"))


def _refuse_other_dates(r: Reader) -> None:
    """Decline "open orders" where the only date that is called so is another table's."""
    for item, after in pairwise(r.items):
        dates = item.kind == "name" and not (item.tables or item.values) and item.columns
        table = r.resolver.table(after) if dates and after.kind == "name" and r.touches(item, after) else None
        if table is None or singular(item.text.lower()) != item.text.lower() or " " in item.text:
            continue
        columns = [m.col for m in item.columns]
        if all(r.lexicon.column(c).kind == "date" for c in columns):
            raise r.not_understood(item)
