# ruff: noqa: E501 (each question stands beside its SQL)
"""What people type in their first minutes, sloppily: answered as it is meant on a shop that no rule knows, or declined."""

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

SOLD = "purchase_lines JOIN purchases USING (purchase_id) JOIN bikes USING (bike_id)"

ANSWERED = {
    "whats the average list price": "SELECT AVG(list_price) FROM bikes",
    "which clients havent ordered": "SELECT name FROM clients WHERE client_id NOT IN (SELECT client_id FROM purchases)",
    "what % of purchases get cancelled": "SELECT ROUND(100.0 * AVG(status = 'cancelled'), 2) FROM purchases",
    "how many ppl work for us": "SELECT COUNT(*) FROM clerks",
    "What does the average purchase cost?": "SELECT AVG(amount) FROM purchases",
    "units sold by brand last year": f"SELECT brands.name, SUM(quantity) FROM {SOLD} JOIN brands USING (brand_id) WHERE ordered_on LIKE '2025%' GROUP BY 1",
    "what channels do people use": "SELECT DISTINCT channel FROM purchases",
    "how much did we sell in March 2026": f"SELECT SUM(quantity * unit_price) FROM {SOLD} WHERE ordered_on LIKE '2026-03%'",
    "best selling bikes last month": f"SELECT model FROM {SOLD} WHERE ordered_on LIKE '2026-10%' GROUP BY bike_id ORDER BY SUM(quantity) DESC LIMIT 10",
    "worst selling bike in 2025": f"SELECT model FROM {SOLD} WHERE ordered_on LIKE '2025%' GROUP BY bike_id ORDER BY SUM(quantity) LIMIT 1",
    "Which bike sold the most?": f"SELECT model FROM {SOLD} GROUP BY bike_id ORDER BY SUM(quantity) DESC LIMIT 1",
    "which clerk sells the most": f"SELECT full_name FROM {SOLD} JOIN clerks USING (clerk_id) GROUP BY clerk_id ORDER BY SUM(quantity * unit_price) DESC LIMIT 1",
    "worst performing brand this year": f"SELECT name FROM {SOLD} JOIN brands USING (brand_id) WHERE ordered_on LIKE '2026%' GROUP BY brand_id ORDER BY SUM(quantity * unit_price) LIMIT 1",
    "top 3 bikes": f"SELECT model FROM {SOLD} GROUP BY bike_id ORDER BY SUM(quantity * unit_price) DESC LIMIT 3",
    "revenue by style": f"SELECT style, SUM(quantity * unit_price) FROM {SOLD} GROUP BY 1",
    "what was our best month in terms of revenue": f"SELECT strftime('%Y-%m', ordered_on), SUM(quantity * unit_price) FROM {SOLD} GROUP BY 1 ORDER BY 2 DESC LIMIT 1",
    "did we sell more in March 2026 than in April 2026?": f"SELECT SUM(CASE WHEN ordered_on LIKE '2026-03%' THEN quantity * unit_price END), SUM(CASE WHEN ordered_on LIKE '2026-04%' THEN quantity * unit_price END) FROM {SOLD}",
    "purchases per month over the last 3 months": "SELECT strftime('%Y-%m', ordered_on), COUNT(*) FROM purchases WHERE ordered_on BETWEEN '2026-08-20' AND '2026-11-20' GROUP BY 1",
    "which channel is the most popular": "SELECT channel FROM purchases GROUP BY 1 ORDER BY COUNT(*) DESC LIMIT 1",
    "most popular channel": "SELECT channel FROM purchases GROUP BY 1 ORDER BY COUNT(*) DESC LIMIT 1",
    "bikes under 450 euros": "SELECT model FROM bikes WHERE list_price < 450",
    "How many clients bought more than once?": "SELECT COUNT(*) FROM (SELECT 1 FROM purchases GROUP BY client_id HAVING COUNT(*) > 1)",
    "purchase 17": "SELECT * FROM purchases WHERE purchase_id = 17",
    "status of purchase 17": "SELECT status FROM purchases WHERE purchase_id = 17",
    "purchases of client 3": "SELECT purchase_id FROM purchases WHERE client_id = 3",
    "online vs store purchases": "SELECT channel, COUNT(*) FROM purchases WHERE channel IN ('online', 'store') GROUP BY 1",
    "compare road and trail revenue": f"SELECT style, SUM(quantity * unit_price) FROM {SOLD} WHERE style IN ('road', 'trail') GROUP BY 1",
    "how many clients in York vs in Hull": "SELECT city, COUNT(*) FROM clients WHERE city IN ('York', 'Hull') GROUP BY 1",
    "average spend per client": f"SELECT SUM(quantity * unit_price) / COUNT(DISTINCT client_id) FROM {SOLD}",
    "average revenue per month": f"SELECT SUM(quantity * unit_price) / COUNT(DISTINCT strftime('%Y-%m', ordered_on)) FROM {SOLD}",
    "average number of purchases per client": "SELECT 1.0 * COUNT(*) / COUNT(DISTINCT client_id) FROM purchases",
    "average purchases per day in 2025": "SELECT 1.0 * COUNT(*) / COUNT(DISTINCT ordered_on) FROM purchases WHERE ordered_on LIKE '2025%'",
    "average rating per bike": "SELECT model, AVG(rating) FROM reviews JOIN bikes USING (bike_id) GROUP BY bike_id",
    "which style has the highest total quantity": f"SELECT style, SUM(quantity) FROM {SOLD} GROUP BY 1 ORDER BY 2 DESC LIMIT 1",
}
POST = """
CREATE TABLE adverts (advert_id INTEGER PRIMARY KEY, title TEXT NOT NULL, ran_on DATE NOT NULL, budget REAL NOT NULL);
INSERT INTO adverts VALUES (1, 'Spring', '2026-03-01', 300), (2, 'Summer', '2026-07-01', 500), (3, 'Old', '2025-07-01', 90);
CREATE TABLE parcels (parcel_id INTEGER PRIMARY KEY, sent_on DATE NOT NULL, shipping_cost REAL NOT NULL, total REAL NOT NULL);
INSERT INTO parcels VALUES (1, '2026-10-03', 4.5, 20), (2, '2026-10-20', 6, 30), (3, '2026-11-02', 7, 40);
CREATE TABLE letters (
    letter_id INTEGER PRIMARY KEY, courier TEXT NOT NULL, posted_on DATE NOT NULL, arrived_on DATE, halls_m2 REAL
);
INSERT INTO letters VALUES (1, 'Hermes', '2026-10-01', '2026-10-02', 1), (2, 'Iris', '2026-10-01', '2026-10-06', 2),
    (3, 'Iris', '2026-10-03', '2026-10-04', 3), (4, 'Hermes', '2026-11-01', NULL, 4);
"""
POST_ANSWERED = {
    "total spend on adverts this year": "SELECT 800",
    "shipping costs last month": "SELECT 10.5",
    "what were our shipping costs in November?": "SELECT 7",
    "slowest courier": "SELECT 'Iris'",
    "which courier is the fastest": "SELECT 'Hermes'",
    "letters still on the way": "SELECT 4",
    "how many letters are in transit": "SELECT 1",
}
DECLINED = (
    "revenue next year",
    "list price by brand",
    "list price by style",
    "most popular style",
    "how many people pay online",
    "what did client 3 buy",
    "how many purchases online vs elsewhere",
    "average number of purchases",
    "average number of purchases per purchase",
)


@pytest.fixture(scope="module")
def bikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bikes") / "bikes.sqlite", BIKES)


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("post") / "post.sqlite", POST)


async def _draft(file: Path, question: str) -> Draft:
    return await OfflineWriter(Analyst(read_catalog(f"sqlite:///{file}"))).write(
        Question(question, TODAY), Found(()), None
    )


@pytest.mark.parametrize("question", ANSWERED)
async def test_what_is_typed_in_haste_is_answered(bikes: Path, question: str) -> None:
    await _assert_answered(bikes, question, ANSWERED[question])


@pytest.mark.parametrize("question", POST_ANSWERED)
async def test_what_is_spent_is_added_up(post: Path, question: str) -> None:
    await _assert_answered(post, question, POST_ANSWERED[question])


async def _assert_answered(file: Path, question: str, gold: str) -> None:
    draft = await _draft(file, question)
    with closing(sqlite3.connect(file)) as connection:
        expected = connection.execute(gold).fetchall()
        found = connection.execute(draft.sql).fetchall()
    assert compare(expected, found), f"{draft.sql}\nanswered {found[:5]}, expected {expected[:5]}"


@pytest.mark.parametrize("question", DECLINED)
async def test_what_may_mean_something_else_is_declined(bikes: Path, question: str) -> None:
    with pytest.raises(QuestionDeclined):
        await _draft(bikes, question)


async def test_a_row_without_a_name_is_listed_whole(bikes: Path) -> None:
    draft = await _draft(bikes, "cancelled purchases last month")
    assert "amount" in draft.sql and "channel" in draft.sql
    assert "city" not in (await _draft(bikes, "clients from York")).sql.partition("FROM")[0]


async def test_a_number_on_the_door_is_not_taken_for_a_key(tmp_path: Path) -> None:
    file = write(
        tmp_path / "inn.sqlite",
        "CREATE TABLE rooms (room_id INTEGER PRIMARY KEY, room_number INTEGER, floor INTEGER);"
        "INSERT INTO rooms VALUES (12, 301, 3), (13, 12, 1)",
    )
    with pytest.raises(QuestionDeclined):
        await _draft(file, "room 12")


async def test_why_is_told_to_be_beyond_what_rows_say(bikes: Path) -> None:
    with pytest.raises(QuestionDeclined, match="not why"):
        await _draft(bikes, "why do clients cancel purchases?")


async def test_a_number_is_not_grouped_by_what_it_should_be_divided_by(post: Path) -> None:
    with pytest.raises(QuestionDeclined, match="divide"):
        await _draft(post, "letters per halls m2")


async def test_what_a_state_was_taken_for_is_said(post: Path) -> None:
    told = (await _draft(post, "letters still on the way")).assumptions
    assert "“on the way” means that letters.arrived_on is empty." in told


MOVED = {
    "What about the month before?": "2026-09",
    "and the month after that": "2026-11",
}


@pytest.mark.parametrize("change", MOVED)
def test_the_month_before_is_that_before_the_one_asked_of(bikes: Path, change: str) -> None:
    analyst = Analyst(read_catalog(f"sqlite:///{bikes}"))
    before = analyst.understand("how many purchases were there last month", TODAY)
    then = analyst.understand(change, TODAY, (), before.reading)
    assert f"'{MOVED[change]}-01'" in then.sql and any("The month" in told for told in then.assumptions)


async def test_where_ten_are_shown_nothing_says_that_only_the_first_is(bikes: Path) -> None:
    draft = await _draft(bikes, "who are our best customers")
    assert "LIMIT 10" in draft.sql and not any("Only the first" in told for told in draft.assumptions)


async def test_nothing_is_said_of_the_first_where_all_of_them_are_shown(bikes: Path) -> None:
    draft = await _draft(bikes, "What are the most common channels of purchases?")
    assert "LIMIT" not in draft.sql and not any("Only the first" in told for told in draft.assumptions)
