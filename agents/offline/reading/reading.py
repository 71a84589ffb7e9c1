"""Reads a question's items, one after the other, into a plan; declines where an item finds no place in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from agents.offline.english.vocabulary import PEOPLE
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import Lexicon
from agents.offline.meaning.people import drop_still, leave_out_people, name_buyers, name_nobody, name_people
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.meaning.roles import take_role
from agents.offline.plan import Condition, Measure, Plan
from agents.offline.reading.finishing import finish
from agents.offline.reading.lacking import name_lacking, take_lacking
from agents.offline.reading.periods_kept import is_of_words
from agents.offline.reading.reader import Reader, Scope
from agents.offline.reading.setting_aside import set_aside
from agents.offline.reading.subject import find_subject, mention_tables
from agents.offline.reading.superiors import take_superior
from agents.offline.reading.take_acts import name_acts
from agents.offline.reading.take_alike import name_alike, refuse_alone
from agents.offline.reading.take_changes import name_changes
from agents.offline.reading.take_clauses import (
    take_and,
    take_but,
    take_like,
    take_not,
    take_null,
    take_or,
    take_relative,
)
from agents.offline.reading.take_comparisons import (
    take_between,
    take_comparative,
    take_compare,
    take_number,
    take_worth,
)
from agents.offline.reading.take_days import name_days, name_lasting, name_late, take_lasting, take_late
from agents.offline.reading.take_each import first_of_each, refuse_ranked_across, within_each
from agents.offline.reading.take_events import name_happened
from agents.offline.reading.take_expenses import name_expenses
from agents.offline.reading.take_files import name_lines
from agents.offline.reading.take_groups import take_by, take_direction, take_order, take_per
from agents.offline.reading.take_later import name_later, take_later
from agents.offline.reading.take_measures import take_aggregate, take_count
from agents.offline.reading.take_money import asks_what_was_made, name_amounts, take_how_much
from agents.offline.reading.take_movements import name_movements
from agents.offline.reading.take_names import take_name, take_unknown
from agents.offline.reading.take_new import count_the_first, name_new
from agents.offline.reading.take_rankings import take_superlative
from agents.offline.reading.take_rates import name_rates, take_rate
from agents.offline.reading.take_rivals import name_rivals, name_sides
from agents.offline.reading.take_sales import name_sales
from agents.offline.reading.take_series import name_series
from agents.offline.reading.take_shares import bare_share, shares_first, stated_part, take_share, without_statement
from agents.offline.reading.take_states import name_room, name_states, take_away, take_free, take_overdue
from agents.offline.reading.take_ties import name_ties
from agents.offline.reading.take_times import take_period
from agents.offline.reading.take_verbs import take_verb
from agents.offline.reading.take_whom import name_whom
from agents.offline.reading.units_said import in_units
from agents.offline.reading.weighty import weigh
from agents.offline.reading.wordings import reword


@dataclass(frozen=True)
class Reading:
    plan: Plan
    assumptions: tuple[str, ...]


def read(items: Sequence[Item], lexicon: Lexicon) -> Reading:
    """Return the plan of a question's items; raises NotUnderstood naming the first part that finds no place."""
    items = shares_first(items)
    each = within_each(items)
    if each is not None and (ranked := first_of_each(each, lexicon, partial(_ranked, lexicon))) is not None:
        return Reading(*ranked)
    reading = _read(items, lexicon)
    refuse_ranked_across(reading.plan, each)
    return _of_whole(items, reading, lexicon) if reading.plan.share else reading


def _ranked(lexicon: Lexicon, items: Sequence[Item]) -> tuple[Plan, tuple[str, ...]]:
    reading = _read(items, lexicon)
    return reading.plan, reading.assumptions


def _of_whole(items: Sequence[Item], asked: Reading, lexicon: Lexicon) -> Reading:
    """Return the reading of a share; what is stated of the whole is no part of what the whole is."""
    whole: Reading | None = None
    if (fewer := without_statement(items)) is not None:
        with suppress(NotUnderstood):
            whole = _read(fewer, lexicon)
    plan = stated_part(asked.plan, whole.plan) if whole is not None else None
    if whole is None or plan is None:
        return Reading(bare_share(items, asked.plan), asked.assumptions)
    words = filter(is_of_words, asked.assumptions)
    return Reading(plan, tuple(dict.fromkeys([*whole.assumptions, *words])))


def _read(items: Sequence[Item], lexicon: Lexicon) -> Reading:
    reader = Reader(lexicon, list(items))
    for name in _NAMINGS:
        name(reader)
    items = tuple(reader.items)
    if any(i.kind == "unknown" and i.text.lower() == "why" for i in items):
        raise NotUnderstood("I can tell what happened, not why: ask for a number, split by what may explain it.")
    about = any(i.meanings or i.kind == "count" or reader.resolver.is_money(i.text) for i in items)
    if not about and not asks_what_was_made(reader):
        unknown = next((i for i in items if i.kind == "unknown"), None)
        raise NotUnderstood(
            f"I found nothing about “{unknown.text}” in this database."
            if unknown
            else "I found nothing in this question that is about the database."
        )
    superior = take_superior(reader)
    _unknown_first(reader)
    if not superior:
        reader.subject = find_subject(reader)
        mention_tables(reader)
        reader.subject_named = _asks_who(reader)
        walk(reader)
    plan = replace(in_units(reader, count_the_first(reader, finish(reader))), along=reader.along)
    return Reading(plan, tuple(dict.fromkeys(reader.assumptions)))


def walk(reader: Reader) -> None:
    """Take every item in turn; each finds its place in the reader or raises NotUnderstood."""
    refuse_alone(reader)
    last_sentence = 0
    while (item := reader.peek()) is not None:
        if item.sentence != last_sentence:
            last_sentence = item.sentence
            _begin_sentence(reader)
        _HANDLERS[item.kind](reader)
    reader.settle()


def _asks_who(r: Reader) -> bool:
    """Whether "who" stands for the subject's rows, as they are people: "who has the highest salary"."""
    begins = bool(r.items) and r.items[0].kind == "relative" and r.items[0].text == "who"
    return begins and bool(PEOPLE & set(r.naming.table(r.subject)))


def _unknown_first(r: Reader) -> None:
    """Decline before anything else for words that no rule could give a place."""
    for n, item in enumerate(r.items):
        if item.kind != "unknown" or r.resolver.is_money(item.text):
            continue
        before = r.items[n - 1] if n else None
        named = before is not None and before.kind in {"name", "like"} and (item.capital or before.kind == "like")
        if not named:
            raise NotUnderstood(f"I found nothing about “{item.text}” in this database.")


def _begin_sentence(r: Reader) -> None:
    """A further sentence says what to show: "Return the name and the number of orders."."""
    r.settle()
    r.open_scope()
    r.head = r.further = True
    r.just_filtered = None
    if r.scope.filters or r.scope.entity:
        r.scopes.append(Scope())


def _take_distinct(r: Reader) -> None:
    r.take()
    r.distinct = True


def _take_star(r: Reader) -> None:
    r.take()
    r.star = True


def _take_exist(r: Reader) -> None:
    r.take()
    r.exists = True
    if not r.measures:
        r.measures.append(Measure("count", r.subject))


def _take_how(r: Reader) -> None:
    """how old, how long: the column that the adjective is a degree of"""
    item = r.take()
    column = r.resolver.degree(item.value, r.context)
    if column is None:
        raise r.not_understood(item)
    if column not in r.columns:
        r.columns.append(column)


def _take_aged(r: Reader) -> None:
    """older than 20 years old: the comparison has said it already"""
    item = r.take()
    if not any(isinstance(f, Condition) for f in r.scope.filters):
        raise r.not_understood(item)


def _take_yes_or_no(r: Reader) -> None:
    r.take()
    r.exists = True


def _take_versus(r: Reader) -> None:
    r.take()
    r.versus = True


def _take_trend(r: Reader) -> None:
    r.take()
    if not any(g.grain for g in r.groups) and not any(i.kind == "grain" for i in r.items):
        r.items.insert(r.at, Item("grain", "month", "month"))
        r.assumptions.append("The development is shown per month.")


def _take_grain(r: Reader) -> None:
    """monthly, annual: a group, where something is computed"""
    r.items.insert(r.at, Item("per", "per"))
    take_per(r)


def _refuse_date(r: Reader) -> None:
    text = r.take().text
    first, *rest = text.split("/")
    if len(rest) == 2 and len(rest[1]) == 4 and int(first) <= 12 and int(rest[0]) <= 12:
        written = f"{rest[1]}-{int(rest[0]):02}-{int(first):02}"
        raise NotUnderstood(f"“{text}” may be read in two ways: write the year first, like {written}.")
    raise NotUnderstood(f"There is no date “{text}” in the calendar: write it like 2025-02-01.")


def _skip(r: Reader) -> None:
    r.take()


def _refuse(r: Reader) -> None:
    raise r.not_understood(r.take())


_NAMINGS: tuple[Callable[[Reader], None], ...] = (
    set_aside,
    name_lines,
    name_expenses,
    name_movements,
    name_alike,
    weigh,
    reword,
    name_sales,
    name_series,
    name_changes,
    name_rates,
    name_days,
    name_lasting,
    name_late,
    name_room,
    name_nobody,
    name_buyers,
    name_acts,
    leave_out_people,
    name_people,
    name_new,
    name_states,
    name_rivals,
    name_sides,
    name_happened,
    name_amounts,
    name_whom,
    name_ties,
    name_later,
    name_lacking,
    drop_still,
)
"""What gives words their places before they are read from left to right, each after those that it builds on."""

_HANDLERS: dict[str, Callable[[Reader], object]] = {
    "count": take_count,
    "how much": take_how_much,
    "aggregate": take_aggregate,
    "superlative": take_superlative,
    "distinct": _take_distinct,
    "per": take_per,
    "by": take_by,
    "order": take_order,
    "direction": take_direction,
    "compare": take_compare,
    "comparative": take_comparative,
    "or more": _refuse,
    "between": take_between,
    "not": take_not,
    "both": _skip,
    "and": take_and,
    "or": take_or,
    "but": take_but,
    "relative": take_relative,
    "of": _skip,
    "in": _skip,
    "like": take_like,
    "share": take_share,
    "versus": _take_versus,
    "comparison": _take_versus,
    "star": _take_star,
    "trend": _take_trend,
    "than": _skip,
    "exist": _take_exist,
    "rate": take_rate,
    "worth": take_worth,
    "role": take_role,
    "how": _take_how,
    "aged": _take_aged,
    "yes or no": _take_yes_or_no,
    "null": take_null,
    "lasting": take_lasting,
    "late": take_late,
    "lacking": take_lacking,
    "overdue": take_overdue,
    "away": take_away,
    "later": take_later,
    "free": take_free,
    "name": take_name,
    "number": take_number,
    "period": take_period,
    "no date": _refuse_date,
    "amount": _refuse,
    "days": _refuse,
    "grain": _take_grain,
    "verb": take_verb,
    "unknown": take_unknown,
}
