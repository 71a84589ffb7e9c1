"""Accounts pay for plans and have users: customers, seats, states and keys are those of the right rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agents.offline.analyst import Analyst
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)
SCHEMA = """
CREATE TABLE account (
    id INTEGER PRIMARY KEY, company_name TEXT NOT NULL, signed_up_on DATE NOT NULL, founded_year INTEGER,
    parent_account_id INTEGER REFERENCES account (id)
);
CREATE TABLE app_user (
    id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES account (id), full_name TEXT, is_active INTEGER
);
CREATE TABLE staff (id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, hired_on DATE NOT NULL);
CREATE TABLE plan (id INTEGER PRIMARY KEY, plan_name TEXT NOT NULL, max_seats INTEGER NOT NULL);
CREATE TABLE feature (id INTEGER PRIMARY KEY, feature_name TEXT NOT NULL, is_beta INTEGER NOT NULL);
CREATE TABLE plan_feature (
    plan_id INTEGER REFERENCES plan (id), feature_id INTEGER REFERENCES feature (id), PRIMARY KEY (plan_id, feature_id)
);
CREATE TABLE subscription (
    id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES account (id),
    plan_id INTEGER NOT NULL REFERENCES plan (id), status TEXT NOT NULL, seats INTEGER NOT NULL, billing_period TEXT
);
CREATE TABLE invoice (
    id INTEGER PRIMARY KEY, subscription_id INTEGER NOT NULL REFERENCES subscription (id), issued_on DATE NOT NULL,
    paid_on DATE, status TEXT NOT NULL, amount INTEGER NOT NULL
);
CREATE TABLE ticket (
    id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL REFERENCES account (id), status TEXT NOT NULL,
    escalated_to INTEGER REFERENCES staff (id), opened_at DATETIME NOT NULL
);
CREATE TABLE usage_event (
    id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES app_user (id),
    feature_id INTEGER NOT NULL REFERENCES feature (id), event_at DATETIME NOT NULL
);
INSERT INTO account VALUES
    (1, 'Acme', '2025-03-01', 1990, NULL), (2, 'Bolt', '2026-10-05', 2001, 1), (3, 'Crow', '2026-10-09', 2010, NULL);
INSERT INTO app_user VALUES (1, 1, 'Ann Ash', 1), (2, 1, 'Bob Bay', 0), (3, 2, 'Cat Cole', 1), (4, 1, 'Dan Dee', 1);
INSERT INTO staff VALUES (1, 'Eve East', '2024-01-01');
INSERT INTO plan VALUES (1, 'Basic', 5), (2, 'Business', 50);
INSERT INTO feature VALUES (1, 'Reports', 0), (2, 'Robots', 1), (3, 'Exports', 0);
INSERT INTO plan_feature VALUES (1, 1), (2, 1), (2, 2);
INSERT INTO subscription VALUES
    (1, 1, 2, 'active', 20, 'yearly'), (2, 2, 1, 'past_due', 3, 'monthly'), (3, 1, 1, 'active', 4, 'monthly');
INSERT INTO invoice VALUES
    (1, 1, '2026-01-01', '2026-01-10', 'paid', 900), (2, 2, '2026-10-06', NULL, 'open', 30),
    (3, 3, '2026-10-08', NULL, 'open', 40);
INSERT INTO ticket VALUES
    (1, 2, 'open', 1, '2026-11-01 10:00:00'), (2, 1, 'closed', NULL, '2026-11-02 09:00:00'),
    (3, 3, 'open', NULL, '2026-11-03 12:30:00');
INSERT INTO usage_event VALUES (1, 1, 1, '2026-11-01 10:00:00'), (2, 3, 2, '2026-11-01 11:00:00');
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("subscriptions") / "subscriptions.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(SCHEMA)
    yield path


@pytest.fixture(scope="module")
def analyst(file: Path) -> Analyst:
    return Analyst(read_catalog(f"sqlite:///{file}"))


ANSWERED: dict[str, list[tuple[Any, ...]]] = {
    "How many customers do we have?": [(3,)],
    "Which customers have subscriptions that are past due?": [("Bolt",)],
    "Which customers never received an invoice?": [("Crow",)],
    "Who are our top 2 customers by revenue?": [("Acme", 940), ("Bolt", 30)],
    "How many customers are on yearly billing?": [(1,)],
    "Which customers have both an open invoice and an open ticket?": [("Bolt",)],
    "How many seats did we sell per plan?": [("Business", 20), ("Basic", 7)],
    "How many active subscriptions are there per plan?": [("Business", 1), ("Basic", 1)],
    "How many features does each plan include?": [("Business", 2), ("Basic", 1)],
    "Which features are still in beta?": [("Robots",)],
    "Which feature has nobody used?": [("Exports",)],
    "How many tickets were escalated?": [(1,)],
    "What percentage of tickets gets escalated?": [(33.33,)],
    "How many accounts signed up last month?": [(2,)],
    "Which accounts have a parent account?": [("Bolt", 1)],
    "How many invoices are still outstanding?": [(2,)],
    "How many users does each account have? Show the top 2": [("Acme", 3), ("Bolt", 1)],
}


@pytest.mark.parametrize("question", ANSWERED)
def test_what_is_asked_of_subscriptions_is_answered(analyst: Analyst, file: Path, question: str) -> None:
    sql = analyst.understand(question, TODAY).sql
    with closing(sqlite3.connect(file)) as database:
        assert sorted(database.execute(sql).fetchall()) == sorted(ANSWERED[question])


def test_it_is_told_that_customers_are_taken_for_the_accounts_that_pay(analyst: Analyst) -> None:
    told = analyst.understand("Which customers never received an invoice?", TODAY).assumptions
    assert "I took “customers” to mean accounts." in told


def test_users_stay_users_where_they_are_named(analyst: Analyst, file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        assert database.execute(analyst.understand("How many users are there?", TODAY).sql).fetchone() == (4,)
