"""What the chat's own parts promise: cells, plain text, logins."""

from __future__ import annotations

import os
import stat
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

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
        "![a](https://evil.example/a.png)",
        "[a]: https://evil.example",
        "<img src=x>",
        "**bold** _it_ `code` # head",
        "see www.evil.example or mail me@evil.example",
        ":::warning\nx\n:::",
    ],
)
def test_plain_text_leaves_nothing_for_markdown_to_read(text: str) -> None:
    written = plain(text)
    assert written.replace("\\", "").replace("\u2060", "") == text
    unescaped = [c for i, c in enumerate(written) if c in "![]()<>*_`#:" and written[i - 1] != "\\"]
    assert not unescaped
    for address in ("www\\.", ":\\/\\/", "me\\@"):
        assert address not in written


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
