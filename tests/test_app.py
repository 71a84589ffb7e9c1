"""What app.py keeps between messages: the open database, and the conversation."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from datetime import date

import pytest

from agents.question import TURNS_KEPT, Draft, Question

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What Chainlit imports is written for older versions of what that imports.
    from chainlit.context import init_http_context
    from chainlit.user_session import user_sessions

    import app

TODAY = date(2026, 11, 20)


class Conversation:
    """A conversation in a session of its own, as Chainlit keeps it."""

    def __init__(self) -> None:
        self.session = init_http_context().session

    def ask(self, id: str, *, answered: bool = True) -> list[str]:
        """Return the earlier questions that this one follows."""
        question = Question(f"question {id}", TODAY, app._turns_before(id))
        if answered:
            app._remember(id, question, Draft(f"SELECT '{id}'", f"reading {id}"))
        return [turn.question.removeprefix("question ") for turn in question.turns]


@pytest.fixture
async def conversation() -> AsyncIterator[Conversation]:
    conversation = Conversation()
    yield conversation
    user_sessions.pop(conversation.session.id, None)


async def test_a_question_follows_those_that_were_answered(conversation: Conversation) -> None:
    assert conversation.ask("a") == []
    assert conversation.ask("b", answered=False) == ["a"]
    assert conversation.ask("c") == ["a"]
    assert conversation.ask("d") == ["a", "c"]


async def test_a_turn_is_kept_as_it_was_asked_understood_and_written(conversation: Conversation) -> None:
    conversation.ask("a")
    [turn] = app._turns_before("b")
    assert (turn.question, turn.reading, turn.sql) == ("question a", "reading a", "SELECT 'a'")


async def test_the_oldest_turns_are_forgotten(conversation: Conversation) -> None:
    ids = "abcdefgh"
    for id in ids:
        conversation.ask(id)
    assert conversation.ask("z") == list(ids[-TURNS_KEPT:])


async def test_an_edited_question_follows_only_those_above_it(conversation: Conversation) -> None:
    for id in "abc":
        conversation.ask(id)
    assert conversation.ask("b") == ["a"]
    assert conversation.ask("d") == ["a", "b"]


async def test_an_edited_question_that_got_no_answer_forgets_what_came_after_it(conversation: Conversation) -> None:
    conversation.ask("a")
    conversation.ask("b", answered=False)
    conversation.ask("c")
    assert conversation.ask("b") == ["a"]
    assert conversation.ask("d") == ["a", "b"]


async def test_an_edited_question_that_is_older_than_the_kept_turns_forgets_them_all(
    conversation: Conversation,
) -> None:
    for id in "abcdefgh":
        conversation.ask(id)
    assert conversation.ask("b") == []


async def test_a_question_without_sql_is_no_turn(conversation: Conversation) -> None:
    app._remember("a", Question("question a", TODAY), None)
    assert conversation.ask("b") == []
