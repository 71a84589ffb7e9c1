"""Reads the first few of each group: the top 3 products in each category, the latest order of each customer.

What is ranked is read without the words for the group, as it would be of all rows; then it is ranked within each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from agents.offline.english.vocabulary import PEOPLE
from agents.offline.english.words import singular
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import Lexicon
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col, During, Group, Plan, Related
from agents.offline.reading.periods_kept import TIES
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_groups import take_per
from agents.offline.reading.take_rankings import ONLY_FIRST

_EACH = frozenset(
    """
    for each|for every|in each|of each|in every|at each|from each|on each|within each|among each|for each of|of every
    """.strip().split("|")
)
"""Words before a group that can mean nothing but that something is asked of each."""
_BARE = frozenset({"each", "every"})
_TYING = frozenset({",", "'s"})
_FINER: dict[str, tuple[str, ...]] = {
    "year": ("day", "week", "month", "quarter"),
    "quarter": ("day", "month"),
    "month": ("day",),
    "week": ("day",),
}
"""What lies wholly within one of these: of weeks, no month and no year is sure."""


@dataclass(frozen=True)
class Within:
    """A question's items, and among them the words for the group that is ranked within."""

    items: tuple[Item, ...]
    start: int
    end: int

    @property
    def per(self) -> Item:
        return self.items[self.start]

    @property
    def named(self) -> tuple[Item, ...]:
        return self.items[self.start + 1 : self.end]

    @property
    def rest(self) -> list[Item]:
        """The items of what is ranked; a comma or "'s" after the group that begins the question goes with it."""
        end = self.end + (self.start == 0 and self.end < len(self.items) and self.items[self.end].text in _TYING)
        return [*self.items[: self.start], *self.items[end:]]

    @property
    def words(self) -> str:
        return " ".join(i.text for i in (self.per, *self.named))


def within_each(items: Sequence[Item]) -> Within | None:
    """Return where a question names the one group that something is ranked within; None where it does not."""
    ranks = [n for n, i in enumerate(items) if i.kind == "superlative" or (not n and _ranks_all(i))]
    starts = [n for n, i in enumerate(items) if i.kind == "per" or (i.kind == "of" and i.text == "of every")]
    starts = starts or [n for n in range(1, len(items)) if ranks and n > ranks[0] and _is_by_one(items, n)]
    if not ranks or len(starts) != 1:
        return None
    start = starts[0]
    per, end = items[start].text, start + 1
    while end < len(items) and _names_group(items, start, end):
        end += 1
    if end == start + 1:
        return None
    found = Within(tuple(items), start, end)
    before = items[start - 1] if start else None
    after = items[end] if end < len(items) else None
    each = per in _EACH or (per in _BARE and items[start + 1].kind == "grain")
    if before is None:
        return found if per in _EACH | _BARE | {"per"} else None
    if start > ranks[0]:
        return found if each or per in {"per", "by"} else None
    leads = before.kind == "name" or (before.kind == "relative" and before.text == "who")
    goes_on = after is not None and after.kind in {"relative", "superlative", "verb", "unknown"}
    counted = any(i.kind in {"count", "aggregate", "how much"} for i in items[:start])
    does = per in _BARE and after is not None and after.kind in {"verb", "unknown"}  # "did each store sell the most"
    return found if (each or does) and leads and goes_on and not counted else None


def _ranks_all(item: Item) -> bool:
    """Whether all are ranked, not the first few: "rank the clerks by salary within each store"."""
    return item.kind == "order" and item.text.startswith("rank")


def _is_by_one(items: Sequence[Item], n: int) -> bool:
    """Whether "by" stands between what is ranked and one thing: "cheapest product by category", not "by orders"."""
    before, named = items[n - 1], items[n + 1] if n + 1 < len(items) else None
    if items[n].kind != "by" or items[n].text != "by" or named is None or named.capital:
        return False
    ranked = (before.kind == "name" and not before.values) or before.kind == "grain" or before.text == "selling"
    one = named.kind == "grain" or (named.kind == "name" and singular(named.text.lower()) == named.text.lower())
    return ranked and one


def _names_group(items: Sequence[Item], start: int, n: int) -> bool:
    item = items[n]
    if n == start + 1:
        return item.kind == "grain" or (item.kind == "name" and bool(item.tables or item.columns or item.value))
    before = items[n - 1]
    touches = item.position == before.position + len(before.text.split())
    return before.kind == item.kind == "name" and touches and bool(item.tables or item.columns)


def first_of_each(
    found: Within, lexicon: Lexicon, read: Callable[[Sequence[Item]], tuple[Plan, tuple[str, ...]]]
) -> tuple[Plan, tuple[str, ...]] | None:
    """Return the plan of what is ranked within each group, and what was assumed; None where nothing is ranked.

    Raises NotUnderstood where it is ranked, and is not surely ranked within each of these.
    """
    try:
        plan, assumed = read(found.rest)
    except NotUnderstood:
        return None
    if not plan.order or (plan.limit is None and not _ranks_all(found.items[0])):
        return None
    reader = _reader(plan, lexicon)
    try:
        group = _group(reader, plan, found)
    except NotUnderstood:
        if found.per.kind == "by":
            return None
        raise
    if found.per.kind == "by" and not _groups_rather_than_ranks(reader, plan, group, found):
        return None
    if group in plan.groups or (not plan.measures and group == Group(plan.subject, shown=group.shown)):
        return None  # "top 5 states, showing the number of customers for each state"
    _refuse_more(reader, found)
    if plan.share or plan.along or plan.exists or plan.compare is not None or plan.distinct:
        raise NotUnderstood(f"I cannot rank that “{found.words}”: leave one of both out.")
    by = plan.order[0].by
    told = {h.measure for h in plan.having} | {by}
    others = any(m not in told or m.function == "median" for m in plan.measures)
    if others or isinstance(by, Group) or (plan.measures and by not in plan.measures):
        raise NotUnderstood(f"I can rank “{found.words}” by one number only: ask for the others on their own.")
    if (stray := _stray(found, lexicon)) is not None:
        raise NotUnderstood(f"I did not understand “{stray.text}” after “{found.words}”.")
    plan, assumed = _reached(reader, plan, group, assumed, found)
    _refuse_unsure(reader, plan, group, found)
    columns = tuple(c for c in plan.columns if group.grain is not None or c not in _shown(group))
    kept = tuple(a for a in assumed if a != ONLY_FIRST)
    return replace(plan, within=group, columns=columns), (*kept, *([TIES] if plan.limit is not None else []))


def ranked_within_other(plan: Plan, groups: Sequence[Group], lexicon: Lexicon) -> Plan:
    """Return the plan of a follow-up that ranks within another group: "and in each store?"; declines if it cannot."""
    base = plan.measures[0].table if plan.measures else plan.subject
    sure = all(g.column is None or g.table in {base, _ranked(plan)} for g in groups)
    grained = any(g.grain is not None for g in (*groups, *plan.groups))
    if len(groups) != 1 or groups[0] in plan.groups or grained or not sure or not plan.order:
        raise NotUnderstood("I did not understand within what to rank instead: ask the whole question.")
    changed = replace(plan, within=groups[0])
    refuse_unreached(changed, lexicon)
    return changed


def asks_within(items: Sequence[Item], plan: Plan) -> bool:
    """Whether a follow-up asks to rank within what it names: "in each category", or other groups than before."""
    each = bool(items) and items[0].kind == "per" and items[0].text in _EACH
    return plan.within is not None or (each and plan.limit is not None and bool(plan.order))


def refuse_unreached(plan: Plan, lexicon: Lexicon) -> None:
    """Decline what a follow-up has changed so that its rows do not belong to one group each any more."""
    if plan.within is None:
        return
    if any(isinstance(f, Related) and not (f.where or f.count) and f.operator == ">" for f in plan.where):
        raise NotUnderstood("I did not understand what to change: ask the whole question.")
    base = plan.measures[0].table if plan.measures else plan.subject
    if not _through(lexicon, plan, base, plan.within) and not lexicon.joins.to_one(base, plan.within.table):
        one, other = lexicon.naming.say_table(base), lexicon.naming.say_table(plan.within.table, many=False)
        raise NotUnderstood(f"I cannot rank within each {other}: {one} do not belong to one {other} each.")


def refuse_ranked_across(plan: Plan, found: Within | None) -> None:
    """Decline the first rows of all where the first of each were asked for."""
    if found is not None and plan.limit is not None and len(plan.groups) > 1:
        raise NotUnderstood(f"I did not understand what to rank “{found.words}”: say “the top 3 … in each …”.")


def _refuse_more(r: Reader, found: Within) -> None:
    """Decline what is computed over the first of each, and groups within them: neither would be what is shown."""
    rank = next(n for n, i in enumerate(found.items) if i.kind == "superlative" or _ranks_all(i))
    computed = {"count", "aggregate", "how much", "rate"}
    beside = any(a.kind == "and" and b.kind in computed for a, b in pairwise(found.items))
    if beside or any(i.kind in computed for i in found.items[:rank]):
        raise NotUnderstood(f"I can show what comes first “{found.words}”, and compute nothing over it yet.")
    for by, named in pairwise(found.items):
        one = named.kind == "grain" or (named.kind == "name" and singular(named.text.lower()) == named.text.lower())
        if by is found.per or by.kind != "by" or not one or r.resolver.is_money(named.text):
            continue
        column = r.resolver.column(named, r.context, numeric=True) if named.columns else None
        if column is None and (named.tables or named.columns or named.kind == "grain"):
            raise NotUnderstood(f"I did not understand “by {named.text}” beside “{found.words}”.")


def _shown(group: Group) -> tuple[Col, ...]:
    return group.shown if group.column is None else (Col(group.table, group.column),)


def _stray(found: Within, lexicon: Lexicon) -> Item | None:
    """Return what follows the group and may be about the group itself: "in each store in Berlin"."""
    after = found.items[found.end] if found.end < len(found.items) else None
    following = found.items[found.end + 1] if found.end + 1 < len(found.items) else None
    if after is None or after.sentence != found.per.sentence or after.kind in {"period", "by", "superlative"}:
        return None
    if after.kind in {"in", "of"} and following is not None and following.kind == "period":
        return None
    if after.kind == "relative" and after.text == "who":
        tables = [m.table for i in found.named for m in i.tables]
        return after if any(PEOPLE & set(lexicon.naming.table(t)) for t in tables) else None
    if found.start == 0:
        asked = after.kind in {"name", "number", "count"} or (after.kind, after.text) == ("relative", "which")
        return None if asked or after.text in _TYING else after
    ranks = following is not None and following.kind in {"superlative", "verb", "unknown"}
    ahead = all(i.kind != "superlative" for i in found.items[: found.start])
    if ahead and (after.kind in {"verb", "unknown"} or (after.kind == "relative" and ranks)):
        return (
            None  # "which product in each store sold the most", "the product in each category with the highest price"
        )
    return None if after.text == "based on" else after


def _reader(plan: Plan, lexicon: Lexicon) -> Reader:
    reader = Reader(lexicon, [])
    reader.subject, reader.subject_named = plan.subject, True
    reader.resolver.mentioned.extend([plan.subject, *(g.table for g in plan.groups)])
    reader.measures = list(plan.measures)
    return reader


def _group(r: Reader, plan: Plan, found: Within) -> Group:
    r.items = [replace(found.per, kind="per", text="in each"), *found.named]
    take_per(r)
    if r.at != len(r.items) or len(r.groups) != 1:
        raise r.not_understood(found.named[-1])
    group = r.groups[0]
    if group.grain is None:
        return group
    if group.grain not in _FINER:
        raise NotUnderstood(f"I cannot rank within each {group.grain} yet: ask by {group.grain} instead.")
    grained = [g for g in plan.groups if g.grain is not None]
    if any(g.grain not in _FINER[group.grain] for g in grained):
        raise NotUnderstood(f"I cannot rank {grained[0].grain}s within each {group.grain}.")
    by = plan.order[0].by
    dated = [f.column for f in plan.where if isinstance(f, During)]
    dated += [by] if isinstance(by, Col) and r.lexicon.column(by).kind == "date" else []
    columns = [Col(g.table, g.column) for g in grained if g.column is not None] or dated
    of_group = Col(group.table, group.column or "")
    if plan.measures and any(c != of_group for c in columns):
        raise NotUnderstood(f"I cannot tell the dates of which rows “{found.words}” is about: leave out the period.")
    return replace(group, table=columns[0].table, column=columns[0].name) if columns else group


def _reached(
    r: Reader, plan: Plan, group: Group, assumed: tuple[str, ...], found: Within
) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan with revenue as that of the lines, where only these belong to the group: of each category."""
    measure = plan.measures[0] if plan.measures else None
    base = measure.table if measure is not None else plan.subject
    if r.joins.to_one(base, group.table) or _through(r.lexicon, plan, base, group):
        return plan, assumed
    tables = tuple(dict.fromkeys([group.table, *(g.table for g in plan.groups)]))
    finer = r.resolver.money(tables) if measure is not None and measure.said and measure.function == "sum" else None
    if measure is None or finer is None or plan.having or len(plan.measures) > 1:
        one, other = r.naming.say_table(base), r.naming.say_table(group.table, many=False)
        raise NotUnderstood(f"I cannot rank “{found.words}”: {one} do not belong to one {other} each.")
    changed = replace(measure, table=finer.table, column=finer.column, times=finer.times)
    parts = " times ".join(f"{finer.table}.{c}" for c in (finer.column, finer.times) if c)
    told = f"{measure.said[:1].upper()}{measure.said[1:]}"
    old = [f"{measure.table}.{c}" for c in (measure.column, measure.times) if c]
    kept = tuple(a for a in assumed if not any(name in a for name in old))
    if found.items[found.start - 1].kind == "superlative" and found.start:
        raise NotUnderstood(
            f"Say what “{found.items[found.start - 1].text} {found.words}” goes by: revenue or a number."
        )
    order = tuple(replace(o, by=changed) if o.by == measure else o for o in plan.order)
    return replace(plan, measures=(changed,), order=order), (*kept, f"{told} is the sum of {parts}.")


def _through(lexicon: Lexicon, plan: Plan, base: str, group: Group) -> bool:
    """Whether what is ranked belongs to one group, and is what leads there from the rows that are counted."""
    ranked = _ranked(plan)
    way = [s.target for s in lexicon.joins.path(base, group.table) or ()]
    counts = all(m.function in {"count", "distinct"} for m in plan.measures)
    return ranked is not None and counts and ranked in way and lexicon.joins.to_one(ranked, group.table)


def _ranked(plan: Plan) -> str | None:
    """Return the table whose rows are ranked; None where values or times are."""
    if not plan.measures:
        return plan.subject
    only = plan.groups[0] if len(plan.groups) == 1 else None
    return only.table if only is not None and only.column is None else None


def _refuse_unsure(r: Reader, plan: Plan, group: Group, found: Within) -> None:
    ranked = _ranked(plan)
    base = plan.measures[0].table if plan.measures else plan.subject
    own = ranked is not None and group.grain is None and r.joins.to_one(ranked, group.table)
    way = [base, *(s.target for s in r.joins.path(base, group.table) or ())]
    if own and ranked not in way:
        one, other = r.naming.say_table(ranked or ""), r.naming.say_table(group.table, many=False)
        raise NotUnderstood(f"I cannot tell which {other} is meant: that of the {one}, or that of what is computed.")
    if found.per.text == "per" and found.start and not own and not _follows_ranked(r, plan, found):
        each = " ".join(i.text for i in found.named)
        raise NotUnderstood(f"“{found.words}” may be a number per {each}: say “in each {each}” to rank within each.")
    _refuse_rivals(r, plan, group, found)


def _groups_rather_than_ranks(r: Reader, plan: Plan, group: Group, found: Within) -> bool:
    """Whether "by" can say nothing but for each: of "top 5 products by customer" nobody knows what is counted."""
    if r.resolver.is_money(found.named[-1].text):
        return False
    column = Col(group.table, group.column) if group.column is not None else None
    named = column is not None and column.name in r.naming.label(column.table)
    if column is not None and group.grain is None and (named or r.lexicon.column(column).kind != "text"):
        return False
    if column is not None and group.grain is not None and found.named[-1].value is None:
        return False  # "by order date"
    ranked = _ranked(plan)
    word = next(i for i in found.items if i.kind == "superlative" or _ranks_all(i))
    bare = word.text in {"top", "best", "bottom", "worst"} and not any(i.text == "selling" for i in found.items)
    belongs = ranked is not None and r.joins.to_one(ranked, group.table) and ranked != group.table
    grained = group.grain is not None or any(g.grain is not None for g in plan.groups)
    return not bare or belongs or group.table == ranked or grained


def _follows_ranked(r: Reader, plan: Plan, found: Within) -> bool:
    """Whether "per" follows what is ranked, or the superlative: "top 3 products per store", "sold most per store"."""
    before = found.items[found.start - 1]
    if before.kind in {"superlative", "grain", "number"} or before.text == "selling":
        return True
    if before.kind != "name":
        return False
    tables = {plan.subject if not plan.measures else "", *(g.table for g in plan.groups if g.column is None)}
    columns = {Col(g.table, g.column) for g in plan.groups if g.column is not None}
    return r.resolver.table(before) in tables or any(m.col in columns for m in before.columns if m.column)


def _refuse_rivals(r: Reader, plan: Plan, group: Group, found: Within) -> None:
    """Decline "in each country" where the store has one as well as the customer, and neither is what is ranked."""
    base = plan.measures[0].table if plan.measures else plan.subject
    ranked = _ranked(plan)
    if group.column is None or group.grain is not None or group.table == ranked or (group.table == base and not ranked):
        return
    columns = found.named[-1].columns
    score = max((m.score for m in columns if m.col == Col(group.table, group.column or "")), default=0.0)
    same = {m.table for m in columns if m.score >= score} - {group.table}
    others = {t for t in same if r.joins.to_one(base, t) or (plan.measures and r.joins.path(base, t) is not None)}
    others = others & {ranked} if group.table == base else others
    if found.named[-1].value is not None and group.table != base:
        others |= {base}  # the year of the car, or the year in which it was sold
    if others and len(found.named) == 1:
        one, other = (r.naming.say_table(t, many=False) for t in (group.table, sorted(others)[0]))
        raise NotUnderstood(
            f"“{found.named[-1].text}” may be that of the {one} or of the {other}: say which, like “{one} "
            f"{found.named[-1].text}”."
        )
