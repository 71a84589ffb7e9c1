"""What a shop's owner asks is answered: best months, medians, profit, running totals, and who stays away."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agents.ask import Asker
from agents.offline.analyst import Analyst
from agents.offline.meaning.resolving import NotUnderstood
from bootstrap import open_asker
from tests.asked import ask, offline_settings
from tools.catalog import Catalog
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)
SCHEMA = """
CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, joined_on DATE NOT NULL);
CREATE TABLE shops (shop_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE breads (bread_id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL NOT NULL, cost REAL NOT NULL);
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    shop_id INTEGER NOT NULL REFERENCES shops (shop_id), ordered_on DATE NOT NULL, total REAL NOT NULL
);
CREATE TABLE order_lines (
    line_id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (order_id),
    bread_id INTEGER NOT NULL REFERENCES breads (bread_id), quantity INTEGER NOT NULL, amount REAL NOT NULL
);
INSERT INTO customers VALUES (1, 'Ada', '2026-01-05'), (2, 'Bo', '2026-02-01'), (3, 'Cy', '2026-02-20');
INSERT INTO shops VALUES (1, 'Harbour'), (2, 'Station');
INSERT INTO breads VALUES (1, 'Rye', 4, 1), (2, 'Brioche', 6, 3), (3, 'Bagel', 2, 1);
"""
#        order, customer, shop, day,        lines of (bread, quantity, amount)
ORDERS = (
    (1, 1, 1, "2026-01-05", ((1, 2, 8.0),)),
    (2, 2, 2, "2026-02-02", ((2, 1, 6.0), (3, 5, 10.0))),
    (3, 1, 1, "2026-02-10", ((1, 1, 4.0),)),
    (4, 3, 1, "2026-04-07", ((3, 6, 12.0), (2, 3, 18.0))),
    (5, 1, 2, "2026-10-06", ((1, 4, 16.0),)),
    (6, 2, 2, "2026-11-03", ((2, 2, 10.0),)),
)


@dataclass(frozen=True)
class Bakery:
    asker: Asker
    catalog: Catalog

    async def rows(self, question: str) -> tuple[tuple[Any, ...], ...]:
        answer = await ask(self.asker, question, TODAY)
        assert answer.rows is not None, f"{question} was not answered"
        return answer.rows.values

    def told(self, question: str) -> tuple[str, ...]:
        return Analyst(self.catalog).understand(question, TODAY).assumptions


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("bakery") / "bakery.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(SCHEMA)
        for order, customer, shop, day, lines in ORDERS:
            total = sum(amount for *_, amount in lines)
            database.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", (order, customer, shop, day, total))
            sold = [(order, *line) for line in lines]
            database.executemany(
                "INSERT INTO order_lines (order_id, bread_id, quantity, amount) VALUES (?, ?, ?, ?)", sold
            )
    yield path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bakery(file: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bakery]:
    url = f"sqlite:///{file}"
    settings = offline_settings(tmp_path_factory.mktemp("home"), today=TODAY, database_url=url)
    async with open_asker(settings) as asker:
        yield Bakery(asker, read_catalog(url))


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _answers(bakery: Bakery, expected: dict[str, tuple[tuple[Any, ...], ...]]) -> None:
    for question, rows in expected.items():
        assert await bakery.rows(question) == rows, question


async def test_what_is_asked_of_sales_without_naming_them_is_answered(bakery: Bakery) -> None:
    await _answers(
        bakery,
        {
            "What was our best month?": (("2026-04", 30.0),),
            "What was our worst month this year?": (("2026-01", 8.0),),
            "On which day of the week do we sell the most?": (("Tuesday", 60.0),),
            "Which month did we sell the most in?": (("2026-04", 30.0),),
            "What do we sell the most?": (("Bagel", 11),),
            "What did we sell last month?": (("Rye", 4),),
        },
    )


async def test_what_is_busiest_is_asked_back_for_revenue_and_orders_may_differ(bakery: Bakery) -> None:
    with pytest.raises(NotUnderstood, match="several things"):
        bakery.told("What is our busiest day?")


async def test_a_median_is_the_middle_and_of_two_in_the_middle_their_average(bakery: Bakery) -> None:
    await _answers(
        bakery,
        {
            "What is the median order total?": ((13.0,),),
            "median total by shop": (("Station", 16.0), ("Harbour", 8.0)),
            "Which shop has the highest median order total?": (("Station", 16.0),),
        },
    )


async def test_profit_is_what_the_sales_brought_in_less_what_each_piece_cost(bakery: Bakery) -> None:
    await _answers(
        bakery,
        {
            "What was our profit this year?": ((48.0,),),
            "gross profit per shop": (("Harbour", 24.0), ("Station", 24.0)),
            "Which bread is the most profitable?": (("Rye", 21.0),),
            "What is our profit margin?": ((57.14,),),
        },
    )
    less = "Profit is the sum of order_lines.amount less order_lines.quantity times breads.cost."
    assert less in bakery.told("profit by month")


async def test_the_margin_of_a_thing_is_that_of_its_price_and_its_cost(bakery: Bakery) -> None:
    await _answers(
        bakery,
        {
            "margin per bread": (("Rye", 75.0), ("Brioche", 50.0), ("Bagel", 50.0)),
            "Which bread has the highest margin?": (("Rye", 75.0),),
        },
    )
    with pytest.raises(NotUnderstood, match="margin"):
        bakery.told("What is the average margin?")


async def test_there_is_no_profit_where_no_cost_goes_with_what_is_sold(tmp_path: Path) -> None:
    path = tmp_path / "bakery.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(SCHEMA)
        database.execute("ALTER TABLE breads DROP COLUMN cost")
    with pytest.raises(NotUnderstood, match="no cost"):
        Analyst(read_catalog(f"sqlite:///{path}")).understand("What was our profit this year?", TODAY)


async def test_each_month_stands_beside_the_one_before_it(bakery: Bakery) -> None:
    months = (
        ("2026-01", 8.0, None),
        ("2026-02", 20.0, 150.0),
        ("2026-04", 30.0, 50.0),
        ("2026-10", 16.0, -46.67),
        ("2026-11", 10.0, -37.5),
    )
    wordings = ("revenue month over month", "How did revenue change by month?", "monthly revenue growth")
    await _answers(bakery, dict.fromkeys(wordings, months))
    assert "Each month is set beside the one before it that has any; the first has none." in bakery.told(wordings[0])


async def test_a_running_total_adds_up_all_there_was_until_then(bakery: Bakery) -> None:
    await _answers(
        bakery,
        {
            "running total of revenue by quarter": (
                ("2026-Q1", 28.0, 28.0),
                ("2026-Q2", 30.0, 58.0),
                ("2026-Q4", 26.0, 84.0),
            ),
            "cumulative number of customers": (("2026-01", 1, 1), ("2026-02", 2, 3)),
        },
    )


async def test_only_one_number_along_the_calendar_has_a_running_total_or_a_change(bakery: Bakery) -> None:
    for question in ("revenue by month and shop, month over month", "running total of the average total by month"):
        with pytest.raises(NotUnderstood):
            bakery.told(question)


async def test_a_number_compared_with_last_month_is_this_months(bakery: Bakery) -> None:
    beside = ((10.0, 16.0, -37.5),)
    wordings = ("revenue compared with the previous month", "Is revenue up or down on last month?")
    await _answers(bakery, dict.fromkeys((*wordings, "Did revenue grow compared with last month?"), beside))
    await _answers(bakery, {"Did we have more orders than last month?": ((1, 1, 0.0),)})


async def test_a_change_by_shop_keeps_the_shops(bakery: Bakery) -> None:
    rows = await bakery.rows("How did revenue by shop change from February to April?")
    assert rows == (("Harbour", 30.0, 4.0, 650.0), ("Station", None, 16.0, None))


async def test_who_buys_is_a_customer(bakery: Bakery) -> None:
    await _answers(
        bakery,
        {
            "Who has not ordered anything since May?": (("Cy",),),
            "Who spent the most?": (("Cy", 30.0),),
            "Which customers ordered only once?": (("Cy",),),
        },
    )
    assert "I took “who” to mean customers." in bakery.told("Who spent the most?")
    with pytest.raises(NotUnderstood):
        bakery.told("Who handled the most orders?")


async def test_an_average_per_day_may_be_said_at_the_end(bakery: Bakery) -> None:
    wordings = ("How many orders per day on average?", "How many orders a day do we get on average?")
    await _answers(bakery, dict.fromkeys(wordings, ((1.0,),)))


async def test_what_customers_spend_on_things_is_what_the_sales_of_them_brought_in(bakery: Bakery) -> None:
    await _answers(
        bakery,
        {
            "What did customers spend on breads last month?": ((16.0,),),
            "spend on breads per customer": (("Cy", 30.0), ("Ada", 28.0), ("Bo", 26.0)),
            "What did customers spend on Rye?": ((28.0,),),
        },
    )
