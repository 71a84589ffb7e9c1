"""One flat file without a key is asked for what its rows repeat: drivers of many trips are ranked, not their trips."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from itertools import product
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

TODAY = date(2026, 11, 20)
HEADER = ("Trip date", "Driver", "City", "Vehicle type", "Distance (km)", "Fare", "Tip", "Rating")
MONTHLY = "total distance per month this year"


def _trips() -> Sequence[tuple[Any, ...]]:
    """Return 120 trips, ten for each driver, city and vehicle: Bo drives furthest, but the dearest trip is Ada's."""
    trips = []
    each = product((("Ada", 2), ("Bo", 9), ("Cy", 4)), ("Bonn", "Köln"), ("Van", "Bike"), range(1, 11))
    for n, ((driver, distance), city, vehicle, month) in enumerate(each):
        fare = 90 if (driver, city, vehicle, month) == ("Ada", "Köln", "Van", 10) else distance + n / 100
        tip = 3 if driver == "Cy" else 3 * (n % 2)
        trips.append((date(2026, month, 10), driver, city, vehicle, distance + n / 1000, fare, tip, 3 + n % 3))
    return trips


TRIPS = _trips()
SALES_HEADER = ("Date", "Shop", "Product", "Category", "Quantity", "Unit price", "Amount", "Customer", "Returned")
_OFFERED = (("Rye", "Bread", 4.0), ("Bagel", "Bread", 1.5), ("Mug", "Ware", 9.0))
SALES = [
    (
        date(2026, 9 + n % 2, 10),
        shop,
        sold,
        kind,
        n % 3 + 1,
        price,
        (n % 3 + 1) * price,
        who,
        "yes" if n % 5 == 0 else "no",
    )
    for n, (shop, (sold, kind, price), who) in enumerate(product(("Harbour", "Station"), _OFFERED * 2, ("Ann", "Bo")))
]
DRIVER, CITY, DISTANCE, FARE, TIP = 1, 2, 4, 5, 6


def _totals(by: int, number: int) -> dict[str, float]:
    names = dict.fromkeys(t[by] for t in TRIPS)
    return {name: round(sum(t[number] for t in TRIPS if t[by] == name), 3) for name in names}


@dataclass(frozen=True)
class Flat:
    asker: Asker
    catalog: Catalog

    async def rows(self, question: str) -> tuple[tuple[Any, ...], ...]:
        answer = await ask(self.asker, question, TODAY)
        assert answer.rows is not None, f"{question} was not answered"
        return tuple(tuple(round(float(v), 3) if i else v for i, v in enumerate(row)) for row in answer.rows.values)

    def told(self, question: str) -> tuple[str, ...]:
        return Analyst(self.catalog).understand(question, TODAY).assumptions

    def sql(self, question: str, before: str | None = None) -> str:
        return " ".join(Analyst(self.catalog).understand(question, TODAY, (), before).sql.split())

    def refused(self, question: str, before: str | None = None) -> str:
        with pytest.raises(NotUnderstood) as refusal:
            Analyst(self.catalog).understand(question, TODAY, (), before)
        return str(refusal.value)


@asynccontextmanager
async def _opened(file: Path, header: Sequence[str], rows: Sequence[Sequence[Any]], home: Path) -> AsyncIterator[Flat]:
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows((header, *rows))
    async with open_asker(offline_settings(home, today=TODAY, database_url=str(file))) as asker:
        yield Flat(asker, asker.catalog)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trips(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Flat]:
    file = tmp_path_factory.mktemp("flat") / "Fahrten 2026.csv"
    async with _opened(file, HEADER, TRIPS, tmp_path_factory.mktemp("home")) as flat:
        yield flat


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sales(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Flat]:
    file = tmp_path_factory.mktemp("flat") / "Sales lines.csv"
    async with _opened(file, SALES_HEADER, SALES, tmp_path_factory.mktemp("home")) as flat:
        yield flat


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_most_of_an_amount_is_the_sum_of_each_name_not_the_dearest_row(trips: Flat) -> None:
    fares, tips = _totals(DRIVER, FARE), _totals(DRIVER, TIP)
    best = max(fares, key=lambda d: fares[d])
    assert best == "Bo"
    assert await trips.rows("Which driver earned the most fare?") == ((best, fares[best]),)
    assert await trips.rows("which driver had the most tips") == (("Cy", tips["Cy"]),)
    least = min(distances := _totals(DRIVER, DISTANCE), key=lambda d: distances[d])
    assert await trips.rows("which driver has the least distance") == ((least, distances[least]),)
    assert trips.told("Which driver earned the most fare?") == ("What is ranked is the sum of fare per driver.",)


async def test_the_top_names_by_an_amount_are_listed_once_each(trips: Flat) -> None:
    fares = _totals(DRIVER, FARE)
    ranked = tuple(sorted(fares.items(), key=lambda pair: -pair[1]))
    assert await trips.rows("top 5 drivers by fare") == ranked
    names = [name for name, _ in await trips.rows("top 3 drivers with the highest fare")]
    assert sorted(names) == ["Ada", "Bo", "Cy"]


async def test_the_highest_single_amount_stays_the_row_that_has_it(trips: Flat) -> None:
    assert await trips.rows("which city has the highest fare") == (("Köln", 90.0),)


async def test_what_neither_adds_up_nor_differs_between_rows_is_asked_back(trips: Flat) -> None:
    unclear = "Say whether the average, the highest or the lowest rating by “driver” is meant."
    for question in ("which driver has the best rating", "which driver has the highest rating"):
        assert trips.refused(question) == unclear
    assert trips.refused("best 3 drivers by rating") == unclear
    tied = "Say whether the total or the average tip by “driver” is meant."
    assert trips.refused("which driver got the highest tip") == tied


async def test_a_number_that_begins_a_follow_up_is_computed_and_no_filter(trips: Flat) -> None:
    assert "SUM(Tip)" in trips.sql("tips by vehicle type on weekends", MONTHLY)
    assert "SUM(Tip)" in trips.sql("and tips by vehicle type?", MONTHLY)
    assert "IS NOT NULL" not in trips.sql("and tips by vehicle type?", MONTHLY)
    assert "AVG(Rating)" in trips.sql("and rating?", "average distance by driver")
    assert trips.refused("what about rating", "total distance by driver") == (
        "Say whether the total or the average rating is meant."
    )
    assert "SUM(Fare) AS total_fare" in trips.sql("fare by city", "total fare by driver")
    assert "Rating = 5" in trips.sql("only those with a rating of 5", "total distance by driver")


async def test_the_rows_of_one_file_go_by_what_their_date_calls_them(trips: Flat) -> None:
    for question in ("how many trips are there", "how many rides are there", "how many records", "how many rows"):
        assert await trips.rows(question) == ((len(TRIPS),),), question
    assert "COUNT(*)" in trips.sql("which driver had the most trips")
    assert "ORDER BY Fare DESC LIMIT 3" in trips.sql("top 3 trips by fare")


async def test_the_longest_or_dearest_trip_is_a_row_shown_whole_and_no_date(trips: Flat) -> None:
    for question, by in (("what was the longest trip", "Distance_km"), ("what is the most expensive trip", "Fare")):
        sql = trips.sql(question)
        assert f"ORDER BY {by} DESC LIMIT 1" in sql
        assert sql.startswith("SELECT Trip_date, Driver, City")


async def test_who_never_did_is_declined_where_rows_tell_only_who_did(trips: Flat) -> None:
    for question in ("which drivers were not in Bonn", "which drivers never had a tip"):
        assert trips.refused(question) == (
            "I cannot tell yet which drivers have no such row at all: ask for a number per value."
        )
    assert "Rating IS NULL" in trips.sql("which trips have no rating")


async def test_how_many_things_were_sold_is_the_sum_of_their_quantities_not_the_lines(sales: Flat) -> None:
    mugs = sum(line[4] for line in SALES if line[2] == "Mug")
    assert await sales.rows("how many Mugs did we sell") == ((mugs,),)
    assert "SUM(Quantity)" in sales.sql("how many products did we sell in October")
    assert "COUNT(DISTINCT Product)" in sales.sql("how many different products did we sell")
    assert "COUNT(DISTINCT Customer)" in sales.sql("how many customers bought a Mug")


async def test_what_was_returned_is_the_lines_of_which_that_is_so(sales: Flat) -> None:
    for question in ("returned sales last month", "which products were returned last month", "returned amount by shop"):
        sql = sales.sql(question)
        assert "Returned = 'yes'" in sql, question
        assert "GROUP BY Returned" not in sql, question
    assert await sales.rows("returned sales") == ((sum(line[6] for line in SALES if line[8] == "yes"),),)


async def test_the_biggest_sale_is_one_line_and_the_highest_revenue_none(sales: Flat) -> None:
    sql = sales.sql("biggest sale ever")
    assert sql.startswith('SELECT "Date", Shop, Product')
    assert "ORDER BY Amount DESC LIMIT 1" in sql
    assert sales.refused("highest revenue").startswith("I did not understand what to rank")


async def test_no_tip_is_one_of_zero_or_none_within_the_period_that_is_said(trips: Flat) -> None:
    without = [t for t in TRIPS if not t[TIP]]
    in_october = [t for t in without if t[0].month == 10]
    assert await trips.rows("how many trips had no tip") == ((len(without),),)
    assert await trips.rows("how many trips without a tip last month") == ((len(in_october),),)
    assert await trips.rows("how many trips have a tip") == ((len(TRIPS) - len(without),),)
    october = sum(t[0].month == 10 for t in TRIPS)
    assert await trips.rows("how many trips had a tip last month") == ((october - len(in_october),),)
    assert "No tip means that it is 0 or missing." in trips.told("how many trips had no tip")
