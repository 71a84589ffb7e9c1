"""A SQLite connection cannot write, keeps to its limits, and can be stopped."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from errors import DatabaseUnavailable, QueryTimedOut, SQLFailed
from tests.memory import peak_of
from tools.connections import sqlite
from tools.connections.address import database_file, read_url
from tools.connections.sqlite import SQLite
from tools.connections.statement import Fetched, Statement

ENDLESS = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c"


def make(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return make(
        tmp_path / "shop.sqlite",
        """
        CREATE TABLE t (i INTEGER PRIMARY KEY, text TEXT);
        INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');
        CREATE VIRTUAL TABLE words USING fts5(text);
        INSERT INTO words SELECT text FROM t;
        CREATE VIRTUAL TABLE area USING rtree(id, low, high);
        INSERT INTO area VALUES (1, 0, 10);
        CREATE VIEW v AS SELECT json_extract('{"a": 1}', '$.a') AS a, upper(text) AS loud FROM t;
        """,
    )


def fetch(file: Path, sql: str, limit: int = 10, timeout: float = 10) -> Fetched:
    with closing(SQLite(file)) as database:
        return database.fetch(Statement(sql, limit=limit, timeout=timeout))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM t",
        "INSERT INTO t VALUES (4, 'four') RETURNING i",
        "UPDATE t SET text = 'x'",
        "DROP TABLE t",
        "CREATE TABLE u (i)",
        "CREATE TEMP TABLE u (i)",
        "UPDATE sqlite_master SET sql = ''",
        "DELETE FROM area",
        "DELETE FROM area_node",
        "INSERT INTO words VALUES ('four')",
        "ATTACH '{folder}/new.sqlite' AS new",
        "VACUUM INTO '{folder}/new.sqlite'",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "PRAGMA journal_mode = WAL",
        "PRAGMA hard_heap_limit = 1",
        "PRAGMA table_info(t)",
        "SELECT * FROM pragma_database_list",
        "BEGIN EXCLUSIVE",
        "SELECT load_extension('x')",
        "SELECT writefile('{folder}/new', 'x')",
        "SELECT fts3_tokenizer('x')",
        "SELECT 1; DELETE FROM t",
        "COMMIT; DELETE FROM t",
    ],
)
def test_nothing_is_written_even_past_the_guard(file: Path, sql: str) -> None:
    before = file.read_bytes()
    with pytest.raises(SQLFailed):
        fetch(file, sql.format(folder=file.parent))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT group_concat(value) FROM json_each('[1, 2]')", "1,2"),
        ("SELECT count(*) FROM json_tree('{\"a\": [1]}')", 3),
        ("SELECT text FROM words WHERE words MATCH 'two' ORDER BY rank", "two"),
        ("SELECT id FROM area WHERE low < 5", 1),
        ("SELECT loud FROM v WHERE a = 1", "ONE"),
        ("SELECT bm25(words) < 0 FROM words('two')", 1),
        ("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 9) SELECT max(i) FROM c", 9),
        ("SELECT sum(i) OVER (ORDER BY i) FROM t WHERE text LIKE 't%' ORDER BY i DESC", 5),
        ("SELECT strftime('%Y', '2026-01-02')", "2026"),
        ("SELECT printf('%s', ':x')", ":x"),
    ],
)
def test_what_reads_is_let_through(file: Path, sql: str, value: object) -> None:
    assert fetch(file, sql).values[0] == (value,)


def test_a_full_text_table_is_read_after_it_changed(file: Path) -> None:
    database = SQLite(file)
    query = Statement("SELECT count(*) FROM words WHERE words MATCH 'four'", limit=1, timeout=5)
    assert database.fetch(query).values == ((0,),)
    make(file, "INSERT INTO words VALUES ('four')")
    assert database.fetch(query).values == ((1,),)
    database.close()


def test_a_file_that_was_replaced_or_overwritten_is_read_anew(file: Path, tmp_path: Path) -> None:
    database, query = SQLite(file), Statement("SELECT count(*) FROM t", limit=1, timeout=5)
    assert database.fetch(query).values == ((3,),)
    other = make(tmp_path / "other.sqlite", "CREATE TABLE t (i); INSERT INTO t VALUES (1)")
    shutil.copyfile(other, file)
    assert database.fetch(query).values == ((1,),)
    make(other, "INSERT INTO t VALUES (2)").replace(file)
    assert database.fetch(query).values == ((2,),)
    database.close()


def test_a_statement_of_which_only_some_rows_were_read_leaves_the_file_to_others(file: Path) -> None:
    database = SQLite(file)
    assert database.fetch(Statement("SELECT i FROM t", limit=1, timeout=5)).truncated
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
    database.close()


def test_a_connection_serves_one_statement_after_the_other_but_not_after_a_fault(file: Path) -> None:
    database = SQLite(file)
    taken: list[sqlite3.Connection] = []
    for sql in ("SELECT 1", "SELECT 2", "SELECT nothing"):
        with suppress(SQLFailed), database._reading(Statement(sql, limit=1, timeout=5)) as connection:
            taken.append(connection)
            connection.execute(sql).fetchone()
    with database._reading(Statement("SELECT 1", limit=1, timeout=5)) as connection:
        taken.append(connection)
    assert taken[0] is taken[1] is taken[2] is not taken[3]
    database.close()


def test_rows_beyond_the_limit_are_not_forgotten(file: Path) -> None:
    assert fetch(file, "SELECT i FROM t ORDER BY i", limit=2) == Fetched(("i",), ((1,), (2,)), True)
    assert not fetch(file, "SELECT i FROM t", limit=3).truncated


def test_no_rows_still_have_their_columns(file: Path) -> None:
    assert fetch(file, "SELECT i, text, 1 AS i FROM t WHERE false") == Fetched(("i", "text", "i_2"), (), False)


def test_text_in_another_encoding_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    file = make(tmp_path / "old.sqlite", "CREATE TABLE t (a); INSERT INTO t VALUES (CAST(x'63616665ff' AS TEXT))")
    assert fetch(file, "SELECT a FROM t").values == (("cafe\ufffd",),)


def test_the_database_complains_in_its_own_words(file: Path) -> None:
    with pytest.raises(SQLFailed, match=r"^no such column: txt$"):
        fetch(file, "SELECT txt FROM t")
    with pytest.raises(SQLFailed, match=r"^no such table: nowhere$"):
        SQLite(file).plan(Statement("SELECT * FROM nowhere", limit=1, timeout=5))


def test_planning_runs_nothing(file: Path) -> None:
    with closing(SQLite(file)) as database:
        database.plan(Statement(ENDLESS, limit=1, timeout=5))


def test_a_query_ends_at_its_deadline(file: Path) -> None:
    with pytest.raises(QueryTimedOut, match=r"0\.1 seconds.*QUAESTOR_QUERY_TIMEOUT"):
        fetch(file, ENDLESS, timeout=0.1)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(randomblob(1000000000))",
        "SELECT length(zeroblob(2000000000))",
        "SELECT length(replace(hex(zeroblob(8000000)), '00', 'xxxxxxxx'))",
    ],
)
def test_a_function_cannot_build_something_huge(file: Path, sql: str) -> None:
    with pytest.raises(SQLFailed, match=r"too big|too large"):
        fetch(file, sql)


def test_a_padded_text_cannot_grow_huge(file: Path) -> None:
    assert fetch(file, "SELECT printf('%.*c', 20000000, 'x')").values == ((None,),)


def test_a_query_does_not_fill_the_disk(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_SPILL", 30 * 2**20)
    monkeypatch.setattr(sqlite, "_BETWEEN_LOOKS", 0)
    numbers = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 50000)"
    with pytest.raises(SQLFailed, match=r"more disk.*Ask for less"):
        fetch(file, f"{numbers} SELECT printf('%9000d', i) AS padded FROM c ORDER BY padded", timeout=60)


def test_a_stopped_query_leaves_its_thread(file: Path) -> None:
    statement = Statement(ENDLESS, limit=1, timeout=600)
    failures: list[Exception] = []

    def run() -> None:
        try:
            SQLite(file).fetch(statement)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while statement._cancel is None:
        pass
    statement.stop()
    thread.join()
    assert len(failures) == 1


def test_a_stop_in_the_moment_before_the_query_begins_holds(file: Path) -> None:
    statement = Statement("", limit=1, timeout=600)
    counts = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) FROM n"
    with pytest.raises(QueryTimedOut), SQLite(file)._reading(statement) as connection:
        statement.stop()
        connection.execute(counts).fetchone()


@pytest.mark.parametrize("name", ["a b.sqlite", "100%.sqlite", "what?.sqlite", "no#1.sqlite", "%41.sqlite", "ü.sqlite"])
def test_a_file_is_found_under_any_name(tmp_path: Path, name: str) -> None:
    file = make(tmp_path / name, "CREATE TABLE t (i); INSERT INTO t VALUES (7)")
    assert fetch(file, "SELECT i FROM t").values == ((7,),)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user may enter; root's own temporary folders are closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def no_privileges() -> Iterator[None]:
    """Permissions do not hold for root, so as root we are somebody else for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.fixture
def read_only_file(shared_folder: Path) -> Path:
    """A file in WAL mode that nobody has open and nobody may change, nor anything beside it."""
    file = make(
        shared_folder / "wal.sqlite",
        "PRAGMA journal_mode = WAL; CREATE TABLE t (i); INSERT INTO t VALUES (7)",
    )
    file.chmod(0o444)
    shared_folder.chmod(0o555)
    return file


@pytest.mark.usefixtures("read_only_file", "no_privileges")
def test_a_read_only_file_in_a_read_only_folder_opens(read_only_file: Path) -> None:
    with pytest.raises(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{read_only_file}?mode=ro")) as plain:
        plain.execute("SELECT i FROM t")
    assert fetch(read_only_file, "SELECT i FROM t").values == ((7,),)


@pytest.fixture
def closed_file(shared_folder: Path) -> Path:
    file = make(shared_folder / "shop.sqlite", "CREATE TABLE t (i)")
    file.chmod(0)
    return file


@pytest.mark.usefixtures("closed_file", "no_privileges")
def test_a_file_that_may_not_be_read_is_told(closed_file: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"shop\.sqlite cannot be read \(Permission denied\)"):
        database_file(read_url(f"sqlite:///{closed_file}"))


def test_rows_that_are_still_in_the_log_are_seen(file: Path) -> None:
    make(file, "PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("INSERT INTO t VALUES (4, 'four')")
        writer.commit()
        assert Path(f"{file}-wal").stat().st_size
        assert fetch(file, "SELECT count(*) FROM t").values == ((4,),)


def test_a_file_that_another_program_locks_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_LOCK_WAIT", 0.01)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseUnavailable, match=r"shop\.sqlite is locked by another program"):
            fetch(file, "SELECT 1 FROM t")


@pytest.mark.parametrize("content", [b"not a database at all, " * 100, b"SQLite format 3\0" + b"\xff" * 4080])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(DatabaseUnavailable, match=r"notes\.txt is (not a SQLite database|damaged)"):
        SQLite(file).probe()


def test_a_file_that_went_away_is_told(file: Path) -> None:
    database = SQLite(file)
    file.unlink()
    with pytest.raises(DatabaseUnavailable, match="cannot be opened"):
        database.fetch(Statement("SELECT 1", limit=1, timeout=1))


def test_wide_rows_are_cut_as_they_arrive(file: Path) -> None:
    wide = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT zeroblob(1000000) FROM n"
    )
    assert peak_of(lambda: fetch(file, wide, limit=30)) < 8_000_000
