"""Reads whether there was more in one period than in another as a comparison of both."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import Meaning
from agents.offline.plan import Col
from agents.offline.reading.reader import Reader

_MORE = frozenset({"more", "fewer", "less"})


def name_rivals(r: Reader) -> None:
    """Read "did we get more visits in May than in April" as the visits in May versus those in April."""
    items = r.items
    than = next((n for n, i in enumerate(items) if i.kind == "than"), None)
    more = next((n for n, i in enumerate(items) if i.kind == "comparative" and i.text in _MORE), None)
    if not items or items[0].kind != "yes or no" or than is None or more is None or more > than:
        return
    before, after = _kinds(items[more:than]), _kinds(items[than + 1 :])
    if before[-1:] != ["period"] or after != ["period"] or before.count("period") > 1:
        return
    compared = [*items[1:more], *items[more + 1 :]]
    if not any(i.meanings for i in compared):
        compared = [_sales_of(i) for i in compared]
    r.items = [replace(i, kind="versus") if i is items[than] else i for i in compared]


def name_sides(r: Reader) -> None:
    """Read "online versus app" as a number for each of the two, where both are values of one column."""
    for n, item in enumerate(r.items[1:-1], 1):
        after = n + 2 if r.items[n + 1].kind in {"in", "of"} and n + 2 < len(r.items) else n + 1
        pair = (r.items[n - 1], r.items[after])
        column = _column_of_both(r, *pair) if _sets_apart(r, item) else None
        if column is None:
            continue
        meaning = (Meaning(column.table, column.name),)
        sides = [tuple(m for m in i.values if m.col == column) for i in pair]
        first, second = (
            replace(i, values=values, meanings=values, tables=(), columns=())
            for i, values in zip(pair, sides, strict=True)
        )
        said = r.naming.say_column(column.table, column.name)
        per = Item("per", "per", sentence=item.sentence)
        named = Item("name", said, meanings=meaning, columns=meaning, sentence=item.sentence)
        either = replace(item, kind="or", text="or")
        r.items = [*r.items[: n - 1], first, either, second, *r.items[after + 1 :], per, named]
        return


def _sets_apart(r: Reader, item: Item) -> bool:
    """Whether a word stands between two sides: "versus", or "and" after "compare" where no periods are compared."""
    periods = sum(i.kind == "period" for i in r.items)
    compares = r.items[0].kind == "comparison" and r.items[0].text == "compare" and periods < 2
    return item.kind == "versus" or (compares and item.kind in {"and", "relative"})


def _column_of_both(r: Reader, one: Item, other: Item) -> Col | None:
    both = {m.col for m in one.values} & {m.col for m in other.values}
    named = {t for i in r.items if i.kind == "name" and not i.values and (t := r.resolver.table(i))}
    found = {c for c in both if c.table in named} or both
    return found.pop() if len(found) == 1 else None


def _sales_of(item: Item) -> Item:
    """Return "sell" as the sales: "did we sell more in May than in April"."""
    sells = item.kind == "verb" and item.stem in {"sell", "mak", "earn"}
    return replace(item, kind="unknown", text="sales", stem="sale") if sells else item


def _kinds(items: list[Item]) -> list[str]:
    return [i.kind for i in items if i.kind not in {"in", "of"}]
