"""Reads the words of the people who ask and what they mean, and finds those that a question says."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from errors import SettingsInvalid
from tools.catalog import Term
from tools.knowledge_blocks import Block, read_blocks

NAME_LONGEST, MEANING_LONGEST = 80, 500

_ENTRY = re.compile(r"(?P<names>[^:=]+?)\s*(?P<sign>[:=])\s*(?P<meaning>\S.*)")
_NAMES_APART = re.compile(r"\s*,\s*|\s+/\s+|\s+or\s+")
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\w)", re.IGNORECASE)
_QUOTED = re.compile(r"""["“][^"”]*["”]|(?<!\w)['‘][^'’]*['’](?!\w)""")  # noqa: RUF001 (people type curly quotes)
_WORD = re.compile(r"[^\W_]+")


def read_glossary(file: Path) -> tuple[Term, ...]:
    """Return the terms of a glossary, none where there is no such file.

    An entry is a line: `churned customer: a customer who …` or `takings, turnover = revenue`, with or without a bullet;
    lines that are indented under it belong to it. Headings, quotes (`>`) and comments are for people. Raises
    SettingsInvalid with the line's number.
    """
    told: dict[tuple[str, ...], int] = {}
    terms = []
    for entry in read_blocks(file, paragraphs=False):
        term = _term(entry, file.name)
        for name in term.names:
            if (earlier := told.setdefault(_roots(name), entry.line)) != entry.line:
                raise SettingsInvalid(
                    f"Line {entry.line} of {file.name} tells “{name}” again: line {earlier} does already."
                )
        terms.append(term)
    return tuple(terms)


class Glossary:
    """Finds terms in texts, whatever the case, the accents and the plural."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms = tuple(terms)
        self._by_first: dict[str, list[tuple[tuple[str, ...], Term]]] = defaultdict(list)
        for term in self.terms:
            for name in term.names:
                roots = _roots(name)
                self._by_first[roots[0]].append((roots, term))
        for known in self._by_first.values():
            known.sort(key=lambda each: -len(each[0]))  # "key account manager" goes before "key account".

    def said_in(self, text: str) -> tuple[Term, ...]:
        """Return the terms that the text says, in its order; what stands in quotes is somebody else's word."""
        return tuple(dict.fromkeys(term for _, _, term in self._said(text)))

    def in_other_words(self, text: str) -> tuple[str, tuple[Term, ...]]:
        """Return the text with each term's meaning in its place, and the terms that were replaced.

        A meaning may hold terms again; none is replaced twice.
        """
        used: dict[Term, None] = {}
        while said := [each for each in self._said(text) if each[2] not in used]:
            for start, end, term in reversed(said):
                text = text[:start] + as_words(term.meaning) + text[end:]
            used |= dict.fromkeys(term for _, _, term in said)
        return text, tuple(used)

    def _said(self, text: str) -> list[tuple[int, int, Term]]:
        """Return where each term is said, the longest that begins at a word."""
        if not self._by_first:
            return []
        quoted = [match.span() for match in _QUOTED.finditer(text)]
        places = [m.span() for m in _WORD.finditer(text) if not any(a <= m.start() < b for a, b in quoted)]
        roots = [_root(text[start:end]) for start, end in places]
        said, at = [], 0
        while at < len(roots):
            found = next(
                (e for e in self._by_first.get(roots[at], ()) if tuple(roots[at : at + len(e[0])]) == e[0]), None
            )
            if found:
                said.append((places[at][0], places[at + len(found[0]) - 1][1], found[1]))
            at += len(found[0]) if found else 1
        return said


def as_words(meaning: str) -> str:
    """Return a meaning as it may stand inside a sentence: without its article and its full stop."""
    return _ARTICLE.sub("", meaning).rstrip(" .")


def _term(entry: Block, file: str) -> Term:
    found = _ENTRY.fullmatch(entry.text)
    names = tuple(_NAMES_APART.split(found["names"])) if found else ()
    if not found or not all(_roots(name) and len(name) <= NAME_LONGEST for name in names):
        raise SettingsInvalid(
            f"Line {entry.line} of {file} is no entry: write “term: what it means” or “term = other words for it”."
        )
    if len(found["meaning"]) > MEANING_LONGEST:
        raise SettingsInvalid(
            f"Line {entry.line} of {file} is too long: tell a term in {MEANING_LONGEST} characters at most."
        )
    return Term(names, found["meaning"], is_synonym=found["sign"] == "=")


def _roots(text: str) -> tuple[str, ...]:
    return tuple(_root(word) for word in _WORD.findall(text))


def _root(word: str) -> str:
    """Return a word in lower case, without accents and the plural's ending."""
    apart = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(letter for letter in apart if not unicodedata.combining(letter))
    if plain.endswith("ies") and len(plain) > 4:
        return f"{plain[:-3]}y"
    return plain[:-1] if plain.endswith("s") and not plain.endswith("ss") and len(plain) > 3 else plain
