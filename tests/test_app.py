"""What the chat's own parts promise: cells, plain text, logins."""

from __future__ import annotations

import os
import stat
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from chat.login import SECRET, Guests, ensure_secret
from chat.table import CELL_LENGTH, count, plain, table
from errors import SettingsInvalid
from tools.sql_runner import Rows


def rows(name: str, *values: Any, truncated: bool = False) -> Rows:
    return Rows((name,), tuple((value,) for value in values), truncated, 0.0)


@pytest.mark.parametrize(
    ("name", "values", "cells"),
    [
        ("revenue", (1234567, 5), ["1,234,567", "5"]),
        ("revenue", (1234.5, 8), ["1,234.50", "8.00"]),
        ("revenue", (Decimal("12.30"), None), ["12.30", None]),
        ("share", (0.1234567, 0.5), ["0.1235", "0.5000"]),
        ("order_year", (2026,), ["2026"]),
        ("customer_id", (10432,), ["10432"]),
        ("CustomerId", (10432,), ["10432"]),
        ("paid", (1500,), ["1,500"]),
        ("average", (float("inf"), 2.5), ["inf", "2.50"]),
        ("active", (True, False), ["true", "false"]),
        ("day", (date(2026, 8, 31),), ["2026-08-31"]),
        ("at", (datetime(2026, 8, 31, 14, 5),), ["2026-08-31 14:05"]),
        ("opens", (time(7, 30),), ["07:30:00"]),
        ("photo", (b"\x00" * 1200,), ["1,200 bytes"]),
        ("mixed", (1200, "none"), ["1200", "none"]),
        ("note", ("x" * (CELL_LENGTH + 1),), ["x" * CELL_LENGTH + "…"]),
    ],
)
def test_a_cell_reads_as_a_person_would_write_it(name: str, values: tuple[Any, ...], cells: list[str | None]) -> None:
    assert [cell for (cell,) in table(rows(name, *values))["cells"]] == cells


def test_only_columns_of_numbers_stand_on_the_right() -> None:
    both = Rows(("store", "net_revenue", "closed"), (("North", 3, True), ("South", None, False)), False, 0.0)
    columns = table(both)["columns"]
    assert [column["numeric"] for column in columns] == [False, True, False]
    assert [column["label"] for column in columns] == ["store", "net revenue", "closed"]


def test_a_cut_table_says_that_it_is_cut() -> None:
    assert count(rows("n", *range(1000), truncated=True)) == "first 1,000 rows"
    assert count(rows("n", 1)) == "1 row"
    assert count(rows("n")) == "0 rows"


@pytest.mark.parametrize(
    "text",
    [
        "Nothing to hide, at 10:30 in order_items (3 of 5).",
        "![a](https://evil.example/a.png)",
        "[a][1] and <https://evil.example>\n[1]: https://evil.example",
        "<img src=x onerror=alert(1)> &lt;b&gt;",
        "**bold** _it_ __it__ `code` ``` ~~no~~",
        "# head\n- list\n+ list\n1. list\n12) list\n---\n===",
        "| a | b |\n| - | - |\n| 1 | 2 |",
        "see www.evil.example or mail me@evil.example",
        ":::warning\nx\n:::",
        "a \\* b \\",
        "a :name b",
    ],
)
def test_plain_text_leaves_nothing_for_markdown_to_read(text: str) -> None:
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    blocks = markdown.parse(plain(text))
    assert {block.type for block in blocks} == {"paragraph_open", "inline", "paragraph_close"}
    pieces = [piece for block in blocks for piece in block.children or ()]
    assert {piece.type for piece in pieces} <= {"text", "softbreak"}
    assert "".join(piece.content or "\n" for piece in pieces).replace("\u2060", "") == text
    for address in ("://", "www.", "e@"):
        assert address not in plain(text)


@pytest.mark.parametrize("ending", ["\r", "\r\n", "\u2028"])
def test_a_line_may_end_in_any_way_and_begins_no_heading(ending: str) -> None:
    assert plain(f"a{ending}# b") == "a\n\\# b"


def test_plain_text_stays_readable_where_there_is_nothing_to_hide() -> None:
    words = (
        "At 10:30 the question has 100,000 characters (at most 4,000 are read): put it shorter, or set OPENAI_API_KEY."
    )
    assert plain(words) == words


def test_a_person_needs_the_password_that_goes_with_the_name() -> None:
    guests = Guests("ann:plum, ben:pear:with:colons")
    assert guests.know("ann", "plum")
    assert guests.know("ben", "pear:with:colons")
    assert not guests.know("ann", "pear:with:colons")
    assert not guests.know("cay", "plum")
    assert not guests.know("cay", "")


@pytest.mark.parametrize("pairs", ["", " , ", "ann", "ann:", ":plum", "ann:plum,ben"])
def test_users_without_a_password_are_refused(pairs: str) -> None:
    with pytest.raises(SettingsInvalid, match="QUAESTOR_USERS must hold name:password pairs"):
        Guests(pairs)


def test_the_cookie_secret_is_made_once_and_only_its_owner_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def secret() -> str:
        monkeypatch.setenv(SECRET, "")
        ensure_secret(tmp_path / "home")
        return os.environ[SECRET]

    first = secret()
    assert len(bytes.fromhex(first)) == 32
    assert secret() == first
    assert stat.S_IMODE((tmp_path / "home" / "auth-secret").stat().st_mode) == 0o600


def test_a_secret_that_the_environment_names_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "from elsewhere")
    ensure_secret(tmp_path)
    assert os.environ[SECRET] == "from elsewhere"
    assert not list(tmp_path.iterdir())
