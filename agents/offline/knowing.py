"""Puts the meaning of a deployment's own words into a question before rules read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agents.offline.analyst import Analyst
from agents.parts import Writer
from agents.question import Complaint, Draft, Question
from errors import QuestionDeclined
from tools.catalog import Found, Term
from tools.knowledge_glossary import Glossary, as_words

_NAMED = re.compile(
    r"(?:(?P<function>sum|avg|min|max|count)\(\s*)?(?:(?P<table>\w+)\.)?(?P<name>\w+)(?(function)\s*\))", re.IGNORECASE
)
_TRIED = 3
"""Definitions that are tried one by one."""
_SAID = {"sum": "total", "avg": "average", "min": "lowest", "max": "highest", "count": "number of"}


@dataclass(frozen=True)
class KnowingWriter:
    """Replaces what is told with "=" always, and what is told with ":" where the rules do not know the word.

    A definition is for people first: "order: what a customer buys in one go" must not take "order" from the rules.
    """

    writer: Writer
    analyst: Analyst

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """See agents.parts.Writer; a meaning that took a word's place is said as an assumption."""
        if not found.terms:
            return await self.writer.write(question, found, complaint)
        terms = tuple(replace(term, meaning=self._in_words(term.meaning)) for term in found.terms)
        synonyms = [term for term in terms if term.is_synonym]
        explained = [term for term in Glossary(terms).said_in(question.text) if not term.is_synonym]
        declined: QuestionDeclined | None = None
        for tried in _choices(explained):
            text, used = Glossary([*synonyms, *tried]).in_other_words(question.text)
            try:
                draft = await self.writer.write(replace(question, text=text), found, complaint)
            except QuestionDeclined as reason:
                declined = declined or reason  # The first tells of the question as it was asked.
            else:
                unused = (term for term in explained if term not in used)
                words = (*map(_told, used), *map(_left, unused))
                return replace(draft, assumptions=(*words, *draft.assumptions), words=(*words, *draft.words))
        assert declined is not None
        raise declined

    def _in_words(self, meaning: str) -> str:
        """Return the meaning as the rules read it: a table's or a column's name becomes its words."""
        named = _NAMED.fullmatch(meaning.strip())
        if named is None:
            return meaning
        lexicon, table, name = self.analyst.lexicon, named["table"], named["name"]
        if table is None and (known := lexicon.catalog.table(name)):
            words = lexicon.naming.say_table(known.name)
        else:
            holding = [
                t for t in lexicon.catalog if t.column(name) and (table is None or t.name.lower() == table.lower())
            ]
            if len(holding) != 1:
                return meaning
            column = holding[0].column(name)
            assert column is not None
            words = lexicon.naming.say_column(holding[0].name, column.name)
            if table is not None:
                words = f"{lexicon.naming.say_table(holding[0].name, many=False)} {words}"
        return f"{_SAID[named['function'].lower()]} {words}" if named["function"] else words


def _choices(explained: Sequence[Term]) -> Iterator[Sequence[Term]]:
    """Yield which of the definitions to put in: none, one of them, or all."""
    yield ()
    yield from ([term] for term in explained[:_TRIED])
    if len(explained) > 1:
        yield explained


def _left(term: Term) -> str:
    return f"What the glossary says of “{term.names[0]}” was not needed to read it."


def _told(term: Term) -> str:
    return f"By the glossary, “{term.names[0]}” means “{as_words(term.meaning)}”."
