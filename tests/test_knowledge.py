"""What people wrote down is found for a question, is read again when it changes, and is told of where it is wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from errors import IndexUnavailable, ModelUnavailable, SettingsInvalid
from llm.embeddings import LocalEmbedder
from tools.catalog import Term
from tools.knowledge import Knowledge, open_knowledge
from tools.schema_index import Index

GLOSSARY = """\
# Our words

> For everybody who asks.

- churned customer: a customer who placed no order
  in the last 12 months.
- takings, turnover = revenue
- **net takings** = takings
<!-- not yet: footfall -->
Waste: what was thrown away.
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@asynccontextmanager
async def opened(folder: Path, models: Path | None = None) -> AsyncIterator[Knowledge]:
    index = Index("k", folder / "vectors.sqlite", LocalEmbedder(models)) if models else None
    async with open_knowledge(folder, index) as knowledge:
        knowledge._look_every = knowledge._look_at = 0  # Each question looks at the files.
        yield knowledge


def write(folder: Path, name: str, text: str) -> None:
    """Write a file as one that is newer than any before it."""
    (folder / name).write_text(text, encoding="utf-8")
    stamp = len(list(folder.iterdir())) + (folder / name).stat().st_mtime_ns
    os.utime(folder / name, ns=(stamp, stamp))


def names(terms: tuple[Term, ...]) -> list[str]:
    return [term.names[0] for term in terms]


async def test_terms_are_found_whatever_their_form_and_with_them_those_they_are_told_by(tmp_path: Path) -> None:
    write(tmp_path, "glossary.md", GLOSSARY)
    async with opened(tmp_path) as knowledge:
        assert names((await knowledge.told("How many Churned Customers do we have?")).said) == ["churned customer"]
        assert names((await knowledge.told("Net takings by store")).said) == ["net takings", "takings"]
        assert names((await knowledge.told("Which product is called 'takings'?")).said) == []
        [churned] = (await knowledge.told("churned customers")).said
    assert churned.meaning == "a customer who placed no order in the last 12 months."
    assert not churned.is_synonym


async def test_terms_are_found_by_their_meaning_too(tmp_path: Path, models: Path) -> None:
    write(tmp_path, "glossary.md", GLOSSARY)
    async with opened(tmp_path, models) as knowledge:
        told = await knowledge.told("Which customers have not ordered anything for a year?")
    assert (told.said, names(told.near)) == ((), ["churned customer"])


async def test_a_few_instructions_go_with_every_question_and_of_many_the_nearest(tmp_path: Path, models: Path) -> None:
    write(tmp_path, "instructions.md", "# Money\n\n- Amounts are\n  in euros.\n\nA year begins\nin April.\n")
    async with opened(tmp_path, models) as knowledge:
        assert (await knowledge.told("Who?")).instructions == ("Amounts are in euros.", "A year begins in April.")
        many = [f"- Shelf {n} holds spare parts. {'They are old. ' * 20}" for n in range(30)]
        write(tmp_path, "instructions.md", "\n".join([*many, "- Salaries are monthly, before tax."]))
        told = (await knowledge.told("What is the average salary?")).instructions
    assert told[0] == "Salaries are monthly, before tax."
    assert 1 < len(told) < 30


async def test_a_saved_question_answers_from_then_on_also_in_another_process(tmp_path: Path, models: Path) -> None:
    async with opened(tmp_path, models) as knowledge, opened(tmp_path) as other:
        assert await knowledge.find("How many customers?") == ()
        await knowledge.save("How many customers?", "SELECT 1", by="ann")
        [saved] = await knowledge.find("how many customers are there")
        assert (saved.sql, saved.same) == ("SELECT 1", True)
        assert [s.same for s in await other.find("How many customers?")] == [True]
        [near] = await knowledge.find("How many clients do we have?")
        assert not near.same
    [line] = (tmp_path / "questions.jsonl").read_text().splitlines()
    assert {**json.loads(line), "when": ""} == {
        "question": "How many customers?",
        "sql": "SELECT 1",
        "by": "ann",
        "when": "",
    }


async def test_a_line_is_added_also_after_one_that_does_not_end(tmp_path: Path) -> None:
    write(tmp_path, "questions.jsonl", '{"question": "Who?", "sql": "SELECT 1"}')
    async with opened(tmp_path) as knowledge:
        await knowledge.save("Where?", "SELECT 2", by="")
        assert [s.same for s in await knowledge.find("Where?")] == [True]
    assert len((tmp_path / "questions.jsonl").read_text().splitlines()) == 2


async def test_what_changes_is_read_again_and_what_is_wrong_then_changes_nothing(
    tmp_path: Path, models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "glossary.md", "takings = revenue\n")
    async with opened(tmp_path, models) as knowledge:
        write(tmp_path, "glossary.md", "takings = revenue\nwaste = losses\n")
        assert names((await knowledge.told("waste")).said) == ["waste"]
        with caplog.at_level(logging.WARNING):
            write(tmp_path, "glossary.md", "takings = revenue\nwaste\n")
            for _ in range(3):
                assert names((await knowledge.told("waste")).said) == ["waste"]
        assert [r.message for r in caplog.records] == [
            "what was known stays as it was: Line 2 of glossary.md is no entry: write “term: what it means” or "
            "“term = other words for it”."
        ]
        (tmp_path / "glossary.md").unlink()
        assert (await knowledge.told("waste")).said == ()


async def test_a_question_under_way_is_answered_though_the_embedder_fails_at_a_changed_file(
    tmp_path: Path, models: Path
) -> None:
    question = "Which clients ordered nothing?"
    asked, reread = asyncio.Event(), asyncio.Event()

    class Failing(LocalEmbedder):
        async def embed(self, texts):  # type: ignore[no-untyped-def]
            if list(texts) == [question]:
                vectors = await super().embed(texts)
                asked.set()
                await reread.wait()
                return vectors
            if asked.is_set():
                raise ModelUnavailable("It is away.")
            return await super().embed(texts)

    write(tmp_path, "glossary.md", GLOSSARY)
    async with open_knowledge(tmp_path, Index("k", tmp_path / "vectors.sqlite", Failing(models))) as knowledge:
        asking = asyncio.create_task(knowledge.told(question))
        await asked.wait()
        write(tmp_path, "glossary.md", f"{GLOSSARY}clients = customers\n")
        await knowledge.read()
        reread.set()
        assert (await asking).near == ()
        assert names((await knowledge.told("Which clients?")).said) == ["clients"]


async def test_who_leaves_while_the_files_are_read_does_not_keep_what_changed_from_the_next(
    tmp_path: Path, models: Path
) -> None:
    embedding = asyncio.Event()

    class Slow(LocalEmbedder):
        async def embed(self, texts):  # type: ignore[no-untyped-def]
            if not embedding.is_set():
                embedding.set()
                await asyncio.Event().wait()
            return await super().embed(texts)

    async with open_knowledge(tmp_path, Index("k", tmp_path / "v" / "vectors.sqlite", Slow(models))) as knowledge:
        knowledge._look_every = knowledge._look_at = 0
        write(tmp_path, "glossary.md", "takings = revenue\n")
        asking = asyncio.create_task(knowledge.told("takings"))
        await embedding.wait()
        asking.cancel()
        await asyncio.wait([asking])
        assert names((await knowledge.told("takings")).said) == ["takings"]


async def test_what_changed_while_the_index_was_away_holds_as_soon_as_it_is_back(tmp_path: Path, models: Path) -> None:
    class Away(Index):
        times = 1

        async def bring_up(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            if self.times:
                self.times -= 1
                raise IndexUnavailable("The schema index does not answer.")
            return await super().bring_up(*args, **kwargs)

    index = Away("k", tmp_path / "v" / "vectors.sqlite", LocalEmbedder(models))
    async with open_knowledge(tmp_path, index) as knowledge:
        knowledge._look_every = knowledge._look_at = 0
        write(tmp_path, "glossary.md", "takings = revenue\n")
        assert (await knowledge.told("takings")).said == ()
        assert names((await knowledge.told("takings")).said) == ["takings"]


async def test_only_what_is_new_is_embedded(tmp_path: Path, models: Path) -> None:
    asked: list[str] = []

    class Counting(LocalEmbedder):
        async def embed(self, texts):  # type: ignore[no-untyped-def]
            asked.extend(texts)
            return await super().embed(texts)

    write(tmp_path, "glossary.md", "takings = revenue\n")
    for expected in (["takings: revenue"], [], ["waste: losses"]):
        index = Index("k", tmp_path / "v" / "vectors.sqlite", Counting(models))
        async with open_knowledge(tmp_path, index):
            assert asked == expected
        asked.clear()
        if not expected:
            write(tmp_path, "glossary.md", "takings = revenue\nwaste = losses\n")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("glossary.md", "# Words\n\nThese are our words.\n", "Line 3 of glossary.md is no entry"),
        ("glossary.md", "takings = revenue\n\nTaking: money\n", "Line 3 of glossary.md tells “Taking” again: line 1"),
        ("glossary.md", "a: b\n: c\n", "Line 2 of glossary.md is no entry"),
        ("glossary.md", f"a: {'b' * 501}\n", "Line 1 of glossary.md is too long"),
        ("instructions.md", f"Short.\n\n- {'b' * 1001}\n", "Line 3 of instructions.md is too long"),
        ("questions.jsonl", '{"question": "Who?"}\n', "Line 1 of questions.jsonl is no saved question"),
    ],
)
async def test_what_is_of_no_form_is_told_with_its_line(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    write(tmp_path, name, text)
    with pytest.raises(SettingsInvalid, match=complaint):
        async with opened(tmp_path):
            pass


async def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "instructions.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsInvalid, match=r"instructions\.md cannot be read"):
        async with opened(tmp_path):
            pass


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "knowledge").write_text("a file where a folder should be")
    async with opened(tmp_path / "knowledge") as knowledge:
        with pytest.raises(SettingsInvalid, match="cannot be saved"):
            await knowledge.save("Who?", "SELECT 1", by="")


async def test_without_files_nothing_is_known(tmp_path: Path, models: Path) -> None:
    async with opened(tmp_path / "none", models) as knowledge:
        assert await knowledge.find("Who?") == ()
        told = await knowledge.told("Who?")
        assert (told.said, told.near, told.instructions) == ((), (), ())
