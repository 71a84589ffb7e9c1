"""A wine merchant's names are his own: bottles at a bottle price are what was sold, and clients are ranked by it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agents.offline.analyst import Analyst
from tests.sqlite_files import write
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)
MERCHANT = """
CREATE TABLE wine (
    wine_id INTEGER PRIMARY KEY, label TEXT NOT NULL, purchase_price REAL NOT NULL, list_price REAL NOT NULL
);
CREATE TABLE client (client_id INTEGER PRIMARY KEY, client_name TEXT NOT NULL, since_date DATE NOT NULL);
CREATE TABLE sales_order (
    order_no INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES client (client_id), order_date DATE NOT NULL,
    order_status TEXT NOT NULL
);
CREATE TABLE order_line (
    order_no INTEGER NOT NULL REFERENCES sales_order (order_no), line_no INTEGER NOT NULL,
    wine_id INTEGER NOT NULL REFERENCES wine (wine_id), bottles INTEGER NOT NULL, bottle_price REAL NOT NULL,
    PRIMARY KEY (order_no, line_no)
);
INSERT INTO wine VALUES (1, 'Alba', 4, 8), (2, 'Brasa', 9, 12), (3, 'Cinza', 5, 6);
INSERT INTO client VALUES (1, 'Casa Azul', '2024-01-01'), (2, 'Bar Norte', '2026-02-01'), (3, 'Cave Sul', '2026-08-01');
INSERT INTO sales_order VALUES
    (1, 1, '2025-05-05', 'shipped'), (2, 1, '2026-03-03', 'shipped'), (3, 2, '2026-09-09', 'open'),
    (4, 1, '2026-06-01', 'cancelled');
INSERT INTO order_line VALUES (1, 1, 2, 100, 12), (2, 1, 1, 12, 8), (3, 1, 1, 6, 8), (3, 2, 2, 2, 11), (4, 1, 2, 1, 12);
"""
ANSWERED: dict[str, list[tuple[Any, ...]]] = {
    "What was our revenue this year?": [(96.0 + 48.0 + 22.0 + 12.0,)],
    "How many bottles of Alba did we sell in 2026?": [(18,)],
    "What is our profit per wine?": [("Alba", 72.0), ("Brasa", 307.0)],
    "Which wine has the highest margin?": [("Alba", 50.0)],
    "Who are our two best clients this year?": [("Casa Azul", 108.0), ("Bar Norte", 70.0)],
    "top 1 clients in 2025 by revenue": [("Casa Azul", 1200.0)],
    "Which clients have not ordered anything since July?": [("Casa Azul",), ("Cave Sul",)],
    "What share of orders was cancelled?": [(25.0,)],
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield write(tmp_path_factory.mktemp("merchant") / "merchant.sqlite", MERCHANT)


@pytest.fixture(scope="module")
def analyst(file: Path) -> Analyst:
    return Analyst(read_catalog(f"sqlite:///{file}"))


@pytest.mark.parametrize("question", ANSWERED)
def test_what_is_sold_in_another_unit_is_answered(analyst: Analyst, file: Path, question: str) -> None:
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute(analyst.understand(question, TODAY).sql).fetchall()
        assert sorted(rows) == sorted(ANSWERED[question])


def test_the_best_clients_of_a_year_are_those_who_bought_then_not_who_came_then(analyst: Analyst) -> None:
    sql = analyst.understand("our top clients this year", TODAY).sql
    assert "order_date >= '2026-01-01'" in sql and "since_date" not in sql
