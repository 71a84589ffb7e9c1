"""Keeps the questions whose answers people doubted: `python -m jobs evaluate --doubtful` makes cases of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import chainlit as cl
from asyncer import asyncify
from chainlit.data import get_data_layer
from chainlit.types import Feedback, ThreadDict

COMMENT_LENGTH = 2_000


async def keep_doubt(feedback: Feedback, file: Path, database: str) -> None:
    """Add `{"question", "sql", "comment", "database", "when"}` to the file for a thumbs-down; nothing for a thumbs-up.

    The question and its SQL are read from the history: thumbs are only there where there is one.
    """
    history = get_data_layer()
    if feedback.value or history is None:
        return
    # The thread of this page, whichever the request names: a thumb on it is no way into somebody else's.
    thread = await history.get_thread(cl.context.session.thread_id)
    if thread and (asked := doubted(thread, feedback.forId)):
        when = datetime.now(UTC).isoformat(timespec="seconds")
        comment = (feedback.comment or "")[:COMMENT_LENGTH]
        await asyncify(_add)(file, {**asked, "comment": comment, "database": database, "when": when})


def doubted(thread: ThreadDict, thumbed: str) -> dict[str, Any] | None:
    """Return the question whose answer has this thumb, and the SQL it was answered with; None where there is none.

    The SQL is the last that was written, None where the question was declined before any was.
    """
    question: str | None = None
    for step in thread["steps"]:  # oldest first
        if step["id"] == thumbed:
            break
        if step["type"] == "user_message":
            question = step["output"]
    else:
        return None
    # Chainlit's thumb stands under a message, and means the run that it came from.
    answers = {thumbed, *(step["id"] for step in thread["steps"] if step["parentId"] == thumbed)}
    evidence = (e for e in thread["elements"] or () if e.get("forId") in answers and e["name"] == "Evidence")
    attempts = ((element.get("props") or {}).get("attempts") for element in evidence)
    sql = next((written[-1]["sql"] for written in attempts if written), None)
    return {"question": question, "sql": sql} if question is not None else None


def _add(file: Path, doubt: dict[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(doubt, ensure_ascii=False) + "\n")
