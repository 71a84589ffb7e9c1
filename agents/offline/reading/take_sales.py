"""Reads what is asked of sales without naming them: "our best month", "on which weekday do we sell the most"."""

from __future__ import annotations

from agents.offline.english.vocabulary import BUYERS, SOLD
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT, Meaning
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.reading.reader import Reader

_ENDS = {"best": "highest", "top": "highest", "strongest": "highest", "worst": "lowest", "weakest": "lowest"}
"""What a month is that is called so: of the highest or lowest revenue."""
_BUYING = frozenset({"buy", "purchas", "order", "spend", "plac"})
"""Stems of verbs for what customers do."""


def name_sales(r: Reader) -> None:
    """Name the revenue, or the things sold, where nothing else in the question says what it is about."""
    _name_who_buys(r)
    _ask_how_much(r)
    if any(i.meanings or i.kind in {"count", "how much", "aggregate", "rate", "share"} for i in r.items):
        return
    ranked, grain = _ranked(r), next((i for i in r.items if i.kind == "grain"), None)
    if ranked is not None and grain is not None:
        _rank_the_grain(r, ranked, grain)
    elif ranked is not None and _is_sold(r, {"superlative", "of"}):
        _name_what_is_sold(r, Item("superlative", ranked, (ranked in {"most", "highest"}, "")))
    elif _is_sold(r, set()):
        _name_what_is_sold(r, None)


def _ranked(r: Reader) -> str | None:
    """Return whether the most or the least is asked for, as a word: most, fewest, highest, lowest, busiest."""
    for item in r.items:
        if item.kind == "superlative" or (item.kind == "unknown" and item.text.lower() in _ENDS):
            word = item.text.lower()
            return _ENDS.get(word, word)
    return None


def _rank_the_grain(r: Reader, ranked: str, grain: Item) -> None:
    """our best month, the weekday on which we sell the most: of the highest revenue"""
    if ranked == "busiest":
        raise NotUnderstood("“busiest” can mean several things: say what should be counted.")
    plain = {"of", "in", "relative", "grain", "superlative", "period"}
    strange = [i for i in r.items if i.kind not in plain and i.text.lower() not in _ENDS and i.stem not in SOLD]
    few = ranked in {"least", "fewest", "lowest"}
    if strange or ranked not in {"most", "least", "fewest", "highest", "lowest"} or not _has_sales(r):
        return
    number = "lowest" if few else "highest"
    periods = [i for i in r.items if i.kind == "period"]
    which, best = Item("relative", "which"), Item("superlative", number, (not few, ""))
    r.items = [which, grain, best, Item("unknown", "revenue", stem="revenu"), *periods]


def _is_sold(r: Reader, plain: set[str]) -> bool:
    """Whether nothing but that something was sold, and when, is said: "what did we sell last week"."""
    verbs = [i for i in r.items if i.kind == "verb"]
    only = len(verbs) == 1 and verbs[0].stem == "sell" and _has_sales(r)
    return only and {i.kind for i in r.items} <= {"verb", "period", *plain}


def _name_what_is_sold(r: Reader, ranked: Item | None) -> None:
    """what do we sell the most: the things that the sales are of; or each of them with how many"""
    things = _things_sold(r)
    if things is None:
        return
    meanings = (Meaning(things, score=EXACT),)
    named = Item("name", r.naming.say_table(things), meanings=meanings, tables=meanings, stem=things)
    sold, periods = Item("verb", "sold", stem="sell"), [i for i in r.items if i.kind == "period"]
    counted = [Item("count", "how many", "rows"), named, sold, Item("per", "per"), named, *periods]
    r.items = [Item("relative", "which"), named, sold, ranked, *periods] if ranked is not None else counted


def _things_sold(r: Reader) -> str | None:
    """Return the one table whose rows are sold in pieces, like products: no order, which has a date."""
    lines = {m.table for t in r.lexicon.catalog if (m := r.resolver.pieces(t.name)) is not None}
    owners = {s.target for line in lines for s in r.joins.steps_from(line) if s.to_one}
    things = [t for t in owners if r.naming.label(t) != (r.naming.key(t),)]
    return things[0] if len(things) == 1 else None


def _has_sales(r: Reader) -> bool:
    return r.resolver.money(()) is not None


def _ask_how_much(r: Reader) -> None:
    """Read "what did customers spend on coffee" and "spend on products per customer" as how much they spent."""
    at = next((n for n, i in enumerate(r.items) if i.kind in {"verb", "unknown"} and i.stem == "spend"), None)
    computed = any(i.kind in {"how much", "count", "aggregate", "superlative", "relative", "compare"} for i in r.items)
    if at is None or computed or r.items[at + 1 : at + 2] == [] or r.items[at + 1].text != "on" or not _has_sales(r):
        return
    who = [i for i in r.items[:at] if i.kind not in {"per", "period", "in", "of"}]
    buyers = all(BUYERS & set(r.naming.table(t)) for i in who if (t := r.resolver.table(i)) is not None)
    on = r.items[at + 2] if at + 2 < len(r.items) else None
    thing = r.resolver.table(on) if on is not None and on.kind == "name" and not on.values else None
    sold = r.resolver.money((thing,)) if thing is not None else None
    if not buyers or (thing is not None and sold is None) or not all(r.resolver.table(i) for i in who):
        return
    if thing is not None and sold is not None:
        if _may_be_of_others(r, sold.table, thing):
            raise r.not_understood(r.items[at])
        del r.items[at + 1 : at + 3]  # all that is sold are such things
        r.items = [i for i in r.items if i not in who]
    r.items.insert(0, Item("how much", "how much", "sum"))


def _may_be_of_others(r: Reader, sales: str, thing: str) -> bool:
    way = r.joins.path(sales, thing) or ()
    keys = [(s.source, name) for s in way for name in s.source_columns]
    return any((c := r.lexicon.table(table).column(name)) is not None and c.nullable for table, name in keys)


def _name_who_buys(r: Reader) -> None:
    """Read "who has not bought anything" as which customers have not, where one table holds them."""
    if len(r.items) < 2 or r.items[0].kind != "relative" or r.items[0].text != "who":
        return
    said = [i for i in r.items if i.kind == "verb" or i.text.lower().endswith("ed")]  # no "orders" that are handled
    buys = bool(said) and all(i.stem in _BUYING for i in said)
    buyers = [t.name for t in r.lexicon.catalog if not t.is_view and BUYERS & set(r.naming.table(t.name))]
    named = any(r.resolver.table(i) in buyers for i in r.items if i.kind == "name")
    if not buys or named or len(buyers) != 1:
        return
    meanings = (Meaning(buyers[0], score=EXACT),)
    them = r.naming.say_table(buyers[0])
    r.items.insert(1, Item("name", them, meanings=meanings, tables=meanings, position=1))
    r.items[0] = Item("relative", "which")
    r.assumptions.append(f"I took “who” to mean {them}.")
