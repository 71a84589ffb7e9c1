# ruff: noqa: E501 (each question stands beside its SQL)
"""No word that says which rows are meant, or how they are computed, is left out silently."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from agents.offline.writer import OfflineWriter
from agents.question import Draft, Question
from errors import QuestionDeclined
from jobs.evaluation.rows import compare
from tests.sqlite_files import write
from tests.test_offline_everyday import BIKES, TODAY
from tools.catalog import Found
from tools.reflection import read_catalog

SOLD = "purchase_lines JOIN bikes USING (bike_id)"
BUYERS = "(SELECT client_id, COUNT(*) AS n FROM purchases GROUP BY 1) JOIN clients USING (client_id)"

ANSWERED = {
    "leading bikes by revenue": f"SELECT model FROM {SOLD} GROUP BY bike_id ORDER BY SUM(quantity * unit_price) DESC LIMIT 1",
    "the 3 leading bikes by revenue": f"SELECT model FROM {SOLD} GROUP BY bike_id ORDER BY SUM(quantity * unit_price) DESC LIMIT 3",
    "running count of purchases by month": "SELECT month, n, SUM(n) OVER (ORDER BY month) FROM (SELECT strftime('%Y-%m', ordered_on) AS month, COUNT(*) AS n FROM purchases GROUP BY 1)",
    "how many clients purchased twice": f"SELECT COUNT(*) FROM {BUYERS} WHERE n = 2",
    "clients who purchased 12 times": f"SELECT name FROM {BUYERS} WHERE n = 12",
    "clients with at least 3 purchases": f"SELECT name FROM {BUYERS} WHERE n >= 3",
    "how many clients purchased 12 times": f"SELECT COUNT(*) FROM {BUYERS} WHERE n = 12",
    "all brands but Bolt": "SELECT name FROM brands WHERE name <> 'Bolt'",
    "revenue share by style": f"SELECT style, SUM(quantity * unit_price), 100.0 * SUM(quantity * unit_price) / (SELECT SUM(quantity * unit_price) FROM purchase_lines) FROM {SOLD} GROUP BY 1",
    "purchases since the beginning of 2026": "SELECT * FROM purchases WHERE ordered_on >= '2026-01-01'",
    "how much did all bikes earn together": "SELECT SUM(quantity * unit_price) FROM purchase_lines",
    "best selling bikes": f"SELECT model FROM {SOLD} GROUP BY bike_id ORDER BY SUM(quantity) DESC LIMIT 10",
    "hired clerks": "SELECT full_name FROM clerks",
    "rank bikes by revenue": f"SELECT model, SUM(quantity * unit_price) FROM {SOLD} GROUP BY bike_id ORDER BY 2 DESC",
    "bikes by revenue": f"SELECT model, SUM(quantity * unit_price) FROM {SOLD} GROUP BY bike_id ORDER BY 2 DESC",
    "bikes sorted by revenue": f"SELECT model, SUM(quantity * unit_price) FROM {SOLD} GROUP BY bike_id ORDER BY 2",
    "bikes sorted by revenue in 2025": f"SELECT model, SUM(quantity * unit_price) FROM {SOLD} JOIN purchases USING (purchase_id) WHERE ordered_on LIKE '2025%' GROUP BY bike_id ORDER BY 2",
    "how does revenue vary by style": f"SELECT style, SUM(quantity * unit_price) FROM {SOLD} GROUP BY 1",
    "number of purchases handled by clerk": "SELECT full_name, COUNT(*) FROM purchases JOIN clerks USING (clerk_id) GROUP BY clerk_id",
    "cancelled purchases": "SELECT * FROM purchases WHERE status = 'cancelled'",
}
DECLINED = (
    "running average of revenue by month",
    "rank of Bolt by revenue",
    "brands without any revenue last month",
    "clients with a single purchase",
    "clients far from York",
    "good bikes",
    "sold bikes",
    "how many booked purchases",
    "visiting clients",
    "buying clients",
    "operating cost",
    "shared clients",
    "clients who share a city",
    "available bikes",
    "highly rated bikes",
    "how many single clients",
    "expected revenue",
    "bikes bought together",
    "revenue including cancelled purchases",
    "sum of list prices plus salaries",
    "how often do clients purchase",
    "how many times do clients purchase",
    "revenue at the end of last year",
    "revenue at the beginning of May 2026",
)


@pytest.fixture(scope="module")
def bikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bikes") / "bikes.sqlite", BIKES)


@pytest.fixture(scope="module")
def analyst(bikes: Path) -> Analyst:
    return Analyst(read_catalog(f"sqlite:///{bikes}"))


async def draft(analyst: Analyst, question: str) -> Draft:
    return await OfflineWriter(analyst).write(Question(question, TODAY), Found(()), None)


@pytest.mark.parametrize("question", ANSWERED)
async def test_a_word_that_says_more_is_answered(bikes: Path, analyst: Analyst, question: str) -> None:
    sql = (await draft(analyst, question)).sql
    with closing(sqlite3.connect(bikes)) as connection:
        expected = connection.execute(ANSWERED[question]).fetchall()
        found = connection.execute(sql).fetchall()
    assert expected
    assert compare(expected, found), f"{sql}\nanswered {found[:5]}, expected {expected[:5]}"


@pytest.mark.parametrize("question", DECLINED)
async def test_a_word_that_says_more_is_never_left_out(analyst: Analyst, question: str) -> None:
    with pytest.raises(QuestionDeclined):
        await draft(analyst, question)


async def test_what_is_processed_is_no_longer_processing(tmp_path: Path) -> None:
    file = write(
        tmp_path / "jobs.sqlite",
        "CREATE TABLE jobs (job_id INTEGER PRIMARY KEY, state TEXT NOT NULL);"
        "INSERT INTO jobs VALUES (1, 'processing'), (2, 'waiting'), (3, 'processing')",
    )
    analyst = Analyst(read_catalog(f"sqlite:///{file}"))
    assert "'processing'" in (await draft(analyst, "processing jobs")).sql
    with pytest.raises(QuestionDeclined):
        await draft(analyst, "processed jobs")


async def test_open_orders_are_not_those_of_shops_by_when_they_opened(tmp_path: Path) -> None:
    file = write(
        tmp_path / "shops.sqlite",
        "CREATE TABLE shops (shop_id INTEGER PRIMARY KEY, name TEXT NOT NULL, opened_on DATE NOT NULL);"
        "CREATE TABLE orders (order_id INTEGER PRIMARY KEY, shop_id INTEGER NOT NULL REFERENCES shops, total REAL);"
        "INSERT INTO shops VALUES (1, 'North', '2020-01-01'); INSERT INTO orders VALUES (1, 1, 5)",
    )
    with pytest.raises(QuestionDeclined):
        await draft(Analyst(read_catalog(f"sqlite:///{file}")), "open orders")
