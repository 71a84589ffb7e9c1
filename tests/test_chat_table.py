"""What a cell of the page's table says, and on which side it stands."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from chat.table import CELL_LENGTH, ROWS_SHOWN, count, table
from tools.sql_runner import Rows


def rows(name: str, *values: Any, truncated: bool = False) -> Rows:
    return Rows((name,), tuple((value,) for value in values), truncated, 0.0)


@pytest.mark.parametrize(
    ("name", "values", "cells"),
    [
        ("revenue", (1234567, 5), ["1,234,567", "5"]),
        ("revenue", (1234.5, 8), ["1,234.50", "8.00"]),
        ("revenue", (Decimal("12.30"), None), ["12.30", None]),
        ("share", (0.1234567, 0.5), ["0.1235", "0.5000"]),
        ("order_year", (2026,), ["2026"]),
        ("last_year", (1832,), ["1,832"]),
        ("customer_id", (10432,), ["10432"]),
        ("CustomerId", (10432,), ["10432"]),
        ("paid", (1500,), ["1,500"]),
        ("average", (float("inf"), 2.5), ["inf", "2.50"]),
        ("active", (True, False), ["true", "false"]),
        ("day", (date(2026, 8, 31),), ["2026-08-31"]),
        ("at", (datetime(2026, 8, 31, 14, 5),), ["2026-08-31 14:05"]),
        ("opens", (time(7, 30),), ["07:30:00"]),
        ("photo", (b"\x00" * 1200,), ["1,200 bytes"]),
        ("mixed", (1200, "none"), ["1200", "none"]),
        ("note", ("x" * (CELL_LENGTH + 1),), ["x" * CELL_LENGTH + "…"]),
    ],
)
def test_a_cell_reads_as_a_person_would_write_it(name: str, values: tuple[Any, ...], cells: list[str | None]) -> None:
    assert [cell for (cell,) in table(rows(name, *values))["cells"]] == cells


def test_only_columns_of_numbers_stand_on_the_right() -> None:
    both = Rows(("store", "net_revenue", "closed"), (("North", 3, True), ("South", None, False)), False, 0.0)
    columns = table(both)["columns"]
    assert [column["numeric"] for column in columns] == [False, True, False]
    assert [column["label"] for column in columns] == ["store", "net revenue", "closed"]


def test_the_unit_of_a_column_of_numbers_stands_in_brackets_in_its_heading() -> None:
    of = Rows(("unit_eur", "average_fare_eur", "total_km", "driver_id"), (("each", 3, 40, 7),), False, 0.0)
    columns = table(of)["columns"]
    assert [column["label"] for column in columns] == ["unit eur", "average fare (€)", "total km", "driver ID"]
    assert columns[1]["name"] == "average_fare_eur"


def test_a_cut_table_says_that_it_is_cut() -> None:
    assert count(rows("n", *range(1000), truncated=True)) == "first 1,000 rows"
    assert count(rows("n", 1)) == "1 row"
    assert count(rows("n")) == "0 rows"


def test_of_very_many_rows_the_page_gets_the_first() -> None:
    shown = table(rows("n", *range(2 * ROWS_SHOWN)))
    assert [cell for (cell,) in shown["cells"]] == [f"{n:,}" for n in range(ROWS_SHOWN)]
    assert shown["note"] == "2,000 rows, 1,000 of them shown"
