"""The sample database is the same for the same day, whole, and holds what its guide says is worth finding."""

from __future__ import annotations

import errno
import hashlib
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text
from typer.testing import CliRunner

from data import DESCRIPTIONS, STARTERS, ensure_sample
from data.__main__ import app
from data.fill import SEED, fill
from data.rows import make_rows
from data.schema import metadata
from errors import DatabaseUnavailable

AS_OF = date(2026, 11, 20)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("sample") / "sample.sqlite"
    ensure_sample(path, AS_OF)
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def one(sample: sqlite3.Connection, sql: str) -> Any:
    return sample.execute(sql).fetchone()[0]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_seed_and_day_make_the_same_bytes(tmp_path: Path) -> None:
    first, second, other = tmp_path / "first", tmp_path / "second", tmp_path / "other"
    ensure_sample(first, AS_OF)
    ensure_sample(second, AS_OF)
    ensure_sample(other, AS_OF, SEED + 1)
    assert digest(first) == digest(second) != digest(other)


def test_rows_do_not_hang_on_the_hash_seed() -> None:
    code = "from datetime import date; from data.rows import make_rows; print(make_rows(1, date(2026, 1, 1)))"
    made = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1]


def test_a_sample_is_made_once_a_day(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sample.sqlite"
    assert ensure_sample(path, AS_OF)
    made = path.stat()
    assert not ensure_sample(path, AS_OF)
    assert path.stat().st_mtime_ns == made.st_mtime_ns
    assert ensure_sample(path, date(2026, 11, 21))
    with closing(sqlite3.connect(path)) as connection:
        assert one(connection, "SELECT MAX(visited_on) FROM visits") == "2026-11-21"
    assert [file.name for file in path.parent.iterdir()] == ["sample.sqlite"]


@pytest.mark.parametrize("content", [b"name;age\n" * 20, None], ids=["no database", "another database"])
def test_a_file_that_is_no_sample_is_left_alone(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.sqlite"
    if content is None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE precious (thing TEXT)")
    else:
        path.write_bytes(content)
    before = digest(path)
    with pytest.raises(DatabaseUnavailable, match="left alone"):
        ensure_sample(path, AS_OF)
    assert digest(path) == before


def test_a_failure_leaves_the_old_sample_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sample.sqlite"
    ensure_sample(path, AS_OF)
    before = digest(path)

    def run_out_of_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("data.fill.fill", run_out_of_disk)
    with pytest.raises(DatabaseUnavailable, match=f"cannot be written to {tmp_path}: No space left on device"):
        ensure_sample(path, date(2026, 11, 21))
    assert digest(path) == before
    assert [file.name for file in tmp_path.iterdir()] == ["sample.sqlite"]


@pytest.mark.parametrize("as_of", [date(2024, 2, 29), date(2027, 1, 1), date(2026, 12, 31)], ids=str)
def test_any_day_has_three_years_of_trade(as_of: date) -> None:
    rows = make_rows(SEED, as_of)
    days = sorted({str(row[1]) for row in rows["visits"]})
    assert len(days) == 1096
    assert days[-1] == as_of.isoformat()
    assert 55_000 < sum(map(len, rows.values())) < 70_000


def test_every_key_and_check_holds(sample: sqlite3.Connection) -> None:
    assert sample.execute("PRAGMA foreign_key_check").fetchall() == []
    assert one(sample, "PRAGMA integrity_check") == "ok"


def test_every_table_and_column_is_described_and_nothing_else() -> None:
    described = tomllib.loads(DESCRIPTIONS.read_text())["tables"]
    assert {name: set(entry["columns"]) for name, entry in described.items()} == {
        table.name: {column.name for column in table.columns} for table in metadata.sorted_tables
    }
    assert STARTERS[0] == "Which five products earned the most last quarter?"
    assert len(STARTERS) == 6


def test_totals_lines_and_payments_agree(sample: sqlite3.Connection) -> None:
    wrong = """
        SELECT COUNT(*) FROM orders o WHERE o.status <> 'cancelled' AND (
            ABS(o.total - (SELECT SUM(line_total) FROM order_items i WHERE i.order_id = o.order_id)) > 0.001
            OR ABS(o.total - (SELECT SUM(amount) FROM payments p WHERE p.order_id = o.order_id)) > 0.001)"""
    assert one(sample, wrong) == 0
    cancelled = "SELECT COUNT(*) FROM orders JOIN {} USING (order_id) WHERE status = 'cancelled'"
    assert [one(sample, cancelled.format(table)) for table in ("order_items", "payments", "shipments")] == [0, 0, 0]


NOTHING_BEFORE_ITS_CAUSE = {
    "an order before its customer joined": "orders JOIN customers USING (customer_id) "
    "WHERE date(placed_at) < joined_on",
    "an order before its store opened": "orders JOIN stores USING (store_id) WHERE date(placed_at) < opened_on",
    "an order served by somebody not yet hired": "orders JOIN employees USING (employee_id) WHERE "
    "date(placed_at) < hired_on",
    "an order served by another store's employee": "orders o JOIN employees e USING (employee_id) WHERE "
    "o.store_id <> e.store_id",
    "a product sold before its launch": "order_items JOIN orders USING (order_id) JOIN products USING (product_id) "
    "WHERE date(placed_at) < launched_on",
    "a product sold after it went": "order_items JOIN orders USING (order_id) JOIN products USING (product_id) "
    "WHERE date(placed_at) > discontinued_on",
    "a return before its order": "returns JOIN order_items USING (order_item_id) JOIN orders USING (order_id) "
    "WHERE returned_on < date(placed_at)",
    "a refund above the price": "returns JOIN order_items USING (order_item_id) WHERE refund_amount > line_total",
    "a parcel before its order": "shipments JOIN orders USING (order_id) WHERE shipped_on < date(placed_at)",
    "a parcel of a shop order": "shipments JOIN orders USING (order_id) WHERE channel <> 'online'",
    "an order credited to a campaign that did not run": "orders JOIN campaigns USING (campaign_id) "
    "WHERE date(placed_at) NOT BETWEEN starts_on AND ends_on",
    "a sale after the as-of date": f"orders WHERE date(placed_at) > '{AS_OF}'",
    "a delivery after the as-of date": f"shipments WHERE delivered_on > '{AS_OF}'",
}


@pytest.mark.parametrize("rows", NOTHING_BEFORE_ITS_CAUSE.values(), ids=NOTHING_BEFORE_ITS_CAUSE.keys())
def test_there_is_no(sample: sqlite3.Connection, rows: str) -> None:
    assert one(sample, f"SELECT COUNT(*) FROM {rows}") == 0


def test_every_store_trades_every_month_it_is_open(sample: sqlite3.Connection) -> None:
    quiet = """
        SELECT COUNT(*) FROM stores s, (SELECT DISTINCT strftime('%Y-%m', placed_at) AS month FROM orders) m
        WHERE m.month > strftime('%Y-%m', s.opened_on) AND m.month > '2023-11' AND NOT EXISTS (
            SELECT 1 FROM orders o WHERE o.store_id = s.store_id AND strftime('%Y-%m', o.placed_at) = m.month)"""
    assert one(sample, quiet) == 0


def test_each_oddity_of_the_guide_is_there(sample: sqlite3.Connection) -> None:
    cups = """
        SELECT strftime('%Y-%m', returned_on) FROM returns JOIN order_items USING (order_item_id)
        JOIN products USING (product_id) JOIN suppliers s USING (supplier_id)
        WHERE s.name = 'Delft Kiln' AND reason = 'defective' GROUP BY 1 ORDER BY COUNT(*) DESC LIMIT 1"""
    assert one(sample, cups) == "2026-03"
    assert one(sample, "SELECT name FROM stores ORDER BY opened_on DESC") == "Tram Stop"
    closed = """
        SELECT MAX(julianday(later) - julianday(day)) FROM (SELECT visited_on AS day,
            LEAD(visited_on) OVER (PARTITION BY store_id ORDER BY visited_on) AS later FROM visits)"""
    assert one(sample, closed) == 18
    lost = """
        SELECT c.name FROM campaigns c JOIN orders USING (campaign_id)
        GROUP BY c.campaign_id HAVING SUM(total) < MAX(budget)"""
    assert sample.execute(lost).fetchall() == [("Radio Summer",)]
    prices = """
        SELECT DISTINCT i.unit_price, date(placed_at) < '2026-01-01' FROM order_items i JOIN orders USING (order_id)
        JOIN products p USING (product_id) WHERE p.name = 'House Espresso' ORDER BY 2"""
    assert sample.execute(prices).fetchall() == [(12.9, 0), (11.85, 1)]
    matcha = """
        SELECT SUM(quantity) FROM order_items JOIN orders USING (order_id) JOIN products p USING (product_id)
        WHERE p.name = 'Ceremonial Matcha' AND strftime('%Y-%m', placed_at) BETWEEN '{}' AND '{}'"""
    assert one(sample, matcha.format("2026-06", "2026-10")) > 4 * one(sample, matcha.format("2026-01", "2026-05"))
    slow = """
        SELECT carrier FROM shipments WHERE strftime('%m', shipped_on) = '12'
        GROUP BY carrier HAVING AVG(julianday(delivered_on) - julianday(shipped_on)) > 6"""
    assert sample.execute(slow).fetchall() == [("Swift Parcel",)]


def test_postgres_gets_the_same_rows_and_real_comments(sample: sqlite3.Connection, postgres_url: str) -> None:
    counts = fill(postgres_url, AS_OF)
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        comments = inspect(engine).get_columns("order_items")
        assert "revenue" in next(c["comment"] or "" for c in comments if c["name"] == "line_total")
        with engine.connect() as connection:
            for table, count in counts.items():
                assert connection.scalar(text(f"SELECT COUNT(*) FROM {table}")) == one(
                    sample, f"SELECT COUNT(*) FROM {table}"
                )
                assert count == one(sample, f"SELECT COUNT(*) FROM {table}")
            revenue = connection.scalar(text("SELECT SUM(line_total) FROM order_items"))
            assert revenue is not None
            assert float(revenue) == pytest.approx(one(sample, "SELECT SUM(line_total) FROM order_items"))
    finally:
        metadata.drop_all(engine)
        engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--database-url", "mysql://u:hidden@host/shop"], "goes into SQLite"),
        (["--database-url", "postgresql://u:hidden@127.0.0.1:1/shop"], "did not take the sample"),
        (["--database-url", "nonsense"], "is no URL"),
        (["--database-url", f"sqlite:///{__file__}"], "left alone"),
        (["--as-of", "0004-01-01"], "too early"),
    ],
    ids=["mysql", "no server", "no url", "a file of one's own", "too early"],
)
def test_a_command_that_cannot_work_says_why(arguments: list[str], sentence: str) -> None:
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 2
    assert sentence in " ".join(run.output.replace("│", " ").split())
    assert "hidden" not in run.output


def test_the_command_makes_the_file_it_is_told_to(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "shop.sqlite"
    command = [sys.executable, "-m", "data", "--database-url", f"sqlite:///{path}", "--as-of", "2026-11-20"]
    said = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert "now holds the sample as of 2026-11-20" in said[0]
    assert "already held" in said[1]
    assert path.stat().st_size > 1_000_000
