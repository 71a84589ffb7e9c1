"""Reads whether there was more in one period than in another as a comparison of both."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.meaning.linking import Item
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


def _sales_of(item: Item) -> Item:
    """Return "sell" as the sales: "did we sell more in May than in April"."""
    sells = item.kind == "verb" and item.stem in {"sell", "mak", "earn"}
    return replace(item, kind="unknown", text="sales", stem="sale") if sells else item


def _kinds(items: list[Item]) -> list[str]:
    return [i.kind for i in items if i.kind not in {"in", "of"}]
