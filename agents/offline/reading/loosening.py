"""Reads a follow-up that takes something away from the question before, or asks for the month before that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from agents.offline.english.calendar_units import add_units, unit_start
from agents.offline.english.times import Period
from agents.offline.english.words import split
from agents.offline.meaning.lexicon import Lexicon
from agents.offline.plan import AnyOf, Col, Condition, During, Filter, Plan, Related, Through
from agents.offline.reading.reading import Reading

_EVER = re.compile(
    r"""(?:and\ |but\ |just\ )?(?: (?:for|of|over|across|in|during|at)?\s*(?:all\ (?:the\ )?time|all\ periods|any\ time)
    | ever | overall | whenever | regardless\ of\ (?:when|the\ (?:date|time|period))
    | without\ (?:the|any|a)\ (?:date|time|period)(?:\ filter)? )[\s.?!]*$""",
    re.IGNORECASE | re.VERBOSE,
)
_UNLIMITED = re.compile(
    r"(?:and |but )?(?:(?:show|list|give)(?: me)? (?:them )?all(?: of (?:them|it))?|all of (?:them|it)"
    r"|(?:without|no|remove|drop) (?:the |any |a )?limit)[\s.?!]*$",
    re.IGNORECASE,
)
_UNFILTERED = re.compile(
    r"(?:and |but )?(?:(?:without|remove|drop|ignore) the (?:filter|condition) (?:on |of |for |about )?"
    r"|regardless of (?:the )?|(?:for|in|of|with|from|across|including) (?:all|any|every) )(?P<what>.+?)[\s.?!]*$",
    re.IGNORECASE,
)


_BEFORE = re.compile(
    r"(?:and |what about |how about |only )*(?:in |for )?the (?P<unit>day|week|month|quarter|year) "
    r"(?P<side>before|after)(?: that)?[\s.?!]*$",
    re.IGNORECASE,
)


def moved(text: str, plan: Plan) -> Reading | None:
    """Return the reading for the month before or after the one that is asked of, None where no such month is."""
    found = _BEFORE.match(text.strip())
    periods = [f for f in plan.where if isinstance(f, During) and not f.negated]
    if found is None or len(periods) != 1 or periods[0].period.start is None:
        return None
    unit, start = found["unit"].lower(), periods[0].period.start
    if start != unit_start(start, unit) or periods[0].period.end != add_units(start, unit, 1):
        return None
    begins = add_units(start, unit, -1 if found["side"].lower() == "before" else 1)
    period = Period(begins, add_units(begins, unit, 1), f"the {unit} {found['side'].lower()}")
    where = tuple(replace(f, period=period) if f is periods[0] else f for f in plan.where)
    told = f"{period.words[:1].upper()}{period.words[1:]} means {period.describe()}."
    return Reading(replace(plan, where=where), (told,))


def loosened(text: str, plan: Plan, lexicon: Lexicon) -> Plan | None:
    """Return the plan with less asked of its rows, None where the text asks for no such thing or nothing was there."""
    text = text.strip()
    if _EVER.match(text):
        less = replace(plan, where=_without(plan.where, lambda c: isinstance(c, During)), compare=None)
    elif _UNLIMITED.match(text):
        less = replace(plan, limit=None)
    elif found := _UNFILTERED.match(text):
        wanted = {word.stem for word in split(found["what"])}
        less = replace(plan, where=_without(plan.where, lambda c: _is_about(c, wanted, lexicon)))
    else:
        return None
    return less if less != plan else None


def _without(filters: Iterable[Filter], is_taken: Callable[[Condition | During], bool]) -> tuple[Filter, ...]:
    kept: list[Filter] = []
    for part in filters:
        if isinstance(part, Condition | During):
            if not is_taken(part):
                kept.append(part)
        elif isinstance(part, AnyOf):
            options = _without(part.options, is_taken)
            if len(options) == len(part.options):
                kept.append(part)
        elif isinstance(part, Related | Through):
            where = _without(part.where, is_taken)
            # Where nothing is asked of the other rows any more, that there are some is still asked for.
            kept.append(replace(part, where=where))
        else:
            kept.append(part)
    return tuple(kept)


def _is_about(condition: Condition | During, wanted: set[str], lexicon: Lexicon) -> bool:
    if wanted == _stems_of(condition.column, lexicon):
        return True
    values = condition.values if isinstance(condition, Condition) else ()
    return any(isinstance(value, str) and wanted == {word.stem for word in split(value)} for value in values)


def _stems_of(column: Col, lexicon: Lexicon) -> set[str]:
    return {word.stem for word in split(" ".join(lexicon.naming.column(column.table, column.name)))}
