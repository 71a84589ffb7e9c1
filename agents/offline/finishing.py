"""Makes the plan of what a reading has gathered; declines where its parts do not fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from agents.offline.plan import OPPOSITE, Col, Condition, During, Filter, Function, Group, Measure, Order, Plan, Related
from agents.offline.reader import Reader, Scope
from agents.offline.resolving import NotUnderstood
from agents.offline.take_clauses import joined
from agents.offline.times import Period


def finish(r: Reader) -> Plan:
    if r.asked_limit is not None:
        raise NotUnderstood(f"I did not understand which {r.asked_limit} of them to show.")
    if r.ranking is not None and r.ranking.by is None:
        _rank_by_what_is_measured(r)
    if r.when and not r.measures:
        _show_the_date(r)
    if r.periods and not r.measures and r.subject_named:
        r.measures.append(Measure("count", r.subject))
    filters, related = filters_of(r)
    _refuse_contradictions(filters)
    _refuse_loose_negation(r, filters, related)
    measures, groups = list(dict.fromkeys(r.measures)), list(r.groups)
    if not measures:
        groups = [g for g in groups if not (g.table == r.subject and g.column is None)]
        _refuse_first_per_group(
            r, groups if not (r.ranking and isinstance(r.ranking.by, Measure)) and not r.having else []
        )
    rank_measure = r.ranking.by if r.ranking is not None and isinstance(r.ranking.by, Measure) else None
    ranked_far = (
        r.ranking is not None and isinstance(r.ranking.by, Col) and not r.joins.to_one(r.subject, r.ranking.by.table)
    )
    if ranked_far and r.ranking is not None and isinstance(r.ranking.by, Col):
        function: Function = "sum" if r.ranking.summed else ("max" if r.ranking.descending else "min")
        rank_measure = Measure(function, r.ranking.by.table, r.ranking.by.name)
    if rank_measure is not None and rank_measure not in measures:
        measures.append(rank_measure)
    for having in r.having:
        if having.measure not in measures:
            measures.append(having.measure)
    order = list(r.order)
    if measures and (rank_measure or r.having or r.columns or groups):
        groups = _groups(r, groups, measures)
    if r.ranking is not None and r.ranking.by is not None:
        order.insert(0, Order(rank_measure or r.ranking.by, r.ranking.descending))
    elif r.descending is not None and not order:
        order = [_default_order(r, measures, groups)]
    for key in order:
        if isinstance(key.by, Measure) and key.by not in measures:
            measures.append(key.by)
            groups = _groups(r, groups, measures)
    columns = () if measures else tuple(r.columns)
    if not measures and not columns and not r.star and not _is_listing(r):
        raise NotUnderstood("I did not understand what should be shown.")
    if not measures and r.ranking is not None and isinstance(r.ranking.by, Col):
        columns = _with_rank_column(r, columns, r.ranking.by)
    plan = Plan(
        subject=r.subject,
        columns=_shown(r, columns) if not measures else (),
        measures=tuple(measures),
        groups=tuple(groups),
        where=(*filters, *related),
        having=tuple(r.having),
        order=tuple(order),
        limit=(r.ranking.limit or None) if r.ranking is not None else None,
        distinct=_is_distinct(r, columns),
        share=r.share,
        exists=r.exists,
    )
    return _compared(r, plan)


def _refuse_contradictions(filters: Sequence[Filter]) -> None:
    """Decline where one value would have to lie in two places: "above 40 and below 30" means two rows."""
    bounds: dict[Col, tuple[float, float]] = {}
    for f in filters:
        if isinstance(f, Condition) and f.operator in {">", ">=", "<", "<="} and isinstance(f.values[0], int | float):
            low, high = bounds.get(f.column, (float("-inf"), float("inf")))
            value = float(f.values[0])
            bounds[f.column] = (max(low, value), high) if f.operator in {">", ">="} else (low, min(high, value))
    spans = [f for f in filters if isinstance(f, During) and not f.negated]
    for n, one in enumerate(spans):
        if any(other.column == one.column and not _overlap(one.period, other.period) for other in spans[n + 1 :]):
            raise NotUnderstood("Nothing happens in both of these periods: ask for one, or to compare them.")
    equal = [(f.column, f.values) for f in filters if isinstance(f, Condition) and f.operator == "="]
    if any(low > high for low, high in bounds.values()) or len({c for c, _ in equal}) != len(set(equal)):
        raise NotUnderstood("No single row can fulfil these conditions together: ask for each of them by itself.")


def _overlap(one: Period, other: Period) -> bool:
    starts_before = one.start is None or other.end is None or one.start < other.end
    return starts_before and (other.start is None or one.end is None or other.start < one.end)


def _refuse_loose_negation(r: Reader, filters: Sequence[Filter], related: Sequence[Filter]) -> None:
    """Decline "countries that do not …" where countries are no rows: one country's rows may differ."""
    absent = any(isinstance(f, Related) and f.absent for f in (*filters, *related))
    far = any(c.table != r.subject for c in r.columns) and any(s.negated for s in r.scopes)
    loose = absent and (not r.subject_named or r.which)
    if (loose or far) and r.columns and not r.measures and not any(_identifies(r, c) for c in r.columns):
        raise NotUnderstood("I did not understand what should not be the case, or of which rows.")


def _show_the_date(r: Reader) -> None:
    column = r.resolver.date(r.subject, r.verb) or r.resolver.year(r.subject)
    if column is None:
        raise NotUnderstood(f"I found no date of {r.naming.say_table(r.subject)} in this database.")
    if column not in r.columns:
        r.columns.append(column)


def _refuse_first_per_group(r: Reader, groups: Sequence[Group]) -> None:
    if groups and r.ranking is not None:
        raise NotUnderstood(
            "I cannot find the first row of each group yet: ask for the highest or lowest number per group."
        )
    if groups and not r.columns and not r.subject_named:
        raise NotUnderstood("I did not understand what to compute for each group.")


def _is_listing(r: Reader) -> bool:
    return r.subject_named or bool(r.scopes[0].filters) or any(g.table == r.subject for g in r.groups)


def _with_rank_column(r: Reader, columns: Sequence[Col], by: Col) -> tuple[Col, ...]:
    shown = tuple(columns) or tuple(Col(r.subject, name) for name in r.naming.label(r.subject))
    return shown if by in shown else (*shown, by)


def _rank_by_what_is_measured(r: Reader) -> None:
    """top 5 … : by the one thing that is computed"""
    assert r.ranking is not None
    if len(r.measures) >= 1:
        r.ranking.by = r.measures[0]
    elif r.order and isinstance(r.order[0].by, Measure | Col):
        first = r.order.pop(0)
        assert isinstance(first.by, Measure | Col)
        r.ranking.by, r.ranking.descending = first.by, first.descending
    else:
        raise NotUnderstood("I did not understand what to rank by.")


def _groups(r: Reader, groups: Sequence[Group], measures: Sequence[Measure]) -> list[Group]:
    """Return the groups with the shown columns among them: a table's own are shown of its rows."""
    found = list(groups)
    entities = {g.table for g in found if g.column is None}
    shown_of = {t: [c for c in r.columns if c.table == t] for t in entities}
    found = [replace(g, shown=tuple(shown_of[g.table])) if g.column is None and shown_of[g.table] else g for g in found]
    named = {(g.table, g.column) for g in found}
    measured = {(m.table, m.column) for m in measures}
    loose = [c for c in r.columns if c.table not in entities and (c.table, c.name) not in named | measured]
    keyed = {m.table for m in measures}
    label_named = r.subject_named and r.subject not in keyed
    for column in loose:
        if column.table == r.subject and (label_named or _identifies(r, column)) and not found:
            of_table = [c for c in loose if c.table == r.subject]
            found.append(r.entity_group(r.subject, of_table))
            loose = []
            break
    entities = {g.table for g in found if g.column is None}
    found += [Group(c.table, c.name) for c in loose if c.table not in entities]
    if not found and (r.ranking is not None or r.having):
        found = [r.entity_group(r.subject)]
    return found


def _identifies(r: Reader, column: Col) -> bool:
    return column.name in r.naming.label(column.table) or column.name == r.naming.key(column.table)


def _default_order(r: Reader, measures: Sequence[Measure], groups: Sequence[Group]) -> Order:
    descending = bool(r.descending)
    if measures:
        return Order(measures[0] if descending or not groups else groups[0], descending)
    shown = _shown(r, tuple(r.columns))
    return Order(shown[0], descending)


def _shown(r: Reader, columns: Sequence[Col]) -> tuple[Col, ...]:
    """Return the columns of a listing: those asked for, or what stands for a row and a little beside it."""
    if r.star:
        return tuple(Col(r.subject, c.name) for c in r.lexicon.table(r.subject).columns)
    if columns:
        return tuple(dict.fromkeys(columns))
    label = tuple(Col(r.subject, name) for name in r.naming.label(r.subject))
    used = [
        f.column
        for s in r.scopes
        for f in s.filters
        if isinstance(f, Condition) and f.column.table == r.subject and f.operator != "="
    ]
    ordered = [o.by for o in r.order if isinstance(o.by, Col)]
    return tuple(dict.fromkeys((*label, *used, *ordered)))


def _is_distinct(r: Reader, columns: Sequence[Col]) -> bool:
    """Whether equal rows are shown once: values of a column are asked for, not rows of a table."""
    if r.which and len(columns) == 1 and not _identifies(r, columns[0]) and r.ranking is None:
        return True
    if not columns or r.star or r.ranking is not None:
        return False
    keys = {r.naming.key(r.subject), *r.naming.label(r.subject)}
    if any(c.table == r.subject and c.name in keys for c in columns):
        return r.distinct
    return r.distinct or not r.subject_named


def filters_of(r: Reader) -> tuple[list[Filter], list[Filter]]:
    """Return the clauses' conditions: on the rows themselves, and on rows of other tables that belong to them."""
    plain: list[Filter] = []
    related: list[Filter] = []
    for scope in r.scopes:
        conditions = joined(scope.filters)
        if scope.entity is not None and scope.entity != r.subject and not _is_plain(r, scope, conditions):
            related.append(_related(scope, conditions))
        elif scope.negated:
            plain.extend(_negated(r, conditions))
        else:
            plain.extend(conditions)
    return plain, related


def _is_plain(r: Reader, scope: Scope, conditions: Sequence[Filter]) -> bool:
    """Whether a clause's conditions are about something each row belongs to."""
    assert scope.entity is not None
    measured = {m.table for m in r.measures} | (
        {r.ranking.by.table} if r.ranking is not None and r.ranking.by is not None else set()
    )
    if scope.negated or scope.count or scope.operator != ">":
        return False
    if not conditions:
        return scope.entity in measured
    return r.joins.to_one(r.subject, scope.entity) or scope.entity in measured


def _related(scope: Scope, conditions: Sequence[Filter]) -> Related:
    assert scope.entity is not None
    if scope.negated:
        return Related(scope.entity, tuple(conditions), "=", 0)
    return Related(scope.entity, tuple(conditions), scope.operator, scope.count)


def _negated(r: Reader, conditions: Sequence[Filter]) -> list[Filter]:
    found: list[Filter] = []
    if not conditions:
        raise NotUnderstood("I did not understand what should not be the case.")
    for condition in conditions:
        if isinstance(condition, Condition) and not r.joins.to_one(r.subject, condition.column.table):
            found.append(Related(condition.column.table, (condition,), "=", 0))
        elif isinstance(condition, Condition) and condition.operator in OPPOSITE:
            found.append(replace(condition, operator=OPPOSITE[condition.operator]))
        elif isinstance(condition, During):
            found.append(replace(condition, negated=True))
        elif isinstance(condition, Related) and not condition.absent:
            found.append(replace(condition, operator="=", count=0))
        else:
            raise NotUnderstood("I did not understand what should not be the case.")
    return found


def _compared(r: Reader, plan: Plan) -> Plan:
    if not r.periods:
        return plan
    if not plan.measures:
        raise NotUnderstood("I did not understand what to compare between the two periods.")
    tables = (plan.measures[0].table, r.subject)
    column = r.resolver.date_near(tables, r.verb)
    if column is None or r.lexicon.column(column).kind != "date":
        raise NotUnderstood("I found no dates to compare the two periods by.")
    first, second = r.periods
    newer, older = sorted((first, second), key=lambda p: p.start or p.end or date.min, reverse=True)
    for period in (newer, older):
        r.assumptions.append(f"{period.words[:1].upper()}{period.words[1:]} is {period.describe()}.")
    return replace(plan, compare=(newer, older), compare_on=column)
