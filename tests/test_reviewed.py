"""Reviewed SQL is asked another day with that day's bounds of its period, and stays silent where that is not sure."""

from __future__ import annotations

import calendar
import sqlite3
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.answer import Answer
from agents.ask import Asker
from agents.events import SQLWritten
from agents.question import Question
from agents.reviewed import move, other_days, reviewed_draft
from bootstrap import open_asker
from chat.reviewing import Keeps, save
from tests.asked import offline_settings
from tools.catalog import Dialect, SavedQuestion

A_DAY = timedelta(days=1)
WRITTEN = date(2026, 11, 19)
"""A day that is the first or the last of nothing."""

Days = Callable[[date], tuple[date, date]]
"""Returns the first and the last day of a period, from the day on which it is said."""


def months_before(day: date, count: int) -> date:
    """Return the first of the month so many months before a day's own."""
    months = day.year * 12 + day.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)


def quarter(day: date, before: int = 0) -> tuple[date, date]:
    first = months_before(day, (day.month - 1) % 3 + 3 * before)
    return first, months_before(first, -3) - A_DAY


def month(day: date, before: int = 0) -> tuple[date, date]:
    return months_before(day, before), months_before(day, before - 1) - A_DAY


def week(day: date, before: int = 0) -> tuple[date, date]:
    monday = day - timedelta(days=day.weekday() + 7 * before)
    return monday, monday + timedelta(days=6)


def year(day: date, before: int = 0) -> tuple[date, date]:
    return date(day.year - before, 1, 1), date(day.year - before, 12, 31)


PERIODS: dict[str, tuple[Days, ...]] = {
    "today": (lambda day: (day, day),),
    "yesterday": (lambda day: (day - A_DAY, day - A_DAY),),
    "last week": (lambda day: week(day, 1),),
    "this week": (week, lambda day: (week(day)[0], day)),
    "last month": (lambda day: month(day, 1),),
    "this month": (month, lambda day: (month(day)[0], day)),
    "last quarter": (lambda day: quarter(day, 1),),
    "this quarter": (quarter, lambda day: (quarter(day)[0], day)),
    "last year": (lambda day: year(day, 1),),
    "this year": (year, lambda day: (year(day)[0], day)),
    "in March": (lambda day: month(day.replace(month=3), 0 if day.month >= 3 else 12),),
    "year to date": (lambda day: (year(day)[0], day),),
    "in the last 30 days": (
        lambda day: (day - 29 * A_DAY, day),
        lambda day: (day - 30 * A_DAY, day),
        lambda day: (day - 30 * A_DAY, day - A_DAY),
    ),
    "in the past 7 days": (lambda day: (day - 6 * A_DAY, day), lambda day: (day - 7 * A_DAY, day)),
    "in the last 12 months": (
        lambda day: (months_before(day, 12), month(day, 1)[1]),
        lambda day: (months_before(day, 11), day),
    ),
}
"""Each period, and how writers count its days."""

BOUNDED: dict[str, tuple[Dialect, Callable[[date, date], str]]] = {
    "half open": ("sqlite", lambda a, b: f"d >= '{a}' AND d < '{b + A_DAY}'"),
    "both ends": ("sqlite", lambda a, b: f"date(d) BETWEEN '{a}' AND '{b}'"),
    "turned round": ("sqlite", lambda a, b: f"'{a}' <= d AND date('{b}') >= d"),
    "casts": ("postgres", lambda a, b: f"d >= DATE '{a}' AND d < CAST('{b + A_DAY}' AS DATE)"),
    "colons": ("postgres", lambda a, b: f"d >= '{a}'::timestamp AND d < '{b + A_DAY} 00:00:00+00'::timestamptz"),
    "moments": ("mysql", lambda a, b: f'd > "{a - A_DAY} 23:59:59" AND d <= "{b} 23:59:59"'),
    "typed": ("duckdb", lambda a, b: f"d >= TIMESTAMP '{a} 00:00:00' AND d < TIMESTAMP '{b + A_DAY}T00:00:00'"),
    "outside": ("duckdb", lambda a, b: f"NOT (d < DATE '{a}' OR d > DATE '{b}')"),
}

WHOLE: dict[str, tuple[str, Dialect, Callable[[date], str]]] = {
    "month as text": ("last month", "sqlite", lambda day: f"strftime('%Y-%m', d) = '{month(day, 1)[0]:%Y-%m}'"),
    "month by LIKE": ("last month", "sqlite", lambda day: f"d LIKE '{month(day, 1)[0]:%Y-%m}%'"),
    "month in MySQL": ("last month", "mysql", lambda day: f"DATE_FORMAT(d, '%Y-%m') = '{month(day, 1)[0]:%Y-%m}'"),
    "month in PostgreSQL": (
        "last month",
        "postgres",
        lambda day: f"TO_CHAR(d, 'YYYY-MM') = '{month(day, 1)[0]:%Y-%m}'",
    ),
    "months from and to": (
        "last quarter",
        "duckdb",
        lambda day: f"strftime(d, '%Y-%m') BETWEEN '{quarter(day, 1)[0]:%Y-%m}' AND '{quarter(day, 1)[1]:%Y-%m}'",
    ),
    "truncated": ("last quarter", "postgres", lambda day: f"DATE_TRUNC('quarter', d) = DATE '{quarter(day, 1)[0]}'"),
    "week truncated": ("last week", "duckdb", lambda day: f"date_trunc('week', d) = DATE '{week(day, 1)[0]}'"),
    "year as a number": ("last year", "mysql", lambda day: f"YEAR(d) = {day.year - 1}"),
    "year as text": ("this year", "sqlite", lambda day: f"strftime('%Y', d) = '{day.year}'"),
    "year to date by its number": ("year to date", "postgres", lambda day: f"EXTRACT(YEAR FROM d) = {day.year}"),
    "quarter by its number": (
        "last quarter",
        "postgres",
        lambda day: (
            f"EXTRACT(YEAR FROM d) = {quarter(day, 1)[0].year}"
            f" AND EXTRACT(QUARTER FROM d) = {quarter(day, 1)[1].month // 3}"
        ),
    ),
    "month by its number": (
        "last month",
        "mysql",
        lambda day: f"YEAR(d) = {month(day, 1)[0].year} AND MONTH(d) = {month(day, 1)[0].month}",
    ),
    "month in columns": (
        "last month",
        "postgres",
        lambda day: f"s.year = {month(day, 1)[0].year} AND s.month = {month(day, 1)[0].month}",
    ),
    "months with names": (
        "last quarter",
        "sqlite",
        lambda day: (
            f"d >= '{quarter(day, 1)[0]}' AND d < '{quarter(day)[0]}' GROUP BY CASE strftime('%m', d) "
            + " ".join(f"WHEN '{n:02}' THEN '{name}'" for n, name in enumerate(calendar.month_name) if n)
            + " END"
        ),
    ),
    "month by its digits": (
        "last month",
        "sqlite",
        lambda day: f"strftime('%Y', d) = '{month(day, 1)[0]:%Y}' AND strftime('%m', d) = '{month(day, 1)[0]:%m}'",
    ),
    "the same month of last year": (
        "compared: this month and the same month last year",
        "sqlite",
        lambda day: (
            f"d >= '{month(day)[0]}' AND d < '{month(day)[1] + A_DAY}'"
            f" OR d BETWEEN '{month(day, 12)[0]}' AND '{month(day, 12)[1]}'"
        ),
    ),
    "the quarter before": (
        "last quarter versus the quarter before",
        "duckdb",
        lambda day: (
            f"d >= DATE '{quarter(day, 2)[0]}' AND d < DATE '{quarter(day)[0]}'"
            f" GROUP BY d >= DATE '{quarter(day, 1)[0]}'"
        ),
    ),
    "two periods": (
        "compared: this month and last month",
        "duckdb",
        lambda day: (
            f"d >= DATE '{month(day, 1)[0]}' AND d < DATE '{month(day)[1] + A_DAY}'"
            f" GROUP BY CASE WHEN d < DATE '{month(day)[0]}' THEN 'before' END"
        ),
    ),
}

ASKED_OF_THE_SAMPLE = (
    "Which five products earned the most last quarter?",
    "How many orders were cancelled last month?",
    "revenue by store this year",
    "revenue in the last 30 days",
    "orders yesterday",
    "revenue year to date",
    "revenue by month since last year",
    "How many customers ordered this week?",
    "average order value last week",
    "revenue this month versus last month",
    "revenue by category this quarter compared with last quarter",
    "Which customers placed no order in the last 12 months?",
    "How many orders were placed in March?",
    "revenue today",
    "top 3 stores in the past two weeks",
    "revenue 3 months ago",
    "How many orders last year to date?",
    "orders before last month",
    "revenue this year vs last year",
    "revenue in Q2",
    "orders by weekday last quarter",
    "How many orders were there this month and the same month last year?",
    "revenue last quarter versus the quarter before",
    "revenue year to date versus the same period last year",
    "revenue in the last 30 days versus the previous period",
)

any_day = st.dates(date(2001, 1, 1), date(2090, 12, 31))


def asked(period: str) -> str:
    return f"Which five products earned the most {period}?"


def written(condition: str) -> str:
    return f"-- as reviewed\nSELECT  product, 'é' AS mark FROM sales\n WHERE {condition}  AND  units > 3 LIMIT 5"


@given(
    st.sampled_from([(period, way) for period, ways in PERIODS.items() for way in ways]),
    st.sampled_from(list(BOUNDED.values())),
    any_day,
    any_day,
)
def test_saved_on_one_day_it_is_on_another_what_its_writer_writes_that_day(
    period: tuple[str, Days], bounded: tuple[Dialect, Callable[[date, date], str]], one: date, other: date
) -> None:
    (said, days), (dialect, within) = period, bounded
    saved = SavedQuestion(asked(said), written(within(*days(one))), counts_from=one)
    moved = move(saved, other, dialect)
    assert moved is None or moved.sql == written(within(*days(other)))
    assert moved is not None or other_days(saved, dialect) == "wrong", "who saved it was told that it moves"


@given(st.sampled_from(list(WHOLE.values())), any_day, any_day)
def test_so_is_sql_that_names_whole_months_quarters_and_years(
    whole: tuple[str, Dialect, Callable[[date], str]], one: date, other: date
) -> None:
    said, dialect, within = whole
    saved = SavedQuestion(asked(said), written(within(one)), counts_from=one)
    moved = move(saved, other, dialect)
    assert moved is None or moved.sql == written(within(other))
    assert moved is not None or other_days(saved, dialect) == "wrong", "who saved it was told that it moves"


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("form", BOUNDED)
def test_on_an_ordinary_day_every_period_moves(period: str, form: str) -> None:
    dialect, within = BOUNDED[form]
    for days in PERIODS[period]:
        saved = SavedQuestion(asked(period), written(within(*days(WRITTEN))), counts_from=WRITTEN)
        assert other_days(saved, dialect) == "moved"


@pytest.mark.parametrize("form", WHOLE)
def test_on_an_ordinary_day_every_whole_unit_moves(form: str) -> None:
    period, dialect, within = WHOLE[form]
    saved = SavedQuestion(asked(period), written(within(WRITTEN)), counts_from=WRITTEN)
    assert other_days(saved, dialect) == "moved"


@pytest.mark.parametrize(
    ("question", "condition"),
    [
        ("Sales last quarter", "d >= '2026-07-01' AND d < '2026-10-01' AND since >= '2020-05-01'"),
        ("Sales last quarter", "d >= '2026-07-01' AND d < '2026-09-30'"),
        ("Sales last quarter", "d >= '2026-07-01' AND d < date('2026-07-01', '+3 months')"),
        ("Sales last quarter", "d >= '20260701' AND d < '20261001'"),
        ("Sales last quarter", "d >= '2026-07-01 06:00' AND d < '2026-10-01 06:00'"),
        ("Sales last quarter", "strftime('%Y-%m', d) IN ('2026-07', '2026-08', '2026-09')"),
        ("Sales last quarter by product", "d >= '2026-07-01' AND d < '2026-10-01' ORDER BY \"revenue 2026\""),
        ("Sales last month", "strftime('%m', d) = '09'"),
        ("Sales last month", "d >= '2026-10-01' AND d < '2026-11-01' ORDER BY 'October'"),
        ("Sales last quarter", "d >= '2026-07-01' AND d < '2026-10-01' ORDER BY q3_sales"),
        ("Sales last month", "year = 2026 AND month = 9"),
        ("Sales yesterday", "strftime('%Y-%m', d) = '2026-11' AND day = 18"),
        ("Sales this month", "strftime('%Y-%m', d) = '2026-11' AND strftime('%d', d) <= '19'"),
        ("Sales this month", "strftime('%Y-%m', d) = '2026-11' AND CAST(strftime('%d', d) AS INTEGER) <= 19"),
        ("Sales last month", "YEAR(d) * 100 + MONTH(d) = 202610"),
        ("Sales last month", "YEAR(d) * 12 + MONTH(d) = 24322"),
        ("Sales last month", "d >= 1790812800 AND d < 1793491200"),
        ("Sales last month", "julianday(d) >= 2461314.5"),
        ("Sales last month", "strftime('%Y', d) = '2026' AND strftime('%W', d) IN ('40', '41')"),
        ("Sales the same month last year", "d < '2025-12-01' AND d >= '2025-11-01'"),
        ("Sales this month, last month and the same month last year", "d < '2025-12-01' AND d >= '2025-11-01'"),
        ("Sales lately", "d >= '2026-11-01'"),
        ("Sales in May", "YEAR(d) = 2026 AND MONTH(d) IN (5)  AND d < '2027-01-01'"),
        ("How many churned customers?", "d < '2025-11-19'"),
        ("Sales last quarter", "d >= '2026-07-01' AND ("),
    ],
)
def test_where_one_date_is_not_surely_of_the_period_it_is_silent_another_day(question: str, condition: str) -> None:
    saved = SavedQuestion(question, f"SELECT 1 FROM sales WHERE {condition}", counts_from=WRITTEN)
    assert move(saved, date(2027, 2, 10), "sqlite") is None
    assert other_days(saved, "sqlite") == "wrong"


def test_a_month_that_is_named_is_whole_while_it_runs() -> None:
    sql = "SELECT 1 FROM sales WHERE d >= '2026-03-01' AND d < '2026-04-01'"
    moved = move(SavedQuestion("Sales in March", sql, counts_from=WRITTEN), date(2028, 3, 10), "sqlite")
    assert moved is not None and moved.sql == sql.replace("2026", "2028")


def test_a_bound_that_may_be_two_things_is_silent() -> None:
    """On its last day, "this month" ends with the month and with today."""
    sql = "SELECT 1 FROM sales WHERE d >= '2026-11-01' AND d < '2026-12-01'"
    saved = SavedQuestion("Sales this month", sql, counts_from=date(2026, 11, 30))
    assert move(saved, date(2026, 12, 10), "sqlite") is None
    assert move(replace(saved, counts_from=date(2026, 11, 29)), date(2026, 12, 10), "sqlite") is not None


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        ("Sales this week", "SELECT 1 FROM sales WHERE d >= date('now', '-7 days')"),
        ("Sales in 2025", "SELECT 1 FROM sales WHERE d >= '2025-01-01' AND d < '2026-01-01'"),
        ("Sales to Jan this week", "SELECT 1 FROM sales WHERE buyer = 'Jan' AND d >= date('now', '-7 days')"),
        ("Orders above 2,000 this week", "SELECT 1 FROM sales WHERE total > 2000 AND d > CURRENT_DATE - 7"),
        ("How many products?", "SELECT count(*) FROM products"),
        ("How many orders were shipped a day earlier?", "SELECT 1 FROM orders WHERE shipped < due"),
        ("How many orders above 2,000 were placed on 31/02/2025?", "SELECT 1 FROM orders WHERE 1 = 0"),
    ],
)
def test_what_moves_by_itself_or_not_at_all_stays_as_it_is(question: str, sql: str) -> None:
    draft = reviewed_draft(SavedQuestion(question, sql, counts_from=WRITTEN), question, date(2028, 5, 5), "sqlite")
    assert draft is not None and draft.sql == sql
    assert draft.assumptions == (f"The SQL is the reviewed one of “{question}”.",)


async def answered(asker: Asker, text: str, today: date) -> Answer:
    answer = Answer(text)
    async with aclosing(asker.ask(Question(text, today))) as events:
        async for event in events:
            answer.take(event)
    return answer


async def written_on(asker: Asker, text: str, today: date) -> str:
    """Return the SQL that the analyst writes on a day."""
    async with aclosing(asker.ask(Question(text, today))) as events:
        async for event in events:
            if isinstance(event, SQLWritten):
                return event.draft.sql
    raise AssertionError(f"nothing was written for {text}")


async def test_what_the_analyst_writes_on_one_day_becomes_what_it_writes_on_another(tmp_path: Path) -> None:
    told = 0
    async with open_asker(offline_settings(tmp_path, today=WRITTEN)) as asker:
        for question in ASKED_OF_THE_SAMPLE:
            for step in range(6):
                one, other = date(2024, 1, 18) + 151 * step * A_DAY, date(2027, 6, 23) - 83 * step * A_DAY
                saved = SavedQuestion(question, await written_on(asker, question, one), counts_from=one)
                moved = move(saved, other, "sqlite")
                assert moved is None or moved.sql == await written_on(asker, question, other), (one, other)
                told += moved is not None
    assert told >= 140, f"{told} of 150: now and then a bound may be two things"


async def test_an_answer_saved_on_one_day_has_the_rows_of_another_day(tmp_path: Path) -> None:
    question, file = "What was the total of orders last quarter?", tmp_path / "shop.sqlite"
    with sqlite3.connect(file) as shop:
        shop.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, placed_on DATE NOT NULL, total REAL NOT NULL)")
        days = [date(2026, 1, 1) + n * A_DAY for n in range(500)]
        shop.executemany("INSERT INTO orders (placed_on, total) VALUES (?, ?)", [(str(d), d.toordinal()) for d in days])
    shop.close()
    settings = offline_settings(tmp_path / "home", today=WRITTEN, database_url=f"sqlite:///{file}")
    settings = settings.model_copy(update={"knowledge": tmp_path / "knowledge"})
    async with open_asker(settings) as asker:
        first = await answered(asker, question, WRITTEN)
        assert isinstance(asker.saved, Keeps) and first.sql
        reviewed = SavedQuestion(question, first.sql, counts_from=WRITTEN)
        told = await save(asker.saved, reviewed, "ann", longest=1_000, dialect=asker.catalog.dialect)
        assert "counted from that day" in told
        again, later = await answered(asker, question, WRITTEN), await answered(asker, question, date(2027, 2, 10))
    assert again.sql == first.sql and again.rows == first.rows
    assert again.assumptions == [f"The SQL is the reviewed one of “{question}”."]
    with sqlite3.connect(file) as shop:
        total = "SELECT sum(total) FROM orders WHERE placed_on BETWEEN '2026-10-01' AND '2026-12-31'"
        [by_hand] = shop.execute(total).fetchone()
    shop.close()
    assert later.rows == [[by_hand]] and later.rows != first.rows
    assert later.receipt is not None and later.receipt["trusted"]
    draft = reviewed_draft(reviewed, question, date(2027, 2, 10), "sqlite")
    assert draft is not None and list(draft.words) == later.assumptions, "the page says it beside the answer"
    assert later.assumptions == [
        f"The SQL is the reviewed one of “{question}”, with its period moved to 1 October to 31 December 2026."
    ]
