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
    assert trips.refused("tips by vehicle type on weekends", MONTHLY) == (
        "Say whether the total or the average tip by “vehicle type” is meant."
    )
    assert "SUM(Tip)" in trips.sql("and tips by vehicle type?", MONTHLY)
    assert "IS NOT NULL" not in trips.sql("and tips by vehicle type?", MONTHLY)
    assert "AVG(Rating)" in trips.sql("and rating?", "average distance by driver")
    assert trips.refused("what about rating", "total distance by driver") == (
        "Say whether the total or the average rating is meant."
    )
    assert "SUM(Fare) AS total_fare" in trips.sql("fare by city", "total fare by driver")
    assert "Rating = 5" in trips.sql("only those with a rating of 5", "total distance by driver")
