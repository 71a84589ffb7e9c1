"""Reads what somebody does to others, like "employs the most people": a verb that names a table is never dropped."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.english.vocabulary import PROFITS, STAFF
from agents.offline.english.words import singular
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import SYNONYM
from agents.offline.meaning.people import ANYBODY, HIRING, are_people, staff_of
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_money import MONEY_NAMES

WHO_IS_MEANT = "I did not understand who is meant: name what they are, like “which customers”."

_MOST = frozenset({"most", "fewest", "least"})
_EARNING = frozenset("bring generat mak earn pull turn tak produc deliver".split())
"""Stems of verbs that say no more of money than whose it is."""
_MONEY = MONEY_NAMES | PROFITS | {"money"}


def name_acts(r: Reader) -> None:
    """Make verbs of the words that only say what is done; decline where one names other rows than are counted."""
    _drop_earning(r)
    for n, item in enumerate(r.items):
        if item.stem in HIRING and _says_only_that_people_work(r, n):
            _refuse_other_employers(r, item)
            r.items[n] = Item("verb", item.text, sentence=item.sentence, stem=item.stem, position=item.position)
        elif (counted := _counted(r, n)) is not None:
            _refuse_unnamed_doer(r, n)
            _refuse_other_way(r, n, counted)
            _forget_state(r, n, counted)


def _drop_earning(r: Reader) -> None:
    """Leave out "brings in" of "brings in the most revenue"."""
    for n, item in enumerate(r.items):
        if item.kind not in {"verb", "unknown"} or item.stem not in _EARNING:
            continue
        if item.stem in {"earn", "mak"} and _is_about_staff(r):
            return  # what people make is their wage
        if any(i.stem in _MONEY and r.resolver.is_money(i.text) for i in r.items if i is not item):
            del r.items[n : n + 1 + _is_with_particle(r, n)]
            return


def _is_with_particle(r: Reader, n: int) -> bool:
    """Whether the next word belongs to the verb: "brings in", "turns over", but not "made in 2025"."""
    verb, (after, following) = r.items[n], (*r.items[n + 1 : n + 3], None, None)[:2]
    if after is None or not r.touches(verb, after):
        return False
    if after.text == "over":
        return verb.stem == "turn"
    placed = following is not None and (following.kind in {"period", "number"} or bool(following.values))
    return after.text == "in" and not placed


def _is_about_staff(r: Reader) -> bool:
    named = {t for i in r.items if i.kind == "name" and (t := r.resolver.table(i)) is not None}
    return any(STAFF & set(r.naming.table(t)) for t in named)


def _says_only_that_people_work(r: Reader, n: int) -> bool:
    """Whether those who are employed are named beside the verb, which then names none itself."""
    verb, others = r.items[n], (*r.items[:n], *r.items[n + 1 :])
    if verb.text.lower() not in {"employ", "employs", "employed", "hire", "hires", "staffed"}:
        return False
    own = {m.table for m in verb.tables if m.score >= SYNONYM} <= {staff_of(r)}
    return own and any(i.stem in ANYBODY or singular(i.text.lower()) in STAFF for i in others)


def _refuse_other_employers(r: Reader, verb: Item) -> None:
    """Decline where those who work here do not belong to what is said to employ them: a building has a manager."""
    staff = staff_of(r)
    for item in r.items:
        table = r.resolver.table(item) if item.kind == "name" and item is not verb else None
        tables = {table} if table is not None else {m.table for m in item.columns if m.score >= SYNONYM}
        if item.kind != "name" or item is verb or item.stem in ANYBODY or not tables:
            continue
        if staff is None or not any(r.joins.to_one(staff, t) for t in tables):
            raise r.not_understood(verb)


def _counted(r: Reader, n: int) -> Item | None:
    """Return what is counted, where the word stands as the verb does that says who does it."""
    verb, before = r.items[n], r.items[n - 1] if n else None
    if verb.kind != "name" or before is None or before.kind not in {"name", "relative"}:
        return None
    return _done_most(r, n) or _done_by_each(r, n)


def _done_most(r: Reader, n: int) -> Item | None:
    """which tenant leases the most units"""
    verb, after = r.items[n], r.items[n + 1 : n + 3]
    if len(after) < 2 or after[0].text not in _MOST or after[1].kind != "name":
        return None
    directly = after[0].position - verb.position - len(verb.text.split()) <= 1  # "the", but no "has the"
    return after[1] if directly else None


def _done_by_each(r: Reader, n: int) -> Item | None:
    """how many units does each tenant lease; but "does each flat's building have" names whose building it is"""
    if n < 4 or [i.kind for i in r.items[n - 4 : n]] != ["count", "name", "per", "name"]:
        return None
    counted, each, doer = r.items[n - 3 : n]
    doer_table, done = r.resolver.table(doer), r.resolver.table(r.items[n])
    if each.text not in {"each", "every"} or not r.touches(doer, r.items[n]):
        return None
    owned = doer_table is not None and done is not None and r.joins.to_one(doer_table, done)
    return None if owned else counted


def _refuse_unnamed_doer(r: Reader, n: int) -> None:
    """Decline "who reviews the most hotels": the reviews are not who does it."""
    table = r.resolver.table(r.items[n])
    if r.items[n - 1].text == "who" and table is not None and not are_people(r, table):
        raise NotUnderstood(WHO_IS_MEANT)


def _refuse_other_way(r: Reader, n: int, item: Item) -> None:
    """Decline where what is counted belongs to who does it by other rows than those that the verb names."""
    doer, done, counted = r.resolver.table(r.items[n - 1]), r.resolver.table(r.items[n]), _table_of(r, item)
    if doer is None or done is None or counted is None or done in {doer, counted} or doer == counted:
        return
    way = r.joins.path(counted, doer) or ()
    if done not in {step.target for step in way}:
        raise r.not_understood(r.items[n])


def _table_of(r: Reader, item: Item) -> str | None:
    """Return the table of a name, also of one that is a column of one table only."""
    tables = {m.table for m in item.columns}
    return r.resolver.table(item) or (tables.pop() if len(tables) == 1 else None)


def _forget_state(r: Reader, n: int, counted: Item) -> None:
    """Take "ships" for no status: what a carrier ships was delivered since, and is no longer shipped."""
    verb, doer = r.items[n], r.items[n - 1]
    last = n > r.items.index(counted)
    if not verb.values or verb.tables or verb.quoted or not (last or verb.text.lower().endswith("s")):
        return
    if not last and any((m.value or "").lower() == verb.text.lower() for m in verb.values):
        return
    if _has_happened(r, verb):
        return
    table, about = r.resolver.table(counted), {m.table for m in verb.columns}
    ways = {m.table for m in doer.columns if not doer.tables} | ({table} if table is not None else set())
    if not any(t in about or r.naming.table(t)[-1].startswith(verb.stem) for t in ways):
        raise r.not_understood(verb)
    r.items[n] = replace(verb, kind="verb", values=(), meanings=verb.columns)


def _has_happened(r: Reader, verb: Item) -> bool:
    """Whether only some rows have a date of what is done, as of being cancelled; what a key tells is done to all."""
    columns = {m.col for m in verb.columns}
    keys = {Col(c.table, k) for c in columns for f in r.lexicon.table(c.table).foreign_keys for k in f.columns}
    dates = [c for c in columns if r.lexicon.column(c).kind == "date" and r.lexicon.column(c).nullable]
    return bool(dates) and columns.isdisjoint(keys)
