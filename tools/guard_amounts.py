"""Tells how much a call asks for, where the query itself says so in numbers, and refuses what is not small."""

from __future__ import annotations

import re
from datetime import date
from math import inf

from sqlglot import exp

from errors import SQLRefused

MAX_TEXT = 1_000
"""Characters or repetitions that one call may ask for."""
MAX_SERIES = 100_000
"""Members of one series of numbers or dates."""

_UNITS = {"MINUTE": 60, "HOUR": 3600, "DAY": 86_400, "WEEK": 604_800, "MONTH": 2_592_000, "QUARTER": 7_776_000}
_UNITS |= {"YEAR": 31_536_000, "DECADE": 315_360_000}

_DATE_WORDS = frozenset({*(unit.lower() for unit in _UNITS), "now", "today", "yesterday", "tomorrow", "epoch", "utc"})
_SHORT_SPAN = re.compile(r"[+-]?\d{1,4}(?: [a-z]+)?")


def number(node: exp.Expr | None) -> float | None:
    """Return the number that a constant expression stands for, or None where it is no constant."""
    match node:
        case exp.Literal() if not node.is_string:
            try:
                return float(node.name.replace("_", ""))
            except ValueError:
                return None
        case exp.Paren() | exp.Cast():
            return number(node.this)
        case exp.Neg():
            inner = number(node.this)
            return None if inner is None else -inner
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Pow():
            left, right = number(node.this), number(node.expression)
            return None if left is None or right is None else _combined(node, left, right)
    return None


def _combined(node: exp.Expr, left: float, right: float) -> float | None:
    match node:
        case exp.Add():
            return left + right
        case exp.Sub():
            return left - right
        case exp.Mul():
            return left * right
    try:
        power = left**right
    except (OverflowError, ZeroDivisionError):
        return inf
    return power if isinstance(power, float) else None


def amount(function: str, node: exp.Expr | None) -> float:
    """Return the most that this length or count can be; raises SQLRefused where that is not small."""
    # A long text repeated as often as it is long is too long; padded to its length it is not.
    own_length = function == "REPEAT" and node is not None and node.find(exp.Length) is not None
    most = inf if own_length else _bound(node)
    if most > MAX_TEXT:
        raise SQLRefused(f"{function} may ask for at most {MAX_TEXT:,} characters, written as a number.")
    return max(most, 1.0)


def _bound(node: exp.Expr | None) -> float:
    constant = number(node)
    if constant is not None:
        return abs(constant)
    match node:
        case exp.Length() | exp.ArraySize():
            # A stored text is as long as it is; one that is made here is bounded where it is made.
            return 1.0
        case exp.Least():
            return min(_bound(n) for n in (node.this, *node.expressions))
        case exp.Greatest():
            return max(_bound(n) for n in (node.this, *node.expressions))
        case exp.Min() if node.expressions:  # SQLite's min(a, b)
            return min(_bound(n) for n in (node.this, *node.expressions))
        case exp.Add() | exp.Sub():
            return _bound(node.this) + _bound(node.expression)
        case exp.Paren() | exp.Cast() | exp.Round() | exp.Floor() | exp.Ceil():
            return _bound(node.this)
        case exp.Mod():
            return _bound(node.expression)
        case exp.Coalesce():
            return max(_bound(n) for n in (node.this, *node.expressions))
    return inf


def series(start: exp.Expr | None, end: exp.Expr | None, step: exp.Expr | None) -> float:
    """Return how many members the series has; raises SQLRefused where that is too many or cannot be told."""
    seconds = _interval_seconds(step)
    if seconds is not None:
        first, last = _day(start), _day(end)
        count = abs((last - first).days) * 86_400 / seconds + 1 if first and last else _stored_days(start, end)
    else:
        low, width = _bound(start), 1.0 if step is None else abs(number(step) or 0)
        span = number(end), number(start)
        reach = abs(span[0] - span[1]) if span[0] is not None and span[1] is not None else low + _bound(end)
        count = reach / width + 1 if width else inf
    if count > MAX_SERIES:
        raise SQLRefused(
            f"A series may have at most {MAX_SERIES:,} members, with bounds written as numbers,"
            " or dates with an interval of a minute or more."
        )
    return count


def _stored_days(*bounds: exp.Expr | None) -> float:
    """Return the members of a series whose bounds are looked up: endless where 'infinity' may be one of them."""
    for bound in bounds:
        if bound is None:
            continue
        root = bound.root()
        casts = (c for c in root.find_all(exp.Cast) if c.to.is_type(*exp.DataType.TEMPORAL_TYPES))
        made = (cast.this for cast in casts if not cast.this.find(exp.Column))
        for part in (bound, *made):
            if not all(map(_is_readable, part.find_all(exp.Literal))):
                return inf
        if any("inf" in text.name.lower() for text in root.find_all(exp.Literal) if text.is_string):
            return inf
    return 1_000.0


def _is_readable(literal: exp.Expr) -> bool:
    """Whether a literal of a date's expression is a date, a unit or a short span."""
    if not literal.is_string:
        return abs(number(literal) or 0) <= MAX_SERIES
    if literal.find_ancestor(exp.Query) and literal.find_ancestor(exp.Where, exp.Having, exp.JSONExtractScalar):
        return True  # It chooses rows.
    text = literal.name.strip().lower()
    return _day(literal) is not None or text in _DATE_WORDS or _SHORT_SPAN.fullmatch(text) is not None


def _interval_seconds(step: exp.Expr | None) -> float | None:
    """Return the length of a constant interval of at least a minute, or None."""
    amount, unit = _interval_parts(step)
    seconds = _UNITS.get(unit.upper().removesuffix("S"))
    try:
        return abs(float(amount)) * seconds or None if seconds else None
    except ValueError:
        return None


def _interval_parts(step: exp.Expr | None) -> tuple[str, str]:
    if isinstance(step, exp.Neg | exp.Paren):
        return _interval_parts(step.this)
    if isinstance(step, exp.Interval) and step.this is not None:
        amount, unit = step.this.name, step.args.get("unit")
        if unit is not None:
            return amount, unit.name
        return (*amount.split(), "", "")[0], (*amount.split(), "", "")[1]
    if isinstance(step, exp.Cast) and isinstance(step.this, exp.Literal) and step.to.is_type("interval"):
        return (*step.this.name.split(), "", "")[0], (*step.this.name.split(), "", "")[1]
    if isinstance(step, exp.Literal) and step.is_string:
        return (*step.name.split(), "", "")[0], (*step.name.split(), "", "")[1]
    return "", ""


def _day(node: exp.Expr | None) -> date | None:
    while isinstance(node, exp.Cast | exp.Paren | exp.Date | exp.Timestamp):
        node = node.this
    if isinstance(node, exp.Literal) and node.is_string:
        try:
            return date.fromisoformat(node.name[:10])
        except ValueError:
            return None
    return None
