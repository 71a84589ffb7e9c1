"""Proposes next questions, each by changing one part of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date

from asyncer import asyncify
from sqlglot.errors import SqlglotError

from agents.offline.about import about
from agents.offline.analyst import Analyst
from agents.offline.english.times import read_period
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col, Condition, During, Grain, Group, Measure, Order, Plan, Related
from agents.offline.sql.carrying import is_alike
from agents.offline.starting import first_questions, is_link
from agents.question import Draft, Followup, Question
from tools.catalog import Found
from tools.sql_runner import Rows

PROPOSED = 8
"""Follow-ups proposed at most; those that do not run are dropped, and few are shown."""
_SHARED = 60
"""A share of the whole is asked for where it has at most so many parts."""
_MONTHS_FROM, _WEEK = 59, 7
"""Days of a period that is told by months, and at most by days."""


class OfflineSuggester:
    def __init__(self, analyst: Analyst) -> None:
        self._analyst = analyst

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        """Return next questions, best first, each with the SQL that asking it anew would run."""
        return await asyncify(self._suggest)(question, draft, rows, found)

    def _suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        if draft.by_hand:
            return []
        try:
            understood = self._analyst.understand(draft.reading, question.today, found.values)
        except NotUnderstood:
            # A model understood it, not the rules, and proposes its own; or the tables were asked for.
            return self._first(question) if about(draft.reading, self._analyst.lexicon) else []
        if draft.trusted and not self._wrote(understood.sql, draft.sql):
            return []  # What is proposed would not mean by the words what the reviewed SQL means by them.
        asked = {question.text.strip().lower(), draft.reading.strip().lower()}
        proposed: dict[str, Followup] = {}
        for followup in self._followups(understood.plan, rows, question.today):
            if followup.question.lower() not in asked and followup.sql != draft.sql:
                proposed.setdefault(followup.sql, followup)
            if len(proposed) == PROPOSED:
                break
        return list(proposed.values())

    def _wrote(self, own: str, sql: str) -> bool:
        try:
            return is_alike(own, sql, self._analyst.lexicon.catalog.dialect)
        except SqlglotError:
            return False

    def _first(self, question: Question) -> list[Followup]:
        questions = first_questions(self._analyst, question.today)
        return [Followup(q, self._analyst.understand(q, question.today).sql) for q in questions]

    def _followups(self, plan: Plan, rows: Rows, today: date) -> Iterator[Followup]:
        """Yield what can be asked after the plan, one of each kind in turn, the most telling kind first."""
        analyst, plan = self._analyst, _of_part(replace(plan, within=None))
        streams = [
            (
                Followup(*said)
                for changed in change(plan, rows, analyst)
                if (said := analyst.question_for(changed, today))
            )
            for change in _CHANGES
        ]
        while streams:
            for stream in list(streams):
                followup = next(stream, None)
                if followup is None:
                    streams.remove(stream)
                else:
                    yield followup


def _of_part(plan: Plan) -> Plan:
    """Return what counts the part, for a share that has no name of its own: there are words for that."""
    share = plan.measures[0] if plan.measures else None
    if share is None or share.function != "share" or share.said:
        return plan
    part = replace(share, function="count" if share.column is None else "sum", only=())
    return replace(plan, measures=(part,), where=(*plan.where, *share.only), order=(), limit=None, having=())


def _by_other(plan: Plan, rows: Rows, analyst: Analyst) -> Iterator[Plan]:
    """The same numbers by another grouping."""
    if not plan.measures:
        return
    for group in analyst.groupings(plan.measures[0].table):
        if group not in plan.groups and not _is_fixed(group, plan):
            yield replace(plan, groups=(group,), order=(), limit=None, having=(), share=False)


def _is_fixed(group: Group, plan: Plan) -> bool:
    """Whether a condition leaves one value of the group only."""
    columns = [f.column for f in plan.where if isinstance(f, Condition) and f.operator == "="]
    return any(c.table == group.table and (group.column in (None, c.name)) for c in columns)


def _over_time(plan: Plan, rows: Rows, analyst: Analyst) -> Iterator[Plan]:
    """The same numbers month by month, or in smaller steps where they lie within one month; or beside last year's."""
    if not plan.measures:
        return
    bare = replace(plan, order=(), limit=None, having=(), share=False, groups=(), compare=None)
    if plan.compare is not None and plan.compare_on is not None:
        bare = replace(bare, where=(*plan.where, During(plan.compare_on, plan.compare[0])), compare_on=None)
    column, grain = analyst.date_of(plan.measures[0].table), _grain(bare)
    if column is not None and grain is not None and not any(g.grain for g in plan.groups):
        yield replace(bare, groups=(Group(column.table, column.name, grain),))
    if plan.compare is None:
        yield from _against_the_one_before(bare)


def _against_the_one_before(plan: Plan) -> Iterator[Plan]:
    """this year beside last year"""
    for during in plan.where:
        if isinstance(during, During) and during.period.start and not during.negated:
            which, _, unit = during.period.words.partition(" ")
            before = read_period(("last", unit), during.period.start) if which == "this" else None
            if before is not None:
                where = tuple(f for f in plan.where if f is not during)
                yield replace(plan, where=where, compare=(during.period, before[0]), compare_on=during.column)


def _grain(plan: Plan) -> Grain | None:
    """Return steps that the plan's period has several of; None within a single day."""
    periods = [f.period for f in plan.where if isinstance(f, During)]
    days = min(((p.end - p.start).days for p in periods if p.start and p.end), default=_MONTHS_FROM)
    return "month" if days >= _MONTHS_FROM else "week" if days > _WEEK else "day" if days > 1 else None


def _only_first(plan: Plan, rows: Rows, analyst: Analyst) -> Iterator[Plan]:
    """What stands first in the answer, by another grouping."""
    if not (plan.groups and plan.measures and rows.values) or plan.groups[0].grain:
        return
    group = plan.groups[0]
    column = Col(group.table, group.column) if group.column else (group.shown[0] if len(group.shown) == 1 else None)
    first = rows.values[0][0]
    if column is None or not isinstance(first, str):
        return
    condition = Condition(column, "=", (first,))
    only = replace(plan, where=(*plan.where, condition), order=(), limit=None, having=(), share=False)
    for other in analyst.groupings(plan.measures[0].table):
        # What each row of the group belongs to, like a product's category, has one value only.
        if not analyst.lexicon.joins.to_one(group.table, other.table) and not _is_fixed(other, plan):
            yield replace(only, groups=(other,))
    when, grain = analyst.date_of(plan.measures[0].table), _grain(plan)
    if when is not None and grain is not None and plan.compare is None:
        yield replace(only, groups=(Group(when.table, when.name, grain),))


def _rows_behind(plan: Plan, rows: Rows, analyst: Analyst) -> Iterator[Plan]:
    """What was counted, listed for the first row; and what has nothing to count."""
    if not (plan.measures and plan.measures[0].column is None and plan.groups and plan.groups[0].column is None):
        return
    group, counted = plan.groups[0], plan.measures[0].table
    if plan.where or group.table == counted:
        return
    if rows.values and len(group.shown) == 1 and isinstance(first := rows.values[0][0], str):
        where = (Condition(group.shown[0], "=", (first,)),)
        yield Plan(counted, columns=analyst.shown(counted), where=where)
    yield Plan(group.table, columns=analyst.shown(group.table), where=(Related(counted, (), "=", 0),))


def _as_share(plan: Plan, rows: Rows, analyst: Analyst) -> Iterator[Plan]:
    """What part of the whole each group is; of a single number, by the second grouping there is."""
    if plan.measures and not plan.groups and not plan.share and plan.measures[0].function in {"count", "sum"}:
        for group in [g for g in analyst.groupings(plan.measures[0].table) if not _is_fixed(g, plan)][1:]:
            yield replace(plan, groups=(group,), share=True, compare=None)
        return
    if (
        plan.groups
        and not plan.share
        and plan.measures
        and plan.measures[0].function in {"count", "sum"}
        and plan.compare is None
        and not any(g.grain for g in plan.groups)
        and all(g.column or (analyst.lexicon.table(g.table).row_count or 0) <= _SHARED for g in plan.groups)
    ):
        yield replace(plan, share=True, order=(), limit=None, having=())


def _number(plan: Plan, rows: Rows, analyst: Analyst) -> Iterator[Plan]:
    """Of a list: how many there are, and how they spread."""
    if plan.measures or _is_one_row(plan, analyst):
        return
    count = replace(plan, columns=(), measures=(Measure("count", plan.subject),), order=(), limit=None, distinct=False)
    yield count
    for group in analyst.groupings(plan.subject):
        if not _is_fixed(group, plan):
            yield replace(count, groups=(group,))
    if not plan.where:
        yield from _most(plan.subject, analyst)


def _is_one_row(plan: Plan, analyst: Analyst) -> bool:
    key = Col(plan.subject, analyst.lexicon.naming.key(plan.subject) or "")
    return any(isinstance(f, Condition) and f.operator == "=" and f.column == key for f in plan.where)


def _most(table: str, analyst: Analyst) -> Iterator[Plan]:
    """The rows of a table that most rows of another belong to."""
    others = [t for t in analyst.lexicon.catalog if t.name != table and any(k.table == table for k in t.foreign_keys)]
    for other in sorted(others, key=lambda t: (is_link(analyst, t), -(t.row_count or 0))):
        count = Measure("count", other.name)
        yield Plan(table, measures=(count,), groups=(analyst.entity(table),), order=(Order(count, True),), limit=5)


def _unlike(plan: Plan, rows: Rows, analyst: Analyst) -> Iterator[Plan]:
    """The best month, the other end of a ranking, and the average beside a total."""
    if plan.measures and plan.compare is None and plan.limit is None and any(g.grain for g in plan.groups):
        yield replace(plan, order=(Order(plan.measures[0], True),), limit=1, share=False)
    if plan.limit is not None and plan.measures and plan.order:
        last = Order(plan.order[0].by, not plan.order[0].descending)
        yield replace(plan, order=(last,), limit=max(plan.limit, 5))
    if plan.measures and plan.measures[0].function == "sum" and not plan.measures[0].said:
        average = replace(plan.measures[0], function="avg")
        order = tuple(replace(o, by=average) if isinstance(o.by, Measure) else o for o in plan.order)
        yield replace(plan, measures=(average,), order=order)


_CHANGES: tuple[Callable[[Plan, Rows, Analyst], Iterator[Plan]], ...] = (
    _by_other,
    _over_time,
    _only_first,
    _as_share,
    _number,
    _rows_behind,
    _unlike,
)
"""Each yields plans that differ from the one before in one part."""
