"""Splits a question into words, each with its stem, its number and whether it was quoted."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from agents.offline.english.vocabulary import CONTRACTIONS, IRREGULAR, MAGNITUDES, NUMBER_WORDS

# ruff: noqa: RUF001 (people type curly quotes)
_TOKEN = re.compile(
    r"""
      "(?P<double>[^"]+)" | “(?P<curly>[^”]+)” | ‘(?P<single>[^’]+)’ | `(?P<tick>[^`]+)`
    | (?<![\w])'(?P<plain>[^']+(?:'[a-z]+[^']*)?)'(?!\w)
    | (?P<date>\d{4}-\d{1,2}(?:-\d{1,2})?(?![\w-]) | \d{1,4}/\d{1,2}/\d{1,4}(?![\w/]) | \d{1,2}\.\d{1,2}\.\d{4}(?!\w))
    | (?P<number>(?:(?<=\s)[-−])?[$€£]?\d+(?:,\d{3})*(?:\.\d+)?)(?P<unit>%|[kmb]\b|(?:st|nd|rd|th)\b)?
    | (?P<possessive>['’]s\b|(?<=s)['’](?=\s))
    | (?P<word>[^\W\d_][\w]*(?:['’](?!s\b)\w+)*)
    | (?P<sign>>=|<=|<>|!=|->|[><=→,.?!;:&+/%])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NOUN_ENDINGS = ("ation", "ition", "ance", "ence", "ment", "ing", "ion", "ure", "ed", "al", "e", "y")
_ENDS_SENTENCE = frozenset(".?!;")
TITLES = frozenset("dr mr mrs ms prof".split())
"""What people are addressed by, shortened."""
_WORD_IN_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class Word:
    text: str
    """As it was typed, without quotes."""
    lower: str
    stem: str
    sentence: int = 0
    """Counted from 0."""
    quoted: bool = False
    number: float | None = None
    ordinal: bool = False
    """True for "1st", "3rd": a number that counts nothing."""

    @property
    def capital(self) -> bool:
        """Whether it is written like a name: Paris, IBM."""
        return self.text[:1].isupper()


def split(question: str) -> tuple[Word, ...]:
    """Return the question's words in order; a possessive becomes the word "'s", punctuation is kept as words."""
    words: list[Word] = []
    sentence = 0
    for match in _TOKEN.finditer(question):
        found = _read(match, sentence)
        if found and found[0].text == "." and words and words[-1].lower in TITLES:
            continue  # "Dr. Novak" is no end of a sentence
        if found and found[0].text in _ENDS_SENTENCE and not found[0].quoted:
            sentence += 1 if words else 0
            continue
        words.extend(found)
    return tuple(words)


def _read(match: re.Match[str], sentence: int) -> list[Word]:
    kind, text = match.lastgroup or "", match.group()
    if kind in {"double", "curly", "single", "tick", "plain"}:
        inner = match.group(kind).strip()
        return [Word(inner, inner.lower(), stem(inner.lower()), sentence, quoted=True)]
    if match.group("number"):
        return [_number(match, sentence)]
    if kind == "possessive":
        return [Word("'s", "'s", "'s", sentence)]
    lower = text.lower().replace("’", "'")
    # A name may be typed as the schema has it: "order_items" are order items.
    parts = CONTRACTIONS.get(lower) or tuple(filter(None, text.split("_")))
    return [Word(p, p.lower(), stem(p.lower()), sentence, number=NUMBER_WORDS.get(p.lower())) for p in parts]


def _number(match: re.Match[str], sentence: int) -> Word:
    text, unit = match.group("number"), (match.group("unit") or "").lower()
    number = float(re.sub("[$€£,]", "", text).replace("−", "-")) * MAGNITUDES.get(unit, 1)
    return Word(match.group(), text, text, sentence, number=number, ordinal=unit in {"st", "nd", "rd", "th"})


def stem(word: str) -> str:
    """Return the word without its inflection, the same for "release", "released" and "releases".

    Not a dictionary form: it only has to be equal on both sides, also where one leaves the accents out.
    """
    word = unaccented(word)
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) <= 3:
        return word[:-1] if len(word) == 3 and word.endswith("s") and word[-2] not in "aisu" else word
    one = singular(word)
    return one if len(one) <= 3 else _without_verb_ending(one).rstrip("e") or word


def root(word: str) -> str:
    """Return what a noun or participle is made of: the same for "cancellation" and "cancelled"."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    for ending in _NOUN_ENDINGS:
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= 3:
            return rest[:-1] if rest[-1] == rest[-2] else rest
    return word


def singular(word: str) -> str:
    """Return a noun without its plural ending."""
    if len(word) <= 3 or word in IRREGULAR:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_verb_ending(word: str) -> str:
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest == word or len(rest) < 3 or not re.search("[aeiouy]", rest) or word.endswith("eed"):
            continue
        if rest[-1] == rest[-2] and rest[-1] not in "lsz":
            return rest[:-1]
        return rest[:-1] + "y" if rest.endswith("i") else rest
    return word


def name_words(name: str) -> tuple[str, ...]:
    """Return the lower-case words of an identifier: `OrderItem_ID2` is order, item, id, 2."""
    return tuple(w.lower() for w in written_words(name))


def written_words(name: str) -> tuple[str, ...]:
    """Return the words of an identifier as they are written there."""
    plain = name if name.isascii() else "".join(map(_plain_letter, name))
    return tuple(name[m.start() : m.end()] for m in _WORD_IN_NAME.finditer(plain))


def _plain_letter(letter: str) -> str:
    if letter.isascii() or not letter.isalpha():
        return letter
    return "A" if letter.isupper() else "a"


def unaccented(word: str) -> str:
    """Return a lower-case word in plain letters: "größe" is grosse, "región" region; other scripts stay as they are."""
    if word.isascii():
        return word
    letters = word.replace("ß", "ss")
    bases = (unicodedata.normalize("NFD", letter)[0] for letter in letters)
    return "".join(base if base.isascii() else letter for base, letter in zip(bases, letters, strict=True))
