"""Says what the rows of an answer are called, and how many of them there are."""

from __future__ import annotations

from agents.offline.meaning.naming import Naming
from agents.offline.telling.clues import Clues
from agents.offline.telling.phrases import counted, one
from tools.columns import Shape
from tools.wording import clean, name_tokens

_NAMELESS = {"name", "title", "id", "label", "description", "first name", "last name", "full name", "value"}


def counted_rows(count: int, label: Shape, clues: Clues, foreign: Naming | None = None) -> str:
    """Return "12 stores" for rows that the label names; `foreign` are a schema's names that are not English."""
    table = clues.tables[label.position] if clues.tables else None
    if foreign is None:
        return counted(count, _noun(label, table))
    known = foreign.table_named(table or "")
    if known is None:
        return counted(count, "row")
    is_name = label.name in {*foreign.label(known), foreign.key(known)}
    return f"{count:,} {clean(foreign.say_table(known, many=count != 1) if is_name else label.words)}"


def _noun(label: Shape, table: str | None) -> str:
    """Return what a row is called, in the singular: "store" for `stores.name` or `store_name`."""
    words = label.words.lower()
    if words in _NAMELESS:
        return clean(one(" ".join(name_tokens(table)))) if table else "row"
    for ending in (" name", " title", " id"):
        words = words.removesuffix(ending)
    return clean(words)
