# ruff: noqa: E501 (each question stands beside its SQL)
"""The offline analyst answers rightly or declines where a hasty reading would answer something else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from agents.offline.writer import OfflineWriter
from agents.question import Draft, Question
from errors import QuestionDeclined
from jobs.evaluation.rows import compare
from tools.catalog import Found
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)

SCRIPT = """
CREATE TABLE depots (depot_id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT NOT NULL);
CREATE TABLE senders (
    sender_id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT, nickname TEXT, balance REAL, active INTEGER NOT NULL,
    blocked INTEGER, is_partner INTEGER NOT NULL, verified BOOLEAN
);
CREATE TABLE parcels (
    parcel_id INTEGER PRIMARY KEY, sender_id INTEGER REFERENCES senders, depot_id INTEGER NOT NULL REFERENCES depots,
    booked_on DATE NOT NULL, shipped_on DATE, delivered_on DATE, due_date DATE, total REAL NOT NULL
);
CREATE TABLE crossings (
    depot_id INTEGER NOT NULL REFERENCES depots, day DATE NOT NULL, crossers INTEGER NOT NULL,
    PRIMARY KEY (depot_id, day)
);
INSERT INTO depots VALUES (1, 'North', 'Lund'), (2, 'South', 'Malmo'), (3, 'West', 'Lund');
INSERT INTO senders VALUES
    (1, 'Ann', 'Lund', NULL, -10, 1, 0, 1, 1), (2, 'Bo', 'Malmo', 'Bobby', 5, 0, 1, 0, 0),
    (3, 'Cy', NULL, '', -3, 1, NULL, 0, NULL), (4, 'Di', 'Malmo', 'D', 100, 1, 0, 0, 1);
INSERT INTO parcels VALUES
    (1, 1, 1, '2025-12-25', '2026-01-05', '2026-02-01', '2026-02-10', 10),
    (2, 1, 2, '2026-02-05', NULL, NULL, '2026-03-10', 20), (3, 2, 1, '2025-05-12', '2026-02-02', '2026-02-20', '2026-01-10', 40),
    (4, NULL, 3, '2026-10-02', NULL, NULL, NULL, 80), (5, 4, 2, '2026-10-09', '2026-10-10', NULL, NULL, 160),
    (6, 4, 2, '2026-10-19', '2026-10-20', '2026-10-21', NULL, 320);
INSERT INTO crossings VALUES (1, '2026-10-01', 7), (1, '2026-10-02', 9), (2, '2026-10-01', 40), (3, '2026-10-05', 90), (3, '2026-09-05', 1);
"""

SHOP = """
CREATE TABLE branches (branch_id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL);
CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL);
CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, branch_id INTEGER NOT NULL REFERENCES branches,
    ordered_on DATE NOT NULL, total REAL NOT NULL
);
CREATE TABLE order_lines (
    order_line_id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders,
    product_id INTEGER NOT NULL REFERENCES products, quantity INTEGER NOT NULL, line_total REAL NOT NULL
);
CREATE TABLE ratings (
    rating_id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES products,
    customer_id INTEGER NOT NULL REFERENCES customers, stars INTEGER NOT NULL
);
INSERT INTO branches VALUES (1, 'Quay', 'Riga'), (2, 'Hill', 'Oslo');
INSERT INTO customers VALUES (1, 'Ada', 'Riga'), (2, 'Ben', 'Bergen'), (3, 'Cas', 'Oslo');
INSERT INTO products VALUES (1, 'Teapot'), (2, 'Lamp');
INSERT INTO orders VALUES (1, 1, 1, '2026-01-01', 30), (2, 2, 2, '2026-02-01', 20), (3, NULL, 2, '2026-03-01', 50);
INSERT INTO order_lines VALUES (1, 1, 1, 1, 10), (2, 1, 2, 1, 20), (3, 2, 1, 2, 20), (4, 3, 2, 1, 50);
INSERT INTO ratings VALUES (1, 1, 3, 5);
"""

QUESTIONS = {
    "Senders with a balance over -5": "SELECT name FROM senders WHERE balance > -5",
    "Senders with a balance between -5 and 5": "SELECT name FROM senders WHERE balance BETWEEN -5 AND 5",
    "How many senders have a balance below -$5?": "SELECT 1",
    "How many parcels were booked on 25/12/2025?": "SELECT 1",
    "How many parcels were booked on 12.05.2025?": "SELECT 1",
    "How many parcels were booked in 2026-10?": "SELECT 3",
    "How many senders are active?": "SELECT 3",
    "How many senders are not active?": "SELECT 1",
    "How many senders are blocked?": "SELECT 1",
    "How many senders are not blocked?": "SELECT 3",
    "How many partners are there?": "SELECT 1",
    "Which senders are partners?": "SELECT 'Ann'",
    "Which senders are not verified?": "SELECT name FROM senders WHERE sender_id IN (2, 3)",
    "List active and verified senders": "SELECT name FROM senders WHERE sender_id IN (1, 4)",
    "Total balance of blocked senders": "SELECT 5",
    "Which senders have no nickname?": "SELECT name FROM senders WHERE sender_id IN (1, 3)",
    "How many senders have a nickname?": "SELECT 2",
    "Which senders have never shipped any parcels?": "SELECT 'Cy'",
    "Which parcels are not shipped?": "SELECT parcel_id FROM parcels WHERE shipped_on IS NULL",
    "How many parcels were shipped in January 2026?": "SELECT 1",
    "How many parcels were delivered in February 2026?": "SELECT 2",
    "How many parcels were due in March 2026?": "SELECT 1",
    "Top 2 senders by number of parcels in the depot South": "SELECT name, COUNT(*) FROM parcels JOIN senders USING (sender_id) WHERE depot_id = 2 GROUP BY name ORDER BY 2 DESC LIMIT 2",
    "Which 2 depots had the fewest crossings in October 2026?": "SELECT name, SUM(crossers) FROM crossings JOIN depots USING (depot_id) WHERE day >= '2026-10-01' GROUP BY 1 ORDER BY 2 LIMIT 2",
    "Crossings per depot": "SELECT name, SUM(crossers) FROM crossings JOIN depots USING (depot_id) GROUP BY 1",
    "Total of the parcels excluding Ann": "SELECT 600",
    "Senders whose nickname is not Bobby": "SELECT name FROM senders WHERE sender_id <> 2",
    "Senders without balance 5": "SELECT name FROM senders WHERE balance <> 5",
    "Total value of the parcels": "SELECT 630",
    "Number of parcels delivered per month": "SELECT strftime('%Y-%m', delivered_on), COUNT(*) FROM parcels WHERE delivered_on IS NOT NULL GROUP BY 1",
    "List depots and their number of parcels": "SELECT name, COUNT(*) FROM parcels JOIN depots USING (depot_id) GROUP BY 1",
    "Parcels per verified": "SELECT verified, COUNT(*) FROM parcels JOIN senders USING (sender_id) GROUP BY 1",
}

DECLINED = {
    "Parcels booked on 2024-02-30": "2024-02-30",
    "How many parcels were booked in 2024-13-45?": "2024-13-45",
    "Parcels booked since 2025-99-99": "2025-99-99",
    "Parcels booked on 30 February 2025": "30 february 2025",
    "Parcels booked on 1/2/2025": "2025-02-01",
    "Senders with the most delivered parcels by balance": "balance",
    "Total value of the depots": "value",
    "Total time of the parcels": "time",
    "Which senders only booked parcels in the depot South?": "only",
    "Which depots booked more than last year?": "last year",
    "How many senders came back?": "back",
    "Which parcels are still out?": "out",
    "Which sender has the most parcels but the lowest balance?": "lowest",
    "Top 3 senders by number of parcels per depot": "number per depot",
    "How many crossings per parcel?": "depots",
    "Parcels per depot compared to 2025": "2026 versus 2025",
    "Which senders booked parcels and to whom?": "whom",
    "Top -5 senders by balance": "-5",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("parcels") / "parcels.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(SCRIPT)
    return file


@pytest.fixture(scope="module")
def writer(file: Path) -> OfflineWriter:
    return OfflineWriter(Analyst(read_catalog(f"sqlite:///{file}")))


async def _write(writer: OfflineWriter, question: str) -> Draft:
    return await writer.write(Question(question, TODAY), Found(()), None)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_what_is_answered_is_what_was_asked(writer: OfflineWriter, file: Path, question: str) -> None:
    draft = await _write(writer, question)
    with closing(sqlite3.connect(file)) as connection:
        expected = connection.execute(QUESTIONS[question]).fetchall()
        found = connection.execute(draft.sql).fetchall()
    assert compare(expected, found), f"{draft.sql}\nanswered {found[:5]}, expected {expected[:5]}"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> OfflineWriter:
    file = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(SHOP)
    return OfflineWriter(Analyst(read_catalog(f"sqlite:///{file}")))


async def test_who_bought_something_is_found_through_what_was_sold(shop: OfflineWriter) -> None:
    draft = await _write(shop, "Which customers bought Teapot?")
    assert "order_lines" in draft.sql and "ratings" not in draft.sql
    with pytest.raises(QuestionDeclined, match="ratings"):
        await _write(shop, "Which products were bought by more than 100 customers?")


async def test_the_rows_of_one_product_are_added_up_alone(shop: OfflineWriter) -> None:
    draft = await _write(shop, 'Revenue by branch for the product "Teapot"')
    assert "EXISTS" not in draft.sql and "line_total" in draft.sql


async def test_it_is_told_which_column_a_value_was_looked_for_in(shop: OfflineWriter) -> None:
    draft = await _write(shop, "Number of orders excluding customers in Riga")
    assert "customers.city" in draft.sql or "city = 'Riga'" in draft.sql


async def test_what_was_ordered_or_sold_in_a_year_goes_by_the_orders(shop: OfflineWriter) -> None:
    for question in ("Customers who ordered in 2025 but not in 2026", "Which products were not sold in 2026?"):
        assert "ordered_on" in (await _write(shop, question)).sql


async def test_a_limit_that_nobody_asked_for_is_told(shop: OfflineWriter) -> None:
    assert any("Only the first" in a for a in (await _write(shop, "Which customers spent the most?")).assumptions)
    assert not any("Only the first" in a for a in (await _write(shop, "Which customer spent the most?")).assumptions)


@pytest.mark.parametrize("question", DECLINED)
async def test_what_cannot_be_read_is_named(writer: OfflineWriter, question: str) -> None:
    with pytest.raises(QuestionDeclined) as declined:
        await _write(writer, question)
    assert DECLINED[question] in str(declined.value)
