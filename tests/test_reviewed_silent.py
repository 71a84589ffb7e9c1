"""Reviewed SQL in which a day is hidden, or whose period is told by another one, is silent on any other day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from agents.reviewed import move, other_days
from tools.catalog import Dialect, SavedQuestion

WRITTEN = date(2026, 11, 21)
JANUARY = date(2026, 1, 15)
OCTOBER = date(2026, 10, 8)

BY_MONTH = "How did last month go in every year?"
THIS_MONTH = "revenue this month, this year versus last year"
SHARE = "What share of {}'s revenue was made last month?"


def case_of(*conditions: str) -> str:
    return f"SELECT {', '.join(f'SUM(CASE WHEN {each} THEN total END)' for each in conditions)} FROM orders"


HIDDEN: list[tuple[str, str, Dialect, str]] = [
    ("cut out of a text", BY_MONTH, "sqlite", "SELECT 1 FROM orders WHERE substr(d, 6, 2) = '10'"),
    ("cut out as a number", BY_MONTH, "sqlite", "SELECT 1 FROM orders WHERE CAST(substr(d, 6, 2) AS INT) IN (10)"),
    ("cut out from the right", BY_MONTH, "mysql", "SELECT 1 FROM orders WHERE RIGHT(LEFT(d, 7), 2) = '10'"),
    ("cut out as a list", BY_MONTH, "duckdb", "SELECT 1 FROM orders WHERE d[6:7] = '10'"),
    ("searched for", BY_MONTH, "sqlite", "SELECT 1 FROM orders WHERE d LIKE '%-10-%'"),
    ("searched for by its place", BY_MONTH, "postgres", "SELECT 1 FROM orders WHERE d::text ILIKE '____-10-__'"),
    ("searched for by a pattern", BY_MONTH, "mysql", "SELECT 1 FROM orders WHERE d REGEXP '-10-'"),
    ("in two digits", "revenue last month", "sqlite", "SELECT 1 FROM sales WHERE d LIKE '10/%/26'"),
    (
        "under another name",
        BY_MONTH,
        "mysql",
        "SELECT 1 FROM (SELECT MONTH(d) AS m, total FROM orders) o WHERE m = 10",
    ),
    ("in a column", BY_MONTH, "postgres", "SELECT year, SUM(amount) FROM pay WHERE pay_month = 10 GROUP BY 1"),
    ("in a branch", BY_MONTH, "mysql", "SELECT SUM(CASE MONTH(d) WHEN 10 THEN total END) FROM orders"),
    (
        "in branches",
        "revenue this month versus last month",
        "mysql",
        "SELECT SUM(CASE MONTH(d) WHEN 11 THEN total END), SUM(CASE MONTH(d) WHEN 10 THEN total END)"
        " FROM orders WHERE d >= '2026-10-01' AND d < '2026-12-01'",
    ),
    (
        "beside the years",
        THIS_MONTH,
        "sqlite",
        case_of("substr(d, 1, 4) = '2026'", "substr(d, 1, 4) = '2025'") + " WHERE substr(d, 6, 2) = '11'",
    ),
    (
        "beside the years in a column",
        THIS_MONTH,
        "postgres",
        case_of("year = 2026", "year = 2025") + " WHERE month_number = 11",
    ),
    (
        "as a day of any year",
        "revenue this year to date versus last year to date",
        "sqlite",
        case_of("substr(d, 1, 4) = '2026'", "substr(d, 1, 4) = '2025'") + " WHERE substr(d, 6, 5) <= '11-21'",
    ),
    ("as a week", "orders last week", "mysql", "SELECT COUNT(*) FROM orders WHERE YEARWEEK(d, 1) = 202646"),
    ("as a week in DuckDB", "orders last week", "duckdb", "SELECT COUNT(*) FROM orders WHERE yearweek(d) = 202646"),
    (
        "in a zone with a summer",
        "revenue last quarter",
        "postgres",
        "SELECT 1 FROM orders WHERE d >= '2026-07-01 00:00:00+02' AND d < '2026-10-01 00:00:00+02'",
    ),
    (
        "in a label",
        "orders last week",
        "postgres",
        "SELECT COUNT(*) AS week_46 FROM orders WHERE d >= '2026-11-09' AND d < '2026-11-16'",
    ),
    (
        "as a day of the year under another name",
        "year to date revenue this year and last year",
        "postgres",
        "WITH x AS (SELECT EXTRACT(YEAR FROM d) AS year, EXTRACT(DOY FROM d) AS n, total FROM orders)"
        " SELECT year, SUM(total) FROM x WHERE year >= 2025 AND n <= 325 GROUP BY 1",
    ),
    (
        "as the days of the month",
        "average daily orders last month",
        "postgres",
        "SELECT COUNT(*) / NULLIF(31.0, 0) FROM orders WHERE d >= '2026-10-01' AND d < '2026-11-01'",
    ),
    (
        "as the months that have passed",
        "average monthly revenue this year",
        "duckdb",
        "SELECT SUM(total) / 11 FROM orders WHERE d >= '2026-01-01' AND d < '2026-11-22'",
    ),
    ("with a letter", "orders last week", "postgres", "SELECT COUNT(*) FROM orders WHERE iso_week = 'W46'"),
    ("in a year's label", "revenue this year", "mysql", "SELECT SUM(total) AS rev_26 FROM orders WHERE YEAR(d) = 2026"),
]

UNSURE: list[tuple[str, date, str, str]] = [
    (
        "the month's year or the whole one",
        OCTOBER,
        SHARE.format("this year"),
        case_of("YEAR(d) = 2026 AND MONTH(d) = 9", "YEAR(d) = 2026"),
    ),
    (
        "the month's year or the last one",
        JANUARY,
        SHARE.format("last year"),
        case_of("YEAR(d) = 2025 AND MONTH(d) = 12", "YEAR(d) = 2025"),
    ),
    (
        "a month and its quarter",
        OCTOBER,
        SHARE.format("last quarter"),
        case_of("YEAR(d) = 2026 AND MONTH(d) = 9", "YEAR(d) = 2026 AND QUARTER(d) = 3"),
    ),
    (
        "a week of the month that ends with the day",
        date(2026, 11, 7),
        "revenue in the first week of this month",
        "SELECT 1 FROM orders WHERE d >= '2026-11-01' AND d < '2026-11-08'",
    ),
    (
        "the last quarter of a year",
        JANUARY,
        "revenue in the last quarter of 2025",
        "SELECT 1 FROM orders WHERE YEAR(d) = 2025 AND QUARTER(d) = 4",
    ),
    (
        "the last quarter of last year",
        JANUARY,
        "revenue in the last quarter of last year",
        "SELECT 1 FROM orders WHERE YEAR(d) = 2025 AND QUARTER(d) = 4",
    ),
    (
        "last year's last quarter",
        JANUARY,
        "last year's last quarter's revenue",
        "SELECT 1 FROM orders WHERE YEAR(d) = 2025 AND QUARTER(d) = 4",
    ),
    (
        "the last month of the year",
        JANUARY,
        "revenue in the last month of the year",
        "SELECT 1 FROM orders WHERE d LIKE '2025-12%'",
    ),
    (
        "the last month of last quarter",
        OCTOBER,
        "revenue in the last month of last quarter",
        "SELECT 1 FROM orders WHERE DATE_FORMAT(d, '%Y-%m') = '2026-09'",
    ),
    (
        "since a day, to its own day",
        WRITTEN,
        "orders since May 2025",
        "SELECT 1 FROM orders WHERE d BETWEEN '2025-05-01' AND '2026-11-21'",
    ),
    (
        "since a month, to its own month",
        WRITTEN,
        "orders by month since May 2025",
        "SELECT 1 FROM orders WHERE DATE_FORMAT(d, '%Y-%m') BETWEEN '2025-05' AND '2026-11'",
    ),
    (
        "since a year, to its own year",
        WRITTEN,
        "orders since 2025",
        "SELECT 1 FROM orders WHERE YEAR(d) IN (2025, 2026)",
    ),
    (
        "days up to its own",
        WRITTEN,
        "How long has each customer who joined in 2024 not ordered?",
        "SELECT DATEDIFF('2026-11-21', MAX(d)) FROM orders WHERE YEAR(joined) = 2024 GROUP BY customer_id",
    ),
    ("an age in its own year", WRITTEN, "average age of our customers", "SELECT AVG(2026 - birth_year) FROM customers"),
    (
        "a number of the question that is a name",
        WRITTEN,
        "How much of the 2026 target did we reach this year?",
        "SELECT 1 FROM orders, targets WHERE targets.name = '2026' AND LEFT(d, 4) = '2026'",
    ),
    (
        "a quarter that has not begun",
        WRITTEN,
        "revenue in Q3",
        "SELECT 1 FROM orders WHERE d >= '2026-07-01' AND d < '2026-10-01'",
    ),
]

LATER = [date(2027, 1, 20), date(2027, 2, 10)]


@pytest.mark.parametrize(
    ("question", "dialect", "sql"), [each[1:] for each in HIDDEN], ids=[each[0] for each in HIDDEN]
)
def test_a_day_that_hides_is_not_overlooked(question: str, dialect: Dialect, sql: str) -> None:
    saved = SavedQuestion(question, sql, counts_from=WRITTEN)
    assert [move(saved, day, dialect) for day in LATER] == [None] * len(LATER)
    assert other_days(saved, dialect) == "wrong", "who saves it is told"
    assert move(replace(saved, counts_from=None), WRITTEN, dialect) is None, "nobody knows its day"


@pytest.mark.parametrize(("day", "question", "sql"), [each[1:] for each in UNSURE], ids=[each[0] for each in UNSURE])
def test_words_that_tell_a_period_by_another_one_are_not_read_alone(day: date, question: str, sql: str) -> None:
    saved = SavedQuestion(question, sql, counts_from=day)
    assert [move(saved, later, "mysql") for later in LATER] == [None] * len(LATER)
    assert other_days(saved, "mysql") == "wrong", "who saves it is told"


@pytest.mark.parametrize(
    ("question", "dialect", "sql"),
    [
        ("revenue last month by store 10", "sqlite", "store_id = 10 AND strftime('%Y-%m', d) = '2026-10'"),
        ("slow orders last month", "mysql", "delivery_days > 10 AND DATE_FORMAT(d, '%Y-%m') = '2026-10'"),
        ("large orders last month", "duckdb", "len(name) > 12 AND strftime(d, '%Y-%m') = '2026-10'"),
        ("weekend orders last month", "sqlite", "strftime('%w', d) IN ('0', '6') AND d LIKE '2026-10%'"),
        (
            "Sunday orders last month",
            "postgres",
            "EXTRACT(ISODOW FROM d) = 7 AND DATE_TRUNC('month', d) = '2026-10-01'",
        ),
        ("orders by 10 last month", "postgres", "EXTRACT(HOUR FROM d) < 10 AND DATE_TRUNC('month', d) = '2026-10-01'"),
        ("top 10 of last month on Mondays", "mysql", "DAYOFWEEK(d) = 2 AND YEAR(d) = 2026 AND MONTH(d) = 10 LIMIT 10"),
        ("share of web orders last month", "duckdb", "100.0 * web / 60 > 24 AND strftime(d, '%Y-%m') = '2026-10'"),
        ("orders of bags last month", "sqlite", "sku LIKE 'B-10%' AND strftime('%Y-%m', d) = '2026-10'"),
    ],
)
def test_a_number_that_is_no_date_is_in_nobodys_way(question: str, dialect: Dialect, sql: str) -> None:
    saved = SavedQuestion(question, f"SELECT 1 FROM orders WHERE {sql}", counts_from=WRITTEN)
    moved = move(saved, date(2026, 12, 20), dialect)
    expected = saved.sql.replace("2026-10", "2026-11").replace("MONTH(d) = 10", "MONTH(d) = 11")
    assert moved is not None and moved.sql == expected


@pytest.mark.parametrize(
    ("question", "sql", "written", "silent", "moved"),
    [
        (
            "orders in March versus February",
            "SELECT MONTH(d), COUNT(*) FROM orders WHERE d >= '2026-02-01' AND d < '2026-04-01' GROUP BY 1",
            WRITTEN,
            date(2027, 2, 10),
            (date(2027, 3, 20), {"2026-": "2027-"}),
        ),
        (
            "revenue this quarter versus last month",
            "SELECT d < '2026-12-01' AND d >= '2026-11-01', SUM(total) FROM orders WHERE d >= '2026-10-01' GROUP BY 1",
            date(2026, 12, 10),
            date(2027, 1, 20),
            (date(2027, 3, 20), {"2026-10": "2027-01", "2026-11": "2027-02", "2026-12": "2027-03"}),
        ),
    ],
    ids=["a March of the year before", "a month before the quarter"],
)
def test_periods_that_change_places_are_no_span_any_more(
    question: str, sql: str, written: date, silent: date, moved: tuple[date, dict[str, str]]
) -> None:
    saved = SavedQuestion(question, sql, counts_from=written)
    assert move(saved, silent, "mysql") is None
    day, instead = moved
    for old, new in instead.items():
        sql = sql.replace(old, new)
    there = move(saved, day, "mysql")
    assert there is not None and there.sql == sql, "where they keep their places it moves"
