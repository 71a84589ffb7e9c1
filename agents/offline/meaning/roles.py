"""Tells two keys to the same table apart by what the question says: trips from and trips to a station."""

from __future__ import annotations

from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import Meaning
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col, Condition, Through
from agents.offline.reading.reader import Reader

_NAMES = {
    "start": frozenset("source origin from departure start home sender seller first".split()),
    "end": frozenset("destination to arrival end away receiver recipient target buyer second".split()),
}
"""Words of key columns, by the side that they are."""
_PREPOSITIONS = {"from": "start", "out of": "start", "to": "end", "into": "end"}


def take_role(r: Reader) -> None:
    """depart, arrive: the side that the next value is on"""
    r.role = r.take()
    if r.measures or r.columns or r.subject_named:
        r.head = False


def by_role(r: Reader, meaning: Meaning, item: Item, values: list[str], side: str) -> Through | Condition | None:
    """Return the condition on the key of the side that was said, or None where one key alone leads to the value.

    Raises NotUnderstood where several do and no side was said.
    """
    parent, keys = _keys(r, meaning)
    if len(keys) < 2:
        return None
    side = r.role.value if r.role is not None else side
    fits = _named_before(r, keys, item)
    fits = fits or [k for k in keys if side and _NAMES[side] & set(r.naming.column(k.table, k.name))]
    if len(fits) != 1:
        sides = " or ".join(f"the {r.naming.say_column(k.table, k.name)}" for k in keys)
        raise NotUnderstood(f"“{item.text}” may be {sides}: say which one you mean.")
    r.role = None
    if meaning.table == parent:
        condition = Condition(meaning.col, "in" if len(values) > 1 else "=", tuple(values))
        return Through(fits[0], parent, (condition,))
    spelled = [m.value for m in item.values if m.col == fits[0] and m.value is not None]
    if not spelled or len(values) > 1:
        raise NotUnderstood(f"“{item.text}” is no {r.naming.say_column(fits[0].table, fits[0].name)}.")
    return Condition(fits[0], "=", (spelled[0],))


def _named_before(r: Reader, keys: list[Col], item: Item) -> list[Col]:
    """Return the key whose column was said just before the value: "destination BBB"."""
    at = next(n for n, i in enumerate(r.items) if i is item)
    before = r.items[at - 1] if at else None
    named = {m.col for m in before.columns} if before is not None else set()
    return [k for k in keys if k in named]


def _keys(r: Reader, meaning: Meaning) -> tuple[str, list[Col]]:
    """Return the table that a value belongs to, and the subject's keys that lead there."""
    keys = [k for k in r.lexicon.table(r.subject).foreign_keys if len(k.columns) == 1]
    own = [k.table for k in keys if meaning.table == r.subject and k.columns == (meaning.column,)]
    parent = own[0] if own else meaning.table
    return parent, [Col(r.subject, k.columns[0]) for k in keys if k.table == parent and parent != r.subject]


def side_said(r: Reader) -> str:
    """Return the side of the preposition just before the value, at most a name between."""
    for ahead in (-2, -3):
        item = r.peek(ahead)
        if item is not None and item.kind == "in":
            return _PREPOSITIONS.get(item.text, "")
        if item is None or item.kind != "name" or item.values:
            return ""
    return ""
