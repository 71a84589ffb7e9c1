"""Rows without names are listed whole, and told by how many there are and from when to when."""

from __future__ import annotations

from datetime import date

from tests.test_offline_narrator import text

ORDERS = "SELECT order_id, channel, placed_on, total FROM orders"
COLUMNS = "order_id channel placed_on total"
ROWS = (
    (7, "app", date(2026, 11, 3), 20.5),
    (9, "app", date(2026, 11, 1), 14.0),
    (12, "online", date(2026, 11, 2), 8.0),
)


async def test_rows_without_a_name_are_counted_and_dated() -> None:
    assert await text("orders", ORDERS, COLUMNS, *ROWS) == (
        "There are 3 orders, from 1 November 2026 to 3 November 2026."
    )


async def test_the_last_rows_are_not_told_as_all_there_are() -> None:
    sql = f"{ORDERS} ORDER BY placed_on DESC LIMIT 3"
    assert (await text("the last 3 orders", sql, COLUMNS, *ROWS)).startswith("These are 3 orders, from 1 ")


async def test_more_rows_than_fit_are_not_told_by_what_they_begin_with() -> None:
    told = await text("select * from orders", "select * from orders", COLUMNS, *ROWS, truncated=True)
    assert told == "There are more orders than fit: these are the first 3."


async def test_words_that_come_again_and_again_name_no_row() -> None:
    sql = "select channel, status from orders"
    told = await text(sql, sql, "channel status", ("app", "new"), ("app", "sent"), ("app", "new"), truncated=True)
    assert "app" not in told


async def test_rows_with_a_name_are_told_by_it() -> None:
    sql = "SELECT store_id, name, opened_on FROM stores"
    rows = ((1, "Pier", date(2020, 1, 1)), (2, "Park", date(2021, 1, 1)))
    assert "Pier and Park" in await text("the stores", sql, "store_id name opened_on", *rows)
