"""Hears the SQL that a person has edited under an answer, and knows for which question."""

from __future__ import annotations

from dataclasses import dataclass

import chainlit as cl

from agents.question import Draft, Question
from agents.typed_sql import looks_like_sql
from chat.reviewing import in_words

EDITED = "Edited SQL"
"""What the page writes above the question of a message that brings SQL."""

_WORDS = "words"
WORDS_KEPT = 50
"""Of so many answers a conversation knows the question: SQL of an older one is edited for none."""


@dataclass(frozen=True)
class Edited:
    sql: str
    question: str
    """The reading of the question that it is for; "" where none is known."""


async def heard_edited(message: cl.Message) -> Edited | None:
    """Return the SQL that the message brings, None where it is a question like any other.

    The message itself says the question, for who reads the conversation; which question the SQL is for is looked up
    among what was asked here. What the page sends may be anything. A message whose words were changed is a question.
    """
    match message.metadata:
        case {"edits": str(turn), "sql": str(sql), "asked": message.content}:
            words: dict[str, str] = cl.user_session.get(_WORDS) or {}
            return Edited(sql, words.get(turn, ""))
    if message.command == EDITED:
        message.command = None
        await message.update()
    return None


def whole_question(question: Question, draft: Draft | None) -> str:
    """Return the question that the answer's SQL is to answer, with all that it takes over from the ones before."""
    return in_words(_reading(question, draft))


def _reading(question: Question, draft: Draft | None) -> str:
    if question.edited_for is not None or draft is None or looks_like_sql(question.text):
        return question.edited_for or ""
    return draft.reading if question.turns else question.text


def keep_words(turn: str, question: Question, draft: Draft | None) -> None:
    """Remember what was asked, for SQL that is edited for it; as plain values, like the turns."""
    if words := _reading(question, draft):
        kept: dict[str, str] = cl.user_session.get(_WORDS) or {}
        cl.user_session.set(_WORDS, dict([*kept.items(), (turn, words)][-WORDS_KEPT:]))
