"""Rows are grouped by the day of the week, by name and from Monday to Sunday, and by the hour where one is kept."""

from __future__ import annotations

import calendar
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from agents.ask import Asker
from agents.offline.analyst import Analyst
from agents.offline.writer import OfflineWriter
from agents.question import Question
from bootstrap import open_asker
from errors import QuestionDeclined
from tests.asked import Answer, ask, offline_settings
from tools.breakdown_split import split
from tools.catalog import Catalog, Dialect, Found
from tools.reflection import read_catalog
from tools.sql_guard import Guard

TODAY = date(2026, 11, 20)
WEEK = tuple(calendar.day_name)
SCHEMA = """
CREATE TABLE tickets (ticket_id INTEGER PRIMARY KEY, sold_at DATETIME NOT NULL, price REAL NOT NULL);
CREATE TABLE refunds (
    refund_id INTEGER PRIMARY KEY, ticket_id INTEGER NOT NULL REFERENCES tickets (ticket_id), refunded_on DATE
);
"""


@dataclass(frozen=True)
class Cinema:
    asker: Asker
    sold: list[tuple[datetime, float]]

    async def ask(self, question: str) -> Answer:
        return await ask(self.asker, question, TODAY)

    def counts(self) -> Counter[str]:
        return Counter(WEEK[when.weekday()] for when, _ in self.sold)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("cinema") / "cinema.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(SCHEMA)
        # Seventeen hours apart, so that every weekday and many hours come up, and Sundays are the dearest.
        moments = [datetime(2026, 1, 1) + timedelta(hours=17 * n) for n in range(200)]
        rows = [(str(m), 20.0 if m.weekday() == 6 else 8.5) for m in moments]
        database.executemany("INSERT INTO tickets (sold_at, price) VALUES (?, ?)", rows)
        refunds = [(n, f"2026-03-{n:02}") for n in range(1, 15)]
        database.executemany("INSERT INTO refunds (ticket_id, refunded_on) VALUES (?, ?)", refunds)
    yield path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cinema(file: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cinema]:
    with closing(sqlite3.connect(file)) as database:
        sold = [(datetime.fromisoformat(w), p) for w, p in database.execute("SELECT sold_at, price FROM tickets")]
    settings = offline_settings(tmp_path_factory.mktemp("home"), today=TODAY, database_url=f"sqlite:///{file}")
    async with open_asker(settings) as asker:
        yield Cinema(asker, sold)


@pytest_asyncio.fixture
async def sample_asker(tmp_path: Path) -> AsyncIterator[Asker]:
    async with open_asker(offline_settings(tmp_path, today=TODAY)) as asker:
        yield asker


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "question", ["tickets by day of the week", "How many tickets per weekday?", "tickets sold on each day of the week"]
)
async def test_weekdays_come_by_name_from_monday_to_sunday(cinema: Cinema, question: str) -> None:
    answer = await cinema.ask(question)
    counts = cinema.counts()
    assert answer.rows is not None
    assert list(answer.rows.values) == [(day, counts[day]) for day in WEEK]


@pytest.mark.asyncio(loop_scope="module")
async def test_which_weekday_gives_the_first_of_them(cinema: Cinema) -> None:
    totals: Counter[str] = Counter()
    for when, price in cinema.sold:
        totals[WEEK[when.weekday()]] += price  # type: ignore[assignment]  # a Counter adds up fractions as well
    for question, shown in {
        "Which weekday has the highest total price?": 1,
        "Which day of the week has the highest total price?": 1,
        "Top 3 weekdays by total price": 3,
    }.items():
        answer = await cinema.ask(question)
        assert answer.rows is not None, question
        assert answer.rows.values[0][0] == "Sunday" == totals.most_common(1)[0][0], question
        assert len(answer.rows.values) == shown


@pytest.mark.asyncio(loop_scope="module")
async def test_the_time_of_day_is_the_hour_and_not_the_day(cinema: Cinema) -> None:
    hours = Counter(f"{when:%H}" for when, _ in cinema.sold)
    answer = await cinema.ask("tickets by time of day")
    assert answer.rows is not None
    assert dict(answer.rows.values) == hours


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("question", ["refunds per hour", "At what time of day are most refunds made?"])
async def test_a_date_without_a_time_has_no_hours(cinema: Cinema, question: str) -> None:
    assert (await cinema.ask(question)).status == "declined"


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb", "postgres", "mysql"])
async def test_weekdays_pass_the_guard_and_are_told_in_words_in_each_dialect(file: Path, dialect: Dialect) -> None:
    catalog: Catalog = replace(read_catalog(f"sqlite:///{file}"), dialect=dialect)
    draft = await OfflineWriter(Analyst(catalog)).write(
        Question("total price of tickets by weekday", TODAY), Found(()), None
    )
    async with aclosing(Guard(dialect, catalog)) as guard:
        assert (await guard.check(draft.sql)).sql
    assert [step.words for step in split(draft.sql, catalog)][1:] == [
        "Make one row for each day of the week of sold at, and work out the total price.",
        "Sort by the day of the week of sold at.",
    ]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("question", "days"),
    [
        ("How many tickets were sold on Mondays?", {0}),
        ("How many tickets were sold on a Monday?", {0}),
        ("How many tickets were sold on weekends?", {5, 6}),
        ("How many tickets were sold on weekdays?", {0, 1, 2, 3, 4}),
        ("How many tickets were sold on Mondays or Sundays?", {0, 6}),
        ("How many tickets were not sold on Sundays?", {0, 1, 2, 3, 4, 5}),
    ],
)
async def test_days_of_the_week_are_those_of_every_week(cinema: Cinema, question: str, days: set[int]) -> None:
    answer = await cinema.ask(question)
    assert answer.rows is not None
    assert answer.rows.values[0][0] == sum(when.weekday() in days for when, _ in cinema.sold)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("question", ["How many tickets on Sundays in March?", "How many tickets in March on Sundays?"])
async def test_a_weekday_and_a_month_must_both_be_so(cinema: Cinema, question: str) -> None:
    answer = await cinema.ask(question)
    assert answer.rows is not None
    assert answer.rows.values[0][0] == sum(w.weekday() == 6 and w.month == 3 for w, _ in cinema.sold)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "question",
    [
        "How many tickets on Monday?",
        "How many tickets since Mondays?",
        "How many tickets between Mondays and Fridays?",
        "How many tickets on Sundays and in March?",
        "Compare tickets on weekdays and weekends",
    ],
)
async def test_what_may_mean_one_day_or_several_things_is_declined(cinema: Cinema, question: str) -> None:
    assert (await cinema.ask(question)).status == "declined"


async def test_an_average_of_what_all_mondays_brought_in_is_no_average_of_lines(sample_asker: Asker) -> None:
    assert (await ask(sample_asker, "average revenue per weekday", TODAY)).status == "declined"
    assert (await ask(sample_asker, "average rating by weekday", TODAY)).status == "answered"


@pytest.mark.parametrize("kept", ["'Monday'", "1"])
async def test_a_day_that_a_table_keeps_is_not_looked_for_in_another_ones_date(tmp_path: Path, kept: str) -> None:
    with closing(sqlite3.connect(tmp_path / "gym.sqlite")) as database, database:
        database.executescript(f"""
            CREATE TABLE trainers (trainer_id INTEGER PRIMARY KEY, name TEXT, hired_on DATE);
            CREATE TABLE classes (
                class_id INTEGER PRIMARY KEY, trainer_id INTEGER REFERENCES trainers (trainer_id), weekday
            );
            INSERT INTO trainers VALUES (1, 'Ann', '2026-03-01');
            INSERT INTO classes VALUES (1, 1, {kept}), (2, 1, {kept});
        """)
    writer = OfflineWriter(Analyst(read_catalog(f"sqlite:///{tmp_path}/gym.sqlite")))
    question = Question("How many classes take place on Mondays?", TODAY)
    if kept == "1":
        with pytest.raises(QuestionDeclined):
            await writer.write(question, Found(()), None)
    else:
        assert "hired_on" not in (await writer.write(question, Found(()), None)).sql
