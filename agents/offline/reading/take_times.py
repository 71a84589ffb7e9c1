"""Reads periods, and finds the date that they are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agents.offline.english.times import Period
from agents.offline.english.vocabulary import SOLD
from agents.offline.meaning.items import Item
from agents.offline.meaning.naming import possessive
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import OPPOSITE, AnyOf, Col, Condition, During, Filter, Measure, Operand, Related
from agents.offline.reading.reader import Reader
from agents.offline.reading.take_money import sold_lines


def take_period(r: Reader) -> None:
    """in 2024; last month; 2014 or 2015; this year versus last year"""
    before = r.peek(-1)
    both = before is not None and before.kind == "both"
    periods = [_period(r)]
    while True:
        here = r.at
        between = ("and", "or", "versus", "in", "of", "relative") if r.versus else ("and", "or", "versus", "in", "of")
        joined = [i.kind for i in _taken(r, *between)]
        if not joined or not r.next_is("period"):
            r.at = here
            break
        if _recurs(r.peek()) != bool(periods[0].weekdays):
            if {"and", "or", "versus"} & set(joined):
                raise NotUnderstood("I did not understand which days of the week are meant together with which period.")
            r.at = here  # "on Mondays in May": both at once
            break
        periods.append(_period(r))
        r.versus = r.versus or "versus" in joined
        both = both or ("and" in joined and "or" not in joined)
    if len(periods) == 2 and r.versus:
        r.periods = periods
        return
    during(r, periods, both and len(periods) > 1)


def _recurs(item: Item | None) -> bool:
    """Whether days of the week are meant, of whatever week."""
    return item is not None and isinstance(item.value, Period) and bool(item.value.weekdays)


def _taken(r: Reader, *kinds: str) -> list[Item]:
    start = r.at
    r.skip(*kinds)
    return r.items[start : r.at]


def _period(r: Reader) -> Period:
    item = r.take()
    assert isinstance(item.value, Period)
    return item.value


def during(r: Reader, periods: list[Period], both: bool) -> None:
    _turn_to_what_happened(r)
    column = _date_compared(r)
    if column is None:
        raise NotUnderstood(f"I found no date that “{periods[0].words}” could be about.")
    _refuse_days_kept_otherwise(r, column, periods[0])
    negated = r.scope.negated and r.scope.entity is None
    conditions = [_within(r, column, period) for period in periods]
    entity = r.scope.entity or r.subject
    r.head = False
    r.pending = None
    if both and not r.joins.to_one(entity, column.table):
        for condition in conditions:
            r.add(Related(column.table, (condition,)))
        return
    if both and r.scope.entity and r.scope.entity != r.subject and column.table == r.scope.entity:
        r.scope.entity = None
        for condition in conditions:
            r.add(Related(column.table, (condition,)))
        return
    found = conditions[0] if len(conditions) == 1 else AnyOf(tuple(conditions))
    if negated:
        r.scope.negated = False
        found = _negate(found)
    r.add(found)


def _refuse_days_kept_otherwise(r: Reader, date: Col, period: Period) -> None:
    """Decline "classes on Mondays" where a class has a day of its own that is no date: another table's is not meant."""
    if not period.weekdays or date.table == r.subject:
        return
    for column in r.lexicon.table(r.subject).columns:
        if {"weekday", "day", "days", "dow"} & set(r.naming.column(r.subject, column.name)):
            what = r.naming.say_column(r.subject, column.name)
            raise NotUnderstood(f"I do not know which {what} of {r.naming.say_table(r.subject)} is meant.")


def _turn_to_what_happened(r: Reader) -> None:
    """Make the period one of the sales where something was sold, and of what was said where "but not in" follows."""
    entity = r.scope.entity
    if entity is not None and r.pending is None and not r.measures and any(i.stem in SOLD for i in r.items):
        lines = sold_lines(r)
        if lines is not None and r.joins.to_one(lines, entity) and not r.joins.to_one(r.subject, entity):
            r.scope.entity = lines  # "sold in northern shops in 2025": when it was sold, not when they opened
        return
    if r.scope.entity is not None or r.pending is not None or r.ranking is not None:
        return
    before = r.scopes[-2] if len(r.scopes) > 1 else None
    if r.scope.negated and not r.scope.filters and before is not None and before.entity not in (None, r.subject):
        if any(isinstance(f, During) for f in before.filters):
            r.scope.entity = before.entity  # "ordered in 2024 but not in 2025"
        return
    sold = any(i.kind == "verb" and i.stem in SOLD for i in r.items)
    sold = sold and all(m.table == r.subject and not m.said for m in r.measures)
    lines = sold_lines(r) if sold and not r.groups else None
    if lines is not None and not (r.verb is not None and any(m.table == r.subject for m in r.verb.columns)):
        if r.scope.filters:
            r.open_scope(r.scope.negated)
        r.scope.entity = lines


def _negate(condition: Filter) -> Filter:
    if isinstance(condition, During):
        return replace(condition, negated=True)
    if isinstance(condition, Condition) and condition.operator in OPPOSITE:
        return replace(condition, operator=OPPOSITE[condition.operator])
    raise NotUnderstood("I did not understand what should not be the case.")


def _date_compared(r: Reader) -> Col | None:
    if r.pending is not None:
        column = r.lexicon.column(r.pending)
        if column.kind == "date" or r.resolver.is_year(r.pending):
            return r.pending
    ranked = [r.ranking.by.table] if r.ranking is not None and r.ranking.by is not None else []
    entity = r.scope.entity
    if not ranked and r.best_selling and (lines := sold_lines(r)) is not None:
        ranked = [lines]  # "best-selling products this month": sold then, not launched
    if not ranked and _is_best_by_money(r) and (money := r.resolver.money((r.subject,))) is not None:
        ranked = [money.table]  # "our best customers this year": who spent most then, not who joined then
    added = [c.table for c in r.columns if r.groups and r.resolver.is_numeric(c)]
    earned = [
        o.by.table for o in r.order if isinstance(o.by, Measure) and o.by.said
    ]  # "stores sorted by revenue in May"
    fulfilled = [h.measure.table for h in r.having]  # "how many customers spent over 100 in May": spent, not joined
    measured = [*ranked, *earned, *added, *fulfilled, *(m.table for m in r.measures)]
    if r.verb is not None and entity is not None and (said := [m.col for m in r.verb.columns if m.table == entity]):
        return r.resolver.date(entity, r.verb) or said[0]
    belongs = entity is not None and any(r.joins.to_one(t, entity) for t in measured)
    tables = [t for t in ((*measured, entity, r.subject) if belongs else (entity, *measured, r.subject)) if t]
    return r.resolver.date_near(tuple(dict.fromkeys(tables)), r.verb)


def _is_best_by_money(r: Reader) -> bool:
    """Whether the top or the best are asked for, and nothing else is said that they did, or are ranked by."""
    unranked = r.ranking is not None and r.ranking.by is None and r.ranking.word in {"top", "best", "worst", "bottom"}
    alone = r.subject_named and not r.verb_said and r.verb is None and r.scope.entity is None and not r.best_selling
    return unranked and alone and not any(i.kind == "by" for i in r.items[r.at :])


def _within(r: Reader, column: Col, period: Period) -> Filter:
    if r.lexicon.column(column).kind == "date":
        said = f"{period.words[:1].upper()}{period.words[1:]} means {period.describe()}"
        owners = possessive(r.naming.say_table(column.table))
        r.assumptions.append(f"{said}, by the {owners} {r.naming.say_column(column.table, column.name)}.")
        return During(column, period)
    years = period.whole_years
    if years is None:
        raise NotUnderstood(f"{r.naming.say_table(column.table)} only know their year, not “{period.words}”.")
    first, last = years
    number: Callable[[int], Operand] = int if r.lexicon.column(column).kind == "number" else str
    if first is not None and first == last:
        return Condition(column, "=", (number(first),))
    if first is not None and last is not None:
        return Condition(column, "between", (number(first), number(last)))
    return (
        Condition(column, ">=", (number(first),))
        if first is not None
        else Condition(column, "<=", (number(last or 0),))
    )
