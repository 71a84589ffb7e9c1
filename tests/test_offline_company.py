# ruff: noqa: E501 (each question stands beside its SQL)
"""A company with abbreviated names, a bridge that holds hours, numbers kept as text and a table that refers to itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from agents.offline.writer import OfflineWriter
from agents.question import Question
from errors import QuestionDeclined
from jobs.evaluation.rows import compare
from tools.catalog import Found
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)

SCRIPT = """
CREATE TABLE departments (dept_id INTEGER PRIMARY KEY, dept_name TEXT, location TEXT, budget REAL);
CREATE TABLE employees (
    emp_id INTEGER PRIMARY KEY, name TEXT, age TEXT, sex CHAR(1), job TEXT, salary REAL, hired DATE, left_on DATE,
    is_remote BOOLEAN, dept_id INTEGER REFERENCES departments (dept_id), manager_id INTEGER REFERENCES employees (emp_id)
);
CREATE TABLE projects (
    proj_id INTEGER PRIMARY KEY, title TEXT, status TEXT, start_date DATE, end_date DATE, cost REAL, opening_year INTEGER
);
CREATE TABLE assignments (
    emp_id INTEGER REFERENCES employees, proj_id INTEGER REFERENCES projects, hours INTEGER, grade TEXT,
    PRIMARY KEY (emp_id, proj_id)
);
INSERT INTO departments VALUES (1, 'Sales', 'London', 100000), (2, 'Engineering', 'Paris', 300000), (3, 'Legal', 'London', 50000);
INSERT INTO employees VALUES
    (1, 'Ann Lee', '51', 'F', 'Manager', 9000, '2015-01-01', NULL, 0, 1, NULL),
    (2, 'Bob Ray', '38', 'M', 'Engineer', 6000, '2018-03-01', NULL, 1, 2, 1),
    (3, 'Cid Moe', '33', 'M', 'Engineer', 6500, '2020-06-01', '2026-02-28', 0, 2, 1),
    (4, 'Dee Fox', '29', 'F', 'Clerk', 3000, '2021-09-01', NULL, 1, 1, 1),
    (5, 'Eve Kay', '33', 'F', 'Engineer', 7000, '2022-02-02', NULL, 0, 2, 2);
INSERT INTO projects VALUES
    (1, 'Apollo', 'active', '2024-01-01', NULL, 50000, 2024), (2, 'Borealis', 'finished', '2023-01-01', '2023-12-31', 20000, 2023),
    (3, 'Comet', 'planned', '2026-12-01', NULL, 90000, 2026);
INSERT INTO assignments VALUES (2, 1, 100, 'A'), (3, 1, 50, 'B'), (5, 2, 70, 'B'), (2, 2, 30, 'A'), (4, 1, 10, 'C');
"""

QUESTIONS = {
    "How many employees are in each department?": "SELECT dept_name, COUNT(*) FROM employees JOIN departments USING (dept_id) GROUP BY 1",
    "List the name and salary of all engineers": "SELECT name, salary FROM employees WHERE job = 'Engineer'",
    "Which department has the highest budget?": "SELECT 'Engineering'",
    "What is the average salary by department?": "SELECT dept_name, AVG(salary) FROM employees JOIN departments USING (dept_id) GROUP BY 1",
    "Average salary of employees in Engineering": "SELECT 6500",
    "Which employees earn more than 6000?": "SELECT name FROM employees WHERE salary > 6000",
    "Who has the highest salary?": "SELECT 'Ann Lee'",
    "Who is the youngest employee?": "SELECT 'Dee Fox'",
    "Which employees are older than 35?": "SELECT name FROM employees WHERE CAST(age AS INT) > 35",
    "Which employees are aged 33 or 51?": "SELECT name FROM employees WHERE age IN ('33', '51')",
    "How many women work in London?": "SELECT 2",
    "How many remote employees are there?": "SELECT 2",
    "Which employees are not remote?": "SELECT name FROM employees WHERE is_remote = 0",
    "Which employees have left?": "SELECT 'Cid Moe'",
    "Employees hired before 2020": "SELECT name FROM employees WHERE hired < '2020-01-01'",
    "Number of employees hired per year": "SELECT strftime('%Y', hired), COUNT(*) FROM employees GROUP BY 1",
    "Which employee was hired last?": "SELECT 'Eve Kay'",
    "When was Eve Kay hired?": "SELECT '2022-02-02'",
    "How old is Bob Ray?": "SELECT '38'",
    "Which projects have no end date?": "SELECT title FROM projects WHERE end_date IS NULL",
    "How many projects were opened after 2023?": "SELECT 2",
    "Which employees work on Apollo?": "SELECT name FROM employees JOIN assignments USING (emp_id) WHERE proj_id = 1",
    "Which employees are not assigned to any project?": "SELECT 'Ann Lee'",
    "Which employees work on both Apollo and Borealis?": "SELECT 'Bob Ray'",
    "Which employees work on Apollo but not on Borealis?": "SELECT name FROM employees WHERE emp_id IN (3, 4)",
    "How many hours were spent on each project?": "SELECT title, SUM(hours) FROM assignments JOIN projects USING (proj_id) GROUP BY 1",
    "Which employee has the most hours?": "SELECT 'Bob Ray'",
    "Give me the employees with grade A": "SELECT 'Bob Ray'",
    "Show the names of employees and the projects they work on": "SELECT name, title FROM employees JOIN assignments USING (emp_id) JOIN projects USING (proj_id)",
    "Highest, lowest and average salary": "SELECT 9000, 3000, 6300",
    "What is the highest and lowest salary per job?": "SELECT job, MAX(salary), MIN(salary) FROM employees GROUP BY job",
    "Which jobs have at least two employees?": "SELECT 'Engineer'",
    "Which department does Cid Moe work in?": "SELECT 'Engineering'",
    "What is the budget of the department where Dee Fox works?": "SELECT 100000",
    "Which departments have no employees?": "SELECT 'Legal'",
    "What jobs are there?": "SELECT DISTINCT job FROM employees",
    "Name the three best paid employees": "SELECT name FROM employees ORDER BY salary DESC LIMIT 3",
    "List the employees with their job and salary": "SELECT name, job, salary FROM employees",
    "Are there any clerks?": "SELECT 1",
    "How many hours did Bob Ray work?": "SELECT 130",
    "What percent of employees are engineers?": "SELECT 60",
    "List employees, oldest first": "SELECT name FROM employees",
    "Who is the manager of Bob Ray?": "SELECT 'Ann Lee'",
    "Oldest employee per department": "SELECT 'Sales', 'Ann Lee' UNION SELECT 'Engineering', 'Bob Ray'",
    "The two highest paid employees in each department": "SELECT 'Sales', 'Ann Lee' UNION SELECT 'Sales', 'Dee Fox' UNION SELECT 'Engineering', 'Eve Kay' UNION SELECT 'Engineering', 'Cid Moe'",
}

DECLINED = (
    "Which employees work on every project?",
    "Which departments are popular?",
    "How many holidays do employees have?",
    "Which employees are paid less than 3000 and more than 8000?",
    "List the employees of the moon base",
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("company") / "company.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(SCRIPT)
    return file


@pytest.fixture(scope="module")
def writer(file: Path) -> OfflineWriter:
    return OfflineWriter(Analyst(read_catalog(f"sqlite:///{file}")))


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_is_answered_with_the_rows_it_asks_for(
    writer: OfflineWriter, file: Path, question: str
) -> None:
    draft = await writer.write(Question(question, TODAY), Found(()), None)
    with closing(sqlite3.connect(file)) as connection:
        expected = connection.execute(QUESTIONS[question]).fetchall()
        found = connection.execute(draft.sql).fetchall()
    assert compare(expected, found), f"{draft.sql}\nanswered {found[:5]}, expected {expected[:5]}"


@pytest.mark.parametrize("question", DECLINED)
async def test_no_answer_is_better_than_a_wrong_one(writer: OfflineWriter, question: str) -> None:
    with pytest.raises(QuestionDeclined):
        await writer.write(Question(question, TODAY), Found(()), None)


async def test_oldest_first_orders_by_age_as_a_number(writer: OfflineWriter, file: Path) -> None:
    draft = await writer.write(Question("List employees, oldest first", TODAY), Found(()), None)
    with closing(sqlite3.connect(file)) as connection:
        ages = [int(row[-1]) for row in connection.execute(draft.sql)]
    assert ages == sorted(ages, reverse=True)


async def test_a_value_with_a_quote_stays_a_value(writer: OfflineWriter, file: Path) -> None:
    text = "Which employees have the name \"x' OR '1'='1\"?"
    draft = await writer.write(Question(text, TODAY), Found(()), None)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute(draft.sql).fetchall() == []


TRIPS = """
CREATE TABLE stations (code TEXT PRIMARY KEY, name TEXT, town TEXT);
CREATE TABLE trips (
    trip_id INTEGER PRIMARY KEY, origin_station TEXT REFERENCES stations (code), dest_station TEXT REFERENCES stations (code)
);
INSERT INTO stations VALUES ('AAA', 'Alpha Central', 'Arden'), ('BBB', 'Beta Park', 'Bexley'), ('CCC', 'Gamma North', 'Corby');
INSERT INTO trips VALUES (1, 'AAA', 'BBB'), (2, 'BBB', 'AAA'), (3, 'AAA', 'CCC'), (4, 'CCC', 'BBB');
"""


@pytest.mark.parametrize(
    ("question", "count"),
    {
        "How many trips depart from AAA?": 2,
        "How many trips depart from Arden?": 2,
        "How many trips arrive in Corby?": 1,
        "How many trips go from Arden to Bexley?": 1,
        "How many trips have destination BBB?": 2,
    }.items(),
)
async def test_two_keys_to_one_table_are_told_apart_by_the_side_that_is_said(
    tmp_path: Path, question: str, count: int
) -> None:
    file = tmp_path / "trips.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(TRIPS)
        writer = OfflineWriter(Analyst(read_catalog(f"sqlite:///{file}")))
        draft = await writer.write(Question(question, TODAY), Found(()), None)
        assert connection.execute(draft.sql).fetchall() == [(count,)]


async def test_two_keys_to_one_table_are_not_guessed_between(tmp_path: Path) -> None:
    file = tmp_path / "trips.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(TRIPS)
    writer = OfflineWriter(Analyst(read_catalog(f"sqlite:///{file}")))
    with pytest.raises(QuestionDeclined, match="say which one you mean"):
        await writer.write(Question("How many trips are there at Arden?", TODAY), Found(()), None)
