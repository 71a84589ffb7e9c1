"""Both jobs are killed at random moments, in real processes, and each of their lines is written exactly once."""

from __future__ import annotations

import json
import sqlite3
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from benchmarks.bench_servers import LOOPBACK, RunFailed, surroundings
from benchmarks.fast_model import Manner, serving_fast
from benchmarks.killing import Figures, Job, count_lines, kill_often
from benchmarks.kills import FAILS, table
from tests.ports import kept_port

KILLS = 3


@pytest.fixture
async def model_url() -> AsyncIterator[str]:
    with kept_port() as port:
        async with serving_fast([port], Manner(failed=0.02)):
            yield f"http://{LOOPBACK}:{port}/v1"


def job_over(folder: Path, name: str, command: tuple[str, ...], output: str, inputs: list[object]) -> Job:
    requests = folder / f"{name}-input.jsonl"
    requests.write_text("".join(json.dumps({"id": place, "input": text}) + "\n" for place, text in enumerate(inputs)))
    return Job(name, command, output, requests, surroundings(folder / "home"))


def test_each_question_is_written_once_however_the_batch_job_is_killed(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT)")
        connection.commit()
    command = ("batch", "--database-url", f"sqlite:///{tmp_path}/shop.db")
    inputs: list[object] = [FAILS if place % 10 == 0 else "How many products are there?" for place in range(500)]
    job = job_over(tmp_path, "batch", command, "--output", inputs)
    figures = kill_often(job, KILLS, Random(4), tmp_path)
    assert (figures.kills, figures.lines) == (KILLS, 500 * figures.files)
    assert (figures.answered, figures.failed) == (450 * figures.files, 50 * figures.files)
    assert figures.is_exact, figures


async def test_each_request_is_written_once_however_the_requester_is_killed(tmp_path: Path, model_url: str) -> None:
    command = ("request", "--endpoint", model_url, "--max_requests_per_second", "2000")
    inputs: list[object] = [7 if place % 10 == 0 else f"Say #{place:09}." for place in range(4_000)]
    job = job_over(tmp_path, "request", command, "--save_filepath", inputs)
    # In a thread: the stand-in answers on this loop.
    figures = await to_thread(kill_often, job, KILLS, Random(4), tmp_path)
    assert (figures.kills, figures.lines) == (KILLS, 4_000 * figures.files)
    assert (figures.answered, figures.failed) == (3_600 * figures.files, 400 * figures.files)
    assert figures.is_exact, figures


def test_a_file_that_ends_before_it_can_be_killed_is_told(tmp_path: Path) -> None:
    job = job_over(tmp_path, "batch", ("batch", "--database-url", "sqlite:///none.db"), "--output", ["How many?"])
    with pytest.raises(RunFailed, match=r"none\.db"):
        kill_often(job, 1, Random(4), tmp_path)


def test_lines_that_are_lost_doubled_or_broken_are_counted(tmp_path: Path) -> None:
    job = job_over(tmp_path, "batch", (), "--output", ["a", "b", "c", "d"])
    figures = Figures("batch", kills=5, writing=2)
    (tmp_path / "answers.jsonl").write_text('{"line":1,"input":"a"}\n{"line":2,"input":"x"}\n{"line":1,"input":"a"}\n')
    (tmp_path / "errors.jsonl").write_text('{"line":3,"input":"c"}\n{"line":4,"inp\n')
    count_lines(job.requests, tmp_path / "answers.jsonl", tmp_path / "errors.jsonl", figures)
    assert (figures.answered, figures.failed) == (3, 1)
    assert (figures.lost, figures.twice, figures.broken) == (1, 1, 2)
    assert not figures.is_exact
    assert table([figures]).splitlines()[-1] == "| batch | 5 | 2 | 1 | 4 | 3 | 1 | 1 | 1 | 2 |"
