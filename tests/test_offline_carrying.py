"""Conditions that a person edited hold on for what is asked next, or it is declined: nothing is guessed."""

from __future__ import annotations

import pytest

from agents.offline.sql.carrying import carry

IN_2025 = "orders.placed_at >= '2025-01-01' AND orders.placed_at < '2026-01-01'"
WRITTEN = f"SELECT COUNT(*) AS n FROM orders WHERE status = 'cancelled' AND ({IN_2025})".replace("orders.", "")
FOLLOWS = (
    "SELECT stores.name, COUNT(*) AS n FROM orders JOIN stores ON stores.store_id = orders.store_id "
    f"WHERE orders.status = 'cancelled' AND ({IN_2025}) GROUP BY stores.name"
)


@pytest.mark.parametrize(
    ("edited", "where"),
    [
        (
            WRITTEN.replace("'cancelled'", "'shipped'"),
            f"({IN_2025}) AND orders.status = 'shipped'",
        ),
        (
            WRITTEN.replace("status = 'cancelled' AND ", ""),
            f"({IN_2025})",
        ),
        (
            f"{WRITTEN} AND channel <> 'online' -- no web",
            f"orders.status = 'cancelled' AND ({IN_2025}) AND orders.channel <> 'online'",
        ),
        (
            f"{WRITTEN} OR total > 9",
            f"orders.status = 'cancelled' AND ({IN_2025}) OR orders.total > 9",
        ),
    ],
    ids=["another value", "one less", "one more", "one or the other"],
)
def test_edited_conditions_are_carried_over(edited: str, where: str) -> None:
    carried = carry(WRITTEN, edited, FOLLOWS, "sqlite")
    assert carried is not None
    assert " ".join(carried.split()).replace("( ", "(").replace(" )", ")") == (
        FOLLOWS[: FOLLOWS.index("WHERE")] + f"WHERE {where} GROUP BY stores.name"
    )


def test_all_conditions_may_be_taken_away() -> None:
    carried = carry(WRITTEN, "SELECT COUNT(*) AS n FROM orders", FOLLOWS, "sqlite")
    assert carried is not None
    assert "WHERE" not in carried


@pytest.mark.parametrize(
    ("edited", "follows"),
    [
        (WRITTEN.replace("COUNT(*)", "SUM(total)"), FOLLOWS),
        (f"{WRITTEN} LIMIT 3", FOLLOWS),
        (f"{WRITTEN} AND order_id IN (SELECT order_id FROM returns)", FOLLOWS),
        (WRITTEN.replace("'cancelled'", "'shipped'"), FOLLOWS.replace("orders.status = 'cancelled' AND ", "")),
        (WRITTEN.replace("'cancelled'", "'shipped'"), "SELECT COUNT(*) AS n FROM stores"),
        (WRITTEN.replace("'cancelled'", "'shipped'"), FOLLOWS.replace("JOIN stores ", "JOIN stores AS s ")),
        ("SELECT 1", FOLLOWS),
        ("SELECT (", FOLLOWS),
    ],
    ids=["a measure", "a limit", "a query within", "a condition that is gone", "elsewhere", "aliases", "all", "no SQL"],
)
def test_what_does_not_fit_is_not_carried_over(edited: str, follows: str) -> None:
    assert carry(WRITTEN, edited, follows, "sqlite") is None
