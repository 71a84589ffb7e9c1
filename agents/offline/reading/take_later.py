"""Reads one date of a row compared with another: delivered later than promised, paid after the due date."""

from __future__ import annotations

from agents.offline.meaning.items import Item
from agents.offline.plan import Col, Condition, Operator
from agents.offline.reading.reader import Reader

_WORDS: dict[str, Operator] = {"later": ">", "after": ">", "earlier": "<", "sooner": "<", "before": "<"}
SAID = {
    "arriv": frozenset({"arrival", "arrived", "delivery", "delivered"}),
    "deliver": frozenset({"arrival", "arrived", "delivery", "delivered"}),
    "back": frozenset({"returned", "return", "back"}),
    "return": frozenset({"returned", "return", "back"}),
    "finish": frozenset({"finished", "completed", "end", "ended"}),
}
"""Words of the dates that verbs are about, by the verb's stem."""


def name_later(r: Reader) -> None:
    """Put one item in place of two dates of a row and what compares them."""
    for n, item in enumerate(r.items):
        operator = _WORDS.get(item.text.lower()) if item.kind in {"unknown", "comparative"} else None
        if operator is None or not n:
            continue
        end = n + 2 if n + 1 < len(r.items) and r.items[n + 1].kind == "than" else n + 1
        if end < len(r.items) and (pair := _dates(r, r.items[n - 1], r.items[end])):
            first, last = r.items[n - 1], r.items[end]
            text = f"{first.text} {item.text} … {last.text}"
            condition = Condition(pair[0], operator, (pair[1],))
            r.items[n - 1 : end + 1] = [Item("later", text, condition, sentence=item.sentence, position=first.position)]
            return


def take_later(r: Reader) -> Item:
    """Both dates must be the clause's own; returns what was read."""
    item = r.take()
    condition = item.value
    assert isinstance(condition, Condition)
    if condition.column.table not in (r.scope.entity, r.subject) or r.scope.negated:
        raise r.not_understood(item)
    r.head = False
    r.add(condition)
    return item


def _dates(r: Reader, said: Item, other: Item) -> tuple[Col, Col] | None:
    """Return the two dates that are compared, None unless one table alone has just these."""
    pairs = [
        (left, right)
        for right in _named(r, other)
        for left in (_named(r, said) or _by_verb(r, said, right.table))
        if left.table == right.table and left != right and _type(r, left) == _type(r, right)
    ]
    return pairs[0] if len(set(pairs)) == 1 else None


def _named(r: Reader, item: Item) -> list[Col]:
    return list(dict.fromkeys(m.col for m in item.columns if r.lexicon.column(m.col).kind == "date"))


def _by_verb(r: Reader, verb: Item, table: str) -> list[Col]:
    words = SAID.get(verb.stem, frozenset())
    columns = (c for c in r.lexicon.table(table).columns if c.kind == "date")
    return [Col(table, c.name) for c in columns if words & set(r.naming.column(table, c.name))]


def _type(r: Reader, column: Col) -> str:
    return r.lexicon.column(column).type.lower()
