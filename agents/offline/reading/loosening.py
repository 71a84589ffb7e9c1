"""Reads a follow-up that takes something away from the question before: its period, a filter, its limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from agents.offline.english.words import split
from agents.offline.meaning.lexicon import Lexicon
from agents.offline.plan import AnyOf, Col, Condition, During, Filter, Plan, Related, Through

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
