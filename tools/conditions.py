"""Finds the conditions that a statement puts on its rows, and says them as people do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from tools.wording import clean, in_words, say_number, say_time, with_unit

COMPARED: dict[type[exp.Expr], str] = {
    exp.EQ: "is",
    exp.NEQ: "is not",
    exp.GT: "is above",
    exp.GTE: "is at least",
    exp.LT: "is below",
    exp.LTE: "is at most",
}
COMPARED_DATES: dict[type[exp.Expr], str] = {
    exp.EQ: "is",
    exp.GT: "is after",
    exp.GTE: "is not before",
    exp.LT: "is before",
    exp.LTE: "is not after",
}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER_NAMES = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)


def conditions_of(tree: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the conditions that every row must meet, in the order of the text. What joins two tables is none."""
    for select in tree.find_all(exp.Select, bfs=False):
        if select.find_ancestor(exp.Not) is not None:
            continue
        places = [select.args.get("where"), select.args.get("having")]
        places += [join for join in select.args.get("joins") or () if not join.side and join.args.get("on")]
        for place in places:
            if place is not None:
                whole = place.args["on"] if isinstance(place, exp.Join) else place.this
                yield from (p for p in conjuncts(whole) if not _joins(p) and not isinstance(p, exp.Boolean))


def conjuncts(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    """Yield the conditions that must all hold, in the order of the text."""
    while isinstance(condition, exp.Paren) and isinstance(condition.this, exp.And | exp.Paren):
        condition = condition.this
    if isinstance(condition, exp.And):
        yield from conjuncts(condition.left)
        yield from conjuncts(condition.right)
    elif condition is not None:
        yield condition


def _joins(condition: exp.Expr) -> bool:
    return isinstance(condition, exp.EQ) and all(
        isinstance(side, exp.Column) for side in (condition.left, condition.right)
    )


def say_condition(condition: exp.Expr) -> str | None:
    """Return the condition as people say it; None where it is not one of the plain ones."""
    sides = condition.args.get("this"), condition.args.get("expression")
    is_dated = isinstance(sides[1], exp.Literal) and DAY.match(sides[1].this)
    said = (COMPARED_DATES if is_dated else COMPARED).get(type(condition))
    if said and (left := _side(sides[0])) and (right := _side(sides[1])):
        return clean(f"{left} {said} {right}")
    if (likeness := likeness_of(condition)) and (left := _side(sides[0])):
        return clean(f"{left} {likeness[0]} {likeness[1]}")
    if isinstance(condition, exp.Between):
        parts = [_side(condition.args[part]) for part in ("this", "low", "high")]
        if all(parts):
            return clean(f"{parts[0]} is between {parts[1]} and {parts[2]}")
    if isinstance(condition, exp.In) and (left := _side(sides[0])):
        options = [_side(option) for option in condition.expressions]
        if options and all(options):
            return clean(f"{left} is {' or '.join(str(option) for option in options)}")
    if asks_for_missing(condition) and (left := _side(sides[0])):
        return clean(f"{left} is missing")
    if asks_for_known(condition) and (left := _side(condition.find(exp.Column))):
        return clean(f"{left} is known")
    return None


def likeness_of(condition: exp.Expr, *, denied: bool = False) -> tuple[str, str] | None:
    """Return how a LIKE compares and with which text: "begins with", "Sch"; None where it is none of one text.

    sqlglot reads NOT LIKE as a LIKE that is negated; `denied` says that a NOT stands before it.
    """
    if not isinstance(condition, exp.Like | exp.ILike):
        return None
    pattern = condition.expression
    while isinstance(pattern, exp.Lower | exp.Upper | exp.Paren):
        pattern = pattern.this
    if not isinstance(pattern, exp.Literal):
        return None
    text, core = pattern.this, pattern.this.strip("%")
    is_denied = bool(condition.args.get("negate")) is not denied
    if not core or "%" in core or "_" in core:
        return ("is not like" if is_denied else "is like"), text
    match text.startswith("%"), text.endswith("%"):
        case True, True:
            return ("does not contain" if is_denied else "contains"), core
        case True, False:
            return ("does not end with" if is_denied else "ends with"), core
        case False, True:
            return ("does not begin with" if is_denied else "begins with"), core
    return ("is not" if is_denied else "is"), core


def asks_for_missing(condition: exp.Expr) -> bool:
    """Whether it is an IS NULL; sqlglot reads PostgreSQL's IS NOT NULL as an Is too, one that is negated."""
    is_null = isinstance(condition, exp.Is) and isinstance(condition.expression, exp.Null)
    return is_null and not condition.args.get("negate")


def asks_for_known(condition: exp.Expr) -> bool:
    """Whether it is an IS NOT NULL, which is a NOT before an IS NULL or an Is that is negated."""
    inner = condition.this if isinstance(condition, exp.Not) else condition
    if not (
        isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null) and isinstance(inner.this, exp.Column)
    ):
        return False
    return isinstance(condition, exp.Not) is not bool(inner.args.get("negate"))


def _side(node: exp.Expr | None) -> str | None:
    """Return one side of a comparison in words: a column, a value, a plain aggregate; None for anything else."""
    match node:
        case exp.Column():
            return with_unit(in_words(node.name).lower())
        case exp.Literal():
            return _text(node.this) if node.is_string else _number(node.this)
        case exp.Neg(this=exp.Literal() as inner):
            return f"-{inner.this}"
        case exp.Lower() | exp.Upper() | exp.Cast() | exp.Paren() | exp.Date() | exp.TsOrDsToDate():
            return _side(node.this)
        case exp.AggFunc() if isinstance(node, _NUMBER_NAMES):
            return with_unit(in_words(node.sql()).lower())
        case exp.Func() if len(columns := {column.name for column in node.find_all(exp.Column)}) == 1:
            return with_unit(in_words(columns.pop()).lower())  # A part of a date, a text without its spaces.
        case _:
            return None


def _text(text: str) -> str:
    return say_time(text, "moment") if DAY.match(text) else text


def _number(text: str) -> str:
    try:
        return say_number(float(text))
    except ValueError:
        return text
