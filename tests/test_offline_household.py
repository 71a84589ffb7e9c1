"""A file of expenses, one of a warehouse's movements and a league are asked as people ask: rows as counted by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import date
from typing import Any

import pytest
import pytest_asyncio

from agents.ask import Asker
from bootstrap import open_asker
from jobs.evaluation.rows import compare
from tests.asked import ask, offline_settings

TODAY = date(2026, 11, 20)
FILES = {
    "Family expenses.csv": """Date,Category,Shop,Item,Amount (EUR),Paid by
2026-09-02,Groceries,Lidl,Bread,40,Nina
2026-09-03,Rent,Landlord,Flat,900,Tom
2026-10-01,Groceries,Market,Fruit,60,Tom
2026-10-03,Rent,Landlord,Flat,900,Tom
2026-10-09,Clothing,Zara,Shoes,120,Nina
2026-11-02,Groceries,Lidl,Bread,20,Nina
""",
    "goods movements.csv": """Date,Article,Movement,Quantity,Employee
2026-09-01,Hinge,in,100,Ole
2026-09-02,Hinge,out,30,Pia
2026-09-09,Lock,in,50,Ole
2026-10-01,Lock,out,20,Ole
2026-10-05,Hinge,out,25,Pia
2026-10-07,Hinge,return,5,Ole
2026-11-10,Lock,out,10,Pia
2026-11-19,Hinge,in,80,Pia
""",
    "health log.csv": """Date,Weight kg,Note
2026-09-01,81,before
2026-10-01,79,after a cold
2026-11-01,80,well again
""",
    "refunds.csv": """Date,Customer,Reason,Amount
2026-09-01,Mia,late,5
2026-10-01,Mia,broken,30
""",
    "statement.csv": """Date,Payee,Debit,Balance
2026-11-01,Lidl,20,980
2026-11-02,Zara,60,920
2026-11-02,Lidl,5,915
""",
}
LEAGUE = """
CREATE TABLE teams (team_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE players (player_id INTEGER PRIMARY KEY, name TEXT NOT NULL, team_id INTEGER NOT NULL REFERENCES teams);
CREATE TABLE matches (
    match_id INTEGER PRIMARY KEY, home_team_id INTEGER NOT NULL REFERENCES teams, season TEXT NOT NULL,
    played_on DATE NOT NULL, home_goals INTEGER NOT NULL
);
CREATE TABLE goals (
    goal_id INTEGER PRIMARY KEY, match_id INTEGER NOT NULL REFERENCES matches,
    player_id INTEGER NOT NULL REFERENCES players
);
CREATE TABLE fines (
    fine_id INTEGER PRIMARY KEY, player_id INTEGER NOT NULL REFERENCES players, amount REAL NOT NULL,
    issued_on DATE NOT NULL, status TEXT NOT NULL
);
CREATE TABLE appeals (
    appeal_id INTEGER PRIMARY KEY, player_id INTEGER NOT NULL REFERENCES players, opened_at DATE NOT NULL
);
INSERT INTO teams VALUES (1, 'Moor'), (2, 'Dock');
INSERT INTO players VALUES (1, 'Ade', 1), (2, 'Bo', 1), (3, 'Cal', 2), (4, 'Dee', 2);
INSERT INTO matches VALUES
    (1, 1, '25/26', '2026-01-10', 3), (2, 2, '25/26', '2026-02-10', 2), (3, 2, '25/26', '2026-03-10', 2);
INSERT INTO goals VALUES (1, 1, 1), (2, 1, 1), (3, 1, 2), (4, 2, 3), (5, 2, 3), (6, 3, 3), (7, 3, 3);
INSERT INTO fines VALUES
    (1, 1, 50, '2026-01-11', 'open'), (2, 1, 30, '2026-01-12', 'paid'), (3, 3, 20, '2026-02-11', 'open');
INSERT INTO appeals VALUES (1, 1, '2026-01-20');
"""
E, G, W, R, S = FILES
L = "league.sqlite"

ROWS: dict[tuple[str, str], list[tuple[Any, ...]]] = {
    (E, "how much did we spend last month"): [(1080,)],
    (E, "spending by category this year"): [("Rent", 1800), ("Groceries", 120), ("Clothing", 120)],
    (E, "expenses by category in October"): [("Rent", 900), ("Groceries", 60), ("Clothing", 120)],
    (E, "how much did Nina pay in October"): [(120,)],
    (E, "what did we spend per month"): [("2026-09", 940), ("2026-10", 1080), ("2026-11", 20)],
    (E, "monthly expenses"): [("2026-09", 940), ("2026-10", 1080), ("2026-11", 20)],
    (E, "average monthly spending on groceries"): [(40,)],
    (E, "categories where we spent more than 1000 euros"): [("Rent", 1800)],
    (E, "how many expenses are there in October"): [(3,)],
    (E, "expenses over 800 euros"): [("Rent", "2026-09-03"), ("Rent", "2026-10-03")],
    (G, "movements by employee"): [("Ole", 4), ("Pia", 4)],
    (G, "how many movements did Ole have in September"): [(2,)],
    (G, "how many different movements are there"): [(3,)],
    (G, "quantity by movement"): [("in", 230), ("out", 85), ("return", 5)],
    (G, "what is the highest quantity in a single movement"): [(100,)],
    (G, "how many pieces went out last week"): [(10,)],
    (G, "incoming quantity per month"): [("2026-09", 150), ("2026-11", 80)],
    (G, "top 1 articles by quantity out"): [("Hinge", 55)],
    (G, "the largest outgoing movement of each employee"): [("Ole", "Lock", 20), ("Pia", "Hinge", 30)],
    (G, "last movement of each article"): [("Hinge", "2026-11-19", 80), ("Lock", "2026-11-10", 10)],
    (G, "which article went out the most"): [("Hinge", 55)],
    (G, "highest outgoing quantity per article"): [("Hinge", 30), ("Lock", 20)],
    (G, "how often did Hinge go out"): [(2,)],
    (E, "most expensive purchase in each category"): [("Rent", 900)] * 2 + [("Groceries", 60), ("Clothing", 120)],
    (E, "how many times did we go to Lidl"): [(2,)],
    (E, "when did we last buy shoes"): [("2026-10-09",)],
    (E, "how much did the rent cost in October"): [(900,)],
    (E, "what did Nina spend on groceries"): [(60,)],
    (G, "quantity in per month"): [("2026-09", 150), ("2026-11", 80)],
    (E, "total expenses in October"): [(1080,)],
    (R, "amount by reason"): [("late", 5), ("broken", 30)],
    (W, "latest weight"): [(80,)],
    (L, "players who never scored a goal"): [("Dee",)],
    (L, "which home team scored the most home goals"): [("Dock", 4)],
    (L, "rank players by number of fines within each team"): [("Dock", "Cal", 1), ("Moor", "Ade", 2)],
    (L, "rank players by total fines amount in each team"): [("Dock", "Cal", 20), ("Moor", "Ade", 80)],
    (L, "total amount of open fines"): [(70,)],
    (L, "total amount of open fines per team"): [("Moor", 50), ("Dock", 20)],
}
DECLINED = [
    (E, "what is our monthly income"),
    (E, "revenue per month"),
    (R, "revenue per month"),
    (R, "how much did Mia spend"),
    (S, "latest balance"),
    (E, "spending more than 100"),
    (G, "pieces in and out per month"),
    (G, "average quantity per outgoing movement"),
    (L, "total amount of the top 2 teams per player"),
    (L, "average amount of fines per player in the top 1 teams"),
    (S, "latest balance per payee"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def askers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Asker]]:
    folder = tmp_path_factory.mktemp("household")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    with closing(sqlite3.connect(folder / L)) as database, database:
        database.executescript(LEAGUE)
    urls = {**{name: str(folder / name) for name in FILES}, L: f"sqlite:///{folder / L}"}
    opened = {n: open_asker(offline_settings(folder / f"of {n}", today=TODAY, database_url=u)) for n, u in urls.items()}
    yield {name: await asker.__aenter__() for name, asker in opened.items()}
    for asker in opened.values():
        await asker.__aexit__(None, None, None)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("file", "question"), ROWS, ids=[question for _, question in ROWS])
async def test_the_rows_are_those_counted_by_hand(askers: dict[str, Asker], file: str, question: str) -> None:
    answer = await ask(askers[file], question, TODAY)
    assert answer.rows is not None, "declined"
    assert compare(ROWS[file, question], answer.rows.values), answer.rows.values


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("file", "question"), DECLINED, ids=[question for _, question in DECLINED])
async def test_what_the_file_does_not_hold_is_declined(askers: dict[str, Asker], file: str, question: str) -> None:
    answer = await ask(askers[file], question, TODAY)
    assert answer.draft is None and answer.rows is None
