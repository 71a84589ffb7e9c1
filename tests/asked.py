"""Asks the whole pipeline the questions of a list, and compares the rows with the list's own SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from agents.ask import Asker
from agents.events import Finished, RowsFound, SQLWritten, Status
from agents.question import Draft, Question, Turn
from jobs.evaluation.cases import Case
from jobs.evaluation.rows import compare
from settings import Settings
from tools.sql_runner import Rows

QUESTIONS = Path(__file__).with_name("questions")


@dataclass(frozen=True)
class Answer:
    status: Status
    draft: Draft | None = None
    rows: Rows | None = None


def offline_settings(home: Path, *, today: date | None = None, database_url: str | None = None) -> Settings:
    """Return settings under which the offline analyst answers, whatever the environment says."""
    absent = dict.fromkeys(("OPENAI_API_KEY", "OPENAI_BASE_URL", "QDRANT_URL", "QDRANT_API_KEY", "embedding_model"))
    return Settings.model_validate(
        {
            **absent,
            "home": home,
            "knowledge": home / "knowledge",
            "config": home / "no.toml",
            "today": today,
            "database_url": database_url,
        }
    )


async def ask(asker: Asker, text: str, today: date, turns: Sequence[Turn] = ()) -> Answer:
    status: Status | None = None
    draft: Draft | None = None
    rows: Rows | None = None
    async with aclosing(asker.ask(Question(text, today, tuple(turns)))) as events:
        async for event in events:
            match event:
                case SQLWritten():
                    draft = event.draft
                case RowsFound():
                    rows = event.rows
                case Finished():
                    status = event.status
    assert status is not None, "the last event was not Finished"
    return Answer(status, draft, rows)


async def ask_case(asker: Asker, case: Case, today: date) -> Answer:
    """Ask the case's earlier questions, each with those before it, and then its own; return the last answer."""
    turns: list[Turn] = []
    for earlier in case.turns:
        answer = await ask(asker, earlier, today, turns)
        assert answer.status == "answered" and answer.draft, f"the earlier question was {answer.status}: {earlier}"
        turns.append(Turn(earlier, answer.draft.reading, answer.draft.sql))
    return await ask(asker, case.question, today, turns)


def expected_rows(database: Path, sql: str, today: date) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, {"today": today.isoformat()}).fetchall()


def check(case: Case, answer: Answer, database: Path, today: date) -> None:
    """Fail, with the SQL and the first rows, unless the answer is right."""
    if not case.answerable:
        assert answer.status == "declined", f"answered something that the data does not hold: {_sql(answer)}"
        return
    assert answer.status == "answered", f"{answer.status}: {_sql(answer)}"
    assert answer.rows is not None
    assert not answer.rows.truncated, f"more rows than anybody asked for: {_sql(answer)}"
    expected = [expected_rows(database, sql, today) for sql in case.gold]
    right = any(compare(rows, answer.rows.values, ordered=case.ordered) for rows in expected)
    assert right, f"{_sql(answer)}\nanswered {answer.rows.values[:5]}\nexpected {expected[0][:5]}"


def _sql(answer: Answer) -> str:
    return answer.draft.sql if answer.draft else "no SQL was written"
