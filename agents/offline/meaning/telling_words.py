"""Tells words that say which rows are meant, or what is done with them, from those that add nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agents.offline.english.vocabulary import MONEY_EARNED
from agents.offline.english.words import Word
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import Lexicon

_EARNING = frozenset("earn mak generat bring spend cost get hav".split())
"""Stems of verbs for what may be added up: "how much did they earn together"."""


def is_verb(word: Word) -> bool:
    return word.lower.endswith(("ed", "ing")) or word.lower in {
        "made",
        "sold",
        "born",
        "bought",
        "paid",
        "won",
        "wrote",
        "written",
        "sent",
        "left",
        "lent",
    }


def is_act(item: Item) -> bool:
    """Whether somebody does something that does not add up, as earning does."""
    return (item.kind == "verb" or item.text.lower().endswith("ed")) and item.stem not in _EARNING


def with_neighbours(item: Item, before: Sequence[Word]) -> Item:
    """Return the item with what the small words just before it say of it."""
    last = [w.lower for w in before[-2:]]
    return replace(
        item,
        held=any(w.stem == "hav" for w in before[-2:]),
        only="only" in last,
        stated=bool(before) and before[-1].stem in {"be", "com", "get", "got"},
        some=last[:1] in (["with"], ["having"]) and last[1:] in (["a"], ["an"], ["any"], ["some"]),
        listed=bool(before) and before[0].lower == "list",
    )


def tells_which(rest: Sequence[Word], before: Item | None, lexicon: Lexicon) -> bool:
    """Whether a word stands before a name, as "available" in "how many available rooms"."""
    if rest[0].lower == "far":
        return len(rest) > 1 and rest[1].lower == "from"
    opens = before is None or before.kind in {"count", "per"} or before.text in {"with", "having"}
    named = len(rest) > 1 and (bool(lexicon.names_at(rest[1:])) or is_verb(rest[1]) or rest[1].stem in MONEY_EARNED)
    return opens and named


def ends_alike(word: str, value: str) -> bool:
    """Whether one is not done where the other is being done: "processed" is no longer "processing"."""
    value = value.lower()
    return not any(word.endswith(one) and value.endswith(two) for one, two in (("ed", "ing"), ("ing", "ed")))
