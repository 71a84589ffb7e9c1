"""Finds the table of the people that a question calls people, staff or customers, where no table is named so."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.english.vocabulary import BUYERS, PEOPLE, STAFF
from agents.offline.english.words import singular
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import SYNONYM, Meaning
from agents.offline.reading.reader import Reader

ANYBODY = frozenset({"person", "folk", "somebody", "everybody", "anybody", "anyone"})
HIRING = frozenset({"employ", "hir", "staf"})
"""Stems of what is done to those who work here."""
_CUSTOMERS = BUYERS | {"user", "guest", "visitor"}
_PART = 0.5
"""How well "customers" must fit a table like that of the app's users, which is called so in part."""
_ACCOUNTS = frozenset({"account", "company", "organization", "organisation", "workspace", "tenant"})
"""What those are called who pay for several users."""
_EMPLOYED = frozenset({"salary", "wage", "hired", "hire", "employed"})
"""Words of columns that only people have who work here."""
_LIVING = frozenset({"population", "inhabitant", "resident", "people", "person"})
"""Words of columns that count those who live somewhere."""
_BUSY = frozenset(
    """
    work employ hir staf pay us buy purchas order spend sell send writ serv help support manag supervis lead hous host
    train treat teach reach feed
    """.split()
)
"""Stems of what is done by, or to, people who are more than a number that came or lives somewhere."""


def name_people(r: Reader) -> None:
    """Give each unknown word for people the one table it can mean; leave it unknown where it may mean several."""
    for n, item in enumerate(r.items):
        named = item.kind == "unknown" or (item.kind == "verb" and singular(item.text.lower()) in STAFF)
        if item.stem in ANYBODY and item.kind == "name" and not item.tables and _do_more_than_come(r):
            item = r.items[n] = Item(
                "unknown", item.text, sentence=item.sentence, stem=item.stem, position=item.position
            )
            named = True  # people who work are no visitors, whatever a column counts
        if not named or item.meanings or item.capital or _of_unknown_verb(r, n):
            continue
        table = _meant(r, item)
        if table is not None:
            r.items[n] = replace(item, kind="name", tables=(Meaning(table, score=SYNONYM),), meanings=(Meaning(table),))
            r.assumptions.append(f"I took “{item.text}” to mean {r.naming.say_table(table)}.")


def name_buyers(r: Reader) -> None:
    """Take customers for the accounts that pay, where only users are called so and belong to them."""
    for n, item in enumerate(r.items):
        if item.kind != "name" or singular(item.text.lower()) not in BUYERS or item.values:
            continue
        table = r.resolver.table(item, _PART)
        if table is None or BUYERS & set(r.naming.table(table)):
            continue
        owners = [s.target for s in r.joins.steps_from(table) if s.to_one and _ACCOUNTS & set(r.naming.table(s.target))]
        money = r.resolver.money(tuple(owners)) if len(owners) == 1 else None
        if money is None or r.joins.to_one(money.table, table):
            continue
        meanings = (Meaning(owners[0], score=SYNONYM),)
        r.items[n] = replace(item, tables=meanings, columns=(), meanings=meanings)
        r.assumptions.append(f"I took “{item.text}” to mean {r.naming.say_table(owners[0])}.")


def name_nobody(r: Reader) -> None:
    """Read "nobody" after a table's name as none of the rows that belong to it, where just one table's can."""
    for n, item in enumerate(r.items):
        if item.kind != "unknown" or item.text.lower() not in {"nobody", "noone"}:
            continue
        table = next((t for i in r.items[:n] if i.kind == "name" and (t := r.resolver.table(i))), None)
        happened = {m.table for i in r.items[n:] for m in i.tables if m.score >= SYNONYM} - {table}
        steps = r.joins.steps_from(table) if table is not None else ()
        owned = {s.target for s in steps if not s.to_one} - {table}
        dated = {t for t in owned if any(c.kind == "date" for c in r.lexicon.table(t).columns)}
        found = owned & happened or (owned if len(owned) == 1 else dated)
        if len(found) == 1:
            none = Meaning(found.pop())
            named = replace(item, kind="name", tables=(none,), meanings=(none,))
            r.items[n : n + 1] = [Item("not", "no", sentence=item.sentence, position=item.position), named]
        return


def drop_still(r: Reader) -> None:
    """Leave out "still" before what says the state itself: "still open", "still not shipped", "still unpaid"."""
    for n, item in enumerate(r.items[:-1]):
        following = r.items[n + 1]
        if item.kind == "unknown" and item.text.lower() == "still":
            state = following.kind in {"not", "lacking", "overdue", "away"} or bool(following.values)
            after = r.items[n + 2] if n + 2 < len(r.items) else None
            within = following.kind == "in" and after is not None
            if state:
                del r.items[n]
            elif within and after is not None and _is_flag(r, after):
                del r.items[n : n + 2]  # "still in beta"
            return


def _is_flag(r: Reader, item: Item) -> bool:
    return any(r.resolver.yes(m.col) is not None for m in item.columns)


def _meant(r: Reader, item: Item) -> str | None:
    people = [t.name for t in r.lexicon.catalog if not t.is_view and are_people(r, t.name)]
    staff = [t for t in people if _work_here(r, t)]
    if singular(item.text.lower()) in STAFF:
        return staff[0] if len(staff) == 1 else None
    others = [t for t in people if t not in staff]
    if item.stem in _CUSTOMERS:
        return others[0] if len(others) == 1 else None
    if item.stem not in ANYBODY:
        return None
    if _work(r):
        return staff[0] if len(staff) == 1 else None
    return people[0] if len(people) == 1 else _who_did_it(r, people)


def staff_of(r: Reader) -> str | None:
    """Return the one table of those who work here."""
    staff = [t.name for t in r.lexicon.catalog if not t.is_view and _work_here(r, t.name)]
    return staff[0] if len(staff) == 1 else None


def _of_unknown_verb(r: Reader, n: int) -> bool:
    """Whether people are ranked by what nothing here is called: "houses the most people" is not about just anybody."""
    before = r.items[n - 2 : n] if n > 1 else []
    return bool(before) and before[0].kind == "unknown" and before[1].kind == "superlative"


def _do_more_than_come(r: Reader) -> bool:
    """Whether people work, pay or use something: they are not those that a column of visitors counts."""
    if any(i.kind == "verb" and i.stem == "liv" for i in r.items):
        columns = [m for i in r.items if i.stem in ANYBODY for m in i.columns]
        return not any(_LIVING & set(r.naming.column(m.table, m.col.name)) for m in columns)
    return any(i.kind == "verb" and i.stem in _BUSY for i in r.items)


def leave_out_people(r: Reader) -> None:
    """Leave out those who do what is asked about: "which carriers do people use"."""
    for n, item in enumerate(r.items[1:-1], 1):
        before, after = r.items[n - 1], r.items[n + 1]
        asked = before.kind == "name" and bool(before.columns) and after.kind == "verb" and not after.columns
        if asked and item.stem in ANYBODY and not item.tables and r.items[0].kind in {"relative", "name"}:
            del r.items[n]
            return


def _work(r: Reader) -> bool:
    return any(i.kind == "verb" and i.stem in HIRING | {"work"} for i in r.items)


def _who_did_it(r: Reader, people: list[str]) -> str | None:
    """Return the people that the one thing which is said to have happened belongs to: members, of visits."""
    things = {m.table for i in r.items for m in i.tables if m.score >= SYNONYM}
    happened = {t for t in things if any(c.kind == "date" for c in r.lexicon.table(t).columns)}
    named = {m.table for i in r.items if i.kind == "verb" for m in i.columns} & set(people)
    if len(named) == 1:
        return named.pop()  # "how many people joined": those who have a date of it
    did = [p for p in people if any(s.target == p and s.to_one for t in happened for s in r.joins.steps_from(t))]
    return did[0] if len(did) == 1 else None


def are_people(r: Reader, table: str) -> bool:
    """Whether the rows of a table are people, by its name or by what its columns are called."""
    return bool(PEOPLE & set(r.naming.table(table))) or _have_full_names(r, table) or _work_here(r, table)


def _have_full_names(r: Reader, table: str) -> bool:
    label = r.naming.label(table)
    return len(label) == 2 or "full" in r.naming.column(table, label[0])


def _work_here(r: Reader, table: str) -> bool:
    columns = (r.naming.column(table, c.name) for c in r.lexicon.table(table).columns)
    return bool(STAFF & set(r.naming.table(table))) or any(_EMPLOYED & set(words) for words in columns)
