"""What a store manager asks of the sample database is answered right by the offline analyst, or declined."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio

from agents.ask import Asker
from agents.events import TablesFound
from agents.question import Question, Turn
from bootstrap import open_asker
from jobs.evaluation.cases import Case, read_cases
from tests.asked import QUESTIONS, ask, ask_case, check, offline_settings

TODAY = date(2026, 11, 20)
CASES = read_cases([QUESTIONS / "sample.jsonl"])

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def asker(home: Path) -> AsyncIterator[Asker]:
    async with open_asker(offline_settings(home, today=TODAY)) as asker:
        yield asker


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_question_is_answered_right_or_declined(asker: Asker, home: Path, case: Case) -> None:
    check(case, await ask_case(asker, case, TODAY), home / "sample.sqlite", TODAY)


async def test_the_tables_of_a_follow_up_are_those_of_the_question_before_it_too(asker: Asker) -> None:
    before = Turn("Revenue by store this year", "Revenue by store this year", "SELECT 1")
    async with aclosing(asker.ask(Question("as a share of the total", TODAY, (before,)))) as events:
        [found] = [event.found async for event in events if isinstance(event, TablesFound)]
    assert "stores" in [table.name for table in found.tables]


async def test_the_sample_made_today_is_asked_about_today(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.id == "top-products-last-quarter")
    today = date.today()
    async with open_asker(offline_settings(tmp_path)) as asker:
        check(case, await ask(asker, case.question, today), tmp_path / "sample.sqlite", today)
