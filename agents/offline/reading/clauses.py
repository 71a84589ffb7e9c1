"""Makes conditions of the clauses that were read: on the rows themselves, or on rows that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import OPPOSITE, Condition, During, Filter, Measure, Related
from agents.offline.reading.reader import Reader, Scope
from agents.offline.reading.take_clauses import joined


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
    if r.ranking is not None and isinstance(r.ranking.by, Measure) and r.joins.to_one(r.ranking.by.table, scope.entity):
        return not (scope.negated or scope.count or scope.operator != ">")  # "most orders in northern shops"
    if r.groups and any(r.joins.to_one(m.table, scope.entity) for m in r.measures) and conditions:
        return not (scope.negated or scope.count or scope.operator != ">")  # "revenue by shop for the product …"
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
