"""Reads shares: which part of a whole is so, and of each group of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from agents.offline.english.vocabulary import MONEY_EARNED
from agents.offline.meaning.items import Item
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import During, Filter, Order, Plan
from agents.offline.reading.reader import Reader

_NO_PART = "I can only tell the share of a count or of a sum."
_TIES = frozenset({"in", "of", "by", "relative"})
"""What goes on with a verb: "came from Leeds", "paid by card"."""
_CONDITIONS = frozenset({"compare", "comparative", "number", "not", "lacking", "like", "between", "overdue", "away"})


def take_share(r: Reader) -> None:
    """share of X, as a share: a count where rows are named, a sum where an amount is"""
    item = r.take()
    r.share = True
    _period_after_noun(r)
    if item.text.endswith("of") and r.next_is("name"):
        ahead = 0
        while (named := r.peek(ahead)) is not None and named.values and not named.tables and not named.columns:
            ahead += 1  # "online orders"
        if named is None:
            return
        table = r.resolver.table(named)
        if table is not None and not r.resolver.is_money(named.text):
            r.items.insert(r.at, Item("count", "count"))
        elif r.resolver.is_money(named.text) or named.columns:
            r.items.insert(r.at, Item("aggregate", "total", "sum"))


def _period_after_noun(r: Reader) -> None:
    """Read "this year's orders" as "orders this year"."""
    here = r.at
    if r.next_is("period"):
        period = r.take()
        r.skip("of")
        r.items[here : r.at + 1] = [*r.items[r.at : r.at + 1], period]
        r.at = here


def shares_first(items: Sequence[Item]) -> list[Item]:
    """Return the items with "revenue share" as the share of revenue."""
    found = list(items)
    for n, (item, following) in enumerate(pairwise(items)):
        noun = (item.kind == "name" and bool(item.tables or item.columns)) or item.stem in MONEY_EARNED
        if noun and following.kind in {"verb", "unknown"} and following.text.lower() in {"share", "percentage"}:
            found[n : n + 2] = [replace(following, kind="share", text="share of"), item]
    return found


def without_statement(items: Sequence[Item]) -> list[Item] | None:
    """Return what the whole of a share is called: the items but for what is stated of it; None without a statement."""
    span = _statement(items)
    return [*items[: span[0]], *items[span[1] :]] if span is not None else None


def stated_part(asked: Plan, whole: Plan) -> Plan | None:
    """Return the share that what is stated of the whole is true of; None where the plans differ in more than that."""
    periods = [f.period for f in whole.where if isinstance(f, During)]
    again = [f for f in asked.where if isinstance(f, During) and f.period in periods]
    parts = [f for f in asked.where if f not in whole.where and f not in again]
    lost = [f for f in whole.where if f not in asked.where and not isinstance(f, During)]
    both = replace(asked, subject=whole.subject, where=whole.where, groups=whole.groups, order=whole.order)
    if lost or not parts or both != whole or len(asked.groups) != len(whole.groups):
        return None
    return part_of(replace(whole, where=(*whole.where, *parts)), parts)


def bare_share(items: Sequence[Item], plan: Plan) -> Plan:
    """Return the plan of a share of which nothing is stated.

    Raises NotUnderstood where conditions may be about the part as well as about the whole.
    """
    if plan.groups and any(m.function not in {"count", "sum"} for m in plan.measures[:1]):
        raise NotUnderstood(_NO_PART)
    if len(plan.groups) > 1:
        raise NotUnderstood("I cannot tell what is the whole of two groupings: ask for the share by one of them.")
    conditions = any(not isinstance(f, During) for f in plan.where) or any(m.function == "sum" for m in plan.measures)
    if plan.groups and conditions and _is_unclear(items):
        raise NotUnderstood(
            "I cannot tell what is the whole: ask what share of them “is” so in each group, or what share of those "
            "each group “has”."
        )
    found = as_part(plan)
    if found.share and not found.groups:
        raise NotUnderstood("I did not understand which part of them is meant: say what it is like.")
    return found


def as_part(plan: Plan) -> Plan:
    """Return an ungrouped share as the part that fulfils the conditions, of all in the period."""
    timeless = [f for f in plan.where if not isinstance(f, During)]
    parts = timeless or plan.where  # the share of what happened in a period, where no more than that is said
    return part_of(plan, parts) if plan.share and not plan.groups and parts else plan


def part_of(plan: Plan, parts: Sequence[Filter]) -> Plan:
    """Return the plan with its number as the part, in percent, that fulfils these of its conditions."""
    counted = plan.measures[0] if len(plan.measures) == 1 else None
    if counted is None or counted.function not in {"count", "sum"}:
        raise NotUnderstood(_NO_PART)
    share = replace(counted, function="share", only=tuple(parts))
    order = tuple(Order(share, o.descending) if o.by == counted else o for o in plan.order)
    where = tuple(f for f in plan.where if f not in parts)
    return replace(plan, measures=(share,), where=where, order=order, share=False)


def _statement(items: Sequence[Item]) -> tuple[int, int] | None:
    """Return from where to where something is stated of the whole: "was cancelled", "paid by card", "have no email"."""
    share = next((n for n, i in enumerate(items) if i.kind == "share"), None)
    if share is None or not items[share].text.endswith("of"):
        return None
    noun = next((n for n, i in enumerate(items) if n > share and i.kind in {"name", "unknown"} and not i.values), None)
    if noun is None:
        return None
    at = noun + 1
    while at < len(items) and not _starts(items, at, noun):
        if _ends(items, at, at):
            return None
        at += 2 if items[at].kind in _TIES else 1
    end = at
    while end < len(items) and not _ends(items, end, at):
        end += 1
    while end < len(items) and items[end].kind in {"in", "period"} and not any(_is_condition(i) for i in items[at:end]):
        end += 1  # "were placed last month": nothing but when is stated
    return (at, end) if at < end else None


def _starts(items: Sequence[Item], at: int, noun: int) -> bool:
    item = items[at]
    follows = at == noun + 1 and (_is_condition(item) or item.kind in {"verb", "role", "unknown"})
    return item.stated or item.held or item.kind in {"verb", "role"} or follows


def _is_condition(item: Item) -> bool:
    return bool(item.values) or bool(item.columns and not item.tables) or item.kind in _CONDITIONS


def _ends(items: Sequence[Item], at: int, start: int) -> bool:
    """Whether the statement, or what it is about, ends here: at a grouping, a period or another place."""
    item = items[at]
    if item.kind in {"period", "share", "order", "direction", "superlative"} or _groups(items, at):
        return True
    if item.kind not in _TIES:
        return False
    following = items[at + 1] if at + 1 < len(items) else None
    if item.text == "on" and following is not None and following.text.lower() == "time":
        return False
    goes_on = at == start or items[at - 1].kind in {"verb", "unknown", "not", *_TIES}
    return not goes_on or following is None or _groups(items, at)


def _is_unclear(items: Sequence[Item]) -> bool:
    """Whether more than a noun stands before what the rows are grouped by: "online orders per store".

    "What share of online orders does each store have" is clear.
    """
    grouped = next((n for n in range(len(items)) if _groups(items, n)), len(items))
    after = items[grouped + 1 : grouped + 2]
    if grouped < len(items) and items[grouped].text in {"each", "every"} and after and after[0].kind == "name":
        return False
    said = [i for i in items[:grouped] if i.kind not in {"share", "aggregate", "period", *_TIES}]
    return len([i for i in said if i.kind != "verb" or i.meanings]) > 1


def _groups(items: Sequence[Item], n: int) -> bool:
    """Whether a grouping is said here: "per", "by store" or "monthly", not "3 days" or "by card"."""
    following = items[n + 1] if n + 1 < len(items) else None
    only_value = following is not None and following.values and not (following.tables or following.columns)
    unit = items[n].kind == "grain" and n > 0 and items[n - 1].kind == "number"
    by = items[n].kind == "by" and following is not None and not only_value
    return items[n].kind == "per" or (items[n].kind == "grain" and not unit) or by
