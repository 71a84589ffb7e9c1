# ruff: noqa: E501 (each question stands beside its SQL)
"""Everyday phrases for states, ties, orders and comparisons, on a database that no rule knows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from agents.offline.meaning.resolving import NotUnderstood
from jobs.evaluation.rows import compare

TODAY = date(2026, 11, 20)

pytest_plugins = ("tests.scripted_database",)

SCRIPT = """
CREATE TABLE sailors (
    sailor_id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, town TEXT NOT NULL, phone TEXT, started_on DATE NOT NULL,
    coach_id INTEGER REFERENCES sailors
);
CREATE TABLE boats (
    boat_id INTEGER PRIMARY KEY, name TEXT NOT NULL, builder TEXT NOT NULL, length REAL NOT NULL, launched_year INTEGER NOT NULL,
    towing_provider TEXT NOT NULL
);
CREATE TABLE rentals (
    rental_id INTEGER PRIMARY KEY, boat_id INTEGER NOT NULL REFERENCES boats, sailor_id INTEGER NOT NULL REFERENCES sailors,
    rented_on DATE NOT NULL, due_on DATE NOT NULL, returned_on DATE, outcome TEXT NOT NULL, amount_paid REAL NOT NULL
);
CREATE TABLE workshops (
    workshop_id INTEGER PRIMARY KEY, title TEXT NOT NULL, fee REAL NOT NULL, held_on DATE NOT NULL,
    leader_id INTEGER NOT NULL REFERENCES sailors
);
CREATE TABLE enrolments (
    enrolment_id INTEGER PRIMARY KEY, workshop_id INTEGER NOT NULL REFERENCES workshops,
    sailor_id INTEGER NOT NULL REFERENCES sailors, noted_on DATE NOT NULL
);
CREATE TABLE invoices (
    invoice_id INTEGER PRIMARY KEY, sailor_id INTEGER NOT NULL REFERENCES sailors, issued_on DATE NOT NULL, approved_on DATE,
    state TEXT NOT NULL, total_amount REAL NOT NULL
);
CREATE TABLE exam_entries (
    entry_id INTEGER PRIMARY KEY, sailor_id INTEGER NOT NULL REFERENCES sailors, score REAL NOT NULL, taken_on DATE NOT NULL
);
CREATE TABLE opinions (
    opinion_id INTEGER PRIMARY KEY, boat_id INTEGER NOT NULL REFERENCES boats, stars INTEGER NOT NULL, told_on DATE NOT NULL
);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)
INSERT INTO sailors SELECT i, 'Sailor ' || char(64 + i), CASE i % 3 WHEN 0 THEN 'Kappeln' WHEN 1 THEN 'Arnis' ELSE 'Maasholm' END,
    CASE WHEN i % 4 = 0 THEN NULL ELSE '04642-' || i END, date('2019-01-01', (i * 71 % 500) || ' days'),
    CASE WHEN i < 4 THEN NULL ELSE i % 3 + 1 END FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8)
INSERT INTO boats SELECT i, 'Boat ' || char(64 + i), CASE WHEN i < 5 THEN 'Norden' WHEN i < 7 THEN 'Suhr' ELSE 'Vester' END, 6 + i * 0.7,
    1960 + i * 13 % 50, CASE i % 2 WHEN 0 THEN 'Hauke' ELSE 'Tamm' END FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
INSERT INTO rentals SELECT i, i * i % 7 + 1, i * 5 % 11 + 1, date('2026-01-01', (i * 2) || ' days'), date('2026-01-05', (i * 2) || ' days'),
    CASE WHEN i % 10 = 3 OR i > 140 THEN NULL ELSE date('2026-01-02', (i * 2 + i % 6) || ' days') END,
    CASE i % 5 WHEN 0 THEN 'collision' ELSE 'safe' END, 40 + i % 9 * 5 FROM n;
INSERT INTO rentals VALUES (151, 8, 2, '2026-11-18', '2026-12-01', NULL, 'safe', 60), (152, 5, 3, '2026-11-01', '2026-12-01', NULL, 'safe', 60),
    (153, 2, 3, '2026-11-01', '2026-12-01', NULL, 'safe', 60), (154, 5, 3, '2026-11-01', '2026-12-01', NULL, 'safe', 60);
INSERT INTO workshops VALUES (1, 'Knots', 0, '2026-03-01', 1), (2, 'Charts', 25, '2026-04-11', 1), (3, 'First aid', 0, '2026-05-02', 2);
INSERT INTO workshops VALUES (4, 'Sails', 30, '2026-10-01', 2);
INSERT INTO boats VALUES (9, 'Boat I', 'Vester', 4, 1999, 'Tamm');
INSERT INTO enrolments SELECT rental_id, rental_id * rental_id % 3 + 1, sailor_id, rented_on FROM rentals WHERE rental_id < 16;
INSERT INTO invoices SELECT rental_id, sailor_id, rented_on, CASE WHEN rental_id % 3 > 0 THEN date(rented_on, '9 days') END,
    CASE WHEN rental_id % 3 > 0 THEN 'approved' ELSE 'open' END, amount_paid + rental_id FROM rentals;
INSERT INTO exam_entries SELECT rental_id, sailor_id, 40 + rental_id % 50, rented_on FROM rentals WHERE rental_id <= 40;
INSERT INTO opinions SELECT rental_id, boat_id, 1 + rental_id % 5, rented_on FROM rentals WHERE rental_id <= 60;
"""

QUESTIONS = {
    "How many rentals are overdue?": "SELECT COUNT(*) FROM rentals WHERE due_on < '2026-11-20' AND returned_on IS NULL",
    "How many overdue rentals are there right now?": "SELECT COUNT(*) FROM rentals WHERE due_on < '2026-11-20' AND returned_on IS NULL",
    "How many rentals have not been returned yet?": "SELECT COUNT(*) FROM rentals WHERE returned_on IS NULL",
    "Which boats are currently out?": "SELECT name FROM boats WHERE boat_id IN (SELECT boat_id FROM rentals WHERE returned_on IS NULL)",
    "Which workshops are free?": "SELECT title FROM workshops WHERE fee = 0",
    "How many free workshops were held in 2026?": "SELECT COUNT(*) FROM workshops WHERE fee = 0 AND held_on LIKE '2026%'",
    "Which boats has nobody rented?": "SELECT name FROM boats WHERE boat_id NOT IN (SELECT boat_id FROM rentals)",
    "Which workshops did nobody attend?": "SELECT title FROM workshops WHERE workshop_id NOT IN (SELECT workshop_id FROM enrolments)",
    "Which sailors have no phone?": "SELECT full_name FROM sailors WHERE phone IS NULL",
    "How many sailors have no coach?": "SELECT COUNT(*) FROM sailors WHERE coach_id IS NULL",
    "Which boat has been rented most often?": "SELECT name FROM boats JOIN rentals USING (boat_id) GROUP BY boat_id ORDER BY COUNT(*) DESC LIMIT 1",
    "What's the longest boat in our collection?": "SELECT name FROM boats ORDER BY length DESC LIMIT 1",
    "List the boats, oldest first": "SELECT name, launched_year FROM boats ORDER BY launched_year",
    "Show all sailors, longest-serving first": "SELECT full_name, started_on FROM sailors ORDER BY started_on",
    "Who is the longest-serving sailor?": "SELECT full_name FROM sailors ORDER BY started_on LIMIT 1",
    "List the rentals in May 2026 with their boat": "SELECT rental_id, name FROM rentals JOIN boats USING (boat_id) WHERE rented_on LIKE '2026-05%'",
    "List the boats with their length, highest first": "SELECT name, length FROM boats ORDER BY length DESC",
    "How many towns are represented among our sailors?": "SELECT COUNT(DISTINCT town) FROM sailors",
    "How many sailors by home town?": "SELECT town, COUNT(*) FROM sailors GROUP BY town",
    "How many boats are there per towing company?": "SELECT towing_provider, COUNT(*) FROM boats GROUP BY 1",
    "How many rentals ended in a collision?": "SELECT COUNT(*) FROM rentals WHERE outcome = 'collision'",
    "Which builders supply at least 2 boats?": "SELECT builder, COUNT(*) FROM boats GROUP BY 1 HAVING COUNT(*) >= 2",
    "What is the average exam score?": "SELECT AVG(score) FROM exam_entries",
    "What is the average star rating per boat?": "SELECT name, AVG(stars) FROM opinions JOIN boats USING (boat_id) GROUP BY boat_id",
    "How many 5-star opinions were left this year?": "SELECT COUNT(*) FROM opinions WHERE stars = 5 AND told_on LIKE '2026%'",
    "Did we get more rentals in May 2026 than in April 2026?": "SELECT SUM(rented_on LIKE '2026-05%'), SUM(rented_on LIKE '2026-04%') FROM rentals",
    "How many rentals were returned later than due?": "SELECT COUNT(*) FROM rentals WHERE returned_on > due_on",
    "How many rentals came back after the due date?": "SELECT COUNT(*) FROM rentals WHERE returned_on > due_on",
    "What is the total invoices amount per state?": "SELECT state, SUM(total_amount) FROM invoices GROUP BY state",
    "How much did we invoice in total in March 2026?": "SELECT SUM(total_amount) FROM invoices WHERE issued_on LIKE '2026-03%'",
    "Compare invoicing in March 2026 with April 2026": "SELECT SUM(total_amount) FILTER (WHERE issued_on LIKE '2026-03%'), SUM(total_amount) FILTER (WHERE issued_on LIKE '2026-04%') FROM invoices",
    "Average invoice per sailor": "SELECT full_name, AVG(total_amount) FROM invoices JOIN sailors USING (sailor_id) GROUP BY sailor_id",
    "What was the largest invoice we issued, and to whom?": "SELECT invoice_id, full_name FROM invoices JOIN sailors USING (sailor_id) ORDER BY total_amount DESC LIMIT 1",
    "How many invoices were approved in March 2026?": "SELECT COUNT(*) FROM invoices WHERE approved_on LIKE '2026-03%'",
    "What are the 2 most popular boats by number of rentals?": "SELECT name FROM rentals JOIN boats USING (boat_id) GROUP BY boat_id ORDER BY COUNT(*) DESC LIMIT 2",
    "Which sailors are enrolled in at least 2 workshops?": "SELECT full_name FROM enrolments JOIN sailors USING (sailor_id) GROUP BY sailor_id HAVING COUNT(*) >= 2",
    "How many people started in 2019?": "SELECT COUNT(*) FROM sailors WHERE started_on LIKE '2019%'",
    "Which sailors have rented more than 3 of our boats?": "SELECT full_name FROM sailors JOIN rentals USING (sailor_id) GROUP BY sailor_id HAVING COUNT(DISTINCT boat_id) > 3",
    "Which sailor has spent the most money?": "SELECT full_name FROM sailors JOIN rentals USING (sailor_id) GROUP BY sailor_id ORDER BY SUM(amount_paid) DESC LIMIT 1",
}

UNCERTAIN = [
    "Which free boats are there?",  # taken by nobody, or at no price?
    "How many boats were painted last month?",
    "What is the average length price?",
    "Compare the average score of sailors from Arnis and sailors not from Arnis",
    "How many boats ended last year?",
    "How many workshops are overdue?",
    "Which sailors have rented more than 3 boats, and how many each?",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_everyday_phrase_is_answered_as_it_is_meant(database: Path, analyst: Analyst, question: str) -> None:
    sql = analyst.understand(question, TODAY).sql
    with closing(sqlite3.connect(database)) as connection:
        gold, got = connection.execute(QUESTIONS[question]).fetchall(), connection.execute(sql).fetchall()
    assert gold and compare(gold, got, ordered="first" in question), (sql, gold, got)


@pytest.mark.parametrize("question", UNCERTAIN)
def test_what_may_be_meant_otherwise_is_declined(analyst: Analyst, question: str) -> None:
    with pytest.raises(NotUnderstood):
        analyst.understand(question, TODAY)
