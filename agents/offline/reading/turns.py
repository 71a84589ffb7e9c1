"""Reads a follow-up as a change to the question before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.offline.english.vocabulary import NOT_ADDED
from agents.offline.english.words import split, stem
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import Lexicon
from agents.offline.meaning.resolving import AskedBack, NotUnderstood
from agents.offline.plan import AnyOf, Col, Condition, During, Filter, Function, Group, Measure, Order, Plan
from agents.offline.reading.clauses import filters_of
from agents.offline.reading.periods_kept import TIES
from agents.offline.reading.reader import Reader
from agents.offline.reading.reading import Reading, walk
from agents.offline.reading.take_each import asks_within, ranked_within_other, refuse_unreached
from agents.offline.reading.take_measures import is_key
from agents.offline.reading.take_money import is_added
from agents.offline.reading.take_shares import as_part

_ELLIPTIC = re.compile(
    r"""(?: and | but | or | also | only | just | what\ about | how\ about | (?:the\ )?same | why\ not | instead
    | now | then | by | per | in | for | as | without | exclude | excluding | except | not | with | since
    | before | after | during | from | including
    | last | this | previous | (?:top|bottom)\ \d+(?:\ instead|\W*$) | ordered | sorted | sort | order | split | break
    | broken | group | add | compared?\ (?:with|to) | versus | vs | make\ (?:it|that) | ok(?:ay)?,?\ (?:and|now)
    | show\ (?:me\ )?(?:only|it|them|that|this|the\ same|just)
    | the\ (?:average|total|maximum|minimum|lowest|highest)\W*$ )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_WHOLE = re.compile(
    r"(?:in|for|from|by|at|since|before|after|during|with|last|this|now|then|show|sort|add)\b.*"
    r"\b(?:how many|how much|which|what|who|when|where|is there|are there|number of|average|total)\b",
    re.IGNORECASE,
)
"""Begins like a change, but is a question of its own: "In which year …", "For each store, how many …"."""
_ANEW = re.compile(r"(?:which|what|who|whose|when|where|how (?:many|much|long|often)|show me|list)\b", re.IGNORECASE)
_WHICH = re.compile(
    r"(?:which|what|whose) (?!(?:of|one|ones|is|are|was|were|has|have|had|the)\b)(?P<thing>\w+)", re.IGNORECASE
)
_ABOUT_THOSE = re.compile(
    r"""\b(?:of|among)\ (?:them\b | (?:those|these)(?:\W*$|\ (?:are|is|were|was|have|had|has|did|do|in|from|with)\b))
    | \b(?:do|did|are|were|have|had)\ they\b
    | ^(?:and\ )?(?:what|who|where|when|show|list)(?:\ me|\ are|\ is|'s|\ were|\ was)?\ (?:their|its|his|her)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_THEIRS = re.compile(
    r"(?:and )?(?:which|what|who|where|when|show|list)\b.*\b(?:they|their|its|his|her)\b", re.IGNORECASE
)
_NOUNLESS = re.compile(r"(?:how many|which|who)(?: ones)? (?:were|was|are|is|have|had|has)\b", re.IGNORECASE)
_INSTEAD = re.compile(r"\binstead\b", re.IGNORECASE)
_LEAD = re.compile(
    r"""^(?:(?: and | but | or | also | only | just | now | then | ok | okay | instead | please | what\ about
    | how\ about
    | (?:the\ )?same | why\ not
    | make\ (?:it|that) | show\ me | show | it | them | break | down | add
    | (?:that|this)(?!\ (?:day|week|weekend|month|quarter|half|year|season|morning|fiscal)\b)
    )\b[\s,]*)+""",
    re.IGNORECASE | re.VERBOSE,
)
_POINTING_BACK = re.compile(
    r"\b(?:it|its|they|them|their|theirs|this(?! (?:day|week|month|quarter|year))|that|these|those|same|such|he|she|him"
    r"|his|her|above|previous)\b|(?<!are )(?<!were )(?<!is )(?<!was )\bthere(?=\W*$)"
)
_TAIL = re.compile(r"[\s,]*\b(?:instead|too|as well|only|please|again|though)\b[\s?.!]*$", re.IGNORECASE)


def is_elliptic(text: str) -> bool:
    """Whether a text begins like a change to what was asked before: "and by store?", "only 2025"."""
    text = text.strip()
    return _WHOLE.match(text) is None and (_ELLIPTIC.match(text) is not None or _INSTEAD.search(text) is not None)


def asks_anew(text: str) -> bool:
    """Whether a text begins as a question of its own, and points at nothing before: no "how many of those"."""
    return _ANEW.match(text.strip()) is not None and _POINTING_BACK.search(text.lower()) is None


def asks_for_another(text: str, before: str) -> bool:
    """Whether a text asks which of some things that the question before does not name: "which employee …"."""
    asked = _WHICH.match(text.strip())
    return asked is not None and stem(asked["thing"].lower()) not in {word.stem for word in split(before)}


def is_about_those(text: str) -> bool:
    """Whether a text asks about the rows of the question before: "how many of them were late?"."""
    return _ABOUT_THOSE.search(text) is not None


def asks_what_theirs_is(text: str) -> bool:
    """Whether a text asks for something else of the rows before than their number: "what are their names?"."""
    return _THEIRS.match(text.strip()) is not None


def is_nounless(text: str) -> bool:
    """Whether a text asks without a noun, "how many were late?", so that the question before may have said it."""
    return _NOUNLESS.match(text.strip()) is not None


def stands_alone(text: str, as_well_as: str) -> bool:
    """Whether a text stands alone where another does that asks the same.

    It neither begins like a change to what was asked before nor points back ("of those") where the other does not.
    """
    pointing, harmless = (set(_POINTING_BACK.findall(each.lower())) for each in (text, as_well_as))
    return not is_elliptic(text) and pointing <= harmless


def bare(text: str) -> str:
    """Return the follow-up without the words that only tie it to the question before."""
    text = text.strip()
    if re.match(r"(?:compare(?:d)?|versus|vs)\b", text, re.IGNORECASE):
        return text
    return _TAIL.sub("", _LEAD.sub("", text)).strip() or text


@dataclass(frozen=True)
class _Said:
    """The parts of a follow-up that stand alone: "top 3", "the average"."""

    limit: int | None = None
    descending: bool | None = None
    function: Function | None = None
    top: bool = False
    """Whether "top" was said: of the cheapest, the top 3 are the three cheapest."""


def change(base: Plan, items: Sequence[Item], lexicon: Lexicon) -> Reading:
    """Return the earlier question's plan with what the follow-up says changed; raises NotUnderstood."""
    kept, said = _standing_alone(items)
    reader = Reader(lexicon, kept)
    reader.subject, reader.head = base.subject, False
    reader.resolver.mentioned.extend(_tables(base))
    reader.measures = list(base.measures)
    _measure_anew(base, reader)
    walk(reader)
    plan = _changed(base, reader, said)
    if plan == base:
        raise NotUnderstood("I did not understand what to change in the question before.")
    ties = (TIES,) if plan.within is not None else ()
    return Reading(plan, tuple(dict.fromkeys((*reader.assumptions, *ties))))


def _measure_anew(base: Plan, r: Reader) -> None:
    """and the tips, fare by city: a number that stands first is computed as the one before was, it is no filter"""
    first = r.peek()
    if first is None or first.kind != "name" or first.tables or first.values or not base.measures:
        return
    column = r.resolver.column(first, r.context, numeric=True) if first.columns else None
    alone = r.peek(1) is None or r.next_is("by", "per", "period", "in", ahead=1)
    measured = column is not None and any((m.table, m.column) == (column.table, column.name) for m in base.measures)
    if column is None or not alone or measured or not r.resolver.is_numeric(column) or is_key(r, column):
        return
    functions = {m.function for m in base.measures if m.column is not None}
    function = functions.pop() if len(functions) == 1 else "sum" if is_added(r, column) else None
    summed = bool(NOT_ADDED & set(r.naming.column(column.table, column.name))) and function == "sum"
    if function not in {"sum", "avg", "min", "max", "median"} or summed:
        what = r.naming.say_column(column.table, column.name)
        raise AskedBack(f"Say whether the total or the average {what} is meant.", column)
    r.items.insert(0, Item("aggregate", function, function))


def _standing_alone(items: Sequence[Item]) -> tuple[list[Item], _Said]:
    kept, said = list(items), _Said()
    for n, item in enumerate(items):
        after = items[n + 1] if n + 1 < len(items) else None
        last = after is None or (after.kind == "number" and n + 2 == len(items))
        if item.kind == "superlative" and last:
            limit = int(after.value) if after is not None else None
            kept, said = list(items[:n]), _Said(limit, bool(item.value[0]), top=item.text == "top")
        elif item.kind == "aggregate" and after is None:
            kept, said = list(items[:n]), _Said(function=item.value)
    if len(kept) == 1 and kept[0].kind == "number":
        return [], _Said(limit=int(kept[0].value))
    return kept, said


def _tables(plan: Plan) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(m.table for m in plan.measures), plan.subject, *(g.table for g in plan.groups)]))


def _changed(base: Plan, r: Reader, said: _Said) -> Plan:
    plan = _with_filters(base, [f for part in filters_of(r) for f in part])
    if r.groups and asks_within(r.items, plan):
        plan = ranked_within_other(plan, r.groups, r.lexicon)
    elif r.groups:
        plan = _regrouped(plan, r.groups)
    if r.share:
        plan = replace(plan, share=True)
    new = [m for m in r.measures if m not in base.measures]
    if new:
        plan = _remeasured(plan, new, r)
    if r.order or r.descending is not None:
        plan = replace(plan, order=tuple(r.order) or _flipped(plan, bool(r.descending)))
    if r.columns:
        plan = _with_columns(plan, r.columns)
    if said.function is not None:
        plan = _with_function(plan, said.function)
    if said.limit is not None or said.descending is not None:
        plan = _limited(plan, said)
    refuse_unreached(plan, r.lexicon)
    return as_part(_with_periods(plan, r))


def _with_filters(plan: Plan, filters: Sequence[Filter]) -> Plan:
    where = list(plan.where)
    for new in filters:
        replaced = [n for n, old in enumerate(where) if _about_the_same(old, new)]
        for n in reversed(replaced):
            del where[n]
        where.append(new)
    return replace(plan, where=tuple(where))


def _about_the_same(old: Filter, new: Filter) -> bool:
    columns = [_column(old), _column(new)]
    return columns[0] is not None and columns[0] == columns[1] and type(old) is not AnyOf


def _column(condition: Filter) -> Col | None:
    if isinstance(condition, Condition | During):
        return condition.column
    if isinstance(condition, AnyOf):
        return _column(condition.options[0])
    return None


def _regrouped(plan: Plan, groups: Sequence[Group]) -> Plan:
    if not plan.measures:
        plan = replace(
            plan, measures=(Measure("count", plan.subject),), columns=(), order=(), limit=None, distinct=False
        )
    order = tuple(o for o in plan.order if isinstance(o.by, Measure))
    limit = plan.limit if plan.limit != 1 and not any(g.grain for g in groups) else None
    return replace(plan, groups=tuple(groups), order=order if limit else (), limit=limit)


def _remeasured(plan: Plan, measures: Sequence[Measure], r: Reader) -> Plan:
    kept = [o for o in plan.order if not isinstance(o.by, Measure)]
    if plan.limit is not None:
        kept = [Order(measures[0], plan.order[0].descending if plan.order else True)]
    return replace(plan, measures=tuple(measures), order=tuple(kept), columns=(), having=())


def _flipped(plan: Plan, descending: bool) -> tuple[Order, ...]:
    if plan.order:
        return (replace(plan.order[0], descending=descending), *plan.order[1:])
    if plan.measures:
        return (Order(plan.measures[0], descending),)
    return (Order(plan.columns[0], descending),)


def _with_columns(plan: Plan, columns: Sequence[Col]) -> Plan:
    if not plan.measures:
        return replace(plan, columns=tuple(dict.fromkeys((*plan.columns, *columns))))
    groups = list(plan.groups)
    for column in columns:
        index = next((n for n, g in enumerate(groups) if g.column is None and g.table == column.table), None)
        if index is None:
            groups.append(Group(column.table, column.name))
        else:
            groups[index] = replace(groups[index], shown=(*groups[index].shown, column))
    return replace(plan, groups=tuple(groups))


def _with_function(plan: Plan, function: Function) -> Plan:
    measured = [
        m for m in plan.measures if m.column is not None and m.function in {"sum", "avg", "min", "max", "median"}
    ]
    if not measured:
        raise NotUnderstood("There is nothing in the question before that this could be computed of.")
    changed = tuple(replace(m, function=function) for m in measured)
    order = tuple(replace(o, by=changed[0]) if isinstance(o.by, Measure) else o for o in plan.order)
    return replace(plan, measures=changed, order=order)


def _limited(plan: Plan, said: _Said) -> Plan:
    if plan.measures and not plan.groups:
        raise NotUnderstood("The question before has one number as its answer: there is nothing to rank.")
    descending = said.descending if said.descending is not None else True
    if plan.order and (said.descending is None or (said.top and plan.limit is not None)):
        descending = plan.order[0].descending
    return replace(plan, order=_flipped(plan, descending), limit=said.limit if said.limit is not None else plan.limit)


def _with_periods(plan: Plan, r: Reader) -> Plan:
    """compared with last year: the period before beside the one that was asked for"""
    if not r.versus:
        return plan
    new = [f for f in plan.where if isinstance(f, During)]
    raise (
        NotUnderstood("Ask for both periods, like “this year versus last year”.")
        if not new
        else NotUnderstood("Ask for both periods in one question, like “this year versus last year”.")
    )
