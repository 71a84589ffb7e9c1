"""Writes what stands beside each number of a series: the running total, or the change since the one before."""

from __future__ import annotations

from sqlglot import exp

from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Plan

_CYCLES = frozenset({"month of year", "weekday", "hour"})


def refuse_no_series(plan: Plan) -> None:
    """Decline running totals and changes of anything but one number along the calendar."""
    grains = [g.grain for g in plan.groups]
    along = len(grains) == len(plan.measures) == 1 and grains[0] is not None and grains[0] not in _CYCLES
    if not along or plan.limit is not None or plan.having or plan.share or plan.compare is not None:
        raise NotUnderstood("I can tell that of one number by day, week, month, quarter or year only.")
    if plan.along == "running" and plan.measures[0].function not in {"count", "sum"}:
        raise NotUnderstood("Only counts and sums have a running total.")


def running_total(number: exp.Expr, place: exp.Expr) -> exp.Expr:
    """Return all up to and with each step of the series."""
    return _over(exp.Sum(this=number), place)


def change_before(number: exp.Expr, place: exp.Expr) -> exp.Expr:
    """Return the change since the step before, in percent of that one; null for the first."""
    before = _over(exp.Lag(this=number), place)
    none = exp.Nullif(this=before.copy(), expression=exp.Literal.number(0))
    change = exp.Paren(this=exp.Sub(this=number.copy(), expression=before))
    return exp.Div(this=exp.Mul(this=exp.Literal.number("100.0"), expression=change), expression=none, typed=True)


def _over(function: exp.Expr, place: exp.Expr) -> exp.Expr:
    return exp.Window(this=function, order=exp.Order(expressions=[exp.Ordered(this=place.copy(), nulls_first=True)]))
