"""Reads from a statement what its answer takes for granted: periods, filters, what is computed, how many rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

from sqlglot import exp

from tools.conditions import conditions_of, conjuncts, say_condition
from tools.wording import as_moment, clean, in_words, say_time, with_unit

Kind = Literal["period", "filter", "measure", "limit"]
Premise = tuple[Kind, str, str]
"""Its kind, its words, and the column's words or the number that it is about; strings, so that JSON can carry it."""

MOST = 12


def read_premises(statement: exp.Expr) -> list[Premise]:
    """Return what the statement takes for granted, each once, at most MOST."""
    found = [*_conditions(statement), *_measures(statement), *_limit(statement)]
    return list(dict.fromkeys(found))[:MOST]


def _conditions(statement: exp.Expr) -> Iterator[Premise]:
    bounds: dict[str, list[exp.Expr]] = {}
    for condition in conditions_of(statement):
        if column := bounded_column(condition):
            bounds.setdefault(column, []).append(condition)
            continue
        about = {in_words(column.name).lower() for column in condition.find_all(exp.Column)}
        if condition.find(exp.Select):
            continue  # Its own conditions follow.
        if (first := _first_of_each(condition)) is not None:
            yield "limit", f"first {first} of each", first
            continue
        words = say_condition(condition) or _either_period(condition) or clean(condition.sql(copy=False), 60)
        yield "filter", words, about.pop() if len(about) == 1 else ""
    for column, conditions in bounds.items():
        yield "period", f"{column}: {days_between(conditions)}", column


def _first_of_each(condition: exp.Expr) -> str | None:
    """Return how many are kept where the condition is about a rank within groups: "place <= 3"."""
    select = condition.find_ancestor(exp.Select)
    start = select.args.get("from_") if select is not None else None
    inner = start.this.this if start is not None and isinstance(start.this, exp.Subquery) else None
    column, number = condition.args.get("this"), condition.args.get("expression")
    if not isinstance(inner, exp.Select) or not isinstance(column, exp.Column) or not isinstance(number, exp.Literal):
        return None
    ranked = next((e.unalias() for e in inner.expressions if e.alias == column.name), None)
    within = isinstance(ranked, exp.Window) and isinstance(ranked.this, exp.Rank | exp.DenseRank | exp.RowNumber)
    kept = isinstance(condition, exp.LTE) or (isinstance(condition, exp.EQ) and number.this == "1")
    return number.this if within and kept and ranked is not None and ranked.args.get("partition_by") else None


def bounded_column(condition: exp.Expr) -> str | None:
    """Return the words of the column that the condition bounds by a date."""
    if not isinstance(condition, exp.GT | exp.GTE | exp.LT | exp.LTE | exp.Between | exp.EQ):
        return None
    columns = {column.name for column in condition.find_all(exp.Column)}
    literals = list(condition.find_all(exp.Literal))
    is_date = bool(literals) and all(lit.is_string and len(lit.this) >= 10 and as_moment(lit.this) for lit in literals)
    return in_words(columns.pop()).lower() if is_date and len(columns) == 1 else None


def _either_period(condition: exp.Expr) -> str | None:
    """Return the words of alternatives that each bound the same column by dates, as where two periods are compared."""
    either = condition.unnest()
    if not isinstance(either, exp.Or):
        return None
    alternatives = [list(conjuncts(side)) for side in either.flatten()]
    columns = {bounded_column(bound) for bounds in alternatives for bound in bounds}
    if len(columns) != 1 or None in columns:
        return None
    return f"{columns.pop()} is {' or '.join(days_between(bounds) for bounds in alternatives)}"


def days_between(conditions: list[exp.Expr]) -> str:
    """Return the days that the conditions on one column leave."""
    first, last, rest = None, None, []
    for condition in conditions:
        texts = [literal.this for literal in condition.find_all(exp.Literal)]
        match condition:
            case exp.GTE() | exp.GT():
                first = texts[0]
            case exp.LT():
                last = _day_before(texts[0])
            case exp.LTE():
                last = texts[0]
            case exp.Between() if len(texts) == 2:
                first, last = texts
            case _:
                rest.append(say_time(texts[0], "day"))
    said = [say_time(day, "day") if day else None for day in (first, last)]
    if said[0] and said[1]:
        rest.append(said[0] if said[0] == said[1] else f"{said[0]} to {said[1]}")
    elif said[0] or said[1]:
        rest.append(f"from {said[0]}" if said[0] else f"until {said[1]}")
    return " and ".join(rest)


def _day_before(text: str) -> str:
    """Return the last day before a moment: a day for midnight, the moment's own day for any other."""
    moment = as_moment(text)
    if moment is None or moment.hour or moment.minute or moment.second or moment.date() == date.min:
        return text
    return (moment.date() - timedelta(days=1)).isoformat()


def _measures(statement: exp.Expr) -> Iterator[Premise]:
    select = statement
    while isinstance(select, exp.SetOperation):
        select = select.left
    if isinstance(select, exp.Select):
        for projection in select.expressions:
            called = projection.alias
            computed = projection.unalias()
            if called and isinstance(computed, exp.Sum | exp.Avg | exp.Min | exp.Max | exp.Count):
                meant, said = in_words(computed.sql(copy=False)).lower(), in_words(called).lower()
                if meant != said and "(" not in meant and not isinstance(computed.this, exp.Star):
                    yield "measure", f"{with_unit(said)} is the {with_unit(meant)}", said


def _limit(statement: exp.Expr) -> Iterator[Premise]:
    limit = statement.args.get("limit")
    if isinstance(limit, exp.Limit) and isinstance(limit.expression, exp.Literal):
        yield "limit", f"first {limit.expression.this}", str(limit.expression.this)
