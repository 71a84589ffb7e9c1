"""Files as people have them, a bank statement or an export of orders, are asked in their owners' words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from agents.offline.analyst import Analyst
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.narrator import OfflineNarrator
from agents.question import Draft, Question
from bootstrap import open_asker
from tests.asked import offline_settings
from tools.sql_runner import Rows
from tools.wording import with_unit

TODAY = date(2026, 11, 20)
_DAYS = [f"{day:02}.10.2026" for day in range(1, 13)]
FILES = {
    "statement": (
        "Booking date;Payee;Category;Debit;Credit;Balance",
        *(f"{d};REWE;Groceries;{n + 20},50;;{900 - n},00" for n, d in enumerate(_DAYS)),
        *(f"{d};Muster GmbH;Salary;;2.650,40;{3500 + n},40" for n, d in enumerate(_DAYS[:2])),
    ),
    "time sheet": (
        "Date,Employee,Client,Task,Hours,Rate (€/h),Billable",
        *(f"2026-10-{n + 1:02},{who},Zoo,Design,{n % 3 + 1.5},95,{'yes' if n % 2 else 'no'}"
          for n in range(12) for who in ("Anna", "Ben")),
    ),
    "orders export": (
        "Order No,Order date,Customer,Country,Product,Qty,Line total (EUR),Status",
        *(f"#{100 + n // 2},2026-10-{n + 1:02},Mia,Austria,{('Rug', 'Lamp')[n % 2]},{n % 3 + 1},{n * 10 + 5},shipped"
          for n in range(12)),
    ),
    "log": (
        "Timestamp,Room,Temperature °C,Energy kWh,Distance (km)",
        *(f"2026-10-{n // 2 + 1:02} 0{n % 2}:00:00,{('Kitchen', 'Cellar')[n % 2]},{13 + n / 2},0.{n + 1},{n + 1}"
          for n in range(12)),
    ),
    "register": (
        "Date,Student,Subject,Teacher,Grade,Overall rating,Staff rating,Late (min)",
        *(f"2026-10-{n + 1:02},{('Lina', 'Max')[n % 2]},Maths,Mrs Adler,{n % 5 + 1},3,{n % 4 + 1},{(0, 10, 0)[n % 3]}"
          for n in range(12)),
    ),
}  # fmt: skip


async def _analyst(folder: Path, name: str) -> Analyst:
    file = folder / f"{name}.csv"
    file.write_text("\n".join(FILES[name]) + "\n", encoding="utf-8")
    async with open_asker(offline_settings(folder / "home", today=TODAY, database_url=str(file))) as asker:
        return Analyst(asker.catalog)


def _sql(analyst: Analyst, question: str) -> str:
    return " ".join(analyst.understand(question, TODAY).sql.split())


def _all_in(sql: str, parts: Sequence[str]) -> bool:
    return all(part in sql for part in parts)


ASKED = [
    ("statement", "how much did I spend last month", ("SUM(Debit)", "2026-10-01")),
    ("statement", "spending per month", ("SUM(Debit)", "AS month")),
    ("statement", "how much did I pay REWE last year", ("SUM(Debit)", "Payee = 'REWE'")),
    ("statement", "income per month", ("SUM(Credit)",)),
    ("statement", "bookings with a credit", ("SELECT Booking_date, Payee", "Credit IS NOT NULL")),
    ("statement", "debits over 500", ("Debit > 500", "Payee")),
    ("statement", "bookings with a credit in Salary", ("Credit IS NOT NULL", "Category = 'Salary'")),
    ("time sheet", "billable hours by client", ("SUM(Hours)", "Billable = 'yes'", "GROUP BY Client")),
    ("time sheet", "hours on Zoo this year", ("SUM(Hours)", "Client = 'Zoo'")),
    ("orders export", "orders by country", ("COUNT(DISTINCT Order_No)", "GROUP BY Country")),
    ("orders export", "how many orders did we have last month", ("COUNT(DISTINCT Order_No)",)),
    ("orders export", "list the orders of Mia", ("SELECT DISTINCT Order_No",)),
    ("orders export", "which product sold the most", ("SUM(Qty)", "GROUP BY Product")),
    ("orders export", "which country sold the most", ("SUM(Line_total_EUR)", "GROUP BY Country")),
    ("orders export", "how many boxes of Rug did we sell", ("SUM(Qty)", "Product = 'Rug'")),
    ("log", "total kWh per room", ("SUM(Energy_kWh)", "GROUP BY Room")),
    ("log", "energy yesterday", ("SUM(Energy_kWh)",)),
    ("log", "kilometres per month", ("SUM(Distance_km)",)),
    ("log", "rows over 5 km", ("Distance_km > 5",)),
    ("log", "how far did we go in the Kitchen", ("SUM(Distance_km)", "Room = 'Kitchen'")),
    ("log", "average energy per day", ("SUM(Energy_kWh)", "COUNT(DISTINCT")),
    ("register", "which students were late last month", ("SELECT DISTINCT Student", "Late_min > 0")),
    ("register", "late minutes per month", ("SUM(Late_min)",)),
    ("register", "how many grades did Mrs Adler give", ("COUNT(*)", "Grade IS NOT NULL")),
    ("register", "average overall rating per student", ("AVG(Overall_rating)",)),
    ("register", "which subjects does Mrs Adler teach", ("SELECT DISTINCT Subject",)),
]


@pytest.mark.parametrize(("file", "question", "parts"), ASKED, ids=[question for _, question, _ in ASKED])
async def test_a_file_is_understood_in_its_owners_words(
    tmp_path: Path, file: str, question: str, parts: Sequence[str]
) -> None:
    sql = _sql(await _analyst(tmp_path, file), question)
    assert _all_in(sql, parts), sql


async def test_what_was_taken_for_something_else_is_said(tmp_path: Path) -> None:
    analyst = await _analyst(tmp_path, "statement")
    assert "I took “spend” to mean the debit." in analyst.understand("how much did I spend", TODAY).assumptions
    assert analyst.understand("debit per month", TODAY).assumptions == (
        "I added up the debit: ask for the average where that is meant.",
    )


async def test_a_number_that_does_not_add_up_is_not_added_up(tmp_path: Path) -> None:
    for file, question in (("statement", "balance per month"), ("log", "temperature per month")):
        with pytest.raises(NotUnderstood):
            (await _analyst(tmp_path, file)).understand(question, TODAY)
    with pytest.raises(NotUnderstood, match="“order”"):
        (await _analyst(tmp_path, "orders export")).understand("what did Mia order", TODAY)


async def _told(analyst: Analyst, question: str, *values: tuple[object, ...]) -> str:
    understood = analyst.understand(question, TODAY)
    statement = parse_one(understood.sql, read="duckdb")
    assert isinstance(statement, exp.Select)
    columns = tuple(select.alias_or_name for select in statement.selects)
    sentences: list[str] = []

    async def say(text: str) -> None:
        sentences.append(text)

    draft = Draft(understood.sql, understood.reading, understood.assumptions)
    await OfflineNarrator().narrate(Question(question, TODAY), draft, Rows(columns, values, False, 0.0), say)
    return "".join(sentences)


async def test_units_stand_in_brackets_in_what_is_told_and_asked_next(tmp_path: Path) -> None:
    analyst = await _analyst(tmp_path, "log")
    told = await _told(analyst, "total energy per room", ("Kitchen", 3.5), ("Cellar", 2.5))
    assert told.startswith("Kitchen has the highest total energy (kWh) with 3.5")
    told = await _told(analyst, "average temperature per room", ("Kitchen", 21.5), ("Cellar", 13.5))
    assert "average temperature (°C)" in told
    plan = analyst.understand("total energy per room", TODAY).plan
    assert (analyst.question_for(plan, TODAY) or ("",))[0] == "Total energy (kWh) by room?"
    assert with_unit("average rate eur h") == "average rate (€/h)"
    assert with_unit("total km") == "total km"


async def test_the_highest_of_each_is_not_called_the_highest_highest(tmp_path: Path) -> None:
    analyst = await _analyst(tmp_path, "log")
    told = await _told(analyst, "highest distance per room", ("Kitchen", 12), ("Cellar", 10))
    assert told.startswith("Kitchen has the highest distance (km) with 12")
