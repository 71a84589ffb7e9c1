"""The guide to the offline analyst says what is true: its examples are answered, or declined, as it says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio

from agents.ask import Asker
from agents.question import Turn
from bootstrap import open_asker
from tests.asked import ask, offline_settings

GUIDE = (Path(__file__).resolve().parent.parent / "docs" / "offline-analyst.md").read_text(encoding="utf-8")
TODAY = date(2026, 11, 20)


def examples(heading: str) -> list[str]:
    """Return the second column of the guide's table under this heading."""
    table = GUIDE.split(f" {heading} |\n|---|---|\n")[1].split("\n\n")[0]
    return re.findall(r"^\| .+? \| (.+?) \|$", table, re.MULTILINE)


def followups() -> list[tuple[str, str]]:
    """Return the guide's follow-ups, each after the question that it changes."""
    table = GUIDE.split("| these words |\n|---|---|---|\n")[1].split("\n\n")[0]
    return [(line[1], line[2]) for line in re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", table, re.MULTILINE)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asker]:
    async with open_asker(offline_settings(tmp_path_factory.mktemp("home"), today=TODAY)) as asker:
        yield asker


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("question", examples("an example it answers"))
async def test_what_the_guide_says_is_answered_is_answered(asker: Asker, question: str) -> None:
    answer = await ask(asker, question, TODAY)
    assert answer.status == "answered" and answer.rows and answer.rows.values


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("question", examples("an example it declines"))
async def test_what_the_guide_says_is_declined_is_declined(asker: Asker, question: str) -> None:
    assert (await ask(asker, question, TODAY)).status == "declined"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("question", "words"), followups())
async def test_what_the_guide_says_of_follow_ups_is_so(asker: Asker, question: str, words: str) -> None:
    before = await ask(asker, question, TODAY)
    assert before.draft is not None
    after = await ask(asker, words, TODAY, [Turn(question, before.draft.reading, before.draft.sql)])
    assert after.status == "answered" and after.draft is not None
    assert after.draft.reading.startswith(question)
    assert after.draft.sql != before.draft.sql
