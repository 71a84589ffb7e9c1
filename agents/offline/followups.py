"""Proposes next questions, each by changing one part of the plan, and first questions for any database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date

from asyncer import asyncify

from agents.offline.analyst import Analyst
from agents.offline.plan import Col, Condition, During, Grain, Group, Measure, Order, Plan
from agents.offline.resolving import NotUnderstood
from agents.offline.starting import first_questions
from agents.question import Draft, Followup, Question
from tools.catalog import Catalog, Found
from tools.sql_runner import Rows

PROPOSED = 8
"""Follow-ups proposed at most; those that do not run are dropped, and few are shown."""
_SHARED = 60
"""A share of the whole is asked for where it has at most so many parts."""
_MONTHS_FROM, _WEEK = 59, 7
"""Days of a period that is told by months, and at most by days."""


class OfflineSuggester:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._analyst: Analyst | None = None

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        """Return next questions, best first, each with the SQL that asking it anew would run."""
        return await asyncify(self._suggest)(question, draft, rows, found)

    def _suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        if self._analyst is None:
            self._analyst = Analyst(self._catalog)
        try:
            plan = self._analyst.understand(draft.reading, question.today, found.values).plan
        except NotUnderstood:
            return []  # A model understood it, not the rules; the model proposes its own.
        asked = {question.text.strip().lower(), draft.reading.strip().lower()}
        proposed: dict[str, Followup] = {}
        for changed in _changes(plan, rows, self._analyst):
            followup = self._followup(changed, question.today)
            if followup and followup.question.lower() not in asked and followup.sql != draft.sql:
                proposed.setdefault(followup.sql, followup)
            if len(proposed) == PROPOSED:
                break
        return list(proposed.values())

    def _followup(self, plan: Plan, today: date) -> Followup | None:
        assert self._analyst is not None
        said = self._analyst.question_for(plan, today)
        return Followup(*said) if said else None


def starters(catalog: Catalog, today: date) -> tuple[str, ...]:
    """Return about six good first questions, of different kinds, each of which the offline analyst answers."""
    return first_questions(Analyst(catalog), today)


def _changes(plan: Plan, rows: Rows, analyst: Analyst) -> Iterator[Plan]:
    """Yield plans that differ from this one in one part, the most telling first, kinds mixed."""
    changes: tuple[Callable[[Plan, Rows, Analyst], Iterator[Plan]], ...] = (
        _by_other,
        _over_time,
        _only_first,
        _as_share,
        _number,
        _unlike,
    )
    streams = [change(plan, rows, analyst) for change in changes]
    while streams:
        for stream in list(streams):
            changed = next(stream, None)
            if changed is None:
                streams.remove(stream)
            else:
                yield changed


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
    """The same numbers month by month, or in smaller steps where they lie within one month."""
    if plan.measures and plan.compare is None and not any(g.grain for g in plan.groups):
        column = analyst.date_of(plan.measures[0].table)
        grain = _grain(plan)
        if column is not None and grain is not None:
            group = Group(column.table, column.name, grain)
            yield replace(plan, groups=(group,), order=(), limit=None, having=(), share=False)


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
    for other in analyst.groupings(plan.measures[0].table):
        if other.table != group.table and not _is_fixed(other, plan):
            yield replace(
                plan, groups=(other,), where=(*plan.where, condition), order=(), limit=None, having=(), share=False
            )


def _as_share(plan: Plan, rows: Rows, analyst: Analyst) -> Iterator[Plan]:
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
    if plan.measures:
        return
    count = replace(plan, columns=(), measures=(Measure("count", plan.subject),), order=(), limit=None, distinct=False)
    yield count
    for group in analyst.groupings(plan.subject):
        if not _is_fixed(group, plan):
            yield replace(count, groups=(group,))


def _unlike(plan: Plan, rows: Rows, analyst: Analyst) -> Iterator[Plan]:
    """The other end of a ranking, and the average beside a total."""
    if plan.limit is not None and plan.measures and plan.order:
        last = Order(plan.order[0].by, not plan.order[0].descending)
        yield replace(plan, order=(last,), limit=max(plan.limit, 5))
    if plan.measures and plan.measures[0].function == "sum" and not plan.measures[0].said:
        average = replace(plan.measures[0], function="avg")
        order = tuple(replace(o, by=average) if isinstance(o.by, Measure) else o for o in plan.order)
        yield replace(plan, measures=(average,), order=order)
