"""Puts the items of some wordings in the order of others that mean the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from agents.offline.english.words import split
from agents.offline.meaning.items import Item
from agents.offline.reading.reader import Reader


def reword(r: Reader) -> None:
    _average_first(r)
    _only_so_often(r)
    _value_as_grain(r)
    _include_at_the_end(r)
    _year_done(r)
    _period_last(r)
    _profitable(r)
    _margin_alone(r)


def _average_first(r: Reader) -> None:
    """how many orders per day on average: the average number of orders per day"""
    said = next((n for n, i in enumerate(r.items) if i.kind == "aggregate" and i.text == "on average"), None)
    if said is None or r.items[0].kind != "count":
        return
    grain = next((n for n, i in enumerate(r.items[:said]) if i.kind == "grain"), None)
    if grain is None or said != grain + 1:
        return
    average = r.items.pop(said)
    if r.items[grain - 1].kind not in {"per", "in"}:
        r.items.insert(grain, Item("per", "per", sentence=average.sentence))  # "how many orders a day"
    r.items.insert(0, replace(average, text="average", position=0))


def _only_so_often(r: Reader) -> None:
    """ordered only once: exactly one order"""
    for n, item in enumerate(r.items):
        often = item.kind == "number" and item.text.lower() in {"once", "twice"}
        if often and item.only and n and r.items[n - 1].kind == "name" and r.items[n - 1].tables:
            exactly = [Item("relative", "with"), Item("compare", "exactly", "="), item, r.items[n - 1]]
            r.items[n - 1 : n + 1] = exactly
            r.items = [replace(i, only=False) for i in r.items]
            return


def _profitable(r: Reader) -> None:
    """the most profitable products: those of the highest profit"""
    for n, (most, item) in enumerate(pairwise(r.items)):
        graded = most.kind == "superlative" and most.text in {"most", "least"} and item.text.lower() == "profitable"
        if not graded or item.meanings:
            continue
        highest = replace(most, text="highest" if most.text == "most" else "lowest")
        profit = replace(item, text="profit", stem="profit")
        after = n + 2 if n + 2 < len(r.items) and r.items[n + 2].kind == "name" else None
        named = [] if after is None else [r.items.pop(after)]
        count = [r.items.pop(n - 1)] if named and n and r.items[n - 1].kind == "number" else []
        at = n - len(count)
        r.items[at : at + 2] = [*named, *count, highest, profit]
        return


def _margin_alone(r: Reader) -> None:
    """gross profit, profit margin: one word says it"""
    for n, (item, following) in enumerate(pairwise(r.items)):
        profit = item.kind == "unknown" and item.text.lower() in {"profit", "gross"}
        if (profit and following.stem == "margin") or (item.text.lower() == "gross" and following.stem == "profit"):
            del r.items[n]
            return _margin_alone(r)


def _value_as_grain(r: Reader) -> None:
    """on yearly billing: a value of the column that is named after it"""
    for n, (item, following) in enumerate(pairwise(r.items)):
        if item.kind != "grain" or following.kind not in {"name", "verb"} or not following.columns:
            continue
        named = {m.col for m in following.columns}
        found = tuple(m for used, m in r.lexicon.values_at(split(item.text)) if used == 1 and m.col in named)
        if found:
            r.items[n : n + 2] = [replace(item, kind="name", value=None, values=found, meanings=found)]
            return


def _include_at_the_end(r: Reader) -> None:
    """how many features does each plan include: no text is looked for"""
    last = r.items[-1] if r.items else None
    if last is not None and last.kind == "like" and last.value == "contains" and len(r.items) > 2:
        r.items[-1] = Item("verb", last.text, sentence=last.sentence, position=last.position)


def _year_done(r: Reader) -> None:
    """the year they were built: the column of that year"""
    for n, (item, following) in enumerate(pairwise(r.items)):
        years = tuple(m for m in following.columns if r.resolver.is_year(m.col))
        if item.kind == "grain" and item.text == "year" and following.kind in {"verb", "name"} and years:
            named = replace(following, kind="name", columns=years, meanings=years, tables=(), values=())
            r.items[n : n + 2] = [named]
            return


def _period_last(r: Reader) -> None:
    """the top 5 customers in 2025 by revenue: the revenue of 2025, whenever they joined"""
    at = next((n for n, i in enumerate(r.items) if i.kind == "period"), 0)
    after = r.items[at + 1] if at + 1 < len(r.items) else None
    ranked = any(i.kind == "superlative" and i.text in {"top", "best", "worst", "bottom"} for i in r.items[:at])
    plain = {"superlative", "number", "name", "in", "of", "relative"}
    named = ranked and all(i.kind in plain and (i.tables or not i.values) for i in r.items[:at])
    if named and after is not None and after.kind == "by" and after.sentence == r.items[at].sentence:
        start = at - (r.items[at - 1].kind == "in")
        r.items = [*r.items[:start], *r.items[at + 1 :], *r.items[start : at + 1]]
