# ruff: noqa: E501 (each question stands beside its SQL)
"""Flats to let: units at the ends of names, people tied to rows by what they did, a table of pairs, days due and paid."""

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
CREATE TABLE clerks (clerk_id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, hired_on TEXT, boss_id INTEGER REFERENCES clerks (clerk_id));
CREATE TABLE buildings (building_id INTEGER PRIMARY KEY, building_name TEXT NOT NULL, street TEXT, town TEXT, warden_id INTEGER REFERENCES clerks (clerk_id));
CREATE TABLE flats (flat_id INTEGER PRIMARY KEY, building_id INTEGER NOT NULL REFERENCES buildings (building_id), flat_no TEXT, flat_kind TEXT, area_sqm REAL, weight_limit_kg REAL);
CREATE TABLE tenants (tenant_id INTEGER PRIMARY KEY, full_name TEXT, email TEXT, moved_here_on TEXT);
CREATE TABLE contracts (contract_id INTEGER PRIMARY KEY, flat_id INTEGER NOT NULL REFERENCES flats (flat_id), signed_on TEXT, ends_on TEXT, monthly_rent_eur REAL);
CREATE TABLE contract_tenants (contract_id INTEGER REFERENCES contracts (contract_id), tenant_id INTEGER REFERENCES tenants (tenant_id), PRIMARY KEY (contract_id, tenant_id));
CREATE TABLE dues (due_id INTEGER PRIMARY KEY, contract_id INTEGER NOT NULL REFERENCES contracts (contract_id), due_on TEXT, paid_on TEXT, amount_eur REAL, fee_cents INTEGER);
CREATE TABLE repairs (repair_id INTEGER PRIMARY KEY, flat_id INTEGER NOT NULL REFERENCES flats (flat_id), tenant_id INTEGER REFERENCES tenants (tenant_id), opened_by INTEGER REFERENCES clerks (clerk_id), closed_by INTEGER REFERENCES clerks (clerk_id), trade TEXT, repair_status TEXT, opened_on TEXT, closed_on TEXT, cost_eur REAL);
CREATE TABLE inspections (inspection_id INTEGER PRIMARY KEY, flat_id INTEGER NOT NULL REFERENCES flats (flat_id), inspected_on TEXT, score INTEGER, passed INTEGER);
INSERT INTO clerks VALUES (1, 'Ann Berg', '2015-01-01', NULL), (2, 'Bo Cole', '2019-05-01', 1), (3, 'Cy Dahl', '2021-08-01', 1), (4, 'Di Elm', '2024-02-01', 2);
INSERT INTO buildings VALUES (1, 'Elm Court', 'Mill Street 1', 'Bergen', 2), (2, 'Quay House', 'Lake Street 7', 'Bergen', 2), (3, 'Hill Side', 'High Street 3', 'Ghent', 3);
INSERT INTO flats VALUES (1, 1, '1-1', 'studio', 30, 200), (2, 1, '1-2', 'loft', 90, 500), (3, 2, '2-1', 'loft', 120, 500), (4, 2, '2-2', 'studio', 40, 200), (5, 3, '3-1', 'loft', 100, 300), (6, 3, '3-2', 'studio', 26, 200);
INSERT INTO tenants VALUES (1, 'Eva Frost', 'eva@x.example', '2024-01-05'), (2, 'Gus Hill', NULL, '2025-03-09'), (3, 'Ida Jung', NULL, '2025-10-01'), (4, 'Kai Lund', 'kai@x.example', '2026-02-02');
INSERT INTO contracts VALUES (1, 1, '2024-01-05', NULL, 500), (2, 2, '2025-03-09', '2026-12-31', 900), (3, 3, '2026-02-02', '2027-06-30', 1300), (4, 5, '2026-07-15', NULL, 1100);
INSERT INTO contract_tenants VALUES (1, 1), (2, 2), (3, 4), (4, 2);
INSERT INTO dues VALUES (1, 1, '2026-04-01', '2026-04-01', 500, 0), (2, 1, '2026-05-01', '2026-05-11', 500, 300), (3, 1, '2026-07-01', '2026-07-01', 500, 0), (4, 2, '2026-05-01', '2026-04-30', 900, 0), (5, 2, '2026-08-01', '2026-08-21', 900, 900), (6, 3, '2026-09-01', NULL, 1300, 0), (7, 3, '2026-12-01', NULL, 1300, 0), (8, 4, '2025-08-01', '2025-08-03', 1100, 100);
INSERT INTO repairs VALUES (1, 1, 1, 2, 3, 'water', 'closed', '2026-03-01', '2026-03-04', 200), (2, 2, 2, 2, 4, 'water', 'closed', '2026-05-10', '2026-05-20', 300), (3, 3, 1, 3, 4, 'power', 'closed', '2025-06-01', '2025-06-03', 500), (6, 3, 4, 2, 3, 'power', 'closed', '2026-10-01', '2026-10-02', 80), (4, 3, 4, 2, NULL, 'power', 'open', '2026-11-01', NULL, NULL), (5, 5, 3, 4, 3, 'paint', 'closed', '2025-09-01', '2025-09-21', 100);
INSERT INTO inspections VALUES (1, 1, '2025-05-01', 80, 1), (2, 2, '2025-06-01', 40, 0), (3, 3, '2026-02-01', 90, 1), (4, 3, '2026-08-01', 95, 1), (5, 5, '2026-03-01', 30, 0), (6, 5, '2026-09-01', 70, 1), (7, 6, '2026-09-02', 50, 0);
"""

QUESTIONS = {
    # the unit at the end of a column's name is no part of what it is called
    "What is the average area in square metres?": "SELECT AVG(area_sqm) FROM flats",
    "Which 2 contracts have the highest rent?": "SELECT contract_id FROM contracts WHERE contract_id IN (3, 4)",
    "How many flats have a weight limit above 250 kg?": "SELECT 3",
    "How many flats are larger than 80 square metres?": "SELECT 3",
    "Which lofts are bigger than the average loft?": "SELECT '2-1'",
    "Which trades cost more than 240 on average?": "SELECT trade FROM repairs GROUP BY trade HAVING AVG(cost_eur) > 240",
    "Which tenants have no email address?": "SELECT full_name FROM tenants WHERE email IS NULL",
    "Which dues have a fee above 2 euros?": "SELECT due_id FROM dues WHERE fee_cents > 200",
    "Which dues have a fee above 200 cents?": "SELECT due_id FROM dues WHERE fee_cents > 200",
    # how many have such an average or sum; the period is that of what is computed
    "How many buildings have an average inspection score above 55?": "SELECT 2",
    "How many buildings per town have an average inspection score above 55?": "SELECT 'Bergen', 2",
    "How many buildings had a total repair cost above 70 in 2026?": "SELECT 2",
    # how a number, or a share, changed from one period to another: both, the newer one first, and the change
    "How did the total amount of dues change from Q2 to Q3 this year?": "SELECT 1400, 1900, ROUND(100.0 * (1400 - 1900) / 1900, 2)",
    "By how much did repair costs grow from 2025 to 2026?": "SELECT 580, 600, ROUND(100.0 * (580 - 600) / 600, 2)",
    "How did the average inspection score change from 2025 to 2026?": "SELECT 67, 60, ROUND(100.0 * (67 - 60) / 60, 2)",
    "What share of inspections was passed in 2026 compared with 2025?": "SELECT 60, 50, 10",
    # what is late, by the day that it was due; how long something takes until it is closed
    "How many dues came in late?": "SELECT 3",
    "What percentage of dues is late?": "SELECT 37.5",
    "Late dues per building": "SELECT 'Elm Court', 2 UNION SELECT 'Hill Side', 1",
    "How long does it take on average to close a repair?": "SELECT AVG(julianday(closed_on) - julianday(opened_on)) FROM repairs",
    "Average days to close by trade": "SELECT trade, AVG(julianday(closed_on) - julianday(opened_on)) FROM repairs WHERE closed_on IS NOT NULL GROUP BY trade",
    "How many repairs took more than 2 weeks to close?": "SELECT 1",
    "How many repairs took more than a week to close?": "SELECT 2",
    "Which contracts end in the next 90 days?": "SELECT 2",
    "Which contracts end in 2027?": "SELECT 3",
    # a key is grouped by under the names that it means, and nobody is no group; a verb says which of two keys
    "How many buildings per warden?": "SELECT 'Bo Cole', 2 UNION SELECT 'Cy Dahl', 1",
    "How many clerks report to each boss?": "SELECT 'Ann Berg', 2 UNION SELECT 'Bo Cole', 1",
    "How many repairs did each clerk close?": "SELECT 'Cy Dahl', 3 UNION SELECT 'Di Elm', 2",
    "How many inspections failed?": "SELECT 3",
    "How many inspections failed in 2026 versus 2025?": "SELECT 2, 1",
    "Which tenants opened more than one repair?": "SELECT 'Eva Frost' UNION SELECT 'Kai Lund'",
    # a noun that ends like a verb is no verb where rows are called so
    "Which building had the most repairs?": "SELECT 'Quay House'",
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_about_flats_to_let_is_answered(question: str, analyst: Analyst, database: Path) -> None:
    sql = analyst.understand(question, TODAY).sql
    with closing(sqlite3.connect(database)) as connection:
        gold, rows = (connection.execute(query).fetchall() for query in (QUESTIONS[question], sql))
    assert compare(gold, rows), sql


DECLINED = {
    # nobody said which part
    "What percentage of repairs gets inspected?": "which part",
    # tenants belong to buildings by their contracts and by their repairs
    "Which tenants live in Elm Court?": "more than one way",
    "How many repairs per clerk?": "more than one way",
    # 100 pounds are no 100 kg, and nobody can tell whether 500 are cents
    "Which flats have a weight limit above 100 pounds?": "kept in kg",
    "Which dues have a fee above 500?": "kept in cents",
    "How did the repair cost change?": "from when to when",
    "Has the number of repairs increased since last year?": "from when to when",
}


@pytest.mark.parametrize("question", DECLINED)
def test_what_may_mean_something_else_is_declined(question: str, analyst: Analyst) -> None:
    with pytest.raises(NotUnderstood, match=DECLINED[question]):
        analyst.understand(question, TODAY)
