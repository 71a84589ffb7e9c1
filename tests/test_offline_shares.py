# ruff: noqa: E501 (each question stands beside its SQL)
"""Shares, rates, days between two dates and what there is room for, on a database that no rule knows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from agents.offline.meaning.resolving import NotUnderstood
from jobs.evaluation.rows import compare

TODAY = date(2026, 11, 20)

pytest_plugins = ("tests.scripted_database",)

SCRIPT = """
CREATE TABLE gardeners (gardener_id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, town TEXT NOT NULL);
CREATE TABLE fairs (fair_id INTEGER PRIMARY KEY, name TEXT NOT NULL, opened_on DATE NOT NULL, closed_on DATE);
CREATE TABLE families (family_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE seedlings (
    seedling_id INTEGER PRIMARY KEY, name TEXT NOT NULL, family_id INTEGER NOT NULL REFERENCES families, price REAL NOT NULL,
    hardy INTEGER NOT NULL, pieces_in_stock INTEGER NOT NULL, hourly_rate REAL NOT NULL
);
CREATE TABLE purchases (
    purchase_id INTEGER PRIMARY KEY, gardener_id INTEGER REFERENCES gardeners, fair_id INTEGER REFERENCES fairs, ordered_on DATE NOT NULL,
    state TEXT NOT NULL, way TEXT NOT NULL, amount REAL NOT NULL
);
CREATE TABLE purchase_lines (
    line_id INTEGER PRIMARY KEY, purchase_id INTEGER NOT NULL REFERENCES purchases, seedling_id INTEGER NOT NULL REFERENCES seedlings
);
CREATE TABLE complaints (complaint_id INTEGER PRIMARY KEY, line_id INTEGER NOT NULL REFERENCES purchase_lines, noted_on DATE NOT NULL);
CREATE TABLE opinions (
    opinion_id INTEGER PRIMARY KEY, seedling_id INTEGER NOT NULL REFERENCES seedlings, gardener_id INTEGER NOT NULL REFERENCES gardeners,
    rating INTEGER NOT NULL
);
CREATE TABLE payments (payment_id INTEGER PRIMARY KEY, purchase_id INTEGER NOT NULL REFERENCES purchases, means TEXT NOT NULL);
CREATE TABLE parcels (
    parcel_id INTEGER PRIMARY KEY, purchase_id INTEGER NOT NULL REFERENCES purchases, courier TEXT NOT NULL, sent_on DATE NOT NULL,
    promised_on DATE NOT NULL, delivered_on DATE
);
CREATE TABLE stays (
    stay_id INTEGER PRIMARY KEY, gardener_id INTEGER NOT NULL REFERENCES gardeners, check_in DATE NOT NULL, check_out DATE NOT NULL
);
CREATE TABLE subscribers (
    subscriber_id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, birth_date DATE NOT NULL, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL
);
INSERT INTO subscribers VALUES (1, 'A', '1990-01-01', '2026-01-02 10:00:00', '2026-10-02 10:00:00'), (2, 'B', '2026-01-01', '2025-05-02 10:00:00', '2026-10-02 10:00:00');
CREATE TABLE helpers (helper_id INTEGER PRIMARY KEY, full_name TEXT NOT NULL);
CREATE TABLE bakings (
    baking_id INTEGER PRIMARY KEY, helper_id INTEGER NOT NULL REFERENCES helpers, fair_id INTEGER REFERENCES fairs, baked_on DATE NOT NULL
);
CREATE TABLE halls (hall_id INTEGER PRIMARY KEY, name TEXT NOT NULL, seats INTEGER NOT NULL, area_m3 INTEGER NOT NULL);
INSERT INTO halls VALUES (1, 'Fern', 40, 900), (2, 'Moss', 12, 200), (3, 'Ivy', 60, 700);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
INSERT INTO gardeners SELECT i, 'Gardener ' || char(64 + i), CASE i % 3 WHEN 0 THEN 'Lund' ELSE 'Ystad' END FROM n;
INSERT INTO fairs VALUES (1, 'Spring Fair', '2025-09-01', '2026-09-01'), (2, 'Bulb Days', '2026-01-09', NULL), (3, 'Harvest', '2026-03-01', NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)
INSERT INTO helpers SELECT i, 'Helper ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
INSERT INTO bakings SELECT i, (i + i / 7) % 12 + 1, CASE WHEN i % 3 > 0 THEN i % 2 + 1 END, date('2026-01-01', (i * 4) || ' days') FROM n;
INSERT INTO families VALUES (1, 'Mints'), (2, 'Roses'), (3, 'Daisies');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
INSERT INTO seedlings SELECT i, 'Seedling ' || char(64 + i), i % 3 + 1, 2 + i * 1.5, i % 4 = 0, CASE WHEN i % 5 = 0 THEN 0 ELSE i END, 20 + i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)
INSERT INTO purchases SELECT i, CASE WHEN i % 7 = 0 THEN NULL ELSE i * i % 8 + 1 END, CASE WHEN i % 3 = 0 THEN i % 2 + 1 END,
    date('2025-10-01', (i * 4) || ' days'), CASE WHEN i % 6 = 0 THEN 'cancelled' WHEN i % 11 = 0 THEN 'open' ELSE 'done' END,
    CASE i % 4 WHEN 0 THEN 'market' ELSE 'post' END, 10 + i % 13 * 4 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 170)
INSERT INTO purchase_lines SELECT i, i % 90 + 1, i * 3 % 10 + 1 FROM n;
INSERT INTO complaints SELECT line_id, line_id, '2026-05-01' FROM purchase_lines WHERE line_id % 9 IN (0, 4);
INSERT INTO opinions SELECT line_id, seedling_id, line_id % 9 + 1, line_id % 5 + 1 FROM purchase_lines WHERE line_id < 50;
INSERT INTO payments SELECT purchase_id, purchase_id, CASE WHEN purchase_id % 5 < 3 THEN 'card' ELSE 'cash' END FROM purchases WHERE state = 'done';
INSERT INTO parcels SELECT purchase_id, purchase_id, CASE purchase_id % 3 WHEN 0 THEN 'Hare' ELSE 'Snail' END, date(ordered_on, '1 days'),
    date(ordered_on, '5 days'), CASE WHEN purchase_id % 10 = 1 THEN NULL ELSE date(ordered_on, (2 + purchase_id % 6) || ' days') END
    FROM purchases WHERE way = 'post';
INSERT INTO stays SELECT purchase_id, purchase_id % 8 + 1, ordered_on, date(ordered_on, (1 + purchase_id % 4) || ' days') FROM purchases WHERE purchase_id < 40;
"""

SHARES = {
    "What share of purchases was cancelled per way?": "SELECT way, ROUND(100.0 * SUM(state = 'cancelled') / COUNT(*), 2) FROM purchases GROUP BY way",
    "What share of purchases was cancelled in each month of 2026?": "SELECT strftime('%Y-%m', ordered_on), ROUND(100.0 * SUM(state = 'cancelled') / COUNT(*), 2) FROM purchases WHERE ordered_on LIKE '2026%' GROUP BY 1",
    "What percentage of seedlings is hardy by family?": "SELECT name, ROUND(100.0 * SUM(hardy) / COUNT(*), 2) FROM families JOIN (SELECT family_id, hardy FROM seedlings) USING (family_id) GROUP BY family_id",
    "What share of purchases is paid by card?": "SELECT ROUND(100.0 * SUM(purchase_id IN (SELECT purchase_id FROM payments WHERE means = 'card')) / COUNT(*), 2) FROM purchases",
    "Share of purchases paid by card by way": "SELECT way, ROUND(100.0 * SUM(purchase_id IN (SELECT purchase_id FROM payments WHERE means = 'card')) / COUNT(*), 2) FROM purchases GROUP BY way",
    "What share of market purchases was cancelled?": "SELECT ROUND(100.0 * SUM(state = 'cancelled') / COUNT(*), 2) FROM purchases WHERE way = 'market'",
    "What share of purchases came from gardeners in Lund?": "SELECT ROUND(100.0 * SUM(COALESCE(town, '') = 'Lund') / COUNT(*), 2) FROM purchases LEFT JOIN gardeners USING (gardener_id)",
    "What share of market purchases does each fair have?": "SELECT name, COUNT(*), ROUND(100.0 * COUNT(*) / SUM(COUNT(*)) OVER (), 2) FROM purchases JOIN fairs USING (fair_id) WHERE way = 'market' GROUP BY fair_id",
    "What share of purchases came from each way?": "SELECT way, COUNT(*), ROUND(100.0 * COUNT(*) / SUM(COUNT(*)) OVER (), 2) FROM purchases GROUP BY way",
    "amount share by way": "SELECT way, SUM(amount), ROUND(100.0 * SUM(amount) / SUM(SUM(amount)) OVER (), 2) FROM purchases GROUP BY way",
}
RATES = {
    "What is the cancellation rate by way?": "SELECT way, ROUND(100.0 * SUM(state = 'cancelled') / COUNT(*), 2) FROM purchases GROUP BY way",
    "cancellation rate of market purchases": "SELECT ROUND(100.0 * SUM(state = 'cancelled') / COUNT(*), 2) FROM purchases WHERE way = 'market'",
    "Which way has the highest cancellation rate?": "SELECT way, ROUND(100.0 * SUM(state = 'cancelled') / COUNT(*), 2) FROM purchases GROUP BY way ORDER BY 2 DESC LIMIT 1",
    "What is the complaint rate per family?": "SELECT f.name, ROUND(100.0 * COUNT(c.line_id) / COUNT(*), 2) FROM families f JOIN seedlings USING (family_id) JOIN purchase_lines USING (seedling_id) LEFT JOIN complaints c USING (line_id) GROUP BY family_id",
    "Top 3 seedlings by complaint rate": "SELECT s.name, ROUND(100.0 * COUNT(c.line_id) / COUNT(*), 2) FROM seedlings s JOIN purchase_lines USING (seedling_id) LEFT JOIN complaints c USING (line_id) GROUP BY seedling_id ORDER BY 2 DESC LIMIT 3",
    "Which families have a complaint rate above 22 percent?": "SELECT f.name, ROUND(100.0 * COUNT(c.line_id) / COUNT(*), 2) FROM families f JOIN seedlings USING (family_id) JOIN purchase_lines USING (seedling_id) LEFT JOIN complaints c USING (line_id) GROUP BY family_id HAVING 100.0 * COUNT(c.line_id) / COUNT(*) > 22",
    "What is the average hourly rate by family?": "SELECT f.name, AVG(hourly_rate) FROM seedlings JOIN families f USING (family_id) GROUP BY family_id",
}
_DAYS = "AVG(julianday(delivered_on) - julianday(sent_on))"
DAYS = {
    "What is the average number of days between order and delivery?": "SELECT AVG(julianday(delivered_on) - julianday(ordered_on)) FROM parcels JOIN purchases USING (purchase_id)",
    "Average delivery time in days per courier": f"SELECT courier, {_DAYS} FROM parcels GROUP BY courier",
    "How long does delivery take on average?": f"SELECT {_DAYS} FROM parcels",
    "How many days does it take until a parcel is delivered?": f"SELECT {_DAYS} FROM parcels",
    "Which courier has the longest delivery time?": f"SELECT courier, {_DAYS} FROM parcels GROUP BY courier ORDER BY 2 DESC LIMIT 1",
    "What is the longest delivery time?": "SELECT MAX(julianday(delivered_on) - julianday(sent_on)) FROM parcels",
    "How many parcels took longer than 3 days to arrive?": "SELECT COUNT(*) FROM parcels WHERE julianday(delivered_on) - julianday(sent_on) > 3",
    "How many parcels were delivered within 3 days?": "SELECT COUNT(*) FROM parcels WHERE julianday(delivered_on) - julianday(sent_on) <= 3",
    "How many parcels were delivered in less than 3 days?": "SELECT COUNT(*) FROM parcels WHERE julianday(delivered_on) - julianday(sent_on) < 3",
    "What share of parcels took longer than 3 days per courier?": "SELECT courier, ROUND(100.0 * SUM(COALESCE(julianday(delivered_on) - julianday(sent_on) > 3, 0)) / COUNT(*), 2) FROM parcels GROUP BY courier",
    "How many parcels were delivered late?": "SELECT COUNT(*) FROM parcels WHERE delivered_on > promised_on",
    "What share of parcels arrived late per courier?": "SELECT courier, ROUND(100.0 * SUM(COALESCE(delivered_on > promised_on, 0)) / COUNT(*), 2) FROM parcels GROUP BY courier",
    "What share of parcels was delivered on time per courier?": "SELECT courier, ROUND(100.0 * SUM(COALESCE(delivered_on <= promised_on, 0)) / COUNT(*), 2) FROM parcels GROUP BY courier",
    "What is the average delivery duration?": f"SELECT {_DAYS} FROM parcels",
    "How long do fairs run?": "SELECT AVG(julianday(closed_on) - julianday(opened_on)) FROM fairs",
    "How long do gardeners stay on average?": "SELECT AVG(julianday(check_out) - julianday(check_in)) FROM stays",
    "What is the average length of stay by town?": "SELECT town, AVG(julianday(check_out) - julianday(check_in)) FROM stays JOIN gardeners USING (gardener_id) GROUP BY town",
    "Which gardeners stayed for more than 3 nights?": "SELECT full_name FROM gardeners WHERE gardener_id IN (SELECT gardener_id FROM stays WHERE julianday(check_out) - julianday(check_in) > 3)",
    "average time between sending and delivery in 2026": f"SELECT {_DAYS} FROM parcels WHERE sent_on LIKE '2026%'",
}
STATES = {
    "Which seedlings are out of stock?": "SELECT name FROM seedlings WHERE pieces_in_stock = 0",
    "Which halls have room for 40 people?": "SELECT name FROM halls WHERE seats >= 40",
    "How many halls have space for more than 40 guests?": "SELECT COUNT(*) FROM halls WHERE seats > 40",
}
_FIRST = "SELECT helper_id, MIN(baked_on) AS baked_on FROM bakings GROUP BY helper_id"
AVERAGES = {
    "Show families with an average price of more than 10": "SELECT f.name, AVG(price) FROM seedlings JOIN families f USING (family_id) GROUP BY family_id HAVING AVG(price) > 10",
    "Which ways have an average amount above 34?": "SELECT way, AVG(amount) FROM purchases GROUP BY way HAVING AVG(amount) > 34",
    "Compare the cancellation rate this year with last year": "SELECT (SELECT ROUND(100.0 * AVG(state = 'cancelled'), 2) FROM purchases WHERE ordered_on LIKE '2026%'), (SELECT ROUND(100.0 * AVG(state = 'cancelled'), 2) FROM purchases WHERE ordered_on LIKE '2025%')",
    "How many families have an average price above 11?": "SELECT COUNT(*) FROM (SELECT 1 FROM seedlings GROUP BY family_id HAVING AVG(price) > 11)",
    "families with an average price of 11 or more": "SELECT f.name, AVG(price) FROM seedlings JOIN families f USING (family_id) GROUP BY family_id HAVING AVG(price) >= 11",
}
NEW = {
    "How many new helpers per month?": f"SELECT strftime('%Y-%m', baked_on), COUNT(*) FROM ({_FIRST}) GROUP BY 1",
    "How many new helpers did we get in February 2026?": f"SELECT COUNT(*) FROM ({_FIRST}) WHERE baked_on LIKE '2026-02%'",
    "Which fair brought in the most new helpers?": f"SELECT name, COUNT(*) FROM bakings JOIN ({_FIRST}) USING (helper_id, baked_on) JOIN fairs USING (fair_id) GROUP BY fair_id ORDER BY 2 DESC LIMIT 1",
    "How many new subscribers were there in 2026?": "SELECT 1",
    "How many new fairs were there in 2026?": "SELECT COUNT(*) FROM fairs WHERE opened_on LIKE '2026%'",
}
UNCERTAIN = [
    "Show the new helpers",
    "What share of new helpers baked in 2026?",
    "How many new seedlings were there in 2026?",  # they have no date, and do nothing
    "How many new gardeners were there in 2026?",  # by their purchases, or by their stays?
    "Which halls still have room for 10 people?",  # who is in already?
    "Which gardeners have room for 10 people?",
    "Which halls are out of stock?",
    "What do our gardeners earn?",
    "How long does it take to send a parcel?",  # from when?
    "How many parcels took longer than 3 days to send?",
    "How many days did we lose?",
    "How many complaints arrived late?",
    "What is the total delivery time?",
    "What is the on-time delivery rate?",
    "What is the post rate?",  # posted is no state of a purchase
    "no-show rate by way",
    "Which way has the worst cancellation rate?",
    "Which courier has the best delivery time?",
    "How many returning gardeners are there?",
    "How many gardeners are returning?",
    "How many purchases were delivered within 3 days?",  # of the purchase, or of the sending?
    "How many seedlings were delivered within 3 days?",
    "share of purchases per way and month",
    "What does the average purchase price cost?",
    "Average stay price",  # a seedling's
    "How long have gardeners been here?",
    "share of market purchases per fair",  # of all market purchases, or of the fair's purchases?
    "share of hardy seedlings by family",
    "What is the conversion rate by way?",
    "What is the opinion rate by seedling?",  # of seedlings or of gardeners? And no rating.
    "What is the return rate by family?",
]


@pytest.mark.parametrize("question", [*SHARES, *RATES, *DAYS, *STATES, *NEW, *AVERAGES])
def test_a_question_is_answered_as_it_is_meant(database: Path, analyst: Analyst, question: str) -> None:
    sql = analyst.understand(question, TODAY).sql
    with closing(sqlite3.connect(database)) as connection:
        gold = connection.execute((SHARES | RATES | DAYS | STATES | NEW | AVERAGES)[question]).fetchall()
        got = connection.execute(sql).fetchall()
    assert gold and compare(gold, got, ordered=False), (sql, gold, got)


@pytest.mark.parametrize("question", UNCERTAIN)
def test_what_may_be_meant_otherwise_is_declined(analyst: Analyst, question: str) -> None:
    with pytest.raises(NotUnderstood):
        analyst.understand(question, TODAY)


def test_a_rate_says_what_it_is_a_share_of(analyst: Analyst) -> None:
    told = analyst.understand("What is the complaint rate per family?", TODAY).assumptions
    assert "The complaint rate is the share of purchase lines with complaints." in told
    told = analyst.understand("cancellation rate", TODAY).assumptions
    assert told == ("The cancellation rate is the share of purchases with state “cancelled”.",)


def test_a_share_that_is_asked_by_group_afterwards_keeps_its_whole(database: Path, analyst: Analyst) -> None:
    first = analyst.understand("What share of purchases was cancelled?", TODAY)
    sql = analyst.understand("and by way?", TODAY, before=first.reading).sql
    with closing(sqlite3.connect(database)) as connection:
        gold = connection.execute(SHARES["What share of purchases was cancelled per way?"]).fetchall()
        assert compare(gold, connection.execute(sql).fetchall(), ordered=False), sql


def test_a_rate_and_days_are_said_again_for_other_groups(analyst: Analyst) -> None:
    for question in ("What is the cancellation rate?", "How long does delivery take?"):
        understood = analyst.understand(question, TODAY)
        other = replace(understood.plan, groups=(analyst.groupings(understood.plan.measures[0].table)[0],))
        said = analyst.question_for(other, TODAY)
        assert said is not None and said[1] == analyst.build(other) != understood.sql


def test_days_say_from_which_date_to_which_they_are_counted(analyst: Analyst) -> None:
    told = analyst.understand("How long does delivery take?", TODAY).assumptions
    assert told == ("The average is shown.", "Days are counted from parcels.sent_on to parcels.delivered_on.")
    told = analyst.understand("How many parcels were delivered late?", TODAY).assumptions
    assert told == ("I took “late” to mean that parcels.delivered_on is after promised_on.",)
