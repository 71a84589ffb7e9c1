"""Bends the names of tables and columns as English bends nouns."""

from __future__ import annotations

import re

from tools.wording import in_words, with_unit


def name_of(name: str) -> str:
    """Return a name as it stands within a sentence: "order_lines" is "order lines", "CustomerId" is "customer ID"."""
    return re.sub(r"\b(id|url)\b", lambda found: found[0].upper(), with_unit(in_words(name).lower()))


def joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def one_of(words: str) -> str:
    """Return one of the things that a table is named after: "order line" of "order lines"."""
    things, mark, alias = words.partition(" “")
    if mark:
        return f"{one_of(things)}{mark}{alias}"
    if words.endswith("”"):
        return words
    if words.endswith("ies") and len(words) > 4:
        return f"{words[:-3]}y"
    if words.endswith(("sses", "xes", "ches", "shes")):
        return words[:-2]
    return words[:-1] if words.endswith("s") and not words.endswith(("ss", "us", "is", "ews")) else words


def many_of(words: str) -> str:
    """Return several of the things that a table is named after."""
    things, mark, alias = words.partition(" “")
    if mark:
        return f"{many_of(things)}{mark}{alias}"
    return words if any(word.endswith("s") for word in words.split()) else plural(words)


def plural(words: str) -> str:
    """Return several of a thing that a column is named after, where English bends its name plainly."""
    last = words.rsplit(" ", 1)[-1]
    if not last.isascii() or not last.isalpha() or last.endswith(("s", "x", "ch", "sh", "man", "son")):
        return words
    return f"{words[:-1]}ies" if last.endswith("y") and last[-2:-1] not in "aeiou" else f"{words}s"
