"""Who may save an answer as reviewed, under which question, and what is not saved."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from chat.reviewing import Keeps, Reviewers, save
from errors import AskError
from tools.catalog import SavedQuestion
from tools.knowledge import Knowledge
from tools.saved_questions import SavedQuestions, read_saved_questions

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("is_login", "is_private", "name", "may"),
    [
        (False, True, None, True),
        (False, False, None, False),
        (True, True, "ann", True),
        (True, True, "bob", False),
        (True, True, None, False),
    ],
    ids=["at the machine", "anybody who reaches it", "a reviewer", "somebody else", "nobody"],
)
def test_who_may_save(is_login: bool, is_private: bool, name: str | None, may: bool) -> None:
    assert Reviewers(("ann",), is_login, is_private).include(name) is may


async def keep(knowledge: Knowledge, question: str, sql: str, counts_from: date | None = TODAY) -> str:
    return await save(
        knowledge, SavedQuestion(question, sql, counts_from=counts_from), "ann", longest=100, dialect="sqlite"
    )


async def test_what_is_saved_answers_and_what_would_be_wrong_tomorrow_is_not_saved(tmp_path: Path) -> None:
    knowledge = Knowledge(tmp_path, None)
    assert await keep(knowledge, " How many\norders? ", "SELECT 1") == "Saved as reviewed"
    [saved] = await knowledge.find("How many orders?")
    assert (saved.question, saved.same) == ("How many orders?", True)
    for question, sql, complaint in (
        ("How many orders last month?", "SELECT 1 WHERE d > '2026-10-01'", "holds fixed dates"),
        ("   ", "SELECT 1", "1 to 100 characters"),
        ("x" * 101, "SELECT 1", "1 to 100 characters"),
        ("SELECT 1 FROM orders", "SELECT 1", "in words"),
    ):
        with pytest.raises(AskError, match=complaint):
            await keep(knowledge, question, sql)
    assert len((tmp_path / "questions.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("question", "sql", "told"),
    [
        ("Orders last month?", "SELECT 1 FROM o WHERE d >= '2026-10-01' AND d < '2026-11-01'", "counted from that day"),
        ("Orders in 2025?", "SELECT 1 FROM o WHERE d >= '2025-01-01' AND d < '2026-01-01'", "dates are fixed"),
        ("Orders last month?", "SELECT 1 FROM o WHERE d >= date('now', '-1 month')", "Saved as reviewed$"),
    ],
)
async def test_who_saves_is_told_what_the_dates_are_another_day(
    tmp_path: Path, question: str, sql: str, told: str
) -> None:
    assert re.search(told, await keep(Knowledge(tmp_path, None), question, sql))


async def test_sql_of_a_day_that_nobody_knows_is_not_moved(tmp_path: Path) -> None:
    sql = "SELECT 1 FROM o WHERE d >= '2026-10-01' AND d < '2026-11-01'"
    with pytest.raises(AskError, match="holds fixed dates"):
        await keep(Knowledge(tmp_path, None), "Orders last month?", sql, None)


async def test_a_saved_line_says_the_day_that_its_period_counts_from(tmp_path: Path) -> None:
    sql = "SELECT 1 FROM o WHERE d >= '2026-10-01' AND d < '2026-11-01'"
    await keep(Knowledge(tmp_path, None), "Orders last month?", sql)
    assert json.loads((tmp_path / "questions.jsonl").read_text())["counts_from"] == "2026-11-21"
    assert read_saved_questions(tmp_path / "questions.jsonl")[0].counts_from == TODAY


def test_a_search_that_keeps_nothing_is_known_as_such(tmp_path: Path) -> None:
    assert isinstance(Knowledge(tmp_path, None), Keeps)
    assert not isinstance(SavedQuestions((), None), Keeps)
