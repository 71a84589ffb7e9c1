"""Tells whether two questions ask the very same, or would if a word stood in another form.

Nearness of meaning cannot tell that: "Which products were never returned?" lies at 0.906 of "Which products were
returned?", and "revenue by store" at 0.777 of "revenue per store". So every word counts, but for those that change
nothing wherever they stand, and in the order in which they stand: the customer of a seller is no seller of a customer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# What frames a question, wherever it stands: no preposition that has a direction, no negation, nothing that counts.
_HARMLESS = frozenset(
    "a an are at be been can could did do does for had has have how i in is it me much my of on our that the their "
    "there these those us was we were what what's which who whom will would you your".split()
)
# What asks, at the beginning or after such a word: later on, "list" may be a list price.
_ASKING = frozenset("display find get give know let let's like list please say see show tell to want".split())
_BEFORE_ASKING = _ASKING | frozenset(("", "i", "me", "us", "you", "would"))
_SAME: dict[str, str] = {
    **dict.fromkeys(("per", "each", "every"), "by"),
    **{word: str(n) for n, word in enumerate("zero one two three four five six seven eight nine ten".split())},
    **dict.fromkeys(("mean", "avg"), "average"),
    "maximum": "max",
    "minimum": "min",
}
_PHRASES = (
    (re.compile(r"\b(?:how many|(?:the )?(?:total )?(?:number|count) of)\b", re.I), " count "),
    (re.compile(r"\bfor (?:each|every)\b|\bin each\b", re.I), " by "),
    (re.compile(r"n['’]t\b", re.I), " not "),  # noqa: RUF001 (people type curly quotes)
)
_UNIT = r"(?:days?|weeks?|months?|quarters?|years?)"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_WHEN_FIRST = re.compile(
    rf"(?P<when>(?:(?:in|for|during) )?(?:the )?(?:(?:last|this|past|previous)(?: \d+)? {_UNIT}"
    rf"|(?:{_MONTH} )?(?:19|20)\d\d|{_MONTH}|today|yesterday)),? (?P<rest>.+)",
    re.IGNORECASE | re.DOTALL,
)
_TOKEN = re.compile(
    r"""["“](?P<double>[^"”]+)["”] | (?<!\w)['‘](?P<single>[^'’]+)['’](?!\w)
    | (?P<word>-?\d+(?:[.,:/-]\d+)*%? | \w+ | [^\w\s.,?!;:'’"“”‘()…-])""",  # noqa: RUF001
    re.VERBOSE,
)
_ENDINGS = frozenset(("", "s", "es", "d", "ed", "ing", "t", "en", "n"))
_STEM = 4
"""Letters that two forms of one word share, at least."""


def words_that_count(question: str) -> tuple[str, ...]:
    """Return the words of a question that change what it asks, in their order, each in one spelling.

    A time that the question begins with counts as said at its end.
    """
    text = unicodedata.normalize("NFKC", question).strip()
    if first := _WHEN_FIRST.match(text):
        text = f"{first['rest'].rstrip(' .?!')} {first['when'].lower()}"
    for phrase, instead in _PHRASES:
        text = phrase.sub(instead, text)
    kept: list[str] = []
    before = ""
    for place, token in enumerate(_TOKEN.finditer(text)):
        if quoted := token["double"] or token["single"]:
            kept.append(f"“{quoted.strip().casefold()}”")
            continue
        word = token["word"].casefold()
        asks = not kept and word in _ASKING and before in _BEFORE_ASKING
        if _is_name(token["word"], place) or not (asks or word in _HARMLESS):
            kept.append(_spelled(word))
        before = word
    return tuple(kept)


def differ_in_form_alone(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether each word is the other's, or another form of it: spent and spend, returned and returns."""
    return len(one) == len(other) and all(map(_is_form_of, one, other))


def _is_name(word: str, place: int) -> bool:
    """Whether it is written like a name, which no question begins with: "US" and "Will" are no "us" and no "will"."""
    return (word[:1].isupper() and place > 0 and word != "I") or (len(word) > 1 and word.isupper())


def _spelled(word: str) -> str:
    word = _SAME.get(word, word)
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word


def _is_form_of(one: str, other: str) -> bool:
    if one == other:
        return True
    shared = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return shared >= _STEM and {one[shared:], other[shared:]} <= _ENDINGS
