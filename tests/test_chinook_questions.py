"""Sensible questions about a database that the code has never seen are answered right, or declined."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio

from agents.ask import Asker
from bootstrap import open_asker
from jobs.evaluation.cases import Case, read_cases
from tests.asked import QUESTIONS, ask_case, check, offline_settings

TODAY = date(2026, 11, 20)

CHINOOK = os.environ.get("QUAESTOR_CHINOOK", "")
FILE = Path(CHINOOK).resolve()

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        not CHINOOK,
        reason="Set QUAESTOR_CHINOOK to the path of Chinook_Sqlite.sqlite, a release file of "
        "github.com/lerocha/chinook-database, to run these.",
    ),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def asker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asker]:
    home = tmp_path_factory.mktemp("home")
    async with open_asker(offline_settings(home, database_url=f"sqlite:///{FILE}")) as asker:
        yield asker


@pytest.mark.parametrize("case", read_cases([QUESTIONS / "chinook.jsonl"]), ids=lambda case: case.id)
async def test_a_question_is_answered_right_or_declined(asker: Asker, case: Case) -> None:
    check(case, await ask_case(asker, case, TODAY), FILE, TODAY)
