"""Reads one file of what was spent: spending by category, what Nina paid in October, expenses per month."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.english.vocabulary import SPENT
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT, Meaning
from agents.offline.plan import Having, Operator
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_money import take_money

_PAID = frozenset({"pay", "cost", "expens"})
_DOING = frozenset({"verb", "unknown"})
_COMPUTED = frozenset({"count", "how much", "aggregate", "superlative", "share", "rate"})
_GROUPS = frozenset({"per", "by", "grain"})


def holds_expenses(r: Reader) -> bool:
    """Whether all there is are rows of money that went out, as the one table's name says."""
    table = r.lexicon.catalog.tables[0].name
    return r.lexicon.is_flat and bool(SPENT & set(r.naming.table(table))) and r.resolver.money_of(table) is not None


def name_expenses(r: Reader) -> None:
    """Read "paid" as spent and "expenses per month" as what they come to; "average monthly spending" as that per month.

    Expenses that are counted, ranked or compared stay the rows that they are.
    """
    if r.items and holds_expenses(r):
        asks = r.items[0].kind == "how much" or (r.items[0].value == "sum" and r.items[0].kind == "aggregate")
        r.items = [_in_words_of_spending(r, item, asks) for item in r.items]
        _ask_how_much(r)
        if _asks_what_they_come_to(r):
            grains = [i for i in r.items[:1] if i.kind == "grain"]
            each = [Item("per", "per"), *grains] if grains else []
            r.items[: len(grains) + 1] = [_spending(r.items[len(grains)]), *each]
    for n, (aggregate, grain, named) in enumerate(zip(r.items, r.items[1:], r.items[2:], strict=False)):
        if (aggregate.value, grain.kind) == ("avg", "grain") and aggregate.kind == "aggregate" and _is_sum(r, named):
            r.items[n + 1 : n + 3] = [named, Item("per", "per"), grain]
            return


def _in_words_of_spending(r: Reader, item: Item, asks: bool) -> Item:
    """Return "pay" and "cost" as what was spent, purchases as the rows, and the most expensive as the largest."""
    if item.kind == "superlative" and item.value[1] in {"expensive", "cheap", "costly"}:
        return replace(item, value=(item.value[0], "small" if item.value[1] == "cheap" else "large"))
    flag = bool(item.columns) and item.text.lower() == "paid"  # those that were paid, not what somebody paid
    if item.stem in _PAID and not (item.values or flag) and (asks or (item.kind in _DOING and not item.meanings)):
        return _spending(item)
    bought = item.stem == "purchas" and item.kind == "verb" and not item.text.lower().endswith("ed")
    return rows_named(r, item) if bought else item


def _ask_how_much(r: Reader) -> None:
    """Read "what did Nina spend on groceries" as how much, where nothing else is asked of it."""
    told = any(i.kind in _COMPUTED | {"relative", "compare", "comparative", "not", "versus"} for i in r.items)
    if not told and any(i.kind == "verb" and i.stem == "spend" and not i.listed for i in r.items[1:]):
        r.items.insert(0, Item("how much", "how much", "sum"))


def rows_named(r: Reader, item: Item) -> Item:
    """Return an item that means the rows of the one table."""
    meanings = (Meaning(r.lexicon.catalog.tables[0].name, score=EXACT),)
    return replace(item, kind="name", meanings=meanings, tables=meanings, columns=(), values=())


def _spending(item: Item) -> Item:
    return replace(item, kind="verb", text="spending", stem="spend", meanings=(), tables=(), columns=())


def _asks_what_they_come_to(r: Reader) -> bool:
    """Whether a question begins with the expenses and says what they are grouped by: "monthly expenses"."""
    if any(i.kind in _COMPUTED for i in r.items):
        return False
    rest = r.items[1:] if r.items and r.items[0].kind == "grain" else r.items
    named = rest[0] if rest else None
    if named is None or named.kind != "name" or not named.tables or named.values or named.listed:
        return False
    return rest is not r.items or any(i.kind in _GROUPS for i in r.items[1:2])


def _is_sum(r: Reader, named: Item) -> bool:
    """Whether what is averaged is what was earned or spent, and no number that rows have."""
    return r.resolver.is_money(named.text) and all(m.score < EXACT for m in named.meanings)


def spent_in_all(r: Reader, operator: Operator, number: float) -> bool:
    """Read "categories where we spent more than 1000" of one file as what all their rows come to; return whether so.

    The number has just been taken.
    """
    verb = r.peek(-3)
    kinds = r.lexicon.is_flat and bool(r.columns) and not (r.subject_named or r.measures)
    spent = verb is not None and verb.kind == "verb" and r.resolver.is_money(verb.text)
    if verb is None or not (kinds and spent) or r.pending is not None or r.pending_measure is not None:
        return False
    r.items.insert(r.at, verb)
    r.having.append(Having(take_money(r), operator, (number,)))
    return True
