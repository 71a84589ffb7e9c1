"""What `python -m jobs batch` writes for a file of questions, how it goes on, and how it exits."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from agents.ask import Asker
from agents.fallback import FallbackWriter
from agents.parts import Writer
from agents.question import Complaint, Draft, Question
from errors import DatabaseUnavailable, ModelUnavailable
from jobs.__main__ import app
from tools.catalog import Found

pytest_plugins = ("tests.ray_cluster",)

ROOT = Path(__file__).resolve().parent.parent
COUNT = "How many products are there?"
OVERFLOW = "SELECT abs(-9223372036854775808) AS n"
"""Within the rules, and more than the database can work out."""
AWAY = "List the names of the products"


@dataclass(frozen=True)
class Shop:
    """A folder with a small database and the job's three files."""

    url: str
    folder: Path

    @property
    def questions(self) -> Path:
        return self.folder / "questions.jsonl"

    def write(self, *lines: dict[str, Any] | str) -> None:
        self.questions.write_text(
            "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), encoding="utf-8"
        )

    @property
    def answers(self) -> dict[int, dict[str, Any]]:
        return read(self.folder / "answers.jsonl")

    @property
    def errors(self) -> dict[int, dict[str, Any]]:
        return read(self.folder / "errors.jsonl")

    def arguments(self, *options: str) -> list[str]:
        answers = str(self.folder / "answers.jsonl")
        return ["batch", str(self.questions), "--output", answers, "--database-url", self.url, *options]

    def batch(self, *options: str) -> Result:
        return CliRunner().invoke(app, self.arguments(*options))


def read(path: Path) -> dict[int, dict[str, Any]]:
    """Return the file's records by their line; a line that stands twice fails the test."""
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [place for place, times in Counter(record["line"] for record in records).items() if times > 1] == []
    return {record["line"]: record for record in records}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a small database; the environment names a home of its own, and no model."""
    folder = tmp_path_factory.mktemp("jobs-batch")
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.execute("CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT, price REAL)")
        connection.executemany("INSERT INTO products (name, price) VALUES (?, ?)", [("Kettle", 30.5), ("Mug", 8.0)])
        connection.commit()
    with pytest.MonkeyPatch.context() as environment:
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "QDRANT_URL", "QUAESTOR_DATABASE_URL"):
            environment.delenv(name, raising=False)
        environment.setenv("QUAESTOR_HOME", str(folder / "home"))
        yield f"sqlite:///{folder}/shop.db"


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path)


def test_each_question_gets_its_answer_with_sql_and_rows(shop: Shop) -> None:
    shop.write({"id": "a", "input": COUNT}, {"id": 2, "question": "Which product has the highest price?"})
    run = shop.batch()
    assert run.exit_code == 0, run.output
    assert "2 questions are dealt with" in run.stdout and "none failed" in run.stdout
    first, second = shop.answers[1], shop.answers[2]
    assert list(first)[:8] == ["line", "id", "input", "response", "status", "sql", "columns", "rows"]
    assert (first["id"], first["input"], first["status"]) == ("a", COUNT, "answered")
    assert (first["response"], first["rows"]) == ("There are 2 products.", [[2]])
    assert first["sql"].startswith("SELECT") and first["columns"] and first["milliseconds"] > 0
    assert (second["id"], second["rows"][0]) == (2, ["Kettle", 30.5])
    assert shop.errors == {}


def test_what_cannot_be_answered_is_an_answer_and_what_fails_an_error(shop: Shop) -> None:
    shop.write(
        {"id": 1, "input": "What was the weather yesterday?"}, {"input": "DELETE FROM products"}, {"input": OVERFLOW}
    )
    run = shop.batch()
    assert run.exit_code == 1
    assert "2 questions are dealt with" in run.stdout and "1 failed: see" in run.stdout
    assert {place: answer["status"] for place, answer in shop.answers.items()} == {1: "declined", 2: "refused"}
    assert "weather" in shop.answers[1]["response"]
    failure = shop.errors[3]
    assert (failure["input"], failure["sql"]) == (OVERFLOW, OVERFLOW)
    assert "overflow" in failure["error"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("How many?", "not JSON"),
        ('["How many?"]', "no JSON object"),
        ({"text": "How many?"}, "holds no question"),
        ({"input": " "}, "holds no question"),
        ({"input": 7}, "holds no question"),
        ({"input": COUNT, "turns": [{"question": "What?"}]}, '"turns"'),
        ({"input": COUNT, "turns": ["What?"]}, '"turns"'),
        ({"input": COUNT, "turns": 7}, '"turns"'),
        ({"input": COUNT, "turns": [{"question": "What?", "sql": None}]}, '"turns"'),
    ],
)
def test_a_line_that_holds_no_question_fails_with_a_sentence(
    shop: Shop, line: dict[str, Any] | str, reason: str
) -> None:
    shop.write(line, {"input": COUNT})
    assert shop.batch().exit_code == 1
    assert reason in shop.errors[1]["error"]
    assert set(shop.answers) == {2}


def test_a_follow_up_is_asked_with_the_turns_before_it(shop: Shop) -> None:
    before = {"question": "List the names of the products", "sql": "SELECT name FROM products"}
    shop.write({"input": "how many are there?", "turns": [before]}, {"input": "and how many?"})
    shop.batch()
    assert shop.answers[1]["rows"] == [[2]]


def test_a_run_that_goes_on_asks_only_what_has_no_answer_yet(shop: Shop) -> None:
    shop.write(*({"id": k, "input": COUNT} for k in range(5)))
    kept = {"line": 2, "id": 1, "input": COUNT, "response": "from before"}
    torn = '{"line":4,"id":3,"inp'
    (shop.folder / "answers.jsonl").write_text(f"{json.dumps(kept, separators=(',', ':'))}\n{torn}")
    assert shop.batch().exit_code == 2

    run = shop.batch("--resume")
    assert run.exit_code == 0, run.output
    assert "5 questions are dealt with" in run.stdout
    assert set(shop.answers) == {1, 2, 3, 4, 5}
    assert shop.answers[2] == kept


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_question_is_answered_once_however_many_processes_ask(shop: Shop, workers: str) -> None:
    shop.write(*({"id": f"q{k}", "question": COUNT} for k in range(40)))
    run = shop.batch("--workers", workers, "--concurrency", "5")
    assert run.exit_code == 0, run.output
    assert {place: answer["id"] for place, answer in shop.answers.items()} == {k + 1: f"q{k}" for k in range(40)}
    assert {answer["response"] for answer in shop.answers.values()} == {"There are 2 products."}


def test_a_ray_cluster_answers_what_has_no_answer_yet(shop: Shop, ray_cluster: str) -> None:
    shop.write(*({"id": k, "input": COUNT} for k in range(1, 20)), {"input": OVERFLOW})
    kept = {"line": 7, "id": 7, "input": COUNT, "response": "from before"}
    (shop.folder / "answers.jsonl").write_text(json.dumps(kept, separators=(",", ":")) + "\n")
    run = shop.batch("--engine", "ray", "--workers", "2", "--resume")
    assert "19 questions are dealt with" in run.stdout and "1 failed" in run.stdout, run.output
    answers = shop.answers
    assert answers.pop(7) == kept
    assert {answer["id"]: answer["response"] for answer in answers.values()} == dict.fromkeys(
        [k for k in range(1, 20) if k != 7], "There are 2 products."
    )
    assert set(shop.errors) == {20}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--database-url", "sqlite:///none.db"), 1, "none.db"),
        (("--database-url", "sqlite:///none.db", "--workers", "2"), 1, "none.db"),
        (("--errors_filepath", "nowhere/errors.jsonl"), 2, "cannot be written"),
    ],
)
def test_what_ends_the_job_is_one_sentence(shop: Shop, options: tuple[str, ...], code: int, said: str) -> None:
    shop.write({"input": COUNT})
    run = shop.batch(*options)
    assert run.exit_code == code, run.output
    assert said in run.stderr and "--resume" not in run.stderr
    assert "Traceback" not in run.output
    assert shop.answers == {}


def test_a_folder_where_a_file_should_be_is_one_sentence(shop: Shop) -> None:
    shop.write({"input": COUNT})
    run = shop.batch("--output", "/")
    assert (run.exit_code, run.stderr) == (2, "/ is a folder: name a file in it.\n")


def test_the_help_names_each_default_and_option_whole() -> None:
    told = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["batch", "--help"]).stdout
    for default in ("QUESTIONS with .answers.jsonl", "errors.jsonl beside the answers", "on a terminal", "16", "local"):
        assert re.search(rf"\[default: \(?{re.escape(default)}\)?[];]", " ".join(told.split()))
    assert "--max_requests_per_second" in CliRunner(env={"COLUMNS": "80"}).invoke(app, ["request", "--help"]).stdout


@dataclass
class OftenAway:
    """Writes like another; the question AWAY finds the model away, so often."""

    writer: Writer
    times: int

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        if AWAY not in question.text:
            return await self.writer.write(question, found, complaint)
        self.times -= 1
        if self.times >= 0:
            raise ModelUnavailable("It is away.")
        return Draft("SELECT 1 AS one", question.text)


def away_once(asker: Asker) -> Asker:
    return replace(asker, writer=OftenAway(asker.writer, 1))


def away_for_good(asker: Asker) -> Asker:
    return replace(asker, writer=OftenAway(asker.writer, 1_000))


def away_with_a_stand_by(asker: Asker) -> Asker:
    return replace(asker, writer=FallbackWriter(OftenAway(asker.writer, 1_000), asker.writer, "offline analyst"))


def all_away_soon(asker: Asker) -> Asker:
    """Let the first look find everything well, and every later one the database away."""
    looks = iter((True,))

    async def check() -> None:
        if not next(looks, False):
            raise DatabaseUnavailable("The database is away.")

    return replace(asker, writer=OftenAway(asker.writer, 1_000), checks={"database": check})


@pytest.fixture
def extended(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Asker], Asker]], None]:
    """Let one of the functions above change who answers, and nobody wait long for what is away."""
    monkeypatch.setattr(ModelUnavailable, "retry_after", 0.01)
    return lambda extension: monkeypatch.setenv("QUAESTOR_EXTENSION", f"{__name__}:{extension.__name__}")


def test_what_was_away_for_a_moment_is_asked_again(shop: Shop, extended: Any) -> None:
    extended(away_once)
    shop.write({"input": AWAY})
    assert shop.batch().exit_code == 0
    assert shop.answers[1]["rows"] == [[1]]


@pytest.mark.parametrize("extension", [away_for_good, away_with_a_stand_by], ids=lambda extension: extension.__name__)
def test_a_model_that_stays_away_fails_the_question_and_nobody_answers_in_its_stead(
    shop: Shop, extended: Any, extension: Callable[[Asker], Asker]
) -> None:
    extended(extension)
    shop.write({"input": AWAY}, {"input": COUNT})
    assert shop.batch().exit_code == 1
    assert shop.errors[1]["error"] == "It is away."
    assert set(shop.answers) == {2}


def test_a_database_that_goes_away_ends_the_job_and_fails_no_question(
    shop: Shop, extended: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    extended(all_away_soon)
    shop.write({"input": COUNT}, {"input": AWAY}, {"input": COUNT})
    run = shop.batch("--concurrency", "1")
    assert run.exit_code == 1
    assert run.stderr.startswith("The database is away. 1 question is dealt with") and "--resume" in run.stderr
    assert (set(shop.answers), shop.errors) == ({1}, {})

    monkeypatch.delenv("QUAESTOR_EXTENSION")
    assert shop.batch("--resume").exit_code == 0
    assert set(shop.answers) == {1, 2, 3}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_keeps_what_was_answered_and_says_how_to_go_on(shop: Shop, workers: str) -> None:
    shop.write(*({"id": k, "input": COUNT} for k in range(5_000)))
    answers = shop.folder / "answers.jsonl"
    command = [sys.executable, "-m", "jobs", *shop.arguments("--workers", workers, "--concurrency", "4")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True) as job:
        while job.poll() is None and not (answers.exists() and answers.stat().st_size):
            time.sleep(0.01)
        os.killpg(job.pid, signal.SIGINT)
        _, said = job.communicate()
    assert job.returncode == 130, said
    assert "Stopped:" in said and "--resume" in said
    assert "Traceback" not in said
    answered = shop.answers
    assert 0 < len(answered) < 5_000
    assert answers.read_bytes().endswith(b"\n")

    shop.write(*({"id": k, "input": COUNT} for k in range(max(answered) + 3)))
    assert shop.batch("--resume").exit_code == 0
    assert set(shop.answers) == set(range(1, max(answered) + 4))
    assert all(shop.answers[place] == answer for place, answer in answered.items())
