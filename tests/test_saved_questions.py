"""Saved questions are found by meaning, and only one that asks the very same speaks for itself."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from errors import SettingsInvalid
from llm.embeddings import LocalEmbedder
from tools.catalog import SavedQuestion
from tools.saved_questions import SavedQuestions, read_saved_questions, stays_right

SAVED = (
    SavedQuestion("How many orders were there in 2024?", "SELECT 1"),
    SavedQuestion("Which customers spent the most?", "SELECT 2"),
    SavedQuestion("What is the average temperature of the ovens?", "SELECT 3"),
    SavedQuestion("How much did each customer spend online in 2024?", "SELECT 4"),
)


class Embedded:
    """Finds those near by the cosines of a real embedder's vectors."""

    def __init__(self, folder: Path) -> None:
        self._embedder = LocalEmbedder(folder)

    async def __call__(self, question: str, limit: int) -> list[tuple[str, float]]:
        [asked, *others] = await self._embedder.embed([question, *(saved.question for saved in SAVED)])
        near = ((s.question, sumprod(asked, vector)) for s, vector in zip(SAVED, others, strict=True))
        return sorted(near, key=lambda each: -each[1])[:limit]


def sumprod(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="session")
def nearest(tmp_path_factory: pytest.TempPathFactory) -> Embedded:
    return Embedded(tmp_path_factory.mktemp("models"))


async def same(question: str, nearest: Embedded | None) -> list[str]:
    """Return the SQL of the saved question that asks the same."""
    return [saved.sql for saved in await SavedQuestions(SAVED, nearest).find(question) if saved.same]


async def test_the_very_same_question_is_marked_whatever_frames_it(nearest: Embedded) -> None:
    found = await SavedQuestions(SAVED, nearest).find("Please tell me how many orders there were in 2024")
    assert found[0] == SavedQuestion("How many orders were there in 2024?", "SELECT 1", same=True)


@pytest.mark.parametrize(
    "question",
    ["How many orders were there in 2025?", "How many orders were there not in 2024?", "How many orders before 2024?"],
)
async def test_another_number_or_a_negation_is_related_but_not_the_same(nearest: Embedded, question: str) -> None:
    found = await SavedQuestions(SAVED, nearest).find(question)
    assert [(s.sql, s.same) for s in found] == [("SELECT 1", False)]


async def test_a_word_may_stand_in_another_form_where_the_meaning_is_nearly_the_same(nearest: Embedded) -> None:
    assert await same("How much has each customer spent online in 2024?", nearest) == ["SELECT 4"]
    assert await same("How much has each customer spent online in 2024?", None) == []


async def test_a_rephrased_question_is_found_by_its_meaning(nearest: Embedded) -> None:
    found = await SavedQuestions(SAVED, nearest).find("Who are the customers that spent most money?")
    assert [(s.sql, s.same) for s in found] == [("SELECT 2", False)]


async def test_without_embeddings_only_the_same_question_is_found() -> None:
    assert await same("which customers spent the most", None) == ["SELECT 2"]
    assert await SavedQuestions(SAVED, None).find("Who spent most?") == ()


async def test_a_synonym_asks_the_same() -> None:
    saved = SavedQuestions(SAVED, None, lambda text: text.replace("buyers", "customers"))
    assert [s.same for s in await saved.find("Which buyers spent the most?")] == [True]


@pytest.mark.parametrize(
    ("question", "sql", "stays"),
    [
        ("How many orders last month?", "SELECT 1 FROM o WHERE d >= '2026-10-01' AND d < '2026-11-01'", False),
        ("How many orders last month?", "SELECT 1 FROM o WHERE d >= date('now', '-1 month')", True),
        ("How many churned customers?", "SELECT 1 FROM o WHERE d >= '2025-11-20'", False),
        ("How many orders in 2025?", "SELECT 1 FROM o WHERE d >= '2025-01-01' AND d < '2026-01-01'", True),
        ("Compare 2025 with last year", "SELECT 1 FROM o WHERE d >= '2025-01-01'", False),
        ("How many customers?", "SELECT 1 FROM c", True),
        ("How many orders last year?", "SELECT 1 FROM o WHERE YEAR(d) = 2025", False),
        ("How many orders above 2000 last year?", "SELECT 1 FROM o WHERE total > 2000 AND d > date('now')", True),
    ],
)
async def test_sql_with_the_dates_of_another_day_does_not_speak(question: str, sql: str, stays: bool) -> None:
    assert stays_right(question, sql) is stays
    [found] = await SavedQuestions([SavedQuestion(question, sql)], None).find(question)
    assert found.same is stays


def test_a_line_that_is_no_saved_question_is_named(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "How many?", "sql": "SELECT 1"}\n\n{"question": "Who?", "sql": ""}\n')
    with pytest.raises(SettingsInvalid, match=r"^Line 3 of questions.jsonl is no saved question"):
        read_saved_questions(file)


@pytest.mark.parametrize("day", ['"lately"', '"2026-02-30"', "5", "[]", "true"])
def test_a_line_that_counts_from_no_day_is_named(tmp_path: Path, day: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(f'{{"question": "How many?", "sql": "SELECT 1", "counts_from": {day}}}\n')
    with pytest.raises(SettingsInvalid, match=r"^Line 1 of questions.jsonl counts from no day: write one, like"):
        read_saved_questions(file)


def test_a_line_without_its_day_or_with_words_of_others_is_read(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "How many?", "sql": "SELECT 1", "counts_from": null, "by": "ann", "note": "x"}\n')
    assert read_saved_questions(file) == (SavedQuestion("How many?", "SELECT 1"),)


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsInvalid, match=r"^The saved questions in questions.jsonl cannot be read"):
        read_saved_questions(file)


def test_no_file_means_no_saved_questions(tmp_path: Path) -> None:
    assert read_saved_questions(tmp_path / "questions.jsonl") == ()


def test_a_question_saved_again_replaces_what_was_saved_before(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "How many?", "sql": "SELECT 1"}\n{"question": "How many?", "sql": "SELECT 2"}\n')
    assert read_saved_questions(file) == (SavedQuestion("How many?", "SELECT 2"),)
