"""What is kept of an answer that somebody doubted."""

from __future__ import annotations

import warnings
from typing import Any, cast

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What Chainlit imports is written for older versions of what that imports.
    from chainlit.types import ThreadDict

    from chat.doubt import doubted


def step(id: str, type: str, output: str, parent: str | None = None) -> dict[str, Any]:
    return {"id": id, "type": type, "output": output, "parentId": parent}


def evidence(answer: str, *sql: str) -> dict[str, Any]:
    return {"forId": answer, "name": "Evidence", "props": {"attempts": [{"sql": written} for written in sql]}}


THREAD = cast(
    ThreadDict,
    {
        "steps": [
            step("q1", "user_message", "How many stores?"),
            step("r1", "run", "", "q1"),
            step("a1", "assistant_message", "8.", "r1"),
            step("q2", "user_message", "and by city?"),
            step("r2", "run", "", "q2"),
            step("a2", "assistant_message", "Three.", "r2"),
            step("q3", "user_message", "What is the weather?"),
            step("r3", "run", "", "q3"),
            step("a3", "assistant_message", "I cannot say.", "r3"),
        ],
        "elements": [
            {"forId": "a1", "name": "Next", "props": {}},
            evidence("a1", "SELECT 8"),
            evidence("a2", "SELECT nothing", "SELECT 3"),
        ],
    },
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("r1", {"question": "How many stores?", "sql": "SELECT 8"}),
        ("a1", {"question": "How many stores?", "sql": "SELECT 8"}),
        ("r2", {"question": "and by city?", "sql": "SELECT 3"}),
        ("r3", {"question": "What is the weather?", "sql": None}),
        ("r4", None),
    ],
    ids=["a run", "its message", "the SQL that was mended", "a question that was declined", "no answer"],
)
def test_the_question_and_its_sql_are_found_in_the_history(answer: str, expected: dict[str, Any] | None) -> None:
    assert doubted(THREAD, answer) == expected


def test_a_greeting_answers_no_question() -> None:
    thread = cast(ThreadDict, {"steps": [step("a0", "assistant_message", "Hello")], "elements": None})
    assert doubted(thread, "a0") is None
