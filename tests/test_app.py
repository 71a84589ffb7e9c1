"""What app.py keeps between messages: the open database, and the conversation."""

from __future__ import annotations

import shutil
import sqlite3
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import date
from pathlib import Path
from typing import NoReturn

import pytest

from agents.question import TURNS_KEPT, Draft, Question
from errors import AskError, DatabaseUnavailable
from tests.asked import offline_settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What Chainlit imports is written for older versions of what that imports.
    from chainlit.context import init_http_context
    from chainlit.user_session import user_sessions

    import app
    from app import Desk

TODAY = date(2026, 11, 20)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT)")
        connection.execute("INSERT INTO products (name) VALUES ('Tea')")
        connection.commit()
    return path


@asynccontextmanager
async def desk_for(database: Path, home: Path) -> AsyncIterator[Desk]:
    desk = Desk(offline_settings(home, database_url=f"sqlite:///{database}"))
    try:
        yield desk
    finally:
        await desk.close()


async def test_a_database_that_was_not_there_is_tried_again_by_the_next_question(shop: Path, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    async with desk_for(database, tmp_path / "home") as desk:
        assert await desk.ready() is None
        assert "shop.db" in desk.trouble
        shutil.copy(shop, database)
        assert await desk.ready() is None, "only a question tries again"
        asker = await desk.asker()
        assert asker.catalog.name == "shop"
        assert await desk.ready() is asker
        assert await desk.asker() is asker


async def test_every_question_is_told_why_the_database_cannot_be_opened(tmp_path: Path) -> None:
    async with desk_for(tmp_path / "shop.db", tmp_path / "home") as desk:
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable, match=r"shop\.db"):
                await desk.asker()


async def test_what_nobody_foresaw_is_told_by_the_number_it_is_logged_under(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def open_asker(_: object) -> NoReturn:
        raise RuntimeError("the DSN and its password")

    monkeypatch.setattr(app, "open_asker", open_asker)
    async with desk_for(tmp_path / "shop.db", tmp_path) as desk:
        with pytest.raises(AskError, match="The log has the details under") as raised:
            await desk.asker()
    assert "password" not in str(raised.value)
    assert desk.trouble.split()[-1].rstrip(".") in caplog.text


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
