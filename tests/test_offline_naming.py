"""A database's names are said as people say them, and joins are found where no key declares them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agents.offline.english.words import Word, split
from agents.offline.meaning.lexicon import Lexicon
from tools.reflection import read_catalog


def _lexicon(folder: Path, script: str) -> Lexicon:
    file = folder / "names.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(script)
    return Lexicon(read_catalog(f"sqlite:///{file}"))


@pytest.fixture
def terse(tmp_path: Path) -> Lexicon:
    """Names as old systems have them: a prefix everywhere, words glued together, abbreviations."""
    return _lexicon(
        tmp_path,
        """
        CREATE TABLE zxclient (clid INTEGER PRIMARY KEY, clname TEXT, cljoindate DATE, cladresszip TEXT);
        CREATE TABLE zxinvoice (
            invid INTEGER PRIMARY KEY, invclid INTEGER REFERENCES zxclient, invamt REAL, invqty INTEGER
        );
        CREATE TABLE zxemployee (EmpFName TEXT, EmpLName TEXT, EmpTitle TEXT, EmpNo INTEGER PRIMARY KEY);
        INSERT INTO zxclient VALUES (1, 'Ann', '2024-01-01', 'A1'), (2, 'Bob', '2024-02-01', 'B2');
        INSERT INTO zxinvoice VALUES (1, 1, 10, 1), (2, 1, 20, 2);
        INSERT INTO zxemployee VALUES ('Cy', 'Dow', 'Clerk', 1);
        """,
    )


def test_what_all_names_begin_with_is_left_out(terse: Lexicon) -> None:
    assert terse.naming.table("zxclient") == ("client",)
    assert terse.naming.say_column("zxclient", "clname") == "name"


def test_glued_words_are_taken_apart_and_abbreviations_said_in_full(terse: Lexicon) -> None:
    assert terse.naming.column("zxclient", "cljoindate") == ("join", "date")
    assert terse.naming.column("zxinvoice", "invamt") == ("amount",)
    assert terse.naming.column("zxinvoice", "invqty") == ("quantity",)


def test_a_person_is_called_by_first_and_last_name_before_a_title(terse: Lexicon) -> None:
    assert terse.naming.label("zxemployee") == ("EmpFName", "EmpLName")


def test_a_row_is_called_by_its_name_and_else_by_its_key(terse: Lexicon) -> None:
    assert terse.naming.label("zxclient") == ("clname",)
    assert terse.naming.label("zxinvoice") == ("invid",)


def test_a_number_named_like_a_table_refers_to_its_key(tmp_path: Path) -> None:
    lexicon = _lexicon(
        tmp_path,
        """
        CREATE TABLE carrier (code_no INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE parcel (parcel_id INTEGER PRIMARY KEY, carrier INTEGER);
        INSERT INTO carrier VALUES (7, 'Swift'), (8, 'Slow');
        INSERT INTO parcel VALUES (1, 7), (2, 7), (3, 8);
        """,
    )
    way = lexicon.joins.path("parcel", "carrier")
    assert way is not None
    assert [(s.source_columns, s.target, s.target_columns, s.to_one) for s in way] == [
        (("carrier",), "carrier", ("code_no",), True)
    ]


def test_two_keys_to_one_table_are_ambiguous(tmp_path: Path) -> None:
    lexicon = _lexicon(
        tmp_path,
        """
        CREATE TABLE team (team_id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE game (
            game_id INTEGER PRIMARY KEY, home_id INTEGER REFERENCES team, away_id INTEGER REFERENCES team
        );
        """,
    )
    assert lexicon.joins.is_ambiguous("game", "team")


def test_a_description_gives_other_names_after_a_colon(tmp_path: Path) -> None:
    file, descriptions = tmp_path / "names.sqlite", tmp_path / "names.toml"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE t17 (id INTEGER PRIMARY KEY, x9 REAL)")
    descriptions.write_text(
        '[tables.t17]\ndescription = "What is grown here: crops, plants."\n'
        '[tables.t17.columns]\nx9 = "Kilograms per square metre: yield, harvest."\n'
    )
    lexicon = Lexicon(read_catalog(f"sqlite:///{file}", descriptions=descriptions))
    assert {m.table for _, m in lexicon.names_at(_words("crops")) if m.column is None} == {"t17"}
    assert {m.column for _, m in lexicon.names_at(_words("harvest"))} == {"x9"}


@pytest.mark.parametrize(
    ("typed", "read"), [("clinet", "client"), ("cliient", "client"), ("contract", None), ("nation", None)]
)
def test_only_slips_that_make_no_other_word_are_corrected(terse: Lexicon, typed: str, read: str | None) -> None:
    assert terse.nearest_name(_words(typed)[0]) == read


def _words(text: str) -> tuple[Word, ...]:
    return split(text)


CLUB = """
CREATE TABLE members (member_id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE departments (
    department_id INTEGER PRIMARY KEY, name TEXT, leader_id INTEGER REFERENCES members (member_id)
);
CREATE TABLE department_members (
    department_id INTEGER REFERENCES departments, member_id INTEGER REFERENCES members, since TEXT
);
"""


def test_who_belongs_to_what_stands_in_the_table_of_pairs_and_not_in_who_leads_it(tmp_path: Path) -> None:
    joins = _lexicon(tmp_path, CLUB).joins
    for way in (("members", "departments"), ("departments", "members")):
        assert [step.target for step in joins.path(*way) or ()] == ["department_members", way[1]]
    assert [step.source_columns for step in joins.path("departments", "members", hint=["leader_id"]) or ()] == [
        ("leader_id",)
    ]


def test_a_name_may_be_typed_as_the_schema_has_it() -> None:
    assert [word.text for word in split("How many order_items?")] == ["How", "many", "order", "items"]


def test_the_years_that_a_files_name_ends_with_are_no_part_of_what_it_holds(tmp_path: Path) -> None:
    alone = _lexicon(tmp_path, "CREATE TABLE Repair_jobs_2025_26 (job_no TEXT, hours REAL)").naming
    assert alone.say_table("Repair_jobs_2025_26") == "repair jobs"


def test_two_tables_that_only_their_years_tell_apart_keep_them(tmp_path: Path) -> None:
    two = _lexicon(tmp_path, "CREATE TABLE sales_2025 (day DATE); CREATE TABLE sales_2026 (day DATE)").naming
    assert len({two.say_table("sales_2025"), two.say_table("sales_2026")}) == 2
