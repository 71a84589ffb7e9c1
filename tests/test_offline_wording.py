"""The offline analyst speaks as a colleague would: columns, assumptions and next questions are in plain words."""

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
from agents.question import Draft, Question
from errors import QuestionDeclined
from tests.sqlite_files import write
from tools.catalog import Catalog, Found
from tools.reflection import read_catalog
from tools.sql_runner import Rows

TODAY = date(2026, 11, 20)

BAKERY = """
CREATE TABLE shops (shop_id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT NOT NULL);
CREATE TABLE kinds (kind_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE cakes (
    cake_id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind_id INTEGER NOT NULL REFERENCES kinds, price REAL NOT NULL
);
CREATE TABLE tickets (
    ticket_id INTEGER PRIMARY KEY, shop_id INTEGER NOT NULL REFERENCES shops, payment TEXT NOT NULL,
    remark TEXT, printed_at DATETIME NOT NULL, total REAL NOT NULL
);
CREATE TABLE ticket_lines (
    ticket_line_id INTEGER PRIMARY KEY, ticket_id INTEGER NOT NULL REFERENCES tickets,
    cake_id INTEGER NOT NULL REFERENCES cakes, pieces INTEGER NOT NULL, line_total REAL NOT NULL
);
CREATE TABLE footfall (
    footfall_id INTEGER PRIMARY KEY, shop_id INTEGER NOT NULL REFERENCES shops, day DATE NOT NULL,
    guests INTEGER NOT NULL
);
CREATE TABLE tastings (
    tasting_id INTEGER PRIMARY KEY, cake_id INTEGER NOT NULL REFERENCES cakes, score INTEGER NOT NULL,
    comment TEXT NOT NULL, tasted_on DATE NOT NULL
);
INSERT INTO shops VALUES (1, 'Harbour', 'Kiel'), (2, 'Mill', 'Kiel'), (3, 'Castle', 'Celle'), (4, 'Station', 'Celle');
INSERT INTO kinds VALUES (1, 'Tart'), (2, 'Sponge'), (3, 'Cheesecake');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
INSERT INTO cakes SELECT i, 'Cake ' || char(64 + i), i % 3 + 1, 2 + i FROM n;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199)
INSERT INTO tickets SELECT i + 1, i % 4 + 1, CASE i % 3 WHEN 0 THEN 'cash' ELSE 'card' END,
    CASE i % 2 WHEN 0 THEN 'packed as a gift' ELSE 'no bag, please' END,
    date('2025-06-02', (i * 3) || ' days'), 10 + i % 7
FROM n;
INSERT INTO ticket_lines SELECT ticket_id, ticket_id, ticket_id % 9 + 1, 1 + ticket_id % 3, total FROM tickets;
INSERT INTO footfall SELECT ticket_id, shop_id, date(printed_at), 40 + ticket_id % 30 FROM tickets;
INSERT INTO tastings SELECT ticket_id, ticket_id % 9 + 1, 1 + ticket_id % 5,
    CASE ticket_id % 3 WHEN 0 THEN 'Too sweet' WHEN 1 THEN 'Just right' ELSE 'Dry' END, date(printed_at)
FROM tickets WHERE ticket_id <= 90;
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bakery") / "bakery.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(BAKERY)
    return file


@pytest.fixture(scope="module")
def catalog(file: Path) -> Catalog:
    return read_catalog(f"sqlite:///{file}")


async def _draft(catalog: Catalog, text: str) -> Draft:
    return await OfflineWriter(Analyst(catalog)).write(Question(text, TODAY), Found(()), None)


def _run(file: Path, sql: str) -> Rows:
    with closing(sqlite3.connect(file)) as connection:
        cursor = connection.execute(sql)
        return Rows(tuple(c[0] for c in cursor.description), tuple(cursor.fetchall()), False, 0.0)


async def _next(catalog: Catalog, file: Path, text: str) -> list[str]:
    draft = await _draft(catalog, text)
    rows = _run(file, draft.sql)
    return [
        f.question
        for f in await OfflineSuggester(Analyst(catalog)).suggest(Question(text, TODAY), draft, rows, Found(()))
    ]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Which three cakes earned the most last quarter?", ("cake", "revenue")),
        ("revenue by month this year", ("month", "revenue")),
        ("Sales per shop this year", ("shop", "sales")),
        ("What is the average revenue per shop?", ("average_revenue_per_shop",)),
        ("Which shop had the most guests last month?", ("shop", "total_guests")),
        ("average score per cake", ("cake", "average_score")),
        ("How many cakes are there per kind?", ("kind", "number_of_cakes")),
        ("average price of cakes per kind", ("kind", "average_price")),
        ("How many different towns do shops have?", ("different_towns",)),
        ("How many tickets per payment", ("payment", "number_of_tickets")),
    ],
)
async def test_the_columns_of_an_answer_are_headed_in_plain_words(
    catalog: Catalog, file: Path, text: str, columns: tuple[str, ...]
) -> None:
    assert _run(file, (await _draft(catalog, text)).sql).columns == columns


async def test_a_total_of_totals_says_total_once(catalog: Catalog, file: Path) -> None:
    rows = _run(file, (await _draft(catalog, "What is the sum of the line total per cake?")).sql)
    assert rows.columns == ("cake", "line_total_of_ticket_lines")


async def test_two_naming_columns_keep_apart(catalog: Catalog, file: Path) -> None:
    rows = _run(file, (await _draft(catalog, "Number of ticket lines per cake and shop")).sql)
    assert rows.columns == ("cake", "shop", "number_of_ticket_lines")


async def test_a_period_and_a_measure_are_explained(catalog: Catalog) -> None:
    assert (await _draft(catalog, "revenue by month this year")).assumptions == (
        "Revenue is the sum of ticket_lines.line_total.",
        "This year means 1 January to 31 December 2026, by the tickets' printed at.",
    )


async def test_nothing_is_explained_that_the_question_says_itself(catalog: Catalog) -> None:
    assert (await _draft(catalog, "average price of cakes")).assumptions == ()


async def test_next_questions_of_a_ranking_are_those_of_a_colleague(catalog: Catalog, file: Path) -> None:
    questions = await _next(catalog, file, "Which three cakes earned the most last quarter?")
    assert questions[:3] == [
        "Revenue by kind last quarter?",
        "How did revenue develop each month last quarter?",
        'What was the revenue from the cake "Cake H" by shop last quarter?',
    ]


async def test_a_year_by_months_leads_to_the_year_before_and_the_best_month(catalog: Catalog, file: Path) -> None:
    questions = await _next(catalog, file, "revenue by month this year")
    assert "Revenue by payment this year?" in questions
    assert "Revenue this year compared with last year?" in questions
    assert "Which month had the highest revenue this year?" in questions


async def test_a_count_leads_to_the_rows_behind_it(catalog: Catalog, file: Path) -> None:
    questions = await _next(catalog, file, "How many cakes are there per kind?")
    assert any(q.startswith("Which cakes are there for the kind ") for q in questions)
    assert "Which kinds have no cakes?" in questions


@pytest.mark.parametrize(
    "text",
    [
        "average score per cake",
        "How many tickets are there?",
        "Which shop had the most guests last month?",
        "How many tickets with payment cash this year?",
    ],
)
async def test_nobody_is_asked_to_group_by_prose_or_by_what_is_fixed(catalog: Catalog, file: Path, text: str) -> None:
    questions = await _next(catalog, file, text)
    assert questions
    for question in questions:
        assert "comment" not in question and "remark" not in question and "total total" not in question
        assert "payment" not in question or "cash" not in text or question.count("payment") == 1


async def test_a_month_is_told_by_weeks(catalog: Catalog, file: Path) -> None:
    questions = await _next(catalog, file, "How many tickets were there last month?")
    assert "How many tickets were printed each week last month?" in questions


async def test_first_questions_pass_over_link_tables(catalog: Catalog) -> None:
    questions = first_questions(Analyst(catalog), TODAY)
    assert len(questions) == 6
    assert not any("ticket lines" in q for q in questions)
    assert "How many tickets were printed each month?" in questions
    assert any(q.endswith("highest revenue?") for q in questions)


async def test_a_refusal_suggests_questions_about_what_was_named(catalog: Catalog) -> None:
    with pytest.raises(QuestionDeclined) as declined:
        await _draft(catalog, "Which cakes have the most sugar?")
    assert declined.value.suggestions
    assert all("cakes" in s for s in declined.value.suggestions[:2])


async def test_a_column_that_the_question_calls_otherwise_is_named(tmp_path: Path) -> None:
    file = tmp_path / "songs.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE tracks (track_id INTEGER PRIMARY KEY, name TEXT, milliseconds INTEGER)")
        connection.execute("INSERT INTO tracks VALUES (1, 'Dawn', 180000), (2, 'Dusk', 240000)")
    draft = await _draft(read_catalog(f"sqlite:///{file}"), "What is the average length of tracks?")
    assert draft.assumptions == ("What is averaged is tracks.milliseconds.",)


async def test_a_result_column_never_takes_the_name_of_the_column_it_adds_up(tmp_path: Path) -> None:
    file = tmp_path / "takings.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE stalls (stall_id INTEGER PRIMARY KEY, owner TEXT, revenue REAL)")
        connection.execute("INSERT INTO stalls VALUES (1, 'Ann', 3), (2, 'Ben', 4), (3, 'Ann', 5)")
    draft = await _draft(read_catalog(f"sqlite:///{file}"), "total revenue per owner")
    assert _run(file, draft.sql).values == (("Ann", 8.0), ("Ben", 4.0))
    assert _run(file, draft.sql).columns == ("owner", "total_revenue")


@pytest.mark.parametrize("text", ["What was the revenue in march?", "How many tickets were there in q3 2026?"])
async def test_a_month_keeps_its_preposition_and_its_capital(catalog: Catalog, file: Path, text: str) -> None:
    questions = await _next(catalog, file, text)
    assert questions
    assert all(" in March" in q or " in Q3 2026" in q for q in questions)


async def test_a_question_about_one_row_adds_up_that_row_only(catalog: Catalog, file: Path) -> None:
    question = 'What was the revenue from the cake "Cake H" by shop last quarter?'
    found = dict(_run(file, (await _draft(catalog, question)).sql).values)
    gold = _run(
        file,
        """SELECT shops.name, SUM(line_total) FROM ticket_lines JOIN tickets USING (ticket_id)
        JOIN shops USING (shop_id) JOIN cakes USING (cake_id)
        WHERE cakes.name = 'Cake H' AND printed_at >= '2026-07-01' AND printed_at < '2026-10-01' GROUP BY 1""",
    )
    assert found == dict(gold.values)


async def test_two_months_are_compared_in_words_that_begin_as_names(catalog: Catalog, file: Path) -> None:
    questions = await _next(catalog, file, "Compare revenue in September 2026 and October 2026")
    assert "Revenue by kind in October 2026 compared with September 2026?" in questions


async def test_a_thing_is_not_said_to_have_happened_by_its_own_name(tmp_path: Path) -> None:
    path = write(
        tmp_path / "returns.sqlite",
        """
        CREATE TABLE returns (return_id INTEGER PRIMARY KEY, reason TEXT NOT NULL, returned_on DATE NOT NULL);
        INSERT INTO returns VALUES (1, 'broken', '2026-01-02'), (2, 'late', '2026-02-03'), (3, 'broken', '2026-03-04'),
            (4, 'late', '2026-03-05');
        """,
    )
    questions = await _next(read_catalog(f"sqlite:///{path}"), path, "How many returns per reason?")
    assert "How many returns were there each month?" in questions
