"""SQL, types and complaints keep what is known to be a name, and lose whatever may be a value."""

import pytest

from agents.blanking import blank_complaint, blank_sql, blank_type
from tools.catalog import Dialect


@pytest.mark.parametrize(
    ("dialect", "sql", "blank"),
    [
        ("sqlite", "SELECT a FROM t WHERE b = 'it''s ZQX' -- ZQX\nLIMIT 5", "SELECT a FROM t WHERE b = ? LIMIT ?"),
        ("sqlite", 'SELECT "a" FROM t WHERE b = "ZQX" /* ZQX */', 'SELECT "a" FROM t WHERE b = ?'),
        ("sqlite", "SELECT x'5A5158' || 7310.5e3 FROM t", "SELECT ? || ? FROM t"),
        ("postgres", r"SELECT E'it\'s ZQX', $$ZQX ZQX$$, $1 FROM t", "SELECT ? , ? , ? ? FROM t"),
        ("postgres", "SELECT 7_310_000, b::date, _id FROM t", "SELECT ? ? , b :: date , ? FROM t"),
        ("mysql", r"SELECT 'it\'s ZQX', `a` FROM t WHERE b = N'ZQX'", "SELECT ? , `a` FROM t WHERE b = ?"),
        ("duckdb", "SELECT DATE '1931-03-07', a FROM t", "SELECT DATE ? , a FROM t"),
        (
            "duckdb",
            "SELECT 0x7310AB, 0b11, round(a, 2) FROM t LIMIT 5",
            "SELECT ? ? , ? ? , round ( a , ? ) FROM t LIMIT ?",
        ),
        ("postgres", "SELECT 0o7310 FROM t", "SELECT ? ? FROM t"),
        ("sqlite", "SELECT 'ZQX", ""),
    ],
)
def test_sql_keeps_its_names_and_no_value(dialect: Dialect, sql: str, blank: str) -> None:
    assert blank_sql(sql, dialect, {"a", "t"}) == blank


@pytest.mark.parametrize(
    ("complaint", "blank"),
    [
        ('invalid input syntax for type date: "ZQX 7310"', 'invalid input syntax for type date: "…"'),
        ("Could not convert string 'it's ZQX' to INT32", "Could not convert string 'it'…' to …"),
        ("Overflow in multiplication of ZQX (7310 * 99)", "Overflow in … of …)"),
        ('column "totl" does not exist LINE 1: SELECT totl', 'column "totl" does not exist LINE …: SELECT totl'),
        ("There is no column totl. Near it: unit_price.", "There is no column totl. Near it: unit_price."),
    ],
)
def test_a_complaint_keeps_known_words_only(complaint: str, blank: str) -> None:
    assert blank_complaint(complaint, "SELECT totl FROM t", {"unit_price"}) == blank


def test_a_type_that_lists_its_values_loses_them() -> None:
    assert blank_type("ENUM('ZQX', 'b')") == "ENUM"
    assert blank_type("DECIMAL(10, 2)") == "DECIMAL(10, 2)"
