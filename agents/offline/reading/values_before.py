"""Steps over the values that stand before what is counted or added up: French singers, active subscriptions."""

from __future__ import annotations

from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT
from agents.offline.reading.reader import Reader


def values_before(r: Reader) -> list[Item]:
    """Step over the values, and return them: they are conditions like any other."""
    values: list[Item] = []
    while r.next_is("name") and (_is_value_only(r.peek()) or _is_flag_before_table(r)) and r.next_is("name", ahead=1):
        values.append(r.take())
    return values


def _is_flag_before_table(r: Reader) -> bool:
    """Whether a yes-or-no column stands before a table like an adjective: "insured patients"."""
    item, following = r.peek(), r.peek(1)
    if item is None or following is None or not following.tables or item.tables:
        return False
    table = r.resolver.table(following)
    if any(m.table == table for m in item.values) and all(m.table != table for m in item.columns):
        return True  # "active subscriptions", where users may be active as well
    return any(r.resolver.yes(m.col) is not None for m in item.columns if m.score >= EXACT)


def _is_value_only(item: Item | None) -> bool:
    return item is not None and bool(item.values) and not item.tables and not item.columns
