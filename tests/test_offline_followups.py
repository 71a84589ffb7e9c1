"""Every proposed question, asked anew, runs the SQL that was promised; first questions suit any database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from agents.offline.followups import OfflineSuggester
from agents.offline.starting import first_questions
from agents.offline.writer import OfflineWriter
from agents.question import Draft, Followup, Question, Turn
from errors import QuestionDeclined
from tools.catalog import Catalog, Found
from tools.reflection import read_catalog
from tools.sql_runner import Rows

TODAY = date(2026, 11, 20)
NOTHING_FOUND = Found(())

SCHEMA = """
CREATE TABLE wards (ward_id INTEGER PRIMARY KEY, name TEXT NOT NULL, beds INTEGER NOT NULL);
CREATE TABLE patients (
    patient_id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, sex TEXT NOT NULL
);
CREATE TABLE stays (
    stay_id INTEGER PRIMARY KEY, patient_id INTEGER NOT NULL REFERENCES patients,
    ward_id INTEGER NOT NULL REFERENCES wards, kind TEXT NOT NULL, admitted_on DATE NOT NULL, cost REAL NOT NULL
);
INSERT INTO wards VALUES (1, 'Cardiology', 20), (2, 'Surgery', 30), (3, 'Paediatrics', 15), (4, 'Geriatrics', 12);
INSERT INTO patients VALUES
    (1, 'Nora', 'Ash', 'F'), (2, 'Owen', 'Bell', 'M'), (3, 'Pia', 'Crane', 'F'), (4, 'Sam', 'Day', 'M');
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 49)
INSERT INTO stays SELECT i + 1, i % 3 + 1, i * i % 3 + 1, CASE WHEN i % 4 THEN 'planned' ELSE 'emergency' END,
    date('2025-06-01', (i * 10) || ' days'), 500 + i * 37 % 1900 FROM n;
"""

ASKED = (
    "How many stays were there this year?",
    "Average cost per ward",
    "Total cost of stays per month in 2026",
    "Which 2 wards have the most stays?",
    "Which wards have no stays?",
    "List the patients",
    "Compare stays in 2025 and 2026",
    "What share of stays was planned per ward?",
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("hospital") / "hospital.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(SCHEMA)
    return file


@pytest.fixture(scope="module")
def catalog(file: Path) -> Catalog:
    return read_catalog(f"sqlite:///{file}")


async def _suggestions(
    catalog: Catalog, file: Path, text: str, turns: tuple[Turn, ...] = ()
) -> tuple[Draft, list[Followup]]:
    question = Question(text, TODAY, turns)
    draft = await OfflineWriter(Analyst(catalog)).write(question, NOTHING_FOUND, None)
    with closing(sqlite3.connect(file)) as connection:
        cursor = connection.execute(draft.sql)
        rows = Rows(tuple(c[0] for c in cursor.description), tuple(cursor.fetchall()), False, 0.0)
    return draft, await OfflineSuggester(Analyst(catalog)).suggest(question, draft, rows, NOTHING_FOUND)


@pytest.mark.parametrize("text", ASKED)
async def test_a_suggestion_asked_anew_runs_the_promised_sql(catalog: Catalog, file: Path, text: str) -> None:
    draft, followups = await _suggestions(catalog, file, text)
    assert followups
    for followup in followups:
        again = await OfflineWriter(Analyst(catalog)).write(Question(followup.question, TODAY), NOTHING_FOUND, None)
        assert again.sql == followup.sql != draft.sql


@pytest.mark.parametrize("text", ASKED)
async def test_a_suggestion_clicked_in_the_conversation_runs_the_promised_sql(
    catalog: Catalog, file: Path, text: str
) -> None:
    draft, followups = await _suggestions(catalog, file, text)
    turns = (Turn(text, draft.reading, draft.sql),)
    for followup in followups:
        again = await OfflineWriter(Analyst(catalog)).write(
            Question(followup.question, TODAY, turns), NOTHING_FOUND, None
        )
        assert again.sql == followup.sql


async def test_suggestions_differ_in_kind(catalog: Catalog, file: Path) -> None:
    _, followups = await _suggestions(catalog, file, "Average cost per ward")
    questions = [f.question for f in followups[:3]]
    assert any(q.split()[-2:] == ["by", "kind?"] or "per kind" in q for q in questions)
    assert any("month" in q for q in questions)


async def test_the_first_row_leads_on(catalog: Catalog, file: Path) -> None:
    _, followups = await _suggestions(catalog, file, "How many stays per kind")
    assert any("emergency" in f.question or "planned" in f.question for f in followups)


async def test_nothing_is_suggested_for_what_the_rules_do_not_understand(catalog: Catalog) -> None:
    question = Question("What moves our patients?", TODAY)
    draft = Draft("SELECT 1", "What moves our patients?")
    rows = Rows(("1",), ((1,),), False, 0.0)
    assert await OfflineSuggester(Analyst(catalog)).suggest(question, draft, rows, NOTHING_FOUND) == []


async def test_first_questions_are_varied_and_answered(catalog: Catalog) -> None:
    questions = first_questions(Analyst(catalog), TODAY)
    assert len(questions) == 6
    assert len({q.split()[0] for q in questions}) >= 3
    for text in questions:
        assert (await OfflineWriter(Analyst(catalog)).write(Question(text, TODAY), NOTHING_FOUND, None)).sql


async def test_a_file_of_rows_without_a_key_has_varied_first_questions_too(tmp_path: Path) -> None:
    file = tmp_path / "rows.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE sales_2026 (sold_on DATE, region TEXT, units INTEGER, unit_price REAL)")
        days = [(f"2026-{1 + n % 9:02}-{1 + n % 28:02}", ("North", "South")[n % 2], n, n / 7) for n in range(60)]
        connection.executemany("INSERT INTO sales_2026 VALUES (?, ?, ?, ?)", days)
    analyst = Analyst(read_catalog(f"sqlite:///{file}"))
    questions = first_questions(analyst, TODAY)
    assert len(questions) >= 4
    assert questions[0] == "How many sales are there?"
    for text in questions:
        assert (await OfflineWriter(analyst).write(Question(text, TODAY), NOTHING_FOUND, None)).sql


async def test_a_database_of_one_bare_table_still_has_a_first_question(tmp_path: Path) -> None:
    file = tmp_path / "bare.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE notes (body TEXT)")
        connection.execute("INSERT INTO notes VALUES ('one'), ('two')")
    assert first_questions(Analyst(read_catalog(f"sqlite:///{file}")), TODAY) == ("How many notes are there?",)


@pytest.mark.parametrize(
    ("first", "followup", "whole"),
    [
        ("How many planned stays were there this year?", "for all time", "How many planned stays were there?"),
        ("How many planned stays were there this year?", "without the filter on kind", "How many stays this year?"),
        ("How many planned stays were there this year?", "for all kinds", "How many stays this year?"),
        ("How many planned stays were there this year?", "in 2025 instead", "How many planned stays in 2025?"),
        ("How many stays were there this year?", "this month", "How many stays were there this month?"),
        ("How many stays were there last year?", "and this quarter?", "How many stays were there this quarter?"),
        ("Which wards had stays in 2025?", "regardless of when", "Which wards had stays?"),
        ("Total cost of stays per ward this year", "the number of stays instead", "Number of stays per ward this year"),
    ],
)
async def test_a_followup_that_takes_something_away_is_the_question_without_it(
    catalog: Catalog, first: str, followup: str, whole: str
) -> None:
    writer = OfflineWriter(Analyst(catalog))
    before = await writer.write(Question(first, TODAY), NOTHING_FOUND, None)
    turn = Turn(first, before.reading, before.sql)
    changed = await writer.write(Question(followup, TODAY, (turn,)), NOTHING_FOUND, None)
    assert changed.sql == (await writer.write(Question(whole, TODAY), NOTHING_FOUND, None)).sql
    assert not any("this year" in assumed.lower() for assumed in changed.assumptions if "this year" not in whole)


async def _asked_on(catalog: Catalog, first: str, text: str) -> Draft:
    """Return what a question is taken to ask that follows another."""
    writer = OfflineWriter(Analyst(catalog))
    before = await writer.write(Question(first, TODAY), NOTHING_FOUND, None)
    return await writer.write(Question(text, TODAY, (Turn(first, before.reading, before.sql),)), NOTHING_FOUND, None)


@pytest.mark.parametrize(
    "text", ["Which patient has been here the longest?", "What do the wards smell of?", "How many wards are haunted?"]
)
async def test_a_question_of_its_own_that_is_not_understood_is_not_taken_for_a_change(
    catalog: Catalog, text: str
) -> None:
    with pytest.raises(QuestionDeclined):
        await _asked_on(catalog, "Average cost per ward", text)


@pytest.mark.parametrize("text", ["how many of them were planned?", "how many were planned?", "and in Surgery?"])
async def test_what_points_back_changes_the_question_before(catalog: Catalog, text: str) -> None:
    sql = (await _asked_on(catalog, "How many stays were there this year?", text)).sql
    assert "2026" in sql and ("planned" in sql or "Surgery" in sql)


@pytest.mark.parametrize(
    ("first", "text"),
    [
        ("Which 2 wards have the most stays?", "which of them have more than 20 beds?"),
        ("How many stays were there this year?", "what are their wards?"),
        ("How many stays were there this year?", "which ward did they use?"),
    ],
)
async def test_what_cannot_be_asked_of_the_rows_before_is_not_asked_of_all(
    catalog: Catalog, first: str, text: str
) -> None:
    with pytest.raises(QuestionDeclined):
        await _asked_on(catalog, first, text)


async def test_what_a_file_cannot_tell_is_not_answered_with_the_rows_before(tmp_path: Path) -> None:
    file = tmp_path / "repairs.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(
            """CREATE TABLE repairs (job_no TEXT, day DATE, technician TEXT, labour_eur REAL, parts_eur REAL);
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 59)
            INSERT INTO repairs SELECT 'A' || i, date('2026-01-01', (i * 5) || ' days'), 'T' || (i % 4), 50 + i * 7.5,
                CASE WHEN i % 3 THEN i * 2.5 END FROM n;"""
        )
    catalog = read_catalog(f"sqlite:///{file}")
    with pytest.raises(QuestionDeclined):
        await _asked_on(catalog, "total labour per technician", "labour and parts per month this year")
    with pytest.raises(QuestionDeclined):
        await _asked_on(catalog, "total labour per month", "Which employee has been here the longest?")
    assert "DESC" in (await _asked_on(catalog, "total labour per month", "which month had the most?")).sql
    known = await _asked_on(catalog, "total labour per technician", "only with parts")
    assert "parts_eur IS NOT NULL" in " ".join(known.sql.split())


async def test_the_limit_is_taken_away(catalog: Catalog) -> None:
    writer = OfflineWriter(Analyst(catalog))
    first = "Which 2 wards have the most stays?"
    before = await writer.write(Question(first, TODAY), NOTHING_FOUND, None)
    turn = Turn(first, before.reading, before.sql)
    changed = await writer.write(Question("without the limit", TODAY, (turn,)), NOTHING_FOUND, None)
    assert "LIMIT" in before.sql and "LIMIT" not in changed.sql


async def test_what_is_not_there_cannot_be_taken_away(catalog: Catalog) -> None:
    writer = OfflineWriter(Analyst(catalog))
    turn = Turn("How many stays?", "How many stays?", "SELECT 1")
    with pytest.raises(QuestionDeclined):
        await writer.write(Question("for all time", TODAY, (turn,)), NOTHING_FOUND, None)


async def test_those_hired_in_a_year_are_not_said_to_have_been_all_that_were_there(tmp_path: Path) -> None:
    file = tmp_path / "staff.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "CREATE TABLE employees (employee_id INTEGER PRIMARY KEY, name TEXT, job TEXT, hired_on DATE)"
        )
        staff = [(n, f"Ann {n}", ("cook", "waiter")[n % 2], f"2025-{1 + n % 9:02}-10") for n in range(20)]
        connection.executemany("INSERT INTO employees VALUES (?, ?, ?, ?)", staff)
    catalog = read_catalog(f"sqlite:///{file}")
    _, followups = await _suggestions(catalog, file, "employees hired last year")
    questions = [f.question for f in followups]
    assert "How many employees were hired last year?" in questions
    assert not any("were there" in q or " have last year" in q for q in questions if q.startswith("How many"))
