"""Files that are asked like a database: found, read, kept as one, and told in a sentence where that cannot be."""

from __future__ import annotations

import asyncio
import codecs
import dataclasses
import json
import os
import subprocess
import sys
import time
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bootstrap import open_asker
from chat.greeting import greeting
from errors import DatabaseUnavailable
from tests.asked import ask, offline_settings
from tools.connections.address import names_files
from tools.files import Database, files_url, in_use
from tools.files_found import usable_name, usable_names
from tools.files_kept import LATELY, LONG, remove_unused
from tools.schema_catalog import catalog_key

GERMAN = (
    "Bestell-Nr;Kunde;Umsatz (€);Bestelldatum;PLZ;Rabatt\r\n"
    "1;Jörg Weiß;1.234,50;31.01.2025;01067;5,5 %\r\n"
    "2;Zoë;99,00;;10115;0 %\r\n"
    ";;;;;\r\n"
)


def held(url: str) -> dict[str, tuple[dict[str, str], list[tuple[Any, ...]]]]:
    """Return what the database holds: for each table the types of its columns, and its rows."""
    with closing(duckdb.connect(url.removeprefix("duckdb:///"), read_only=True)) as connection:
        tables = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {
            table: (
                {name: kind for name, kind, *_ in connection.execute(f'DESCRIBE "{table}"').fetchall()},
                connection.execute(f'FROM "{table}"').fetchall(),
            )
            for table in tables
        }


async def read(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> Any:
    """Return the types and the rows of the one table that a file becomes."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    (table,) = held(await files_url(str(file), folder / "home")).values()
    return table


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_a_german_export_is_read_with_its_umlauts_dates_and_decimal_commas(tmp_path: Path, encoding: str) -> None:
    types, rows = await read(tmp_path, "Umsätze.csv", GERMAN, encoding)
    assert types == {
        "Bestell_Nr": "BIGINT",
        "Kunde": "VARCHAR",
        "Umsatz_eur": "DECIMAL(18,2)",
        "Bestelldatum": "DATE",
        "PLZ": "VARCHAR",
        "Rabatt_percent": "DECIMAL(18,1)",
    }
    assert rows == [
        (1, "Jörg Weiß", Decimal("1234.50"), date(2025, 1, 31), "01067", Decimal("5.5")),
        (2, "Zoë", Decimal("99.00"), None, "10115", Decimal("0.0")),
    ]


async def test_bytes_that_are_no_utf8_are_read_as_windows_wrote_them_and_the_others_stay(tmp_path: Path) -> None:
    _, rows = await read(tmp_path, "mixed.csv", "name\nMüller\n".encode() + "Köln €\n".encode("cp1252"))
    assert rows == [("Müller",), ("Köln €",)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize(
    "ends", [("\n", "\r\n", "\r\n"), ("\r\n", "\r\n", "\n"), ("\r\n", "\n", ""), ("\r", "\r", "\n"), ("\r", "\r", "\r")]
)
async def test_lines_may_end_in_several_ways(tmp_path: Path, encoding: str, ends: tuple[str, str, str]) -> None:
    lines = ("ä,note", '1,"two\nlines"', "2,one")
    _, rows = await read(tmp_path, "appended.csv", "".join(map("".join, zip(lines, ends, strict=True))), encoding)
    assert rows == [(1, "two\nlines"), (2, "one")]


async def test_utf16_without_a_mark_is_known_by_its_zeros(tmp_path: Path) -> None:
    _, rows = await read(tmp_path, "a.tsv", "id\tname\r\n1\tÄnne\r\n", "utf-16-be")
    assert rows == [(1, "Änne")]


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ("2025-01-31", "DATE", date(2025, 1, 31)),
        ("2025/01/31", "DATE", date(2025, 1, 31)),
        ("31.1.2025", "DATE", date(2025, 1, 31)),
        ("31.01.25", "DATE", date(2025, 1, 31)),
        ("31/01/2025", "DATE", date(2025, 1, 31)),
        ("01/31/2025", "DATE", date(2025, 1, 31)),
        ("03/04/2025", "DATE", date(2025, 3, 4)),
        ("31-Jan-2025", "DATE", date(2025, 1, 31)),
        ("31 January 2025", "DATE", date(2025, 1, 31)),
        ("Jan 31, 2025", "DATE", date(2025, 1, 31)),
        ("2025-01", "DATE", date(2025, 1, 1)),
        ("2025-01-31 00:00:00", "DATE", date(2025, 1, 31)),
        ("2025-01-31T10:20:30.5Z", "TIMESTAMP", datetime(2025, 1, 31, 10, 20, 30, 500_000)),
        ("2025-01-31 10:20:30+02:00", "TIMESTAMP", datetime(2025, 1, 31, 10, 20, 30)),
        ("31.01.2025 10:20", "TIMESTAMP", datetime(2025, 1, 31, 10, 20)),
        ("1/31/2025 3:05 PM", "TIMESTAMP", datetime(2025, 1, 31, 15, 5)),
        ("31.02.2025", "VARCHAR", "31.02.2025"),
        ("1234", "BIGINT", 1234),
        ("+5", "BIGINT", 5),
        ("-1,234.5", "DECIMAL(18,1)", Decimal("-1234.5")),
        ("-1.234,5", "DECIMAL(18,1)", Decimal("-1234.5")),
        ("1 234,5", "DECIMAL(18,1)", Decimal("1234.5")),
        ("1'234.50", "DECIMAL(18,2)", Decimal("1234.50")),
        ("$1,234.50", "DECIMAL(18,2)", Decimal("1234.50")),
        ("12,50 €", "DECIMAL(18,2)", Decimal("12.50")),
        ("1e-05", "DOUBLE", 1e-05),
        ("0.123456789", "DOUBLE", 0.123456789),
        ("01067", "VARCHAR", "01067"),
        ("12345678901234567890", "VARCHAR", "12345678901234567890"),
        ("1.2.3", "VARCHAR", "1.2.3"),
        ("TRUE", "BOOLEAN", True),
        (" a ", "VARCHAR", "a"),
        ("n/a", "VARCHAR", "n/a"),
    ],
)
async def test_a_value_is_read_as_what_it_is(tmp_path: Path, written: str, kind: str, value: Any) -> None:
    types, rows = await read(tmp_path, "a.csv", f'id,x\n1,"{written}"\n2,"{written}"\n')
    assert ([*types.values()][1], rows[0][1]) == (kind, value)


@pytest.mark.parametrize(
    "mark", ["n/a", "NA", "-", "null", "None", "#N/A", "\\N", "#DIV/0!", "\u2014", "n.a.", "(null)"]
)
async def test_what_stands_for_no_value_makes_no_number_a_text(tmp_path: Path, mark: str) -> None:
    types, rows = await read(tmp_path, "a.csv", f"id,fare\n1,2.5\n2,{mark}\n3,4\n")
    assert types["fare"] == "DECIMAL(18,1)" and rows[1] == (2, None)


async def test_the_greeting_says_which_column_is_text_and_where_it_was_found_also_at_the_next_start(
    tmp_path: Path,
) -> None:
    file = tmp_path / "trips.csv"
    rows = "".join(f'{i},"a\nnote",{"free" if i == 17 else i / 4}\n' for i in range(1, 31))
    file.write_text(f"Trip,Note,Fare\n{rows}")
    for _ in range(2):
        async with open_asker(offline_settings(tmp_path / "home", database_url=str(file))) as asker:
            said = greeting(asker, None).replace("\\", "")
            assert (
                "- trips.csv: Fare is kept as text: 1 of its 30 values are no numbers, such as 'free', in line 35."
                in said
            )
            many = dataclasses.replace(asker, notices=asker.notices * 6)
            assert greeting(many, None).endswith("- The log has 2 more.")


async def test_the_order_of_days_and_months_is_told_by_any_value_of_the_file(tmp_path: Path) -> None:
    _, rows = await read(tmp_path, "a.csv", "a,b\n03/04/2025,01/02/2025\n05/06/2025,31/01/2025\n")
    assert rows[0] == (date(2025, 4, 3), date(2025, 2, 1))


async def test_a_column_with_a_value_of_another_kind_far_below_stays_text_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    rows = "".join(f"{i},{'unknown' if i == 7000 else '2025-01-31'},{'' if i < 6000 else '5,5'}\n" for i in range(8000))
    types, _ = await read(tmp_path, "a.csv", f"id,day,late\n{rows}".replace("5,5", '"5,5"'))
    assert types == {"id": "BIGINT", "day": "VARCHAR", "late": "DECIMAL(18,1)"}
    assert (
        "a.csv: day is kept as text: 1 of its 8,000 values are no dates, such as 'unknown', in line 7,002."
        in caplog.text
    )


async def test_what_stands_for_no_value_is_none_among_numbers_and_a_word_among_words(tmp_path: Path) -> None:
    _, rows = await read(tmp_path, "a.csv", "price,country\n5.5,DE\nn/a,NA\n-,\n")
    assert rows == [(Decimal("5.5"), "DE"), (None, "NA"), (None, None)]


@pytest.mark.parametrize(
    ("content", "columns", "count"),
    [
        ("Report of 2025\n\nid,name\n1,a\n", ["id", "name"], 1),
        ("1,a,2025-01-01\n2,b,2025-01-02\n", ["column_1", "column_2", "column_3"], 2),
        ("product,2023,2024\nTea,1,2\n", ["product", "_2023", "_2024"], 1),
        ("a,A,,Unit Price ($)\n1,2,3,4\n", ["a", "A_2", "column_3", "Unit_Price_usd"], 1),
        ("a,b,\n1,2,\n", ["a", "b"], 1),
        ('Title\n"a\nb",c\n1,2\n', ["a_b", "c"], 1),
        ("name\nAnn\n", ["name"], 1),
        ("a,b\r1,2\r", ["a", "b"], 1),
    ],
)
async def test_a_header_is_found_and_its_names_can_be_written(
    tmp_path: Path, content: str, columns: list[str], count: int
) -> None:
    types, rows = await read(tmp_path, "a.csv", content)
    assert list(types) == columns
    assert len(rows) == count


async def test_a_file_of_many_columns_keeps_within_the_memory_of_the_import(tmp_path: Path) -> None:
    lines = (",".join(f"{row * column % 7}.5" for column in range(400)) for row in range(50))
    types, rows = await read(tmp_path, "a.csv", ",".join(f"c{i}" for i in range(400)) + "\n" + "\n".join(lines))
    assert set(types.values()) == {"DECIMAL(18,1)"}
    assert len(rows) == 50


def test_names_stay_readable() -> None:
    assert usable_name("sales-2025 (final)", "rows") == "sales_2025_final"
    assert usable_name("Umsätze Köln", "rows") == "Umsätze_Köln"
    assert usable_name("()", "rows") == "rows"
    assert usable_names(["a", "a", "a_2", " ", "2024"]) == ("a", "a_3", "a_2", "column_4", "_2024")


async def test_json_and_parquet_keep_their_types_and_give_each_part_a_column(tmp_path: Path) -> None:
    line = {"id": 1, "at": "2025-01-31T10:00:00Z", "customer": {"name": "Ann", "place": {"lat": 1.5}}, "tags": ["a"]}
    types, rows = await read(tmp_path, "a.jsonl", json.dumps(line) + "\n")
    assert types["customer_place_lat"] == "DOUBLE"
    assert rows == [(1, datetime(2025, 1, 31, 10), "Ann", 1.5, ["a"])]
    _, rows = await read(tmp_path, "b.json", json.dumps([line, line]))
    assert len(rows) == 2
    with closing(duckdb.connect()) as connection:
        connection.execute(f"COPY (SELECT DATE '2025-01-31' AS d, 2.5::DECIMAL(9, 2) AS p) TO '{tmp_path}/c.parquet'")
    (table,) = held(await files_url(str(tmp_path / "c.parquet"), tmp_path / "home")).values()
    assert table == ({"d": "DATE", "p": "DECIMAL(9,2)"}, [(date(2025, 1, 31), Decimal("2.50"))])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "empty.csv is empty. Export it again"),
        ("blank.csv", b"\n\n", "blank.csv is empty"),
        ("head.csv", b"a,b\n", "head.csv holds a header and no rows below it"),
        ("binary.csv", bytes(range(256)) * 20, "binary.csv holds no text. Save it as CSV"),
        ("book.xlsx", b"PK\x03\x04" + b"x" * 99, "book.xlsx is a workbook. Save its sheet as CSV"),
        ("packed.csv", b"\x1f\x8b" + b"x" * 99, "packed.csv is compressed"),
        ("ragged.csv", b"a,b\n1,2\n3,4,5\n6,7\n", "ragged.csv, line 3: 3 values where the other lines have 2"),
        ("short.csv", b"a,b,c\n1,2,3\n4,5\n", "short.csv, line 3: 2 values where the other lines have 3"),
        ("lines.csv", b'a,b\n\n1,"x\ny"\n3,4,5\n', "lines.csv, line 5: 3 values"),
        ("late.csv", b"a,b\n" + b"1,2\n" * 30_000 + b"3\n", "late.csv, line 30002: 1 value where"),
        ("open.csv", b'a,b\n1,"x\n2,y\n', "a double quote is opened and not closed"),
        ("long.csv", b"a,b\n1,2\n" + b"x" * 2_100_000 + b",3\n", "long.csv, line 3 is longer than 2 MB"),
        ("commas.csv", b",,,\n" * 3, "commas.csv holds no value in its first rows"),
        ("late_top.csv", b",,\n" * 300 + b"a,b,c\n1,2,3\n", "late_top.csv holds no value in its first rows"),
        ("memory on disk.json", b'{"a": 1\n{"a": 2}', "memory on disk.json cannot be read as JSON"),
        ("broken.json", b'[{"a": 1}, {"a":', "broken.json cannot be read as JSON"),
        ("none.json", b"[]", "none.json holds no rows"),
        ("broken.parquet", b"PAR1 and no more", "broken.parquet cannot be read as Parquet"),
    ],
)
async def test_what_cannot_be_read_is_told_in_a_sentence_that_names_the_file_and_the_line(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatabaseUnavailable) as raised:
        await files_url(str(tmp_path / name), tmp_path / "home")
    assert says in str(raised.value)
    assert not list((tmp_path / "home").rglob("spare")), "nothing half done is left"


async def test_a_name_with_the_signs_of_a_pattern_is_that_file_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "a[1]?"
    folder.mkdir()
    for place, name in enumerate(["export[1].csv", "export1.csv", "b*.json", "b and c.json", "d?.csv"]):
        written = f'{{"a": {place}}}' if name.endswith("json") else f"ä\n{place}\n"
        (folder / name).write_text(written, encoding="cp1252")  # Which has the text be written anew, in the home.
    tables = held(await files_url(str(folder), tmp_path / "h[1]*"))
    assert {table: rows for table, (_, rows) in tables.items()} == {
        "export_1": [(0,)],
        "export1": [(1,)],
        "b": [(2,)],
        "b_and_c": [(3,)],
        "d": [(4,)],
    }


async def test_a_folder_is_a_table_for_each_file_and_its_keys_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "größen ordner"
    folder.mkdir()
    (folder / "customers.csv").write_text("customer_id,name\n1,Ann\n2,Bob\n")
    (folder / "orders 2025.csv").write_text("order_id,customer_id,total\n1,1,5.5\n2,1,7\n3,2,1\n")
    (folder / "notes.md").write_text("# Notes\n")
    (folder / ".hidden.csv").write_text("a\n")
    async with open_asker(offline_settings(tmp_path / "home", database_url=str(folder))) as asker:
        assert "**größen ordner**, 2 tables, 5 rows" in greeting(asker, None)
        orders = next(table for table in asker.catalog if table.name == "orders_2025")
        assert [key.table for key in orders.foreign_keys] == ["customers"]


async def test_a_link_in_a_folder_is_followed_within_it_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, secret = tmp_path / "files", tmp_path / "secret.csv"
    folder.mkdir()
    secret.write_text("key\nplum\n")
    (folder / "own.csv").write_text("a\n1\n")
    (folder / "again.csv").symlink_to("own.csv")
    (folder / "taken.csv").symlink_to(secret)
    (folder / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    assert set(held(await files_url(str(folder), tmp_path / "home"))) == {"own", "again"}
    assert "taken.csv is left out: it is a link to a file outside the folder." in caplog.text
    (folder / "own.csv").unlink()
    with pytest.raises(DatabaseUnavailable, match=r"taken\.csv is a link to a file outside it"):
        await files_url(str(folder), tmp_path / "home")
    linked = tmp_path / "linked"
    linked.symlink_to(secret)
    assert set(held(await files_url(str(linked), tmp_path / "home"))) == {"linked"}, "who names it may read it"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a-b.csv", "A b.json"], "A b.json and a-b.csv would both be the table a_b: rename one of them."),
        ([], "holds no CSV, TSV, JSON or Parquet file. Put some there"),
        (["a.xlsx"], "Save each sheet of the workbook as CSV."),
        (["a.csv", "b.csv"], "b.csv is a whole database: name it by itself"),
    ],
)
async def test_a_folder_that_makes_no_database_says_why(tmp_path: Path, names: list[str], says: str) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("SQLite format 3\0" if name == "b.csv" else "a\n1\n")
    with pytest.raises(DatabaseUnavailable) as raised:
        await files_url(str(folder), tmp_path / "home")
    assert says in str(raised.value)


async def test_a_path_may_be_relative_begin_with_a_tilde_or_name_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my sales.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    url = await files_url("my sales.csv", Path("home"))
    assert url == await files_url("~/my sales.csv", Path("home"))
    duckdb.connect("100%?.duckdb").close()
    assert (await files_url("100%?.duckdb", Path("home"))).endswith("/100%25%3F.duckdb")
    with pytest.raises(DatabaseUnavailable, match=r"There is no file or folder at .*/none\.csv"):
        await files_url("none.csv", Path("home"))


def test_a_path_is_no_url_and_what_may_hold_a_password_is_no_path() -> None:
    assert all(map(names_files, ("sales.csv", "~/a folder", "./Umsätze (1).csv", "C:/sales.csv", "a@b.csv")))
    assert not any(map(names_files, ("sqlite:///shop.db", "postgresql://u:p@h/d", "user:secret@host/shop")))


async def test_a_database_is_made_anew_only_where_its_file_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n1\n")
    url = await files_url(str(file), tmp_path / "home")
    made = url.removeprefix("duckdb:///")
    first = os.stat(made).st_ino
    assert await files_url(str(file), tmp_path / "home") == url
    assert os.stat(made).st_ino == first
    file.write_text("a\n1\n2\n")
    newer = await files_url(str(file), tmp_path / "home")
    assert held(newer)["a"][1] == [(1,), (2,)]
    assert held(url)["a"][1] == [(1,)], "who asks the older one goes on"
    assert catalog_key(newer) == catalog_key(url), "they have one index"
    file.write_text("a\n1\n2,3\n")
    with pytest.raises(DatabaseUnavailable, match="line 3"):
        await files_url(str(file), tmp_path / "home")
    os.utime(file, ns=(1, 1))
    with pytest.raises(DatabaseUnavailable, match="line 3"):
        await files_url(str(file), tmp_path / "home")


def aged(url: str, seconds: float) -> Path:
    """Return the copy at this URL, made to look as if it had last been asked for so long ago."""
    made = Path(url.removeprefix("duckdb:///"))
    for folder in (made.parent, made.parent.parent):
        os.utime(folder, (time.time() - seconds,) * 2)
    return made


async def test_a_copy_that_nobody_asks_any_more_is_removed_and_one_in_use_is_not(tmp_path: Path) -> None:
    home, file, other = tmp_path / "home", tmp_path / "a.csv", tmp_path / "b.csv"
    file.write_text("a\n1\n")
    other.write_text("b\n1\n")
    old = await files_url(str(file), home)
    rarely = aged(await files_url(str(other), home), LONG / 2)
    aged(old, 2 * LATELY)
    with in_use(old, home):
        file.write_text("a\n1\n2\n")
        new = await files_url(str(file), home)
        assert held(old)["a"][1] == [(1,)]
        aged(old, 2 * LATELY)
    remove_unused(home / "files", Path(new.removeprefix("duckdb:///")).parent)
    assert not exists(old) and exists(new) and rarely.exists()
    aged(f"duckdb:///{rarely}", 2 * LONG)
    remove_unused(home / "files", Path(new.removeprefix("duckdb:///")).parent)
    assert not rarely.exists() and held(new)["a"][1] == [(1,), (2,)]


async def test_what_else_lies_among_the_copies_is_not_ours_to_remove(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "a.csv"
    photos, note = home / "files" / "2019" / "photos", home / "files" / "note.txt"
    photos.mkdir(parents=True)
    note.write_text("mine")
    for folder in (photos, photos.parent):
        os.utime(folder, (time.time() - 2 * LONG,) * 2)
    file.write_text("a\n1\n")
    assert held(await files_url(str(file), home))["a"][1] == [(1,)]
    assert photos.is_dir() and note.exists()


def exists(url: str) -> bool:
    return Path(url.removeprefix("duckdb:///")).exists()


async def test_servers_that_start_at_once_make_one_database(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n" + "1\n" * 1000)
    urls = await asyncio.gather(*(files_url(str(file), tmp_path / "home") for _ in range(3)))
    assert len(set(urls)) == 1
    assert len(held(urls[0])["a"][1]) == 1000


async def test_an_import_that_was_killed_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n1\n")
    folder = Database.of(str(file), tmp_path / "home").folder
    (folder / "spare").mkdir(parents=True)
    (folder / "spare" / "a.csv.duckdb").write_text("half")
    assert held(await files_url(str(file), tmp_path / "home"))["a"][1] == [(1,)]
    assert not (folder / "spare").exists()


def test_the_import_ends_with_its_parent(tmp_path: Path) -> None:
    fifo = tmp_path / "a.csv"
    fifo.write_text("a\n1\n")
    folder = Database.of(str(fifo), tmp_path / "home").folder
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as lock:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-m", "tools.files_import", str(fifo), str(tmp_path / "home")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(60) == 1


async def test_a_question_about_last_month_is_answered_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "sales (final).csv"
    file.write_bytes(codecs.BOM_UTF8 + b"Order Date;Amount\n31.01.2025;10,50\n03.02.2025;1,25\n28.02.2025;2\n")
    async with open_asker(offline_settings(tmp_path / "home", database_url=str(file))) as asker:
        assert "The database is **sales (final).csv**, 1 table, 3 rows" in greeting(asker, None)
        answer = await ask(asker, "total amount last month", date(2025, 3, 10))
        assert answer.rows is not None
        assert answer.rows.values == ((Decimal("3.25"),),)
        guarded = await asker.guard.check("SELECT * FROM sales_final")
        assert len((await asker.runner.run(guarded)).values) == 3
        for attack in (f"SELECT * FROM read_csv('{file}')", "SELECT * FROM read_text('/etc/passwd')"):
            with pytest.raises(Exception, match=r"not allowed|not know"):
                await asker.guard.check(attack)
