# ruff: noqa: E501 (each question stands beside its SQL)
"""What people type in their first minutes, sloppily: answered as it is meant on a shop that no rule knows, or declined."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from agents.offline.writer import OfflineWriter
from agents.question import Draft, Question
from errors import QuestionDeclined
from jobs.evaluation.rows import compare
from tests.test_offline_everyday import BIKES, TODAY
from tools.catalog import Found
from tools.reflection import read_catalog

SOLD = "purchase_lines JOIN purchases USING (purchase_id) JOIN bikes USING (bike_id)"

ANSWERED = {
    "whats the average list price": "SELECT AVG(list_price) FROM bikes",
    "which clients havent ordered": "SELECT name FROM clients WHERE client_id NOT IN (SELECT client_id FROM purchases)",
    "what % of purchases get cancelled": "SELECT ROUND(100.0 * AVG(status = 'cancelled'), 2) FROM purchases",
    "how many ppl work for us": "SELECT COUNT(*) FROM clerks",
}
DECLINED: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def bikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bikes") / "bikes.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(BIKES)
    return file


async def _draft(file: Path, question: str) -> Draft:
    return await OfflineWriter(Analyst(read_catalog(f"sqlite:///{file}"))).write(
        Question(question, TODAY), Found(()), None
    )


@pytest.mark.parametrize("question", ANSWERED)
async def test_what_is_typed_in_haste_is_answered(bikes: Path, question: str) -> None:
    draft = await _draft(bikes, question)
    with closing(sqlite3.connect(bikes)) as connection:
        expected = connection.execute(ANSWERED[question]).fetchall()
        found = connection.execute(draft.sql).fetchall()
    assert compare(expected, found), f"{draft.sql}\nanswered {found[:5]}, expected {expected[:5]}"


@pytest.mark.parametrize("question", DECLINED)
async def test_what_may_mean_something_else_is_declined(bikes: Path, question: str) -> None:
    with pytest.raises(QuestionDeclined):
        await _draft(bikes, question)


async def test_where_ten_are_shown_nothing_says_that_only_the_first_is(bikes: Path) -> None:
    draft = await _draft(bikes, "who are our best customers")
    assert "LIMIT 10" in draft.sql and not any("Only the first" in told for told in draft.assumptions)
