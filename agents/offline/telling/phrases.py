"""Turns a question and numbers into parts of sentences, and values as they are read."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from typing import Any

from agents.offline.meaning.naming import plural
from tools.columns import Shape
from tools.wording import clean, with_unit

TIED = 3
"""How many that are level a sentence names; of more it tells the number."""

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

_HOW_MANY = re.compile(r"^(?:so |and |please |tell me |show me )*how many (?P<rest>.+)$", re.I | re.S)
_THERE = re.compile(
    r"^(?P<noun>.+?) (?:(?P<be>are|is|were|was) there|(?:do|did) (?:we|you|they) have)\b(?P<more>.*)$", re.I
)
_SUBJECT = re.compile(
    r"^(?P<noun>.+?) (?P<verb>are|were|have|had|live|work|cost|belong|contain|include)\b(?P<more> .+)$", re.I
)
# "How many orders did Ann place?" puts the subject after the verb: it cannot be turned into a sentence by rules.
_INVERTED = re.compile(
    r"\b(do|does|did|can|could|will|would|has|is|was|(?:are|were|have|had) (?:we|you|they|i|the|he|she))\b", re.I
)
_WHAT_IS = re.compile(r"^(?:and )?what(?: is|'s| was| are| were) (?:the |our |my |your )?(?P<what>.+)$", re.I | re.S)
_MOST = re.compile(
    r"\b(?P<verb>[a-z]{2,}ed|sold|spent|made|bought|cost|brought|paid|got|has|have|had)"
    r" the (?P<most>most|least|fewest)\b"
    r"(?: (?P<noun>[a-z]+)(?=$|[?.!]| (?:in|last|this|during|by|of|for|over|since|so|ever)\b))?",
    re.I,
)
_NO_NOUN = {"in", "last", "this", "during", "by", "of", "for", "over", "since", "so", "ever", "on", "to", "from", "per"}


def within(words: str) -> str:
    """Return a column's words as they stand within a sentence; an abbreviation and a month keep their capitals."""
    if words.capitalize() in calendar.month_name:
        return words.capitalize()
    return with_unit(clean(" ".join(w if _stays(w) else w.lower() for w in words.split())))


def _stays(word: str) -> bool:
    """Whether it is an abbreviation, or a unit in brackets."""
    return (word.isupper() and word.isalpha() and len(word) > 1) or (word[0] == "(" and word[-1] == ")")


def most_of(superlative: str, words: str) -> str:
    """Return "highest fare" for what is computed, be it the fare or, of each group, the highest fare already."""
    return words if words.startswith(f"{superlative} ") else f"{superlative} {words}"


def said(shape: Shape, value: Any) -> str:
    """Return a value of a column as it is read, on one line."""
    return clean(shape.say(value))


def row_name(label: Shape, row: int) -> str:
    """Return what a row is called: its label's value, or "(no store)"."""
    value = label.values[row]
    return said(label, value) if value is not None else f"(no {within(label.words)})"


def row_names(label: Shape, rows: Sequence[int], capital: bool = False) -> str:
    """Return the names of rows that are level, or how many they are where they are more than TIED."""
    if len(rows) <= TIED:
        return listed([row_name(label, n) for n in rows])
    count = number_word(len(rows))
    return f"{count.capitalize() if capital else count} of them"


def rows_at(measure: Shape, value: Any) -> list[int]:
    """Return the rows whose measure is the value."""
    return [n for n, v in enumerate(measure.values) if v == value]


def listed(parts: Sequence[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def number_word(count: int) -> str:
    """Return small counts as words: "three", "1,204"."""
    return _NUMBERS[count] if count < len(_NUMBERS) else f"{count:,}"


def counted(count: int, noun: str) -> str:
    """Return "1 store" or "12 stores"; the noun is given in the singular."""
    return f"{count:,} {noun if count == 1 else many(noun)}"


def many(noun: str) -> str:
    """Return the plural of a noun phrase: its last word changes, but for a "month of year"."""
    if noun.endswith(" of year"):
        return f"{plural(noun.removesuffix(' of year'))} of the year"
    head, _, last = noun.rpartition(" ")
    return f"{head} {plural(last)}".strip()


def one(noun: str) -> str:
    """Return the singular of a noun phrase, as far as its ending tells."""
    for ending, singular in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("sses", "ss")):
        if noun.endswith(ending) and len(noun) > len(ending) + 1:
            return noun.removesuffix(ending) + singular
    return noun[:-1] if noun.endswith("s") and not noun.endswith(("ss", "us", "is", "news", "series")) else noun


def count_sentence(question: str, count: str) -> str | None:
    """Return "There are 12 stores in Kiel." for "How many stores are there in Kiel?"; None for other questions."""
    asked = _HOW_MANY.match(_bare(question))
    if asked is None:
        return None
    rest = asked["rest"]
    amount = "no" if count == "0" else count
    if there := _THERE.match(rest):
        past = (there["be"] or "").lower() in ("were", "was")
        noun = one(there["noun"]) if count == "1" else there["noun"]
        be = ("was" if past else "is") if count == "1" else ("were" if past else "are")
        return f"There {be} {amount} {clean(noun)}{_more(there['more'])}."
    subject = _SUBJECT.match(rest)
    if (
        subject
        and count != "1"
        and not _INVERTED.search(f"{subject['noun']} {subject['verb']} {_first(subject['more'])}")
    ):
        return f"{'No' if count == '0' else count} {clean(rest)}."
    if len(rest.split()) == 1:
        return f"There {'is' if count == '1' else 'are'} {amount} {clean(one(rest) if count == '1' else rest)}."
    return None


def value_sentence(question: str, value: str) -> str | None:
    """Return "The average price is 4.20." for "What is the average price?"; None for other questions."""
    asked = _WHAT_IS.match(_bare(question))
    if asked is None:
        return None
    be = "was" if re.match(r"(?:and )?what (?:was|were)\b", question, re.I) else "is"
    return f"The {clean(asked['what'])} {be} {value}."


def most_words(question: str) -> str | None:
    """Return "earned the most" where the question asks who did so; None otherwise."""
    found = _MOST.search(question)
    if found is None:
        return None
    noun = (found["noun"] or "").lower()
    verb = "has" if found["verb"].lower() == "have" else found["verb"].lower()
    return f"{verb} the {found['most'].lower()}{f' {noun}' if noun and noun not in _NO_NOUN else ''}"


def _bare(question: str) -> str:
    return " ".join(question.split()).rstrip("?!. ")


def _more(text: str) -> str:
    return f" {clean(text.strip())}" if text.strip() else ""


def _first(text: str) -> str:
    return (text.split() or [""])[0]


def begun(sentence: str) -> str:
    """Return the sentence with a capital at its beginning, where a plain small word stands there; a code stays."""
    word = sentence.split(" ", 1)[0].rstrip(",")
    return sentence[:1].upper() + sentence[1:] if word.isalpha() and word.islower() else sentence
