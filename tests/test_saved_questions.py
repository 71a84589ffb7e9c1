"""Saved questions are found by meaning, and only one that asks the very same speaks for itself."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from errors import SettingsInvalid
from llm.embeddings import LocalEmbedder, open_embedder
from tools.catalog import SavedQuestion
from tools.saved_questions import SavedQuestions, read_saved_questions

SAVED = (
    SavedQuestion("How many orders were there in 2024?", "SELECT 1"),
    SavedQuestion("Which customers spent the most?", "SELECT 2"),
    SavedQuestion("What is the average temperature of the ovens?", "SELECT 3"),
)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


async def test_the_very_same_question_is_marked_whatever_its_polite_words(models: Path) -> None:
    found = await SavedQuestions(SAVED, open_embedder(models)).find("Please tell me how many orders there were in 2024")
    assert found[0] == SavedQuestion("How many orders were there in 2024?", "SELECT 1", same=True)


async def test_another_year_is_related_but_not_the_same(models: Path) -> None:
    found = await SavedQuestions(SAVED, open_embedder(models)).find("How many orders were there in 2025?")
    assert [(s.sql, s.same) for s in found] == [("SELECT 1", False)]


async def test_a_rephrased_question_is_found_by_its_meaning(models: Path) -> None:
    found = await SavedQuestions(SAVED, open_embedder(models)).find("Who are the customers that spent most money?")
    assert [(s.sql, s.same) for s in found] == [("SELECT 2", False)]


async def test_the_first_to_ask_together_embed_the_saved_questions_once(models: Path) -> None:
    embedder = LocalEmbedder(models)
    asked: list[Sequence[str]] = []

    class Counting:
        async def embed(self, texts: Sequence[str]) -> list[list[float]]:
            asked.append(texts)
            return await embedder.embed(texts)

    saved = SavedQuestions(SAVED, Counting())
    questions = ["Who spent most?", "Which customers spent most money?", "How warm are the ovens?"]
    found = await asyncio.gather(*(saved.find(question) for question in questions))
    assert [[each.sql for each in one] for one in found][1:] == [["SELECT 2"], ["SELECT 3"]]
    assert [len(texts) for texts in asked] == [3, 1, 1, 1]


async def test_without_embeddings_only_the_same_question_is_found() -> None:
    saved = SavedQuestions(SAVED, None)
    assert [s.sql for s in await saved.find("which customers spent the most")] == ["SELECT 2"]
    assert await saved.find("Who spent most?") == ()


def test_a_line_that_is_no_saved_question_is_named(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "How many?", "sql": "SELECT 1"}\n\n{"question": 3}\n')
    with pytest.raises(SettingsInvalid, match=r"^Line 3 of questions.jsonl is no saved question"):
        read_saved_questions(file)


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsInvalid, match=r"^The saved questions in questions.jsonl cannot be read"):
        read_saved_questions(file)


def test_no_file_means_no_saved_questions(tmp_path: Path) -> None:
    assert read_saved_questions(tmp_path / "questions.jsonl") == ()
