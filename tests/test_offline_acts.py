# ruff: noqa: E501 (each question stands beside its SQL)
"""What somebody does to others: a verb that names a table is answered by that table, or the question is declined."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from agents.offline.english.others import ENGLISH_ONLY
from agents.offline.meaning.resolving import NotUnderstood
from jobs.evaluation.rows import compare
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)

SCRIPT = """
CREATE TABLE shops (shop_id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT NOT NULL);
CREATE TABLE employees (employee_id INTEGER PRIMARY KEY, name TEXT NOT NULL, shop_id INTEGER NOT NULL REFERENCES shops, hired_on DATE NOT NULL);
CREATE TABLE visits (shop_id INTEGER NOT NULL REFERENCES shops, visited_on DATE NOT NULL, visitors INTEGER NOT NULL, PRIMARY KEY (shop_id, visited_on));
CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE halls (hall_id INTEGER PRIMARY KEY, name TEXT NOT NULL, warden_id INTEGER NOT NULL REFERENCES employees);
CREATE TABLE teas (tea_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (order_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, shop_id INTEGER NOT NULL REFERENCES shops, status TEXT NOT NULL, placed_on DATE NOT NULL, total REAL NOT NULL);
CREATE TABLE order_lines (line_id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, tea_id INTEGER NOT NULL REFERENCES teas);
CREATE TABLE returns (return_id INTEGER PRIMARY KEY, line_id INTEGER NOT NULL REFERENCES order_lines, returned_on DATE NOT NULL);
CREATE TABLE reviews (review_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, tea_id INTEGER NOT NULL REFERENCES teas, rating INTEGER NOT NULL);
CREATE TABLE shipments (shipment_id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, carrier TEXT NOT NULL);
INSERT INTO shops VALUES (1, 'Quay', 'Bergen'), (2, 'Mill', 'Ghent');
INSERT INTO employees VALUES (1, 'Ann', 1, '2019-01-01'), (2, 'Bo', 2, '2025-02-01'), (3, 'Cy', 2, '2025-03-01'), (4, 'Di', 2, '2024-01-01'), (5, 'Ed', 1, '2023-01-01');
INSERT INTO visits VALUES (1, '2026-05-01', 500), (2, '2026-05-01', 20), (1, '2026-05-02', 400), (2, '2026-05-02', 30);
INSERT INTO customers VALUES (1, 'Eva'), (2, 'Gus');
INSERT INTO halls VALUES (1, 'Long Hall', 1), (2, 'Low Hall', 1);
INSERT INTO teas VALUES (1, 'Assam'), (2, 'Sencha'), (3, 'Oolong');
INSERT INTO orders VALUES (1, 1, 1, 'shipped', '2026-04-01', 90), (2, 2, 2, 'delivered', '2026-04-02', 20), (3, 2, 2, 'delivered', '2026-04-03', 30), (4, 1, 2, 'delivered', '2026-05-02', 10);
INSERT INTO order_lines VALUES (1, 1, 1), (2, 2, 2), (3, 3, 1), (4, 4, 3);
INSERT INTO returns VALUES (1, 2, '2026-05-01'), (2, 3, '2026-05-02');
INSERT INTO reviews VALUES (1, 1, 1, 5), (2, 1, 2, 4), (3, 2, 3, 1);
INSERT INTO shipments VALUES (1, 1, 'Hermes'), (2, 2, 'Iris'), (3, 3, 'Iris'), (4, 4, 'Iris');
"""

DESCRIPTIONS = """
[tables.visits.columns]
visitors = "How many people came in: footfall, traffic."
"""

_MOST_STAFF = "SELECT 'Mill', 3"
_MOST_MONEY = "SELECT 'Quay', 90"
_STAFF_OF_EACH = "SELECT 'Mill', 3 UNION SELECT 'Quay', 2"

ANSWERED = {
    # those who are employed are no visitors, whatever a column counts
    "Which shop employs the most people?": _MOST_STAFF,
    "Which shop employs the fewest people?": "SELECT 'Quay', 2",
    "Which shop employs the most employees?": _MOST_STAFF,
    "Which shop hires the most people?": _MOST_STAFF,
    "Which shop hired the most people in 2025?": "SELECT 'Mill', 2",
    "Which town employs the most people?": "SELECT 'Ghent', 3",
    "How many people does each shop employ?": _STAFF_OF_EACH,
    "How many people are employed in each shop?": _STAFF_OF_EACH,
    "How many people does Quay employ?": "SELECT 2",
    "How many people do we employ?": "SELECT 5",
    "How many people visited each shop?": "SELECT 'Quay', 900 UNION SELECT 'Mill', 50",
    "Which shop draws the most visitors?": "SELECT 'Quay', 900",
    # what a verb names is what is counted by
    "Which customer reviews the most teas?": "SELECT 'Eva', 2",
    "Which customer returns the most?": "SELECT 'Gus', 2",
    # what was delivered since was shipped too
    "Which carrier ships the most orders?": "SELECT 'Iris', 3",
    "How many orders does each carrier ship?": "SELECT 'Iris', 3 UNION SELECT 'Hermes', 1",
    "How many teas does each customer review?": "SELECT 'Eva', 2 UNION SELECT 'Gus', 1",
    "Which shop is staffed by the most people?": _MOST_STAFF,
    # money, and no more than whose
    "Which shop brings in the most revenue?": _MOST_MONEY,
    "Which shop generates the most revenue?": _MOST_MONEY,
    "Which shop makes the most money?": _MOST_MONEY,
    "Which shop earns the most money?": _MOST_MONEY,
    "Which shop pulls in the most revenue?": _MOST_MONEY,
    "Which shop turns over the most money?": _MOST_MONEY,
    "Which shop takes in the least revenue?": "SELECT 'Mill', 60",
    "How much revenue did we bring in in May 2026?": "SELECT 10",
    "How much revenue did we make in Bergen?": "SELECT 90",
    "How much revenue does each shop bring in?": "SELECT 'Quay', 90 UNION SELECT 'Mill', 60",
}
DECLINED = {
    # served are customers or visitors
    "Which shop serves the most people?": "people",
    "How many people does each shop serve?": "people",
    # a hall has a warden, and employs nobody
    "Which hall employs the most people?": "employs",
    "How many people does each hall employ?": "employ",
    "Which hall houses the most people?": "houses",
    # a return or a review is not who returns or reviews
    "Who returns the most teas?": "who is meant",
    "Who reviewed the most teas?": "who is meant",
    # teas belong to customers by their reviews as well, which is nearer
    "Which customer returns the most teas?": "returns",
    "Which shop ships the most orders?": "ships",
    "How many teas does each customer return?": "return",
    "How many shops does each customer visit?": "visit",
    "How many visitors does each shop employ?": "employ",
    # nobody says where people live
    "How many people live in Bergen?": "people",
    # who has a manager is counted as such, not each by their own name
    "How many people are employed by each employee?": "for each employee",
    # "over" belongs to the number, and is not dropped with the verb
    "Which shops make over 70 in revenue?": "over 70",
    # what people earn is a wage
    "Which employee earns the most money?": "earn",
}


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("shops") / "shops.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(SCRIPT)
    return file


@pytest.fixture(scope="module")
def analyst(shops: Path) -> Analyst:
    descriptions = shops.with_name("shops.toml")
    descriptions.write_text(DESCRIPTIONS)
    return Analyst(read_catalog(f"sqlite:///{shops}", descriptions=descriptions))


@pytest.mark.parametrize("question", ANSWERED)
def test_what_somebody_does_most_is_counted_by_what_the_verb_names(
    question: str, analyst: Analyst, shops: Path
) -> None:
    sql = analyst.understand(question, TODAY).sql
    with closing(sqlite3.connect(shops)) as connection:
        gold, rows = (connection.execute(query).fetchall() for query in (ANSWERED[question], sql))
    assert compare(gold, rows), f"{sql}\nanswered {rows}, expected {gold}"


@pytest.mark.parametrize("question", DECLINED)
def test_a_verb_that_names_something_else_is_declined_rather_than_dropped(question: str, analyst: Analyst) -> None:
    with pytest.raises(NotUnderstood, match=DECLINED[question]):
        analyst.understand(question, TODAY)


def test_people_who_are_employed_are_said_to_be_the_employees(analyst: Analyst) -> None:
    told = analyst.understand("Which shop employs the most people?", TODAY).assumptions
    assert "I took “people” to mean employees." in told


@pytest.mark.parametrize("said", ["foo bar baz", "sing song", "blorp the frobnicator", "hm, splendid, marvellous"])
def test_what_is_not_understood_is_not_told_to_be_asked_in_english(said: str, analyst: Analyst) -> None:
    with pytest.raises(NotUnderstood) as declined:
        analyst.understand(said, TODAY)
    assert str(declined.value) != ENGLISH_ONLY and "nothing" in str(declined.value)
