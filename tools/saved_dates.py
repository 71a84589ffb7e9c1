"""Finds the days that SQL names, each with its place and how it bounds the rows, and puts other days there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tools.catalog import Dialect
from tools.saved_parts import LASTING_FORMAT, may_be_part, named_shortly, shares_days

Unit = Literal["day", "week", "month", "quarter", "year"]

Edge = Literal["first", "after", "whole", "part"]
"""What a literal bounds: the rows change at its first day (`>=`, `<`), at the day after its last one (`<=`, `>`), at
both (`=`), or it is but a part of a day's name (`MONTH(d) = 9`), which the other parts make whole."""


@dataclass(frozen=True)
class FixedDate:
    """A day, a month or another unit that SQL names."""

    place: tuple[int, int]
    """The offsets of its characters, without quotes; the second one is exclusive."""
    text: str
    unit: Unit
    edge: Edge
    day: date | None
    """Its first day; None for a part, which is one of some year."""
    digits: int = 1
    """How many digits a part has at least: 2 where it stands as a text."""

    def written(self, day: date) -> str:
        """Return the text for the unit that begins on another day, in the same form."""
        if self.edge == "part":
            number = {"year": day.year, "quarter": (day.month + 2) // 3}.get(self.unit, day.month)
            return str(number).zfill(self.digits)
        core = _ISO.match(self.text)
        assert core is not None
        return day.isoformat()[: core.end()] + self.text[core.end() :]


_ISO = re.compile(r"(?:19|20)\d\d(?:-\d\d(?:-\d\d)?)?")
_MIDNIGHT = re.compile(r"(?:[ T]00:00(?::00(?:\.0+)?)?(?:Z|[+-]00(?::?00)?)?)?")
_LAST_MOMENT = re.compile(r"[ T]23:59(?::59(?:\.9+)?)?(?:Z|[+-]00(?::?00)?)?")
"""In no zone but UTC: where clocks go forward, +01 in winter is +02 in summer."""
_LIKE_A_DAY = re.compile(r"(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])?(?!\d)|\d{8}|\d\d?[./]\d\d?[./]\d\d")
"""A year, a year with its month, a day in any form, the seconds since 1970."""
_EDGES: dict[type[exp.Expr], Edge] = {
    exp.GTE: "first",
    exp.LT: "first",
    exp.GT: "after",
    exp.LTE: "after",
    exp.EQ: "whole",
    exp.NEQ: "whole",
    exp.NullSafeEQ: "whole",
}
_FLIPPED: dict[type[exp.Expr], Edge] = {exp.LTE: "first", exp.GT: "first", exp.LT: "after", exp.GTE: "after"}
_WRAPPING = (
    exp.Paren,
    exp.Cast,
    exp.TryCast,
    exp.Date,
    exp.Timestamp,
    exp.TsOrDsToDate,
    exp.TsOrDsToTimestamp,
    exp.TsOrDsToDatetime,
    exp.AtTimeZone,
)
_WRAPPING_NAMES = frozenset({"DATE", "DATETIME", "TIMESTAMP"})
_PARTS: dict[type[exp.Expr], Unit] = {exp.Year: "year", exp.Quarter: "quarter", exp.Month: "month"}
_UNITS: dict[str, Unit] = {"YEAR": "year", "QUARTER": "quarter", "MONTH": "month", "WEEK": "week", "DAY": "day"}
_FORMATS: dict[str, Unit] = {"%Y": "year", "%m": "month"}
_NAMING = (*_PARTS, exp.Extract, exp.TimeToStr, exp.Day, exp.DayOfMonth, exp.DayOfYear, exp.Week, exp.WeekOfYear)
"""What names a part of a day, beside functions that sqlglot does not know."""
_NAMING_NAMES = frozenset({"DATE_PART", "DATEPART", "JULIANDAY", "UNIXEPOCH", "UNIX_TIMESTAMP", "EPOCH", "STRFTIME"})
_WITHIN = (exp.Predicate, exp.Subquery, exp.Select)
"""Where another comparison begins."""
_NAMES = re.compile(
    r"(?<![a-z])(?:(q[1-4])|(jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)"
    r"(?:uary|ruary|ch|il|ust|tember|ober|ember)?)(?![a-z])",
    re.IGNORECASE,
)
_ALL_OF_THEM = (0, 4, 12, 16)
"""How many names of quarters and months stand in SQL that labels each of them, and none of them alone."""
_OTHER_TEXTS = (exp.Identifier, exp.ByteString, exp.National, exp.RawString, exp.UnicodeString, exp.HexString)
_LASTING = frozenset({"DOW", "ISODOW", "DAYOFWEEK", "WEEKDAY", "HOUR", "MINUTE", "SECOND"})
"""Parts of a day's name that no calendar moves."""


class NotSure(Exception):
    """Something in the SQL may be a date, and what it bounds cannot be told."""


def fixed_dates(sql: str, dialect: Dialect, question: str) -> tuple[FixedDate, ...]:
    """Return the dates of the SQL, in the order of the text; numbers that the question says itself are none.

    Raises NotSure where a literal may be a date and does not plainly bound anything.
    """
    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except (SqlglotError, RecursionError):
        raise NotSure from None
    if any(_LIKE_A_DAY.search(str(node.this)) for node in tree.find_all(*_OTHER_TEXTS)):
        raise NotSure  # A column called revenue_2026, or a text with escapes.
    texts = [str(node.this) for node in tree.find_all(exp.Literal, *_OTHER_TEXTS)]
    if named_shortly([node.name for node in tree.find_all(exp.Identifier)], texts, question):
        raise NotSure  # A column called week_46 or fy26.
    if len(_names_in(texts) - _names_in([question])) not in _ALL_OF_THEM:
        raise NotSure  # A column called october, or rows that are told as 'Q3'.
    said = frozenset(re.findall(r"\w+", question.replace(",", "")))
    if shares_days(tree, said):
        raise NotSure
    found = [fixed for literal in tree.find_all(exp.Literal) if (fixed := _read(literal, sql, said))]
    return tuple(_in_parts(sorted(found, key=lambda fixed: fixed.place)))


def _names_in(texts: Iterable[str]) -> set[str]:
    """Return the names of months and quarters in the texts, in one spelling."""
    return {(name[1] or name[2][:3]).lower() for text in texts for name in _NAMES.finditer(text)}


def with_dates(sql: str, instead: Sequence[tuple[FixedDate, date]]) -> str:
    """Return the SQL with other days at the places of these; all else stays as it was written."""
    for fixed, day in sorted(instead, key=lambda each: each[0].place, reverse=True):
        first, last = fixed.place
        sql = sql[:first] + fixed.written(day) + sql[last:]
    return sql


def _read(literal: exp.Literal, sql: str, said: frozenset[str]) -> FixedDate | None:
    node = _wrapped(literal)
    parent = node.parent
    other = _compared_with(node, parent)
    part = _part_of(other, literal.this) if other is not None else None
    is_said = literal.this in said and (not literal.is_string or isinstance(other, exp.Column))
    if part is None and (is_said or not _LIKE_A_DAY.search(literal.this)):
        if may_be_part(literal, node):
            raise NotSure
        return None
    if part == "lasting" or isinstance(parent, exp.Limit | exp.Offset):
        return None
    edge = _edge_of(node, parent)
    place = _place_of(literal, sql)
    if edge is None or place is None or other is None:
        raise NotSure
    if part and (part != "year" or not literal.is_string):
        if not literal.this.isdigit() or (part != "year" and edge != "whole"):
            raise NotSure
        if part == "year":
            return FixedDate(place, literal.this, part, edge, _day(literal.this))
        return FixedDate(place, literal.this, part, "part", None, 2 if literal.is_string and part == "month" else 1)
    return _read_text(literal, place, edge, other)


def _read_text(literal: exp.Literal, place: tuple[int, int], edge: Edge, other: exp.Expr) -> FixedDate:
    text = literal.this
    core = _ISO.match(text)
    if not literal.is_string or core is None:
        raise NotSure
    tail, unit = text[core.end() :], _unit_of(core[0], other)
    if isinstance(literal.parent, exp.Like):
        if tail != "%":
            raise NotSure
    elif edge == "after" and len(core[0]) == 10 and _LAST_MOMENT.fullmatch(tail):
        pass
    elif not _MIDNIGHT.fullmatch(tail) or (tail and (edge == "after" or len(core[0]) < 10)):
        raise NotSure  # `<= '2026-10-01 00:00'` takes in a single moment of that day.
    return FixedDate(place, text, unit, edge, _day(core[0]))


def _in_parts(found: Sequence[FixedDate]) -> list[FixedDate]:
    """Return the years as parts, too, where months or quarters are told by their numbers."""
    if not any(fixed.edge == "part" for fixed in found):
        return list(found)
    if any(fixed.unit == "year" and fixed.edge != "whole" for fixed in found):
        raise NotSure
    years = (fixed.unit == "year" and fixed.edge == "whole" for fixed in found)
    return [replace(fixed, edge="part") if is_year else fixed for fixed, is_year in zip(found, years, strict=True)]


def _wrapped(node: exp.Expr) -> exp.Expr:
    """Return what the literal is once its casts are done."""
    while (parent := node.parent) is not None and (
        isinstance(parent, _WRAPPING) or (isinstance(parent, exp.Anonymous) and _is_wrapping(parent))
    ):
        node = parent
    return node


def _is_wrapping(call: exp.Anonymous) -> bool:
    return str(call.this).upper() in _WRAPPING_NAMES and len(call.expressions) == 1


def _compared_with(node: exp.Expr, parent: exp.Expr | None) -> exp.Expr | None:
    """Return what the node is compared with; None where it is not."""
    match parent:
        case exp.Between() | exp.In() | exp.Like():
            return parent.this if node is not parent.this else None
        case exp.Binary() if type(parent) in _EDGES:
            return parent.right if node is parent.left else parent.left
    return None


def _edge_of(node: exp.Expr, parent: exp.Expr | None) -> Edge | None:
    match parent:
        case exp.Between():
            return "first" if node is parent.args["low"] else "after"
        case exp.In():
            return "whole" if len(parent.expressions) == 1 else None
        case exp.Like():
            return "whole"
        case exp.Binary():
            edges = _EDGES if node is parent.right else {**_EDGES, **_FLIPPED}
            return edges.get(type(parent))
    return None


def _part_of(other: exp.Expr, text: str) -> Unit | Literal["lasting"] | None:
    """Return which part of a day's name the expression is, if any; raises NotSure where that is none of ours."""
    while isinstance(other, exp.Paren | exp.Cast | exp.TryCast):
        other = other.this
    if unit := _PARTS.get(type(other)):
        return unit
    named = ""
    if isinstance(other, exp.Column):
        named = "" if len(text) > 4 and _ISO.match(text) else other.name
    elif isinstance(other, exp.TimeToStr):
        written = other.args["format"].name
        named = "HOUR" if LASTING_FORMAT.fullmatch(written) else _FORMATS.get(written, "")
    elif isinstance(other, exp.Extract):
        named = other.this.name
    elif isinstance(other, exp.Anonymous) and str(other.this).upper() in {"DATE_PART", "DATEPART"}:
        named = other.expressions[0].name
    if named.upper() in _LASTING:
        return "lasting"
    if unit := _UNITS.get(named.upper()):
        if unit in {"day", "week"}:
            raise NotSure
        return unit
    is_iso = isinstance(other, exp.TimeToStr) and _ISO.match(text)
    if not is_iso and any(map(_names_a_part, other.walk(prune=lambda node: isinstance(node, _WITHIN)))):
        raise NotSure  # A day of the month, a year times a hundred and a month, seconds since 1970.
    return None


def _names_a_part(node: exp.Expr) -> bool:
    return isinstance(node, _NAMING) or (isinstance(node, exp.Anonymous) and str(node.this).upper() in _NAMING_NAMES)


def _unit_of(core: str, other: exp.Expr) -> Unit:
    """Return the unit that the text begins: that of DATE_TRUNC where it is compared with one."""
    while isinstance(other, exp.Paren | exp.Cast | exp.TryCast | exp.Date | exp.TsOrDsToDate):
        other = other.this
    if isinstance(other, exp.DateTrunc | exp.TimestampTrunc):
        unit = _UNITS.get(other.args["unit"].name.upper())
        if unit is None or len(core) < 10:
            raise NotSure
        return unit
    return "year" if len(core) == 4 else "month" if len(core) == 7 else "day"


def _place_of(literal: exp.Literal, sql: str) -> tuple[int, int] | None:
    """Return where the literal's characters stand, None where the text does not hold them as they are."""
    first, last = literal.meta.get("start"), literal.meta.get("end")
    if first is None or last is None:
        return None
    place = (first + 1, last) if literal.is_string else (first, last + 1)
    return place if sql[place[0] : place[1]] == literal.this else None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01-01"[:10])
    except ValueError:
        raise NotSure from None
