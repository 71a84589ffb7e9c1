"""Reads states that dates and prices tell of: overdue, out on loan, free, without an email."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.english.times import Period
from agents.offline.english.vocabulary import NOT_ADDED, PEOPLE
from agents.offline.english.words import split
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import Meaning
from agents.offline.plan import AnyOf, Col, Condition, During, Related
from agents.offline.reading.reader import Reader

_DUE = frozenset({"due", "deadline"})
DONE = frozenset(
    """
    returned return paid payment closed completed complete completion settled finished delivered delivery received
    """.split()
)
"""Words of dates that stay empty as long as what is due has not been done."""
_BACK = frozenset({"returned", "return", "back"})
_ARRIVED = frozenset({"delivered", "delivery", "arrived", "arrival", "received"})
_PRICES = frozenset({"price", "fee", "cost", "fare", "charge", "admission"})
_HOLDS = frozenset({"capacity", "seat", "seats", "sleeps"})
"""Words of numbers that say how many people there is room for."""
_TAKEN = frozenset("room seat table place slot spot bed desk space copy car bike vehicle".split())
"""Things that are free when nobody has taken them, whatever they cost."""


def name_states(r: Reader) -> None:
    """Make words of states their kind of item: "free", and "out", "out on loan" or "on loan"."""
    items = r.items
    n = 0
    while n < len(items):
        word = items[n].text.lower()
        if items[n].kind == "unknown" and word == "free":
            items[n] = replace(items[n], kind="free")
            if n and items[n - 1].text == "for":
                del items[n - 1]
                n -= 1
        elif (used := _on_the_way(items[n:])) and n:
            items[n : n + used] = [Item("away", "on the way", sentence=items[n].sentence, position=items[n].position)]
        elif (used := _away(items[n:])) and _is_predicate(items, n):
            items[n : n + used] = [Item("away", word, sentence=items[n].sentence, position=items[n].position)]
        n += 1


def name_room(r: Reader) -> None:
    """Read "have room for 4 people" as how many they hold, where a number says that: nobody is counted who is in."""
    for n, item in enumerate(r.items[:-1]):
        if not n or item.text.lower() not in {"room", "space"} or r.items[n + 1].text != "for":
            continue
        table = next((t for i in r.items[:n] if i.kind == "name" and (t := r.resolver.table(i))), None)
        columns = r.lexicon.table(table).columns if table is not None else ()
        words = {c.name: set(r.naming.column(table or "", c.name)) for c in columns if c.kind == "number"}
        holds = [Meaning(table or "", c) for c, w in words.items() if _HOLDS & w or ("max" in w and PEOPLE & w)]
        number = next((k for k in range(n + 2, min(n + 4, len(r.items))) if r.items[k].kind == "number"), None)
        if len(holds) != 1 or number is None or any(i.text.lower() == "still" for i in r.items[:n]):
            raise r.not_understood(item)
        named = replace(item, kind="name", tables=(), columns=(holds[0],), meanings=(holds[0],))
        least = [] if number > n + 2 else [Item("compare", "at least", ">=")]
        r.items[n:] = [named, *least, *r.items[n + 2 : number + 1], *r.items[number + 2 :]]
        r.assumptions.append(f"What there is room for is {table}.{holds[0].column}.")
        return


def _away(items: list[Item]) -> int:
    """Return how many items say that something is out: "out", "out on loan", "on loan"."""
    out = items[0].kind == "unknown" and items[0].text.lower() == "out"
    rest = items[1:] if out else items
    lent = len(rest) > 1 and rest[0].text == "on" and rest[1].text.lower() == "loan"
    return out + 2 * lent


def _on_the_way(items: list[Item]) -> int:
    """Return how many items say that something is "on the way", "still on its way" or "in transit"."""
    still = items[0].kind == "unknown" and items[0].text.lower() == "still"
    rest = [i.text.lower() for i in items[still : still + 2]]
    return still + 2 if rest in (["on the", "way"], ["on", "way"], ["in", "transit"]) else 0


def _is_predicate(items: list[Item], n: int) -> bool:
    """Whether it is said of things named before, and nothing but a clause's end follows but one."""
    return n > 0 and any(i.kind == "name" and i.tables for i in items[:n])


def take_overdue(r: Reader) -> None:
    """overdue: the day it was due is past, and the date of its return, payment or end is empty"""
    item = r.take()
    table = _described(r)
    period = item.value
    assert isinstance(period, Period)
    dates = [(c, set(r.naming.column(table, c.name))) for c in r.lexicon.table(table).columns if c.kind == "date"]
    due = [c.name for c, words in dates if words & _DUE]
    done = [c.name for c, words in dates if words & DONE and not words & _DUE and c.nullable]
    if len(due) != 1 or len(done) != 1 or r.scope.negated:
        raise r.not_understood(item)
    r.head = False
    r.add(During(Col(table, due[0]), period))
    r.compare(Col(table, done[0]), "null")
    what, last = r.naming.say_column(table, due[0]), r.naming.say_column(table, done[0])
    r.assumptions.append(f"“{item.text}” means that the {what} is before today and the {last} is empty.")


def take_away(r: Reader) -> None:
    """out on loan: a row without its date of return"""
    item = r.take()
    ended = _ARRIVED if item.text == "on the way" else _BACK
    back = [
        Col(t.name, c.name)
        for t in r.lexicon.catalog
        if not t.is_view
        for c in t.columns
        if c.kind == "date" and c.nullable and ended & set(r.naming.column(t.name, c.name))
    ]
    if len(back) != 1 or r.scope.negated or r.scope.entity not in (None, r.subject, back[0].table):
        raise r.not_understood(item)
    r.head = False
    missing = Condition(back[0], "null")
    r.add(missing if back[0].table in (r.subject, r.scope.entity) else Related(back[0].table, (missing,)))
    r.assumptions.append(f"“{item.text}” means that {back[0].table}.{back[0].name} is empty.")


def take_free(r: Reader) -> None:
    """free: what costs nothing"""
    item = r.take()
    table = _described(r)
    words = r.naming.table(table)
    prices = [
        c.name
        for c in r.lexicon.table(table).columns
        if c.kind == "number" and r.naming.column(table, c.name)[-1] in _PRICES
    ]
    if len(prices) != 1 or words[-1] in _TAKEN or PEOPLE & set(words):
        raise r.not_understood(item)
    r.head = False
    r.compare(Col(table, prices[0]), "!=" if r.scope.negated else "=", 0)
    r.scope.negated = False
    r.assumptions.append(f"“{item.text}” means that {table}.{prices[0]} is 0.")


def _described(r: Reader) -> str:
    """Return the table of the noun just before, else the clause's, else the subject."""
    before = r.peek(-2)
    noun = r.resolver.table(before) if before is not None and before.kind == "name" else None
    table = noun or r.scope.entity or r.subject
    if table == r.subject and r.scope.entity not in (None, table):
        r.open_scope()
    if table not in (r.subject, r.scope.entity):
        return r.subject
    return table


def take_without(r: Reader) -> bool:
    """Read "no phone" of rows that may have none as those where it is empty; return whether it was that."""
    item = r.peek()
    if item is None or item.kind not in {"name", "verb"} or item.quoted:
        return False
    table = r.scope.entity or r.subject
    named = item.columns or [m for _, m in r.lexicon.names_at(split(item.text)) if m.column]  # "coach" is a verb too
    own = {m.col: m.score for m in named if m.table == table and r.lexicon.column(m.col).nullable}
    best = max(own.values(), default=0.0)
    chosen = [c for c, score in own.items() if score == best]
    whole = max((m.score for m in item.tables), default=0.0)
    if len(chosen) != 1 or whole > best or r.resolver.yes(chosen[0]) is not None:
        return False
    number = r.lexicon.column(chosen[0]).kind == "number" and not _is_key(r, chosen[0])
    if number and len(r.lexicon.catalog.tables) != 1:
        return False
    after = r.peek(1)
    if after is not None and after.kind == "name" and r.touches(item, after):
        return False  # "no card payments": not those without a card
    if after is not None and (after.values or after.kind in {"compare", "number", "comparative", "like", "verb"}):
        return False
    r.take()
    single = NOT_ADDED & set(r.naming.column(chosen[0].table, chosen[0].name))
    if number and (r.resolver.holds_zero(chosen[0]) or not single):
        what = r.naming.tell_column(chosen[0].table, chosen[0].name)
        r.assumptions.append(f"No {what} means that it is 0 or missing.")
        r.add(AnyOf((Condition(chosen[0], "null"), Condition(chosen[0], "=", (0,)))))
    else:
        r.compare(chosen[0], "null")
    return True


def _is_key(r: Reader, column: Col) -> bool:
    return any(key.columns == (column.name,) for key in r.lexicon.table(column.table).foreign_keys)
