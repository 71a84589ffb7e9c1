# ruff: noqa: E501 (each question stands beside its SQL)
"""A library's questions, answered by rules: each answer's rows equal those of SQL written by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.offline.analyst import Analyst
from agents.offline.writer import OfflineWriter
from agents.question import Complaint, Question, Turn
from errors import QuestionDeclined, SQLFailed
from jobs.evaluation.rows import compare
from tools.catalog import Catalog, Found
from tools.reflection import read_catalog

TODAY = date(2026, 11, 20)
NOTHING_FOUND = Found(())

SCHEMA = """
CREATE TABLE branches (branch_id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT NOT NULL, opened DATE NOT NULL);
CREATE TABLE members (
    member_id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, email TEXT,
    joined_on DATE NOT NULL, level TEXT NOT NULL, branch_id INTEGER NOT NULL REFERENCES branches
);
CREATE TABLE authors (author_id INTEGER PRIMARY KEY, name TEXT NOT NULL, nationality TEXT, birth_year INTEGER);
CREATE TABLE books (
    book_id INTEGER PRIMARY KEY, title TEXT NOT NULL, author_id INTEGER NOT NULL REFERENCES authors,
    genre TEXT NOT NULL, pages INTEGER NOT NULL, published INTEGER NOT NULL, price NUMERIC(8, 2) NOT NULL
);
CREATE TABLE tags (tag_id INTEGER PRIMARY KEY, label TEXT NOT NULL);
CREATE TABLE book_tags (
    book_id INTEGER NOT NULL REFERENCES books, tag_id INTEGER NOT NULL REFERENCES tags, PRIMARY KEY (book_id, tag_id)
);
CREATE TABLE loans (
    loan_id INTEGER PRIMARY KEY, book_id INTEGER NOT NULL REFERENCES books,
    member_id INTEGER NOT NULL REFERENCES members, loaned_at TIMESTAMP NOT NULL, returned_at TIMESTAMP,
    fine NUMERIC(6, 2) NOT NULL
);
"""
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "branches": [
        (1, "Central", "Ashford", "2001-04-02"),
        (2, "Riverside", "Ashford", "2010-09-13"),
        (3, "Hilltop", "Brampton", "2019-01-07"),
    ],
    "members": [
        (1, "Ada", "Moss", "ada@x.org", "2023-02-03", "adult", 1),
        (2, "Ben", "Cole", None, "2024-05-06", "adult", 1),
        (3, "Cara", "Dunn", "cara@x.org", "2025-01-15", "student", 2),
        (4, "Dov", "Eden", "dov@x.org", "2025-03-20", "student", 2),
        (5, "Ella", "Fry", None, "2025-11-02", "child", 3),
        (6, "Finn", "Gray", "finn@x.org", "2026-02-11", "adult", 3),
        (7, "Gus", "Hale", "gus@x.org", "2026-06-30", "child", 1),
    ],
    "authors": [
        (1, "Ursula Kern", "Germany", 1950),
        (2, "Paul Vance", "United Kingdom", 1962),
        (3, "Mira Sato", "Japan", 1980),
        (4, "Lena Holt", "Germany", 1991),
        (5, "Otto Bly", None, 1975),
    ],
    "books": [
        (1, "The Salt Road", 1, "Novel", 320, 1999, 12.5),
        (2, "Night Trains", 1, "Crime", 280, 2005, 9.9),
        (3, "Glass Harbour", 2, "Crime", 410, 2012, 14.0),
        (4, "Small Gods of Rain", 3, "Poetry", 96, 2018, 8.0),
        (5, "Paper Cities", 3, "Novel", 510, 2021, 19.9),
        (6, "The Long Winter", 4, "Novel", 350, 2023, 17.5),
        (7, "Field Notes", 2, "Essay", 150, 2016, 11.0),
    ],
    "tags": [(1, "classic"), (2, "translated"), (3, "award winner")],
    "book_tags": [(1, 1), (1, 2), (3, 3), (4, 2), (5, 2), (5, 3)],
}


def _loans() -> Iterator[tuple[Any, ...]]:
    """Sixty loans, eleven days apart; the last four are still out."""
    first = datetime(2025, 1, 10, 10)
    for n in range(60):
        at = first + timedelta(days=11 * n)
        back = at + timedelta(days=7 + n % 20) if n < 56 else None
        book, member = (1, 2, 3, 5, 6, 1, 3, 5, 1, 2)[n % 10], (1, 2, 3, 4, 5, 1, 1, 3, 2, 4, 6)[n % 11]
        yield n + 1, book, member, at.isoformat(" "), back and back.isoformat(" "), 0 if n % 4 else 1.5 + n % 3


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("library") / "library.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(SCHEMA)
        for table, rows in {**ROWS, "loans": list(_loans())}.items():
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    return file


@pytest.fixture(scope="module")
def catalog(file: Path) -> Catalog:
    return read_catalog(f"sqlite:///{file}")


@pytest.fixture(scope="module")
def writer(catalog: Catalog) -> OfflineWriter:
    return OfflineWriter(Analyst(catalog))


def rows_of(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


async def answer(writer: OfflineWriter, file: Path, *questions: str) -> list[tuple[Any, ...]]:
    """Ask the questions one after the other, as in a conversation; return the last answer's rows."""
    turns: list[Turn] = []
    for text in questions:
        draft = await writer.write(Question(text, TODAY, tuple(turns)), NOTHING_FOUND, None)
        turns.append(Turn(text, draft.reading, draft.sql))
    return rows_of(file, turns[-1].sql)


QUESTIONS = {
    "How many books are there?": "SELECT COUNT(*) FROM books",
    "How many members does each branch have?": "SELECT b.name, COUNT(*) FROM members JOIN branches b USING (branch_id) GROUP BY 1",
    "Which authors are from Germany?": "SELECT name FROM authors WHERE nationality = 'Germany'",
    "How many German authors are there?": "SELECT COUNT(*) FROM authors WHERE nationality = 'Germany'",
    "List the titles of all novels": "SELECT title FROM books WHERE genre = 'Novel'",
    "What are the titles and prices of books longer than 300 pages?": "SELECT title, price FROM books WHERE pages > 300",
    "Which book is the longest?": "SELECT 'Paper Cities'",
    "What is the most expensive crime book?": "SELECT 'Glass Harbour'",
    "Which author has written the most books?": "SELECT name FROM authors JOIN books USING (author_id) GROUP BY author_id ORDER BY COUNT(*) DESC, author_id LIMIT 1",
    "Who are the three members with the most loans?": "SELECT last_name, COUNT(*) FROM loans JOIN members USING (member_id) GROUP BY member_id ORDER BY 2 DESC, member_id LIMIT 3",
    "How many loans were there last year?": "SELECT COUNT(*) FROM loans WHERE loaned_at LIKE '2025%'",
    "How many loans per month in 2026?": "SELECT strftime('%Y-%m', loaned_at), COUNT(*) FROM loans WHERE loaned_at LIKE '2026%' GROUP BY 1",
    "Loans by weekday": "SELECT CASE strftime('%w', loaned_at) WHEN '0' THEN 'Sunday' WHEN '1' THEN 'Monday' WHEN '2' THEN 'Tuesday' WHEN '3' THEN 'Wednesday' WHEN '4' THEN 'Thursday' WHEN '5' THEN 'Friday' WHEN '6' THEN 'Saturday' END, COUNT(*) FROM loans GROUP BY 1",
    "How many loans were there between March and May 2025?": "SELECT COUNT(*) FROM loans WHERE date(loaned_at) BETWEEN '2025-03-01' AND '2025-05-31'",
    "Average price by genre": "SELECT genre, AVG(price) FROM books GROUP BY genre",
    "What is the average number of pages per genre, highest first?": "SELECT genre, AVG(pages) FROM books GROUP BY genre",
    "Minimum, maximum and average price of books": "SELECT MIN(price), MAX(price), AVG(price) FROM books",
    "Which books have never been loaned?": "SELECT title FROM books WHERE book_id NOT IN (SELECT book_id FROM loans)",
    "Which members have no email?": "SELECT last_name FROM members WHERE email IS NULL",
    "How many members have an email?": "SELECT COUNT(email) FROM members",
    "Which books have not been returned?": "SELECT DISTINCT title FROM books JOIN loans USING (book_id) WHERE returned_at IS NULL",
    "How many loans are not returned yet?": "SELECT COUNT(*) FROM loans WHERE returned_at IS NULL",
    "Total fines per branch": "SELECT b.name, SUM(fine) FROM loans JOIN members USING (member_id) JOIN branches b USING (branch_id) GROUP BY 1",
    "How much did members pay in fines this year?": "SELECT SUM(fine) FROM loans WHERE loaned_at LIKE '2026%'",
    "Which books have the tag award winner but not translated?": "SELECT 'Glass Harbour'",
    "How many books have both the tag classic and the tag translated?": "SELECT 1",
    "Show the names of members who joined in 2025": "SELECT first_name, last_name FROM members WHERE joined_on LIKE '2025%'",
    "Which members joined after March 2025?": "SELECT last_name FROM members WHERE joined_on > '2025-03-31'",
    "How many books were published before 2010?": "SELECT COUNT(*) FROM books WHERE published < 2010",
    "Which genres have more than one book?": "SELECT genre FROM books GROUP BY genre HAVING COUNT(*) > 1",
    "Which members have more than 8 loans?": "SELECT last_name FROM loans JOIN members USING (member_id) GROUP BY member_id HAVING COUNT(*) > 8",
    "Which books were loaned more than 12 times?": "SELECT title FROM loans JOIN books USING (book_id) GROUP BY book_id HAVING COUNT(*) > 12",
    "What share of books are novels?": "SELECT ROUND(300.0 / 7, 2)",
    "Share of loans per genre": "SELECT genre, COUNT(*) * 100.0 / 60 FROM loans JOIN books USING (book_id) GROUP BY genre",
    "How many different nationalities do authors have?": "SELECT COUNT(DISTINCT nationality) FROM authors",
    "Which authors were born after 1970?": "SELECT name FROM authors WHERE birth_year > 1970",
    "Who is the oldest author?": "SELECT 'Ursula Kern'",
    "Which books cost more than the average?": "SELECT title FROM books WHERE price > (SELECT AVG(price) FROM books)",
    "List books by Ursula Kern": "SELECT title FROM books WHERE author_id = 1",
    "Books not by Ursula Kern": "SELECT title FROM books WHERE author_id <> 1",
    "Number of members per level and branch": "SELECT level, b.name, COUNT(*) FROM members JOIN branches b USING (branch_id) GROUP BY 1, 2",
    'Books whose title starts with "The"': "SELECT title FROM books WHERE title LIKE 'The%'",
    'Books with "gods" in the title': "SELECT 'Small Gods of Rain'",
    "Is there a book by Mira Sato?": "SELECT 2",
    "What is the email of Cara Dunn?": "SELECT 'cara@x.org'",
    "When did Ada Moss join?": "SELECT '2023-02-03'",
    "Where is the Hilltop branch?": "SELECT 'Brampton'",
    "Which town has the most branches?": "SELECT 'Ashford'",
    "In which year did most members join?": "SELECT '2025'",
    "Which novel was loaned most often?": "SELECT 'The Salt Road'",
    "The five most expensive books": "SELECT title FROM books ORDER BY price DESC LIMIT 5",
    "Members of the Central branch ordered by last name": "SELECT first_name, last_name FROM members WHERE branch_id = 1",
    "How many books cost at least 12 and at most 18?": "SELECT COUNT(*) FROM books WHERE price BETWEEN 12 AND 18",
    "How many books have between 100 and 300 pages?": "SELECT COUNT(*) FROM books WHERE pages BETWEEN 100 AND 300",
    "What is the total number of pages of books by German authors?": "SELECT SUM(pages) FROM books WHERE author_id IN (1, 4)",
    "What is the longest novel by a German author?": "SELECT 'The Long Winter'",
    "Which members borrowed Paper Cities?": "SELECT last_name FROM members WHERE member_id IN (SELECT member_id FROM loans WHERE book_id = 5)",
    "Which members never borrowed a crime book?": "SELECT last_name FROM members WHERE member_id NOT IN (SELECT member_id FROM loans WHERE book_id IN (2, 3))",
    "How many members are students or children?": "SELECT COUNT(*) FROM members WHERE level IN ('student', 'child')",
    "How many books are there per tag?": "SELECT label, COUNT(*) FROM tags JOIN book_tags USING (tag_id) GROUP BY label",
    "Show members with their branch": "SELECT last_name, b.name FROM members JOIN branches b USING (branch_id)",
    "List the top 3 members by fines": "SELECT last_name FROM loans JOIN members USING (member_id) GROUP BY member_id ORDER BY SUM(fine) DESC LIMIT 3",
    "The last 5 loans": "SELECT loan_id FROM loans ORDER BY loaned_at DESC LIMIT 5",
    "Which branch opened first?": "SELECT 'Central'",
    "Loans in 2026 versus 2025": "SELECT SUM(loaned_at LIKE '2026%'), SUM(loaned_at LIKE '2025%') FROM loans",
    "Compare loans this year with last year by branch": "SELECT b.name, SUM(loaned_at LIKE '2026%'), SUM(loaned_at LIKE '2025%') FROM loans JOIN members USING (member_id) JOIN branches b USING (branch_id) GROUP BY 1",
    "How many memebrs are there?": "SELECT COUNT(*) FROM members",
    "Cheapest book per genre": "SELECT genre, title FROM books b WHERE price = (SELECT MIN(price) FROM books WHERE genre = b.genre)",
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_is_answered_with_the_rows_it_asks_for(
    writer: OfflineWriter, file: Path, question: str
) -> None:
    expected = rows_of(file, QUESTIONS[question])
    found = await answer(writer, file, question)
    assert compare(expected, found), f"answered {found[:5]}, expected {expected[:5]}"


DECLINED = {
    "What is the weather today?": "weather",
    "Which publishers do we have?": "publishers",
    "Which book is older than Night Trains?": "older than",
    "Who wrote Glass Harbour?": "who",
    "Number of books per decade": "decade",
    "How many loans were there on the moon?": "moon",
    "delete all loans": "delete",
    "Which authors are popular?": "popular",
    "How many days were books kept on average?": "kept",
    "Wie viele Bücher gibt es?": "English",
    "asdf qwer zxcv": "asdf",
}


@pytest.mark.parametrize("question", DECLINED)
async def test_a_part_that_is_not_understood_is_named(writer: OfflineWriter, question: str) -> None:
    with pytest.raises(QuestionDeclined) as declined:
        await writer.write(Question(question, TODAY), NOTHING_FOUND, None)
    assert DECLINED[question] in str(declined.value)
    assert declined.value.suggestions


async def test_what_is_suggested_instead_can_be_answered(writer: OfflineWriter, file: Path) -> None:
    with pytest.raises(QuestionDeclined) as declined:
        await writer.write(Question("What is the weather today?", TODAY), NOTHING_FOUND, None)
    for suggestion in declined.value.suggestions:
        assert await answer(writer, file, suggestion)


CONVERSATIONS = {
    ("How many loans per month this year", "what about last year?"): "SELECT strftime('%Y-%m', loaned_at), COUNT(*) FROM loans WHERE loaned_at LIKE '2025%' GROUP BY 1",
    ("How many loans per month this year", "and by branch?"): "SELECT b.name, COUNT(*) FROM loans JOIN members USING (member_id) JOIN branches b USING (branch_id) WHERE loaned_at LIKE '2026%' GROUP BY 1",
    ("How many loans per month this year", "and by branch?", "only adults"): "SELECT b.name, COUNT(*) FROM loans JOIN members USING (member_id) JOIN branches b USING (branch_id) WHERE loaned_at LIKE '2026%' AND level = 'adult' GROUP BY 1",
    ("Average price by genre", "only for books after 2010"): "SELECT genre, AVG(price) FROM books WHERE published > 2010 GROUP BY genre",
    ("Average price by genre", "and the maximum?"): "SELECT genre, MAX(price) FROM books GROUP BY genre",
    ("Which author has written the most books?", "top 3"): "SELECT name FROM authors JOIN books USING (author_id) GROUP BY author_id ORDER BY COUNT(*) DESC, author_id LIMIT 3",
    ("How many members does each branch have?", "only adults", "and students?"): "SELECT b.name, COUNT(*) FROM members JOIN branches b USING (branch_id) WHERE level = 'student' GROUP BY 1",
    ("Number of loans per genre", "as a share", "only in 2026"): "SELECT genre, COUNT(*) FROM loans JOIN books USING (book_id) WHERE loaned_at LIKE '2026%' GROUP BY genre",
    ("How many loans were there last year?", "How many books are there?"): "SELECT COUNT(*) FROM books",
    ("Which members have no email?", "with their level"): "SELECT last_name, level FROM members WHERE email IS NULL",
}  # fmt: skip


@pytest.mark.parametrize("turns", CONVERSATIONS, ids=" → ".join)
async def test_a_follow_up_changes_one_part_of_the_question_before(
    writer: OfflineWriter, file: Path, turns: tuple[str, ...]
) -> None:
    expected = rows_of(file, CONVERSATIONS[turns])
    found = await answer(writer, file, *turns)
    assert compare(expected, found), f"answered {found[:5]}, expected {expected[:5]}"


async def test_the_reading_of_a_follow_up_needs_no_earlier_turn(writer: OfflineWriter) -> None:
    first = await writer.write(Question("Average price by genre", TODAY), NOTHING_FOUND, None)
    turns = (Turn("Average price by genre", first.reading, first.sql),)
    second = await writer.write(Question("and the maximum?", TODAY, turns), NOTHING_FOUND, None)
    alone = await writer.write(Question(second.reading, TODAY), NOTHING_FOUND, None)
    assert alone.sql == second.sql


async def test_assumptions_say_the_days_and_the_column_that_were_taken(writer: OfflineWriter) -> None:
    draft = await writer.write(Question("How many loans were there last quarter?", TODAY), NOTHING_FOUND, None)
    assert draft.assumptions == ("Last quarter means 1 July to 30 September 2026, by the loans' loaned at.",)


async def test_a_misspelled_name_is_said_to_be_corrected(writer: OfflineWriter) -> None:
    draft = await writer.write(Question("How many memebrs are there?", TODAY), NOTHING_FOUND, None)
    assert any("memebrs" in assumption for assumption in draft.assumptions)


async def test_a_complaint_cannot_be_mended_by_rules(writer: OfflineWriter) -> None:
    draft = await writer.write(Question("How many books are there?", TODAY), NOTHING_FOUND, None)
    complaint = Complaint(draft.sql, "no such table")
    with pytest.raises(SQLFailed, match="no such table"):
        await writer.write(Question("How many books are there?", TODAY), NOTHING_FOUND, complaint)


@pytest.mark.parametrize(
    "text",
    ["In which year did most members join?", "For each genre, how many books are there?", "How many books are there?"],
)
async def test_a_whole_question_is_asked_anew_whatever_came_before(writer: OfflineWriter, text: str) -> None:
    first = await writer.write(Question("How many loans were there last year?", TODAY), NOTHING_FOUND, None)
    turns = (Turn("How many loans were there last year?", first.reading, first.sql),)
    after = await writer.write(Question(text, TODAY, turns), NOTHING_FOUND, None)
    alone = await writer.write(Question(text, TODAY), NOTHING_FOUND, None)
    assert after.sql == alone.sql
    assert after.reading == text
