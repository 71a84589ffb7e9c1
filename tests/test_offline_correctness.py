# ruff: noqa: E501 (each question stands beside its SQL)
"""The offline analyst answers rightly or declines where a hasty reading would answer something else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from agents.offline.writer import OfflineWriter
from agents.question import Draft, Question
from errors import QuestionDeclined
from tests.rows_compare import same_rows
from tools.catalog import Found
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)

SCRIPT = """
CREATE TABLE depots (depot_id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT NOT NULL);
CREATE TABLE senders (
    sender_id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT, nickname TEXT, balance REAL, active INTEGER NOT NULL,
    blocked INTEGER, is_partner INTEGER NOT NULL, verified BOOLEAN
);
CREATE TABLE parcels (
    parcel_id INTEGER PRIMARY KEY, sender_id INTEGER REFERENCES senders, depot_id INTEGER NOT NULL REFERENCES depots,
    booked_on DATE NOT NULL, shipped_on DATE, delivered_on DATE, due_date DATE, total REAL NOT NULL
);
CREATE TABLE passages (
    depot_id INTEGER NOT NULL REFERENCES depots, day DATE NOT NULL, passengers INTEGER NOT NULL,
    PRIMARY KEY (depot_id, day)
);
INSERT INTO depots VALUES (1, 'North', 'Lund'), (2, 'South', 'Malmo'), (3, 'West', 'Lund');
INSERT INTO senders VALUES
    (1, 'Ann', 'Lund', NULL, -10, 1, 0, 1, 1), (2, 'Bo', 'Malmo', 'Bobby', 5, 0, 1, 0, 0),
    (3, 'Cy', NULL, '', -3, 1, NULL, 0, NULL), (4, 'Di', 'Malmo', 'D', 100, 1, 0, 0, 1);
INSERT INTO parcels VALUES
    (1, 1, 1, '2025-12-25', '2026-01-05', '2026-02-01', '2026-02-10', 10),
    (2, 1, 2, '2026-02-05', NULL, NULL, '2026-03-10', 20), (3, 2, 1, '2025-05-12', '2026-02-02', '2026-02-20', '2026-01-10', 40),
    (4, NULL, 3, '2026-10-02', NULL, NULL, NULL, 80), (5, 4, 2, '2026-10-09', '2026-10-10', NULL, NULL, 160),
    (6, 4, 2, '2026-10-19', '2026-10-20', '2026-10-21', NULL, 320);
INSERT INTO passages VALUES (1, '2026-10-01', 7), (1, '2026-10-02', 9), (2, '2026-10-01', 40), (3, '2026-10-05', 90), (3, '2026-09-05', 1);
"""

QUESTIONS = {
    "Senders with a balance over -5": "SELECT name FROM senders WHERE balance > -5",
    "Senders with a balance between -5 and 5": "SELECT name FROM senders WHERE balance BETWEEN -5 AND 5",
    "How many senders have a balance below -$5?": "SELECT 1",
    "How many parcels were booked on 25/12/2025?": "SELECT 1",
    "How many parcels were booked on 12.05.2025?": "SELECT 1",
    "How many parcels were booked in 2026-10?": "SELECT 3",
    "How many senders are active?": "SELECT 3",
    "How many senders are not active?": "SELECT 1",
    "How many senders are blocked?": "SELECT 1",
    "How many senders are not blocked?": "SELECT 3",
    "How many partners are there?": "SELECT 1",
    "Which senders are partners?": "SELECT 'Ann'",
    "Which senders are not verified?": "SELECT name FROM senders WHERE sender_id IN (2, 3)",
    "List active and verified senders": "SELECT name FROM senders WHERE sender_id IN (1, 4)",
    "Total balance of blocked senders": "SELECT 5",
    "Parcels per verified": "SELECT verified, COUNT(*) FROM parcels JOIN senders USING (sender_id) GROUP BY 1",
}

DECLINED = {
    "Parcels booked on 2024-02-30": "2024-02-30",
    "How many parcels were booked in 2024-13-45?": "2024-13-45",
    "Parcels booked since 2025-99-99": "2025-99-99",
    "Parcels booked on 30 February 2025": "30 february 2025",
    "Parcels booked on 1/2/2025": "2025-02-01",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("parcels") / "parcels.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(SCRIPT)
    return file


@pytest.fixture(scope="module")
def writer(file: Path) -> OfflineWriter:
    return OfflineWriter(read_catalog(f"sqlite:///{file}"))


async def _write(writer: OfflineWriter, question: str) -> Draft:
    return await writer.write(Question(question, TODAY), Found(()), None)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_what_is_answered_is_what_was_asked(writer: OfflineWriter, file: Path, question: str) -> None:
    draft = await _write(writer, question)
    with closing(sqlite3.connect(file)) as connection:
        expected = connection.execute(QUESTIONS[question]).fetchall()
        found = connection.execute(draft.sql).fetchall()
    assert same_rows(expected, found), f"{draft.sql}\nanswered {found[:5]}, expected {expected[:5]}"


@pytest.mark.parametrize("question", DECLINED)
async def test_what_cannot_be_read_is_named(writer: OfflineWriter, question: str) -> None:
    with pytest.raises(QuestionDeclined) as declined:
        await _write(writer, question)
    assert DECLINED[question] in str(declined.value)
