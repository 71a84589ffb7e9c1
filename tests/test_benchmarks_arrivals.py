"""Who asks what, and when: the same in every run, and every question one that the sample database answers."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from agents.question import Question
from benchmarks.arrivals import asked, moments, read_questions
from bootstrap import open_asker
from errors import SettingsInvalid
from tests.asked import offline_settings


def test_people_come_by_chance_and_the_same_in_every_run() -> None:
    first, again = (moments(500, 10, random.Random(7)) for _ in range(2))
    assert first == again == sorted(first)
    assert first[0] >= 0 and first[-1] <= 10
    assert first != moments(500, 10, random.Random(8))
    # As a Poisson process has them, some come almost together.
    gaps = [later - earlier for earlier, later in pairwise(first)]
    assert min(gaps) < 0.001 and max(gaps) > 0.06


def test_people_come_evenly_where_that_is_asked_for() -> None:
    assert moments(4, 2.0, None) == [0.0, 0.5, 1.0, 1.5]


def test_every_question_is_asked_as_often_as_any_other() -> None:
    counts = Counter(asked(["a", "b", "c"], 301, random.Random(1)))
    assert set(counts.values()) <= {100, 101} and sum(counts.values()) == 301


def test_a_file_without_questions_is_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    with pytest.raises(SettingsInvalid, match="no questions"):
        read_questions(empty)
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        read_questions(tmp_path / "none.txt")


async def test_the_questions_are_many_and_each_has_an_answer_with_rows(tmp_path: Path) -> None:
    questions = read_questions()
    assert len(questions) == len(set(questions)) == 200
    today = date(2026, 11, 20)
    empty = []
    async with open_asker(offline_settings(tmp_path, today=today)) as asker:
        for text in questions:
            found = await asker.schema.find(text)
            draft = await asker.writer.write(Question(text, today), found, None)
            rows = await asker.runner.run(await asker.guard.check(draft.sql))
            if not any(value for row in rows.values for value in row):
                empty.append(text)
    assert not empty
