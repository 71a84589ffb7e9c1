"""What `python -m jobs ask` prints, for a person and for a program, and how it exits."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from agents.answer import Answer, as_json
from agents.events import Failed, TextChunk
from jobs.__main__ import app

ROOT = Path(__file__).resolve().parent.parent
DEAREST = "Which product has the highest price?"
NAMES = ("*star* [a](https://evil)", "<img src=x> [red]b[/red]")
OVERFLOW = "SELECT abs(-9223372036854775808) AS n"
"""Within the rules, and more than the database can work out."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a small database; the environment names a home of its own, and no model."""
    folder = tmp_path_factory.mktemp("jobs-ask")
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.execute("CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT, price REAL)")
        connection.executemany("INSERT INTO products (name, price) VALUES (?, ?)", zip(NAMES, (3.5, 2.0), strict=True))
        connection.commit()
    with pytest.MonkeyPatch.context() as environment:
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "QDRANT_URL", "QUAESTOR_DATABASE_URL"):
            environment.delenv(name, raising=False)
        environment.setenv("QUAESTOR_HOME", str(folder / "home"))
        environment.setenv("COLUMNS", "200")
        yield f"sqlite:///{folder}/shop.db"


def ask(shop: str, question: str, *options: str) -> Result:
    return CliRunner().invoke(app, ["ask", question, "--database-url", shop, *options])


def told(shop: str, question: str) -> dict[str, Any]:
    def complain(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    answer = json.loads(ask(shop, question, "--json").stdout, parse_constant=complain)
    assert isinstance(answer, dict)
    return answer


def test_a_program_gets_one_object_with_these_keys(shop: str) -> None:
    answer = told(shop, DEAREST)
    assert set(answer) == {
        *("question", "status", "sql", "columns", "rows", "truncated", "answer"),
        *("assumptions", "followups", "chart", "receipt", "database", "analyst", "fallback", "asks", "queries"),
    }
    assert answer["question"] == DEAREST
    assert answer["status"] == "answered"
    assert answer["sql"].startswith("SELECT")
    assert answer["rows"][0] == [NAMES[0], 3.5]
    assert answer["truncated"] is False
    assert (answer["database"], answer["analyst"]) == ("shop", "offline analyst")
    assert answer["fallback"] is None


def test_what_adding_up_leaves_behind_the_point_is_not_printed_and_stays_in_the_json(shop: str) -> None:
    sql = "SELECT 0.1 + 0.2 AS total, 0.00012345678 AS rate FROM products LIMIT 1"
    printed = ask(shop, sql).stdout
    assert " 0.3 " in printed
    assert " 0.00012345678 " in printed
    assert told(shop, sql)["rows"] == [[0.1 + 0.2, 0.00012345678]]


def test_the_steps_are_told_where_they_are_wanted(shop: str) -> None:
    printed = " ".join(ask(shop, DEAREST, "--steps").stdout.split())
    assert "1. Start with all rows of products. 2 rows" in printed
    assert "Sort by price, highest first. 2 rows" in printed
    answer = json.loads(ask(shop, DEAREST, "--steps", "--json").stdout)
    assert answer["steps"][-1]["rows"] == answer["rows"]
    assert "steps" not in told(shop, DEAREST)


def test_an_answer_is_told_letter_for_letter(shop: str) -> None:
    assert told(shop, DEAREST)["answer"].startswith(f"{NAMES[0]} has the highest price")
    assert f"{NAMES[0]} has the highest price" in ask(shop, DEAREST).stdout


@pytest.mark.parametrize(
    ("question", "status", "code"),
    [
        ("How many products are there?", "answered", 0),
        ("What was the weather yesterday?", "declined", 0),
        ("DELETE FROM products", "refused", 0),
        (OVERFLOW, "failed", 1),
    ],
)
def test_only_a_failure_is_an_error_of_the_command(shop: str, question: str, status: str, code: int) -> None:
    run = ask(shop, question, "--json")
    answer = json.loads(run.stdout)
    assert (answer["status"], run.exit_code) == (status, code)
    assert answer["answer"]


def test_a_failure_is_told_on_stderr_alone(shop: str) -> None:
    run = ask(shop, OVERFLOW)
    assert run.stdout == ""
    assert "overflow" in run.stderr


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_database_that_cannot_be_opened_is_one_sentence(shop: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "jobs", "ask", DEAREST, "--database-url", f"sqlite:///{tmp_path}/none.db"]
    run = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    said = json.loads(run.stdout)["answer"] if options else run.stderr
    assert "none.db" in said
    assert "Traceback" not in run.stdout + run.stderr


def test_values_are_printed_as_text_whatever_they_hold(shop: str) -> None:
    printed = ask(shop, "SELECT name AS \"[b]n[/b]\", 'a' || char(27) || '[31mb' AS esc FROM products").stdout
    assert all(name in printed for name in (*NAMES, "[b]n[/b]", "a[31mb"))
    assert "\x1b" not in printed


def test_a_number_that_json_does_not_know_becomes_null(shop: str) -> None:
    assert told(shop, "SELECT 1e999 AS much, 2.5 AS little")["rows"] == [[None, 2.5]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        ("text", "text"),
        (float("nan"), None),
        (float("-inf"), None),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (Decimal("-Infinity"), None),
        (Decimal("12.50"), 12.5),
        (Decimal("12.00"), 12),
        (Decimal("123456789012345678901234567890"), 123456789012345678901234567890),
        (b"\x00\xff", "00ff"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (time(3, 4), "03:04:00"),
    ],
)
def test_every_value_has_a_form_in_json(value: Any, expected: Any) -> None:
    assert as_json(value) == expected
    assert type(as_json(value)) is type(expected)
    json.dumps(as_json(value), allow_nan=False)


def test_what_was_said_before_a_failure_stays() -> None:
    answer = Answer("x")
    for event in (TextChunk("Ann has"), Failed("The model broke off.")):
        answer.take(event)
    assert answer.answer == "Ann has\nThe model broke off."


def test_what_the_answer_rests_on_is_printed(shop: str) -> None:
    assert "Read from products (2 rows)." in ask(shop, "How many products are there?").stdout


def test_an_investigation_needs_a_model_and_says_so(shop: str) -> None:
    assert "OPENAI_API_KEY" in ask(shop, "Why are there so few products?", "--investigate").stdout
