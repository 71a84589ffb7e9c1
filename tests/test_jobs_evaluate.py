"""What `python -m jobs evaluate` tells of questions whose right SQL is known, and how it exits."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from agents.question import Complaint, Draft, Followup, Question, Say
from bootstrap import open_index
from jobs.__main__ import app
from jobs.evaluation.asking import ask_cases
from jobs.evaluation.cases import Case
from jobs.evaluation.kinds import KINDS, kind_of
from jobs.evaluation.outcome import Outcome
from settings import read_settings
from tools.catalog import Found
from tools.sql_runner import Rows

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

SHOP = """
CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT, price REAL);
CREATE TABLE sales (sale_id INTEGER PRIMARY KEY, product_id INTEGER REFERENCES products, sold_on DATE, pieces INTEGER);
INSERT INTO products VALUES (1, 'Kettle <b>|', 30), (2, 'Mug', 8), (3, 'Filter', 5);
INSERT INTO sales VALUES (1, 1, '2026-11-19', 2), (2, 2, '2026-11-20', 1), (3, 2, '2026-10-02', 4);
"""
SCHOOL = """
CREATE TABLE pupils (pupil_id INTEGER PRIMARY KEY, name TEXT, city TEXT);
INSERT INTO pupils VALUES (1, 'Ann', 'Leeds'), (2, 'Ben', 'York'), (3, 'Cy', 'York');
"""

RIGHT: dict[str, Any] = {
    "id": "count",
    "question": "How many products are there?",
    "gold": ["SELECT COUNT(*) FROM products"],
}
EXTRA = {
    "id": "dearest",
    "question": "Which product has the highest price?",
    "gold": ["SELECT name FROM products ORDER BY price DESC LIMIT 1"],
}
WRONG = {
    "id": "names",
    "question": "List the names of the products",
    "gold": ["SELECT name FROM products WHERE price < 9"],
}
UNKNOWN = {"id": "weather", "question": "What was the weather yesterday?", "answerable": False}
DECLINED = {"id": "mood", "question": "How happy are the products?", "gold": ["SELECT 1"]}
YORK = {
    "id": "york",
    "database": "school",
    "question": "How many pupils live in York?",
    "gold": ["SELECT COUNT(*) FROM pupils WHERE city = 'York'"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of two databases; the environment names the shop, a home of its own, and no model."""
    folder = tmp_path_factory.mktemp("evaluate")
    for name, script in (("shop", SHOP), ("school", SCHOOL)):
        with closing(sqlite3.connect(folder / f"{name}.sqlite")) as connection:
            connection.executescript(script)
    with pytest.MonkeyPatch.context() as environment:
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "QDRANT_URL"):
            environment.delenv(name, raising=False)
        environment.setenv("QUAESTOR_DATABASE_URL", f"sqlite:///{folder}/shop.sqlite")
        environment.setenv("QUAESTOR_HOME", str(folder / "home"))
        environment.setenv("QUAESTOR_TODAY", "2026-11-20")
        environment.setenv("COLUMNS", "200")
        yield folder


@pytest.fixture
def evaluate(folder: Path, tmp_path: Path) -> Any:
    """Evaluate these cases with these options; the report lies in `report` beside them."""

    def run(cases: list[dict[str, Any]], *options: str) -> Result:
        file = tmp_path / "cases.jsonl"
        file.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
        return CliRunner().invoke(
            app, ["evaluate", str(file), "--report", str(tmp_path / "report"), *options], catch_exceptions=True
        )

    return run


def outcomes(tmp_path: Path) -> dict[str, dict[str, Any]]:
    lines = (tmp_path / "report" / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["id"]: line for line in map(json.loads, lines)}


def test_each_answer_gets_its_verdict(evaluate: Any, tmp_path: Path) -> None:
    run = evaluate([RIGHT, EXTRA, WRONG, UNKNOWN, DECLINED])
    assert run.exit_code == 0, run.output
    verdicts = {name: outcome["verdict"] for name, outcome in outcomes(tmp_path).items()}
    assert verdicts == {
        "count": "strict",
        "dearest": "lenient",
        "names": "wrong",
        "weather": "declined",
        "mood": "declined",
    }
    assert "50.0%" in run.stdout  # two right of four that the data can answer
    assert "66.7%" in run.stdout  # of three answers
    assert "1 of 1" in run.stdout


def test_every_database_is_asked_its_own_cases(evaluate: Any, folder: Path, tmp_path: Path) -> None:
    at_home = {**RIGHT, "database": "shop"}
    for databases in (str(folder), f"sqlite:///{folder}/{{database}}.sqlite"):
        run = evaluate([YORK, at_home], "--databases", databases, "--concurrency", "2")
        assert run.exit_code == 0, run.output
        told = outcomes(tmp_path)
        assert {name: (o["database"], o["verdict"]) for name, o in told.items()} == {
            "york": ("school", "strict"),
            "count": ("shop", "strict"),
        }


def test_a_database_that_is_not_at_hand_is_asked_for(evaluate: Any) -> None:
    run = evaluate([YORK])
    assert run.exit_code == 1
    assert "school" in str(run.exception) and "--databases" in str(run.exception)


def test_cases_can_be_picked(evaluate: Any, folder: Path, tmp_path: Path) -> None:
    evaluate([RIGHT, EXTRA, YORK], "--only", "count")
    assert set(outcomes(tmp_path)) == {"count"}
    evaluate([RIGHT, EXTRA, YORK], "--database", "school", "--databases", str(folder))
    assert set(outcomes(tmp_path)) == {"york"}
    assert "no such case" in str(evaluate([RIGHT], "--only", "nothing").exception)


def test_a_failure_is_shown_beside_what_is_right_and_as_text_alone(evaluate: Any, tmp_path: Path) -> None:
    evaluate([WRONG, DECLINED])
    page = (tmp_path / "report" / "evaluation.html").read_text(encoding="utf-8")
    text = (tmp_path / "report" / "evaluation.md").read_text(encoding="utf-8")
    ours = outcomes(tmp_path)["names"]["sql"]
    for report in (page, text):
        assert "3 rows where 2 are right" in report
        assert "price &lt; 9" in report or "price < 9" in report
        assert ours.splitlines()[0] in report.replace("&quot;", '"')
        assert "How happy are the products?" in report
        assert "<b>" not in report
    assert "<td>Kettle &lt;b&gt;|</td>" in page
    assert "| Kettle &lt;b&gt;\\| |" in text


def test_a_baseline_is_written_once_and_compared_with(evaluate: Any, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    assert evaluate([RIGHT, WRONG, UNKNOWN], "--baseline", str(file)).exit_code == 0
    kept = file.read_text()
    assert json.loads(kept) == {"count": "strict", "names": "wrong", "weather": "declined"}

    same = evaluate([RIGHT, WRONG, UNKNOWN, EXTRA], "--baseline", str(file))
    assert same.exit_code == 0
    assert "Of 3 cases in the baseline, 2 are right and 2 were" in same.stdout

    mended = {**WRONG, "gold": ["SELECT name FROM products"]}
    better = evaluate([RIGHT, mended, UNKNOWN], "--baseline", str(file))
    assert better.exit_code == 0
    assert "1 became right: names" in better.stdout

    broken = {**RIGHT, "gold": ["SELECT 7"]}
    worse = evaluate([broken, WRONG, UNKNOWN], "--baseline", str(file))
    assert worse.exit_code == 1
    assert "1 became wrong: count" in worse.stdout
    assert file.read_text() == kept


def test_answering_what_the_data_does_not_hold_is_worse_than_the_baseline(evaluate: Any, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text('{"count": "declined"}')
    run = evaluate([{**RIGHT, "answerable": False}], "--baseline", str(file))
    assert run.exit_code == 1
    assert outcomes(tmp_path)["count"]["verdict"] == "wrong"


def test_what_is_no_baseline_is_told(evaluate: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("buy milk")
    assert "is no baseline" in str(evaluate([RIGHT], "--baseline", str(tmp_path / "notes.txt")).exception)


def test_a_gold_query_that_does_not_run_is_told(evaluate: Any, tmp_path: Path) -> None:
    evaluate([{**RIGHT, "gold": ["SELECT nothing FROM products"]}, {**EXTRA, "gold": ["DROP TABLE products"]}])
    told = outcomes(tmp_path)
    assert told["count"]["note"].startswith("The gold query does not run: ")
    assert told["dearest"]["note"].startswith("The gold query does not run: ")


def test_any_of_several_gold_queries_is_right(evaluate: Any, tmp_path: Path) -> None:
    evaluate([{**RIGHT, "gold": ["SELECT 7", "SELECT nothing", "SELECT COUNT(*) FROM products"]}])
    assert outcomes(tmp_path)["count"]["verdict"] == "strict"


def test_today_and_the_questions_before_count(evaluate: Any, tmp_path: Path) -> None:
    sales = "SELECT COUNT(*) FROM sales WHERE sold_on"
    today = {"id": "today", "question": "How many sales were there today?", "gold": [f"{sales} = :today"]}
    then = {
        "id": "then",
        "turns": ["How many sales were there this month?"],
        "question": "and last month?",
        "gold": [f"{sales} LIKE '2026-10%'"],
    }
    evaluate([today, then])
    assert {o["verdict"] for o in outcomes(tmp_path).values()} == {"strict"}


def test_the_order_of_the_rows_counts_where_the_case_says_so(evaluate: Any, tmp_path: Path) -> None:
    ascending = ["SELECT name, price FROM products ORDER BY price"]
    case = {"id": "top", "question": "Which three products have the highest price?", "gold": ascending}
    evaluate([case, {**case, "id": "ordered", "ordered": True}])
    assert {name: o["verdict"] for name, o in outcomes(tmp_path).items()} == {"top": "strict", "ordered": "wrong"}


def test_an_answer_is_judged_whole_wherever_its_page_of_rows_ends(
    evaluate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUAESTOR_ROW_LIMIT", "2")
    evaluate([{**WRONG, "gold": ["SELECT name FROM products"]}])
    assert outcomes(tmp_path)["names"]["verdict"] in ("strict", "lenient")


def test_the_tables_that_were_found_are_those_that_the_gold_query_reads(evaluate: Any, tmp_path: Path) -> None:
    run = evaluate([RIGHT, EXTRA])
    assert set(outcomes(tmp_path)["count"]["tables"]) == {"products", "sales"}
    assert "the first 5" in run.stdout and "100.0%" in run.stdout
    assert "of more" not in run.stdout.split("Of more")[0]  # The shop has two tables, so none can be missed.


class Clumsy:
    """Writes SQL that fails at first, and the right one when told so."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        self.asked.append(question.text)
        return Draft(RIGHT["gold"][0] if complaint else "SELECT nothing FROM products", question.text)

    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        await say("There are three of them.")

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        return []


async def test_a_models_repairs_and_tokens_are_counted_and_instructions_reach_it(
    folder: Path, model_server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_index(read_settings()) as schema:
        clumsy = Clumsy()
        model_server.answers_for(schema.catalog, writer=clumsy, narrator=clumsy, suggester=clumsy)
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("QUAESTOR_MODEL", "standin")
    case = Case("count", RIGHT["question"], tuple(RIGHT["gold"]), instructions="A product is a row.")
    told: list[Outcome] = []
    analyst, outcomes = await ask_cases([case], read_settings(), None, tell=told.append)
    assert (analyst, told) == ("standin", outcomes)
    assert (outcomes[0].verdict, outcomes[0].repairs) == ("strict", 1)
    assert outcomes[0].tokens > 0
    assert all("A product is a row." in text for text in clumsy.asked)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "Line 1 of cases.jsonl is no case"),
        ('{"id": "a"}', "question"),
        ('{"id": "a", "question": "How many?"}', "has no gold SQL"),
        ('{"id": "a", "question": "How many?", "gold": "SELECT 1"}', "gold"),
        ('{"id": "a", "question": "x", "gold": ["SELECT 1"]}\n' * 2, "Line 2 of cases.jsonl has the id a"),
    ],
)
def test_a_line_that_is_no_case_is_told(folder: Path, tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "cases.jsonl").write_text(line)
    run = CliRunner().invoke(app, ["evaluate", str(tmp_path / "cases.jsonl")])
    assert complaint in str(run.exception)


SHAPES = {
    "SELECT name FROM a INTERSECT SELECT name FROM b": "set operation",
    "SELECT name FROM a WHERE id NOT IN (SELECT a_id FROM b)": "nested",
    "WITH t AS (SELECT 1 AS n) SELECT n FROM t": "nested",
    "SELECT name, RANK() OVER (ORDER BY price) FROM a": "nested",
    "SELECT name FROM a JOIN b ON a.id = b.id ORDER BY price DESC LIMIT 5": "top-n",
    "SELECT COUNT(*) FROM a WHERE sold_on >= '2026-01-01'": "time",
    "SELECT strftime('%Y', sold_on), COUNT(*) FROM a GROUP BY 1": "time",
    "SELECT date(sold_on) FROM a": "time",
    "SELECT a.name, COUNT(*) FROM a JOIN b ON a.id = b.id GROUP BY a.name": "join and group",
    "SELECT a.name FROM a JOIN b ON a.id = b.id": "join",
    "SELECT city, COUNT(*) FROM a GROUP BY city": "group",
    "SELECT AVG(price), COUNT(*) FROM a": "measure",
    "SELECT COUNT(DISTINCT city) FROM a WHERE price > 3": "count",
    "SELECT name FROM a WHERE price > 3": "filter",
    "SELECT name FROM a ORDER BY name": "list",
    "SELECT FROM WHERE": "list",
}


@pytest.mark.parametrize(("sql", "kind"), SHAPES.items())
def test_a_querys_shape_says_its_kind(sql: str, kind: str) -> None:
    assert kind_of(sql, "sqlite") == kind
    assert kind in KINDS


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT DATE_TRUNC('month', sold_at), COUNT(*) FROM a GROUP BY 1",
        "SELECT COUNT(*) FROM a WHERE sold_at > now() - INTERVAL '7 days'",
        "SELECT EXTRACT(year FROM sold_at) FROM a",
    ],
)
def test_time_is_seen_in_postgres_too(sql: str) -> None:
    assert kind_of(sql, "postgres") == "time"


def test_a_kind_that_the_case_gives_goes_before_the_querys_shape(evaluate: Any, tmp_path: Path) -> None:
    evaluate([{**RIGHT, "kind": "easy"}])
    assert outcomes(tmp_path)["count"]["kind"] == "easy"


def test_doubted_answers_are_printed_as_cases_that_want_gold(folder: Path) -> None:
    doubt = {"question": RIGHT["question"], "sql": "SELECT 1", "comment": "", "database": "shop", "when": "2026-11-20"}
    file = folder / "home" / "doubtful.jsonl"
    file.parent.mkdir(exist_ok=True)
    lines = [doubt, {**doubt, "question": "Who?"}, {**doubt, "comment": "too few"}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    run = CliRunner().invoke(app, ["evaluate", "--doubtful"])
    first, second = map(json.loads, run.stdout.splitlines())
    assert (first["question"], first["comment"], first["gold"]) == (RIGHT["question"], "too few", [])
    assert (first["doubted"], first["database"], second["question"]) == ("SELECT 1", "shop", "Who?")
    assert "gold" in run.stderr

    (folder / "cases.jsonl").write_text(json.dumps({**first, "gold": RIGHT["gold"]}))
    assert CliRunner().invoke(app, ["evaluate", str(folder / "cases.jsonl")]).exit_code == 0
    file.write_text("nonsense\n")
    assert "Line 1 of doubtful.jsonl" in str(CliRunner().invoke(app, ["evaluate", "--doubtful"]).exception)
    file.write_bytes(b"\xff\xfe")
    assert "doubtful.jsonl cannot be read" in str(CliRunner().invoke(app, ["evaluate", "--doubtful"]).exception)
    file.unlink()
    assert CliRunner().invoke(app, ["evaluate", "--doubtful"]).stdout == ""
