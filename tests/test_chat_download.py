"""What of the rows a spreadsheet gets."""

from __future__ import annotations

import base64
import csv
import gzip
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from chat.download import packed_csv
from tools.sql_runner import Rows


def as_csv(rows: Rows) -> str:
    return gzip.decompress(base64.b64decode(packed_csv(rows)["packed"])).decode("utf-8-sig")


def read_back(*values: Any) -> list[str]:
    rows = Rows(tuple(f"c{i}" for i in range(len(values))), (values,), truncated=False, seconds=0.0)
    _, line = csv.reader(as_csv(rows).splitlines(keepends=True))
    return line


def test_values_are_whole_and_unrounded() -> None:
    values = (
        1234.5678,
        Decimal("19.90"),
        7,
        True,
        date(2026, 11, 21),
        datetime(2026, 11, 21, 8, 30),
        b"\xff",
        None,
        "",
    )
    assert read_back(*values) == ["1234.5678", "19.9", "7", "true", "2026-11-21", "2026-11-21T08:30:00", "ff", "", ""]


@pytest.mark.parametrize("text", ["a,b", 'say "hi"', "two\nlines", "Zoë 日本", " ; "])
def test_text_comes_back_as_it_was(text: str) -> None:
    assert read_back(text) == [text]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-1+2", "\t=1", "\r=1"])
def test_a_text_that_a_spreadsheet_would_work_out_stays_a_text(text: str) -> None:
    assert read_back(text) == [f"'{text}"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("-1;-cmd|' /C calc'!A0", "-1;'-cmd|' /C calc'!A0"),
        ("a\t@b", "a\t'@b"),
        ("\uff1d1", "'\uff1d1"),
    ],
)
def test_nor_does_excel_work_out_what_follows_a_sign_that_may_part_cells(text: str, written: str) -> None:
    assert read_back(text) == [written]


@pytest.mark.parametrize("text", ["-20", "+49 (30) 12-34", "-", "1-2", "a=b", "1;-2;+3", "a; b"])
def test_a_text_that_only_looks_like_one_is_left_alone(text: str) -> None:
    assert read_back(text) == [text]


def test_a_columns_name_is_no_formula_either() -> None:
    assert as_csv(Rows(("=1+1",), ((1,),), truncated=False, seconds=0.0)) == "'=1+1\r\n1\r\n"


def test_a_file_that_does_not_hold_all_rows_is_told() -> None:
    rows = Rows(("a",), ((1,), (2,)), truncated=True, seconds=0.0)
    assert packed_csv(rows)["told"] == "The file holds the first 2 rows; the query finds more."
    assert packed_csv(Rows(("a",), ((1,),), truncated=False, seconds=0.0))["told"] == ""


def test_excel_is_told_that_it_is_utf8() -> None:
    packed = packed_csv(Rows(("ä",), (), truncated=False, seconds=0.0))["packed"]
    assert gzip.decompress(base64.b64decode(packed)) == b"\xef\xbb\xbf\xc3\xa4\r\n"
