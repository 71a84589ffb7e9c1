"""Knows words that say one thing together: signed up, return rate, email address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agents.offline.english.words import Word

COMPOUNDS = frozenset({("email", "address"), ("e-mail", "address"), ("phone", "number"), ("telephone", "number")})
"""Two words that say no more than the first."""


def with_compounds(words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words with "signed up" as one, which is said of registering as well as of joining.

    The return of a "return rate" is a noun, and what is returned at a question's end is nothing that we are told to do.
    """
    found: list[Word] = []
    for word in words:
        if word.lower in {"rate", "rates"} and found and found[-1].lower == "return":
            found[-1] = replace(found[-1], lower="returns")
        if word.lower == "up" and found and found[-1].stem == "sign":
            found[-1] = replace(found[-1], stem="signup")
        else:
            found.append(word)
    if len(found) > 1 and found[-1].lower == "return":
        found[-1] = replace(found[-1], lower="returns")
    return tuple(found)
