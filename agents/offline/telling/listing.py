"""Tells rows that have no names, like orders: how many there are, and from when to when."""

from __future__ import annotations

from collections.abc import Sequence

from agents.offline.english.vocabulary import LABEL_WORDS
from agents.offline.telling.clues import Clues
from agents.offline.telling.comparing import calendar_key
from agents.offline.telling.phrases import counted, one, said
from tools.columns import Shape
from tools.wording import clean, name_tokens

_COLUMNS = 3
"""Fewer columns than this are the answer themselves, not rows that are shown whole."""


def nameless_rows(columns: Sequence[Shape], clues: Clues, truncated: bool) -> str | None:
    """Return a sentence on rows that begin with their number and have no names; None for any others."""
    if len(columns) < _COLUMNS or any(clues.functions):
        return None
    number, *others = columns
    named = any(name_tokens(c.name)[-1:] and name_tokens(c.name)[-1] in LABEL_WORDS for c in others)
    if number.role != "id" or not number.is_unique or None in number.values or named:
        return None
    count, noun = len(number.values), _noun(number, clues)
    if truncated:
        return f"There are more {counted(2, noun).removeprefix('2 ')} than fit: these are the first {count:,}."
    begin = "These are" if clues.partial else "There are"
    return f"{begin} {counted(count, noun)}{_span(others)}."


def _noun(number: Shape, clues: Clues) -> str:
    table = clues.tables[number.position] if clues.tables else None
    words = " ".join(name_tokens(table)) if table else number.words.lower().removesuffix(" id")
    return clean(one(words)) if words not in ("", "id") else "row"


def _span(columns: Sequence[Shape]) -> str:
    """Return ", from 3 May 2026 to 9 May 2026" by the first date that every row has."""
    when = next(
        (c for c in columns if c.role == "time" and c.grain in ("day", "moment") and None not in c.values), None
    )
    if when is None:
        return ""
    first, last = (said(when, end(when.values, key=calendar_key)).partition(",")[0] for end in (min, max))
    return f", all of {first}" if first == last else f", from {first} to {last}"
