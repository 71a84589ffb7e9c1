"""Tells which assumptions are about a period or what is computed, and whether they hold after a follow-up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agents.offline.english.times import Period
from agents.offline.plan import AnyOf, During, Each, Filter, Pick, Plan, Related, Through

TIES = "Where several come equal, all of them are shown."
"""What is assumed where the first few of each group are asked for."""


def still_holds(assumption: str, plan: Plan) -> bool:
    """Whether an assumption is about a period or a measure that the plan still has, or about neither."""
    if assumption == TIES:
        return plan.within is not None and plan.limit is not None
    called, is_measure, _ = assumption.partition(" is the sum of ")
    if is_measure and " " not in called:
        return any(measure.said in ("", called.lower()) for measure in plan.measures) or not plan.measures
    if not _is_of_period(assumption):
        return True
    periods = [*(plan.compare or ()), *_periods(plan.where)]
    return any(assumption.lower().startswith(p.words.lower()) for p in periods)


def is_of_words(assumption: str) -> bool:
    """Whether an assumption is about neither a period nor a measure, but about what a word was taken to mean."""
    return not _is_of_period(assumption) and " is the sum of " not in assumption


def _is_of_period(assumption: str) -> bool:
    """Whether it says what days a period is; a word like “overdue” “means that” something is so."""
    return " means " in assumption and " means that " not in assumption


def _periods(filters: Iterable[Filter]) -> Iterator[Period]:
    for condition in filters:
        if isinstance(condition, During):
            yield condition.period
        elif isinstance(condition, AnyOf):
            yield from _periods(condition.options)
        elif isinstance(condition, Related | Pick | Through | Each):
            yield from _periods(condition.where)
