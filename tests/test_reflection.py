"""Reading a database into a catalog, on real SQLite, DuckDB, PostgreSQL and MariaDB databases."""

from __future__ import annotations

import logging
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import psycopg
import pymysql
import pytest
from sqlalchemy.engine import make_url

from errors import DatabaseUnavailable, SettingsInvalid
from tools import reflection
from tools.catalog import Catalog, Column, ForeignKey, Table
from tools.reflection import read_catalog
from tools.schema_catalog import catalog_key, load_catalog

Fill = Callable[[str], str]


@pytest.fixture
def sqlite_with(tmp_path: Path) -> Fill:
    """Makes a SQLite file of a script and returns its URL."""

    def fill(script: str) -> str:
        with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
            connection.executescript(script)
        return f"sqlite:///{tmp_path / 'shop.sqlite'}"

    return fill


def table(catalog: Catalog, name: str) -> Table:
    found = catalog.table(name)
    assert found is not None, f"{name} is not in {[each.name for each in catalog]}"
    return found


def column(catalog: Catalog, place: str) -> Column:
    name, _, column_name = place.rpartition(".")
    found = table(catalog, name).column(column_name)
    assert found is not None
    return found


def test_tables_columns_keys_counts_and_samples_are_read(sqlite_with: Fill) -> None:
    catalog = read_catalog(
        sqlite_with("""
            CREATE TABLE artist (artist_id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL);
            CREATE TABLE album (album_id INTEGER PRIMARY KEY, title TEXT, artist_id INTEGER REFERENCES artist);
            INSERT INTO artist VALUES (1, 'Ada'), (2, 'Bo');
            INSERT INTO album VALUES (1, 'First', 1), (2, 'Second', 1), (3, NULL, 2);
            CREATE VIEW titles AS SELECT title FROM album;
        """)
    )
    assert (catalog.name, catalog.dialect) == ("shop", "sqlite")
    assert [each.name for each in catalog] == ["album", "artist", "titles"]
    album = table(catalog, "album")
    assert (album.row_count, album.primary_key, album.is_view) == (3, ("album_id",), False)
    assert album.foreign_keys == (ForeignKey(("artist_id",), "artist", ("artist_id",)),)
    assert table(catalog, "titles").is_view
    name = column(catalog, "artist.name")
    assert (name.type, name.kind, name.nullable, name.samples) == ("VARCHAR(40)", "text", False, ("Ada", "Bo"))
    title = column(catalog, "album.title")
    assert (title.distinct, title.values) == (2, ("First", "Second"))
    assert column(catalog, "album.artist_id").distinct == 2


@pytest.mark.parametrize(
    ("declared", "values", "kind"),
    [
        ("TEXT", "'2024-01-31', '2023-12-01'", "date"),
        ("TEXT", "'2024-01-31 10:00:00', '2023-12-01T08:30:00Z'", "date"),
        ("TEXT", "'2024-01-31', 'soon'", "text"),
        ("DATE", "'31/12/2024'", "text"),
        ("DATETIME", "1700000000", "number"),
        ("DATE", "NULL", "date"),
        ("TEXT", "'12:30', '08:15:59'", "time"),
        ("TEXT", "'1', '2'", "text"),
        ("INTEGER", "2020, 2021", "number"),
        ("INTEGER", "'many', 'few'", "text"),
        ("REAL", "'1.5', '2'", "number"),
        ("BOOLEAN", "0, 1", "boolean"),
        ("BOOLEAN", "0, 2", "number"),
        ("", "1, 2.5", "number"),
        ("", "'a', 'b'", "text"),
        ("BLOB", "x'00ff'", "other"),
    ],
)
def test_a_column_is_what_its_declaration_and_its_values_say(
    sqlite_with: Fill, declared: str, values: str, kind: str
) -> None:
    rows = ", ".join(f"({value})" for value in values.split(", "))
    catalog = read_catalog(sqlite_with(f"CREATE TABLE t (c {declared}); INSERT INTO t VALUES {rows};"))
    assert column(catalog, "t.c").kind == kind


def test_one_value_that_is_no_date_among_thousands_makes_the_column_text(sqlite_with: Fill) -> None:
    catalog = read_catalog(
        sqlite_with("""
            CREATE TABLE t (c TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
            INSERT INTO t SELECT '2024-01-31' FROM n;
            INSERT INTO t VALUES ('unknown');
        """)
    )
    assert column(catalog, "t.c").kind == "text"


def test_long_texts_and_too_many_values_are_not_kept(sqlite_with: Fill) -> None:
    catalog = read_catalog(
        sqlite_with("""
            CREATE TABLE t (prose TEXT, many TEXT, few TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
            INSERT INTO t SELECT printf('%0100d', i % 7), 'v' || i, 'f' || (i % 3) FROM n;
        """)
    )
    assert column(catalog, "t.prose").values == ()
    many = column(catalog, "t.many")
    assert (many.values, many.distinct) == ((), 6000)
    assert column(catalog, "t.few").values == ("f0", "f1", "f2")


def test_a_table_that_takes_too_long_is_left_uncounted(sqlite_with: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.reflection_profile.STATEMENT_SECONDS", 0.05)
    catalog = read_catalog(
        sqlite_with("""
            CREATE VIEW endless AS
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'v' || (i % 3) AS v FROM n;
            CREATE TABLE t (c TEXT); INSERT INTO t VALUES ('x');
        """)
    )
    assert table(catalog, "endless").row_count is None
    assert column(catalog, "endless.v").samples == ("v1", "v2", "v0")
    assert column(catalog, "endless.v").values == ()
    assert table(catalog, "t").row_count == 1


def test_odd_names_and_odd_tables_are_read(sqlite_with: Fill) -> None:
    catalog = read_catalog(
        sqlite_with("""
            CREATE TABLE "select"
                ("order" INTEGER PRIMARY KEY, "with space" TEXT, "quo""te" TEXT, "100%" REAL, "a:b" TEXT);
            INSERT INTO "select" VALUES (1, 'x', 'y', 2.5, 'z');
            CREATE TABLE "tä.ble" ("ü" TEXT);
            INSERT INTO "tä.ble" VALUES (CAST(x'ff61' AS TEXT));
            CREATE TABLE keyed (k TEXT PRIMARY KEY, v INT) WITHOUT ROWID;
            CREATE VIRTUAL TABLE notes USING fts5(title, body);
            INSERT INTO notes VALUES ('hello', 'world');
            CREATE TABLE doubled (a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2) STORED);
            INSERT INTO doubled (a) VALUES (4);
        """)
    )
    assert [each.name for each in catalog] == ["doubled", "keyed", "notes", "select", "tä.ble"]
    assert {each.name: each.samples for each in table(catalog, "select").columns} == {
        "order": ("1",),
        "with space": ("x",),
        'quo"te': ("y",),
        "100%": ("2.5",),
        "a:b": ("z",),
    }
    assert column(catalog, "tä.ble.ü").values == ("\ufffda",)
    assert table(catalog, "tä.ble").parts == ("tä.ble",)
    assert column(catalog, "notes.title").values == ("hello",)
    assert column(catalog, "doubled.b").samples == ("8",)


def test_a_broken_view_is_left_out_and_the_rest_is_read(sqlite_with: Fill, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        catalog = read_catalog(
            sqlite_with("""
                CREATE TABLE gone (x INT); CREATE VIEW broken AS SELECT * FROM gone; DROP TABLE gone;
                CREATE TABLE here (id INTEGER PRIMARY KEY);
                CREATE TABLE other (here_id INTEGER REFERENCES here (id));
            """)
        )
    assert [each.name for each in catalog] == ["here", "other"]
    assert table(catalog, "other").foreign_keys == (ForeignKey(("here_id",), "here", ("id",)),)
    assert "broken is left out" in caplog.text


def test_foreign_keys_are_resolved_and_those_to_missing_tables_dropped(sqlite_with: Fill) -> None:
    catalog = read_catalog(
        sqlite_with("""
            CREATE TABLE Pair (a INT, b INT, PRIMARY KEY (a, b));
            CREATE TABLE child (x INT, y INT, z INT REFERENCES missing (id), w INT REFERENCES PAIR (A),
                                FOREIGN KEY (x, y) REFERENCES pair);
        """)
    )
    assert set(table(catalog, "child").foreign_keys) == {
        ForeignKey(("x", "y"), "Pair", ("a", "b")),
        ForeignKey(("w",), "Pair", ("a",)),
    }


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        ("artist (artist_id INTEGER PRIMARY KEY, name TEXT)", "album (album_id INTEGER, artist_id INTEGER)"),
        ("Artist (ArtistId INTEGER PRIMARY KEY, Name TEXT)", "Album (AlbumId INTEGER, ArtistId INTEGER)"),
        ("artists (id INTEGER PRIMARY KEY, name TEXT)", "albums (id INTEGER, artist_id INTEGER)"),
        ("artists (id INTEGER, name TEXT)", "albums (id INTEGER, artist_id INTEGER)"),
        ("mxartist (mxartistid INTEGER, mxartistname TEXT)", "mxalbum (mxalbid INTEGER, mxalbartistid INTEGER)"),
        ("author (aid INTEGER, name TEXT)", "writes (pid INTEGER, aid INTEGER)"),
    ],
)
def test_an_evident_key_that_is_not_declared_is_inferred(sqlite_with: Fill, parent: str, child: str) -> None:
    parent_name, child_name = parent.split()[0], child.split()[0]
    catalog = read_catalog(
        sqlite_with(f"""
            CREATE TABLE {parent}; CREATE TABLE {child};
            INSERT INTO {parent_name} VALUES (1, 'Ada'), (2, 'Bo'), (3, 'Cy');
            INSERT INTO {child_name} VALUES (7, 1), (8, 1), (9, 3);
        """)
    )
    [key] = table(catalog, child_name).foreign_keys
    assert (key.table, key.inferred) == (parent_name, True)
    assert table(catalog, parent_name).foreign_keys == ()


def test_no_key_is_inferred_where_the_values_are_not_in_it(sqlite_with: Fill) -> None:
    catalog = read_catalog(
        sqlite_with("""
            CREATE TABLE artists (id INTEGER PRIMARY KEY, name TEXT);
            CREATE TABLE albums (id INTEGER PRIMARY KEY, artist_id INTEGER, genre_id INTEGER);
            INSERT INTO artists VALUES (1, 'Ada');
            INSERT INTO albums VALUES (1, 99, 1);
        """)
    )
    assert table(catalog, "albums").foreign_keys == ()


def test_descriptions_win_over_nothing_and_unknown_keys_are_left_alone(sqlite_with: Fill, tmp_path: Path) -> None:
    file = tmp_path / "words.toml"
    file.write_text(
        'starters = ["How many?"]\n[tables.Orders]\ndescription = "One row per order."\nweight = 3\n'
        '[tables.orders.columns]\nPLACED_AT = "When it was placed."\nnothing = "No such column."\n'
        '[tables.nothing]\ndescription = "No such table."\n'.replace(
            "[tables.orders.columns]", "[tables.Orders.columns]"
        )
    )
    catalog = read_catalog(sqlite_with("CREATE TABLE orders (placed_at TEXT)"), descriptions=file)
    assert table(catalog, "orders").description == "One row per order."
    assert column(catalog, "orders.placed_at").description == "When it was placed."


@pytest.mark.parametrize("text", ["tables = [", "\udcff"])
def test_descriptions_that_are_no_toml_are_refused(sqlite_with: Fill, tmp_path: Path, text: str) -> None:
    file = tmp_path / "words.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsInvalid, match=r"words\.toml are no valid TOML"):
        read_catalog(sqlite_with("CREATE TABLE t (c TEXT)"), descriptions=file)


def test_descriptions_that_are_not_there_are_refused(sqlite_with: Fill, tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"nowhere\.toml cannot be read"):
        read_catalog(sqlite_with("CREATE TABLE t (c TEXT)"), descriptions=tmp_path / "nowhere.toml")


def test_reading_writes_nothing_and_needs_no_right_to_write(sqlite_with: Fill, tmp_path: Path) -> None:
    url = sqlite_with("CREATE TABLE t (c TEXT); INSERT INTO t VALUES ('x');")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    read_catalog(url)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        ("sqlite:///{folder}/none.sqlite", DatabaseUnavailable, "There is no database file at"),
        ("sqlite:///{folder}/text.txt", DatabaseUnavailable, "text.txt is not a SQLite database"),
        ("sqlite:///{folder}/empty.sqlite", DatabaseUnavailable, "empty.sqlite is empty"),
        ("sqlite:///{folder}", DatabaseUnavailable, "is a directory"),
        ("duckdb:///{folder}/text.txt", DatabaseUnavailable, "text.txt is not a DuckDB database"),
        ("sqlite://", SettingsInvalid, "names no file"),
        ("not a url", SettingsInvalid, "is not a database URL"),
        ("oracle://u:hunter2@h/d", SettingsInvalid, "does not speak"),
        ("postgresql://u:hunter2@127.0.0.1:1/d", DatabaseUnavailable, "d on 127.0.0.1 does not answer"),
        ("mysql://u:hunter2@127.0.0.1:1/d", DatabaseUnavailable, "d on 127.0.0.1 does not answer"),
        ("postgresql://u:hunter2@127.0.0.1:port/d", SettingsInvalid, "is not a database URL"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(
    tmp_path: Path, url: str, error: type[Exception], says: str
) -> None:
    (tmp_path / "text.txt").write_text("not a database at all, but a text of some length\n" * 100)
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(error) as raised:
        read_catalog(url.format(folder=tmp_path))
    assert says in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_database_without_tables_is_said_to_have_none(sqlite_with: Fill) -> None:
    with pytest.raises(DatabaseUnavailable, match="shop holds no tables that may be read"):
        read_catalog(sqlite_with("CREATE TABLE t (c TEXT); DROP TABLE t;"))


def test_duckdb_is_read(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute("""
            CREATE TABLE artist
                (id INTEGER PRIMARY KEY, name VARCHAR, mood ENUM ('glad', 'sad'), born DATE, tags VARCHAR[]);
            CREATE TABLE album (id INTEGER PRIMARY KEY, artist INTEGER REFERENCES artist (id), "at" TIMESTAMPTZ);
            COMMENT ON TABLE artist IS 'Who plays.'; COMMENT ON COLUMN artist.name IS 'On the cover.';
            INSERT INTO artist VALUES (1, 'Ada', 'glad', '2001-02-03', ['a']), (2, 'Bo', 'sad', NULL, NULL);
            INSERT INTO album VALUES (1, 1, '2024-01-01 00:00:00Z');
            CREATE SCHEMA press; CREATE TABLE press.review (stars DOUBLE); CREATE VIEW names AS SELECT name FROM artist;
        """)
    catalog = read_catalog(f"duckdb:///{tmp_path / 'shop.duckdb'}")
    assert catalog.dialect == "duckdb"
    assert {each.name for each in catalog} == {"artist", "album", "names", "press.review"}
    assert table(catalog, "artist").description == "Who plays."
    assert table(catalog, "press.review").parts == ("press", "review")
    assert table(catalog, "album").foreign_keys == (ForeignKey(("artist",), "artist", ("id",)),)
    assert {each.name: each.kind for each in table(catalog, "artist").columns} == {
        "id": "number",
        "name": "text",
        "mood": "text",
        "born": "date",
        "tags": "other",
    }
    assert column(catalog, "artist.name").description == "On the cover."
    assert column(catalog, "artist.mood").values == ("glad", "sad")
    assert column(catalog, "album.at").samples[0].startswith("2024-01-01")


POSTGRES_SHOP = """
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TABLE artist (id serial PRIMARY KEY, name varchar(40), mood mood, born date, born_at timestamptz,
                         facts jsonb, token uuid, alive boolean, fee numeric(10, 2));
    CREATE TABLE album (id serial PRIMARY KEY, artist_id int REFERENCES artist);
    COMMENT ON TABLE artist IS 'Who plays.'; COMMENT ON COLUMN artist.name IS 'On the cover.';
    INSERT INTO artist (name, mood, born, alive, fee)
        VALUES ('Ada', 'glad', 'infinity', true, 1.5), ('Bo', 'sad', NULL, false, 2);
    CREATE TABLE sale (day date, cents int) PARTITION BY RANGE (day);
    CREATE TABLE sale_2024 PARTITION OF sale FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE VIEW names AS SELECT name FROM artist;
    CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM artist;
    CREATE SCHEMA press; CREATE TABLE press.review (id serial PRIMARY KEY, album_id int REFERENCES public.album);
"""


def with_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def postgres_shop(postgres_url: str) -> Iterator[str]:
    """A database of its own on the shared server, so that tests of other files find theirs as it was."""
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("CREATE DATABASE reflected")
        try:
            url = with_database(postgres_url, "reflected")
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(POSTGRES_SHOP)
            yield url
        finally:
            owner.execute("DROP DATABASE reflected WITH (FORCE)")


def test_postgresql_is_read(postgres_shop: str) -> None:
    catalog = read_catalog(postgres_shop)
    assert (catalog.name, catalog.dialect) == ("reflected", "postgres")
    assert {each.name for each in catalog} == {"album", "artist", "counts", "names", "press.review", "sale"}
    artist = table(catalog, "artist")
    assert (artist.description, artist.row_count, artist.primary_key) == ("Who plays.", 2, ("id",))
    assert {each.name: each.kind for each in artist.columns} == {
        "id": "number",
        "name": "text",
        "mood": "text",
        "born": "date",
        "born_at": "date",
        "facts": "other",
        "token": "other",
        "alive": "boolean",
        "fee": "number",
    }
    assert column(catalog, "artist.name").description == "On the cover."
    assert column(catalog, "artist.mood").values == ("glad", "sad")
    assert column(catalog, "artist.born").samples == ("infinity",)
    assert table(catalog, "press.review").foreign_keys == (ForeignKey(("album_id",), "album", ("id",)),)
    assert table(catalog, "names").is_view


def test_postgresql_tables_that_the_role_may_not_read_are_left_out(postgres_shop: str) -> None:
    with psycopg.connect(postgres_shop, autocommit=True) as owner:
        owner.execute("CREATE ROLE narrow LOGIN; GRANT USAGE ON SCHEMA press TO narrow")
        owner.execute("GRANT SELECT ON artist TO narrow; GRANT SELECT ON press.review TO narrow")
        try:
            url = make_url(postgres_shop).set(username="narrow").render_as_string(hide_password=False)
            assert {each.name for each in read_catalog(url)} == {"artist", "press.review"}
        finally:
            owner.execute("DROP OWNED BY narrow; DROP ROLE narrow")


def test_a_server_estimates_the_rows_that_take_too_long_to_count(
    postgres_shop: str, mariadb_shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(postgres_shop, autocommit=True) as connection:
        connection.execute("ANALYZE")
    monkeypatch.setattr("tools.reflection_profile.TOTAL_SECONDS", 0)
    assert table(read_catalog(postgres_shop), "artist").row_count == 2
    assert table(read_catalog(mariadb_shop), "artist").row_count == 2


def test_postgresql_says_what_is_missing(postgres_url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="The server has no database nowhere"):
        read_catalog(with_database(postgres_url, "nowhere"))


MARIADB_SHOP = (
    "CREATE TABLE artist (id INT PRIMARY KEY, name VARCHAR(40) COMMENT 'On the cover.', mood ENUM('glad', 'sad'),"
    " alive TINYINT(1), plays TINYINT(4), born DATE, note TEXT, `odd``name` INT) COMMENT 'Who plays.'",
    "CREATE TABLE album (id INT PRIMARY KEY, artist_id INT, FOREIGN KEY (artist_id) REFERENCES artist (id))",
    "INSERT INTO artist VALUES (1, 'Ada', 'glad', 1, 9, '2001-02-03', 'x', 4), (2, 'Bo', 'sad', 0, 1, NULL, NULL, 5)",
    "CREATE VIEW names AS SELECT name FROM artist",
)


@pytest.fixture
def mariadb_shop(mariadb_url: str) -> Iterator[str]:
    """A database of its own on the shared server."""
    url = make_url(mariadb_url)
    with (
        closing(
            pymysql.connect(
                host=url.host, port=url.port or 3306, user=url.username, password=url.password or "", autocommit=True
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("CREATE DATABASE reflected")
        try:
            cursor.execute("USE reflected")
            for statement in MARIADB_SHOP:
                cursor.execute(statement)
            yield with_database(mariadb_url, "reflected")
        finally:
            cursor.execute("DROP DATABASE reflected")


def test_mariadb_is_read(mariadb_shop: str) -> None:
    catalog = read_catalog(mariadb_shop)
    assert (catalog.name, catalog.dialect) == ("reflected", "mysql")
    assert {each.name for each in catalog} == {"album", "artist", "names"}
    artist = table(catalog, "artist")
    assert (artist.description, artist.row_count) == ("Who plays.", 2)
    assert {each.name: each.kind for each in artist.columns} == {
        "id": "number",
        "name": "text",
        "mood": "text",
        "alive": "boolean",
        "plays": "number",
        "born": "date",
        "note": "text",
        "odd`name": "number",
    }
    assert column(catalog, "artist.name").description == "On the cover."
    assert table(catalog, "album").foreign_keys == (ForeignKey(("artist_id",), "artist", ("id",)),)


def test_a_server_that_takes_the_call_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflection, "SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DatabaseUnavailable, match="does not answer"):
        read_catalog(f"mysql://u:hunter2@127.0.0.1:{silent.getsockname()[1]}/d")


def test_a_refused_password_is_said_and_not_shown(mariadb_url: str) -> None:
    wrong = make_url(mariadb_url).set(password="hunter2").render_as_string(hide_password=False)
    with pytest.raises(DatabaseUnavailable, match="refused the user name or the password") as raised:
        read_catalog(wrong)
    assert "hunter2" not in str(raised.value)


def test_a_kept_catalog_is_the_one_that_was_read(sqlite_with: Fill, tmp_path: Path) -> None:
    url = sqlite_with("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a_id INTEGER REFERENCES a, n TEXT);")
    read = load_catalog(url, tmp_path / "kept")
    assert load_catalog(url, tmp_path / "kept") == read
    assert read.catalog == read_catalog(url)


def test_a_kept_catalog_is_read_anew_when_the_database_changes(sqlite_with: Fill, tmp_path: Path) -> None:
    url = sqlite_with("CREATE TABLE a (id INTEGER PRIMARY KEY);")
    load_catalog(url, tmp_path / "kept")
    sqlite_with("CREATE TABLE b (id INTEGER PRIMARY KEY);")
    assert [each.name for each in load_catalog(url, tmp_path / "kept").catalog] == ["a", "b"]


def test_a_kept_catalog_that_is_damaged_is_read_anew(sqlite_with: Fill, tmp_path: Path) -> None:
    url = sqlite_with("CREATE TABLE a (id INTEGER PRIMARY KEY);")
    read = load_catalog(url, tmp_path / "kept")
    (tmp_path / "kept" / "catalog.json").write_text('{"fingerprint": ')
    assert load_catalog(url, tmp_path / "kept").catalog == read.catalog


def test_a_kept_catalog_of_a_server_is_read_anew_when_its_structure_changes(postgres_shop: str, tmp_path: Path) -> None:
    with psycopg.connect(postgres_shop, autocommit=True) as connection:
        before = load_catalog(postgres_shop, tmp_path)
        connection.execute("INSERT INTO artist (name) VALUES ('Cy')")
        assert load_catalog(postgres_shop, tmp_path) == before
        connection.execute("CREATE TABLE tour (id int PRIMARY KEY)")
    after = load_catalog(postgres_shop, tmp_path).catalog
    assert after.table("tour") is not None
    assert table(after, "artist").row_count == 3


def test_descriptions_that_went_missing_are_missed_though_a_catalog_is_kept(sqlite_with: Fill, tmp_path: Path) -> None:
    url = sqlite_with("CREATE TABLE a (id INTEGER PRIMARY KEY);")
    load_catalog(url, tmp_path / "kept")
    with pytest.raises(SettingsInvalid, match=r"gone\.toml cannot be read"):
        load_catalog(url, tmp_path / "kept", descriptions=tmp_path / "gone.toml")


def test_a_database_is_told_from_others_of_its_name_and_not_by_its_password(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "shop.sqlite").write_text("any")
    keys = {catalog_key(f"sqlite:///{tmp_path}/{folder}/shop.sqlite") for folder in ("one", "other")}
    assert len(keys) == 2
    assert all(key.startswith("shop-") for key in keys)
    assert catalog_key("postgresql://u:a@h/shop") == catalog_key("postgresql://u:b@h/shop")
