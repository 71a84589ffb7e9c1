# ruff: noqa: E501 (each question stands beside its SQL)
"""Everyday ways to ask, on databases that no rule knows: answered as they are meant, or declined."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from agents.offline.writer import OfflineWriter
from agents.question import Question
from errors import QuestionDeclined
from jobs.evaluation.rows import compare
from tools.catalog import Found
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)

BIKES = """
CREATE TABLE regions (region_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE clients (
    client_id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL, signed_up DATE NOT NULL,
    region_id INTEGER NOT NULL REFERENCES regions, newsletter BOOLEAN NOT NULL
);
CREATE TABLE clerks (
    clerk_id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, role TEXT NOT NULL, hired_on DATE NOT NULL,
    salary REAL NOT NULL, boss_id INTEGER REFERENCES clerks
);
CREATE TABLE brands (brand_id INTEGER PRIMARY KEY, name TEXT NOT NULL, founded_year INTEGER);
CREATE TABLE bikes (
    bike_id INTEGER PRIMARY KEY, model TEXT NOT NULL, brand_id INTEGER NOT NULL REFERENCES brands,
    style TEXT NOT NULL, list_price REAL NOT NULL, discontinued BOOLEAN NOT NULL
);
CREATE TABLE purchases (
    purchase_id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients,
    clerk_id INTEGER REFERENCES clerks, channel TEXT NOT NULL, ordered_on DATE NOT NULL, shipped_on DATE,
    status TEXT NOT NULL, amount REAL NOT NULL
);
CREATE TABLE purchase_lines (
    line_id INTEGER PRIMARY KEY, purchase_id INTEGER NOT NULL REFERENCES purchases,
    bike_id INTEGER NOT NULL REFERENCES bikes, quantity INTEGER NOT NULL, unit_price REAL NOT NULL
);
CREATE TABLE reviews (
    review_id INTEGER PRIMARY KEY, bike_id INTEGER NOT NULL REFERENCES bikes,
    client_id INTEGER NOT NULL REFERENCES clients, rating INTEGER NOT NULL, written_on DATE NOT NULL
);
INSERT INTO regions VALUES (1, 'North'), (2, 'South'), (3, 'West');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)
INSERT INTO clients SELECT i, 'Client ' || char(64 + i), CASE i % 3 WHEN 0 THEN 'Leeds' WHEN 1 THEN 'York' ELSE 'Hull' END,
    date('2023-01-01', (i * 97) || ' days'), i % 3 + 1, i % 2 FROM n;
INSERT INTO clerks VALUES (1, 'Nora Vale', 'manager', '2015-02-01', 5200, NULL), (2, 'Tim Ash', 'seller', '2019-05-01', 3100, 1),
    (3, 'Uma Lind', 'seller', '2021-08-15', 2900, 1), (4, 'Vic Orr', 'mechanic', '2024-03-01', 2700, 2);
INSERT INTO brands VALUES (1, 'Arrow', 1921), (2, 'Bolt', 1988), (3, 'Comet', 2010);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
INSERT INTO bikes SELECT i, 'Model ' || (i * 100), i % 3 + 1, CASE i % 2 WHEN 0 THEN 'road' ELSE 'trail' END,
    CASE WHEN i = 9 THEN 0 ELSE 300 + i * 50 END, i = 4 FROM n;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 119)
INSERT INTO purchases SELECT i + 1, i % 10 + 1, CASE WHEN i % 7 = 0 THEN NULL ELSE i % 3 + 2 END,
    CASE i % 3 WHEN 0 THEN 'online' ELSE 'store' END, date('2025-01-05', (i * 5 + i % 3) || ' days'),
    CASE WHEN i % 6 = 0 THEN NULL ELSE date('2025-01-07', (i * 5 + i % 4) || ' days') END,
    CASE i % 5 WHEN 0 THEN 'cancelled' WHEN 1 THEN 'paid' ELSE 'open' END, 100 + (i * 37) % 900 FROM n;
INSERT INTO purchase_lines
SELECT purchase_id, purchase_id, purchase_id % 7 + 1, 1 + purchase_id % 3, 300 + purchase_id % 7 * 50 FROM purchases;
INSERT INTO reviews
SELECT purchase_id, purchase_id % 7 + 1, client_id, 1 + (purchase_id * purchase_id) % 5, ordered_on FROM purchases WHERE purchase_id <= 60;
"""

GYM = """
CREATE TABLE studios (studio_id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT NOT NULL);
CREATE TABLE members (
    member_id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, joined_on DATE NOT NULL,
    active BOOLEAN NOT NULL, studio_id INTEGER NOT NULL REFERENCES studios
);
CREATE TABLE visits (
    visit_id INTEGER PRIMARY KEY, member_id INTEGER NOT NULL REFERENCES members,
    studio_id INTEGER NOT NULL REFERENCES studios, visited_on DATE NOT NULL
);
CREATE TABLE fees (
    fee_id INTEGER PRIMARY KEY, member_id INTEGER NOT NULL REFERENCES members, due_on DATE NOT NULL, paid_on DATE,
    amount REAL NOT NULL
);
INSERT INTO studios VALUES (1, 'Central', 'Kiel'), (2, 'Harbour', 'Kiel'), (3, 'Hill', 'Celle');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
INSERT INTO members SELECT i, 'First' || char(64 + i), 'Last' || char(64 + i), date('2024-01-01', (i * 31) || ' days'),
    i % 5 <> 0, i % 3 + 1 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO visits SELECT i, i * 11 % 18 + 1, i * i % 3 + 1, date('2025-06-01', (i * 2) || ' days') FROM n;
INSERT INTO fees SELECT visit_id, member_id, visited_on,
    CASE WHEN visit_id % 6 = 0 THEN NULL ELSE date(visited_on, (visit_id % 20) || ' days') END, 20 + visit_id % 5 * 10 FROM visits;
"""

BIKE_QUESTIONS = {
    "How many clients do we have altogether?": "SELECT COUNT(*) FROM clients",
    "Please break down purchases by channel": "SELECT channel, COUNT(*) FROM purchases GROUP BY 1",
    "Purchases by channel?": "SELECT channel, COUNT(*) FROM purchases GROUP BY 1",
    "Clients by city?": "SELECT city, COUNT(*) FROM clients GROUP BY 1",
    "clients by region": "SELECT r.name, COUNT(*) FROM clients JOIN regions r USING (region_id) GROUP BY 1",
    "Show bikes by price, most expensive first": "SELECT model, list_price FROM bikes",
    "Bikes with their price, cheapest first": "SELECT model, list_price FROM bikes",
    "Which is the oldest brand?": "SELECT 'Arrow'",
    "Which bike has the best rating?": "SELECT model FROM reviews JOIN bikes USING (bike_id) GROUP BY bike_id ORDER BY AVG(rating) DESC LIMIT 1",
    "Which is the worst rated bike?": "SELECT model FROM reviews JOIN bikes USING (bike_id) GROUP BY bike_id ORDER BY AVG(rating) LIMIT 1",
    "Top 2 customers": "SELECT c.name, SUM(unit_price * quantity) FROM purchase_lines JOIN purchases USING (purchase_id) JOIN clients c USING (client_id) GROUP BY client_id ORDER BY 2 DESC LIMIT 2",
    "Who are our top customers?": "SELECT c.name, SUM(unit_price * quantity) FROM purchase_lines JOIN purchases USING (purchase_id) JOIN clients c USING (client_id) GROUP BY client_id ORDER BY 2 DESC LIMIT 10",
    "income per channel": "SELECT channel, SUM(unit_price * quantity) FROM purchase_lines JOIN purchases USING (purchase_id) GROUP BY 1",
    "amount per channel": "SELECT channel, SUM(amount) FROM purchases GROUP BY 1",
    "How did revenue in October 2025 compare to September 2025?": "SELECT SUM(CASE WHEN ordered_on LIKE '2025-10%' THEN unit_price * quantity END), SUM(CASE WHEN ordered_on LIKE '2025-09%' THEN unit_price * quantity END) FROM purchase_lines JOIN purchases USING (purchase_id)",
    "How much did we make last year?": "SELECT SUM(unit_price * quantity) FROM purchase_lines JOIN purchases USING (purchase_id) WHERE ordered_on LIKE '2025%'",
    "purchases over 500 euros": "SELECT purchase_id, amount FROM purchases WHERE amount > 500",
    "What does a bike cost on average?": "SELECT AVG(list_price) FROM bikes",
    "What percentage of this year's purchases were online?": "SELECT ROUND(100.0 * SUM(channel = 'online') / COUNT(*), 2) FROM purchases WHERE ordered_on LIKE '2026%'",
    "What share of purchases in 2026 came from Leeds?": "SELECT ROUND(100.0 * SUM(city = 'Leeds') / COUNT(*), 2) FROM purchases JOIN clients USING (client_id) WHERE ordered_on LIKE '2026%'",
    "What share of purchases were ordered in 2026?": "SELECT ROUND(100.0 * SUM(ordered_on LIKE '2026%') / COUNT(*), 2) FROM purchases",
    "How many unshipped purchases are there?": "SELECT COUNT(*) FROM purchases WHERE shipped_on IS NULL",
    "Which clients have unshipped purchases?": "SELECT name FROM clients WHERE client_id IN (SELECT client_id FROM purchases WHERE shipped_on IS NULL)",
    "How many staff were hired after 2018?": "SELECT 3",
    "How many employees do we have?": "SELECT COUNT(*) FROM clerks",
    "How many people work for us?": "SELECT COUNT(*) FROM clerks",
    "Who is the boss of Tim Ash?": "SELECT 'Nora Vale'",
    "Who is Vic Orr's manager?": "SELECT 'Tim Ash'",
    "Who reports to Nora Vale?": "SELECT full_name FROM clerks WHERE boss_id = 1",
    "Which clerks report to Nora Vale?": "SELECT full_name FROM clerks WHERE boss_id = 1",
    "Which clerks have no boss?": "SELECT 'Nora Vale'",
    "How many purchases are still open?": "SELECT COUNT(*) FROM purchases WHERE status = 'open'",
    "How many new clients did we get in 2025?": "SELECT COUNT(*) FROM clients WHERE signed_up LIKE '2025%'",
    "Rank the brands by number of reviews": "SELECT b.name, COUNT(*) FROM reviews JOIN bikes USING (bike_id) JOIN brands b USING (brand_id) GROUP BY 1",
    "Rank clients by total amount": "SELECT c.name, SUM(amount) FROM purchases JOIN clients c USING (client_id) GROUP BY 1",
    "How many purchases went to Leeds?": "SELECT COUNT(*) FROM purchases JOIN clients USING (client_id) WHERE city = 'Leeds'",
    "How many bikes have we ever sold?": "SELECT SUM(quantity) FROM purchase_lines",
}

GYM_QUESTIONS = {
    "How many visits were made in total last year?": "SELECT COUNT(*) FROM visits WHERE visited_on LIKE '2025%'",
    "How many inactive members are there?": "SELECT COUNT(*) FROM members WHERE NOT active",
    "What is the total of unpaid fees?": "SELECT SUM(amount) FROM fees WHERE paid_on IS NULL",
    "Which members have unpaid fees?": "SELECT first_name, last_name FROM members WHERE member_id IN (SELECT member_id FROM fees WHERE paid_on IS NULL)",
    "How many people visited the Hill studio last year?": "SELECT COUNT(DISTINCT member_id) FROM visits WHERE studio_id = 3 AND visited_on LIKE '2025%'",
    "How much did members pay in 2025?": "SELECT SUM(amount) FROM fees WHERE paid_on LIKE '2025%'",
    "How many people joined each month in 2024?": "SELECT strftime('%Y-%m', joined_on), COUNT(*) FROM members WHERE joined_on LIKE '2024%' GROUP BY 1",
    "What was the total amount of fees in 2026?": "SELECT SUM(amount) FROM fees WHERE paid_on LIKE '2026%'",
    "How many fees are there?": "SELECT COUNT(*) FROM fees",
}

BIKE_DECLINED = (
    '" " by city',
    "How many clients complained?",
    "What is our profit?",
    "Which clients are loyal?",
    "How much does Tim Ash make?",
    "How many new bikes are there?",
    "How many people are there?",
    "How many unhappy clients do we have?",
    "Which purchases are unpaid?",
    "How much will we make next year?",
    "Which clients are over 50?",
    "What is the most popular bike?",
    "Who is the best clerk?",
    "How is business?",
    "Takings by clerk?",
)
GYM_DECLINED = ("How many members are currently sick?",)


def _file(folder: Path, name: str, script: str) -> Path:
    file = folder / f"{name}.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(script)
    return file


@pytest.fixture(scope="module")
def bikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file(tmp_path_factory.mktemp("bikes"), "bikes", BIKES)


@pytest.fixture(scope="module")
def gym(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file(tmp_path_factory.mktemp("gym"), "gym", GYM)


async def _assert_answered(file: Path, question: str, gold: str) -> None:
    draft = await OfflineWriter(Analyst(read_catalog(f"sqlite:///{file}"))).write(
        Question(question, TODAY), Found(()), None
    )
    with closing(sqlite3.connect(file)) as connection:
        expected = connection.execute(gold).fetchall()
        found = connection.execute(draft.sql).fetchall()
    assert compare(expected, found), f"{draft.sql}\nanswered {found[:5]}, expected {expected[:5]}"


@pytest.mark.parametrize("question", BIKE_QUESTIONS)
async def test_a_shop_is_asked_in_everyday_words(bikes: Path, question: str) -> None:
    await _assert_answered(bikes, question, BIKE_QUESTIONS[question])


@pytest.mark.parametrize("question", GYM_QUESTIONS)
async def test_a_gym_is_asked_in_everyday_words(gym: Path, question: str) -> None:
    await _assert_answered(gym, question, GYM_QUESTIONS[question])


@pytest.mark.parametrize("question", BIKE_DECLINED)
async def test_a_shop_does_not_guess(bikes: Path, question: str) -> None:
    with pytest.raises(QuestionDeclined):
        await OfflineWriter(Analyst(read_catalog(f"sqlite:///{bikes}"))).write(
            Question(question, TODAY), Found(()), None
        )


@pytest.mark.parametrize("question", GYM_DECLINED)
async def test_a_gym_does_not_guess(gym: Path, question: str) -> None:
    with pytest.raises(QuestionDeclined):
        await OfflineWriter(Analyst(read_catalog(f"sqlite:///{gym}"))).write(Question(question, TODAY), Found(()), None)
