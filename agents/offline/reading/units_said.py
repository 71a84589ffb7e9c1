"""Takes numbers in the unit that they are said in: 20 euros are 2000 of a column that is kept in cents."""

from __future__ import annotations

from dataclasses import replace

from agents.offline.english.vocabulary import CURRENCIES
from agents.offline.english.words import stem
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.meaning.units import PHRASES, unit_of
from agents.offline.plan import AnyOf, Col, Condition, Each, Filter, Having, Operand, Plan, Related, Through
from agents.offline.reading.reader import Reader

_HUNDREDTHS = frozenset({"cent", "cents", "pence"})
_SYMBOLS = {"€": "euro", "$": "dollar", "£": "pound"}


def in_units(r: Reader, plan: Plan) -> Plan:
    """Return the plan with its numbers in the units of their columns; declines where these are not the same thing."""
    where = tuple(_filter(r, f) for f in plan.where)
    return replace(plan, where=where, having=tuple(_having(r, h) for h in plan.having))


def _filter(r: Reader, part: Filter) -> Filter:
    match part:
        case Condition():
            return replace(part, values=tuple(_value(r, part.column, v) for v in part.values))
        case AnyOf():
            return replace(part, options=tuple(_filter(r, f) for f in part.options))
        case Related() | Through():
            return replace(part, where=tuple(_filter(r, f) for f in part.where))
        case Each():
            return replace(part, values=_having(r, Having(part.measure, part.operator, part.values)).values)
    return part


def _having(r: Reader, part: Having) -> Having:
    if part.measure.column is None or part.measure.function == "distinct":
        return part
    column = Col(part.measure.table, part.measure.column)
    return replace(part, values=tuple(_value(r, column, v) for v in part.values))


def _value(r: Reader, column: Col, value: Operand) -> Operand:
    kept = unit_of(column.name)
    if not kept or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    said = next(
        (i.unit or _SYMBOLS.get(i.text[:1], "") for i in r.items if i.kind == "number" and i.value == value), ""
    )
    if kept in _HUNDREDTHS and stem(said) in CURRENCIES:
        return value * 100
    if (kept in _HUNDREDTHS and not said and value) or (said and tuple(said.split()) not in PHRASES[kept]):
        name = r.naming.say_column(column.table, column.name)
        raise NotUnderstood(f"The {name} is kept in {kept}: say a number of these.")
    return value
