"""Storing a catalog in Qdrant and finding a question's tables, columns and values in it."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from math import cos, sin
from pathlib import Path

import pytest
import typer
from aiohttp import web
from aiohttp.test_utils import TestServer
from blockbuster import blockbuster_ctx
from pydantic import SecretStr
from qdrant_client import QdrantClient
from typer.testing import CliRunner

from errors import DatabaseUnavailable, IndexUnavailable, ModelUnavailable
from jobs.index import index
from llm.embeddings import LocalEmbedder, open_embedder
from tools.catalog import Catalog, Column, ForeignKey, Found, Table, Value
from tools.schema import Schema, open_schema
from tools.schema_entries import Entry
from tools.schema_joins import JoinGraph
from tools.schema_own import OwnStore
from tools.schema_server import ServerStore
from tools.schema_store import EntryStore
from tools.schema_values import ValueLookup

SHOP = """
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
    CREATE TABLE products (id INTEGER PRIMARY KEY, title TEXT, price REAL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, placed_at TEXT);
    CREATE TABLE order_items
        (order_id INTEGER REFERENCES orders, product_id INTEGER REFERENCES products, quantity INTEGER);
    INSERT INTO customers VALUES (1, 'Ada', 'São Paulo'), (2, 'Bo', 'Oslo');
    INSERT INTO products VALUES (1, 'Green Tea', 4.5), (2, 'Espresso', 3);
"""


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> LocalEmbedder:
    return LocalEmbedder(tmp_path_factory.mktemp("models"))


@pytest.fixture
def shop(tmp_path: Path) -> str:
    run(tmp_path / "shop.sqlite", SHOP)
    return f"sqlite:///{tmp_path / 'shop.sqlite'}"


def run(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)


class Counting:
    """Counts the texts that the embedder behind it embeds; while it is `down`, it does not answer."""

    def __init__(self, embedder: LocalEmbedder) -> None:
        self.name = embedder.name
        self.texts: list[str] = []
        self.down = self.is_closed = False
        self._embedder = embedder

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.down:
            raise ModelUnavailable("The embedding endpoint does not answer.")
        self.texts += texts
        return await self._embedder.embed(texts)

    async def aclose(self) -> None:
        self.is_closed = True


def names(found: Found) -> list[str]:
    return [table.name for table in found.tables]


async def test_a_small_database_is_found_whole_the_nearest_table_first(
    shop: str, tmp_path: Path, embedder: LocalEmbedder
) -> None:
    async with open_schema(shop, home=tmp_path, embedder=embedder) as schema:
        found = await schema.find("how many customers are there?")
        assert names(found)[0] == "customers"
        assert sorted(names(found)) == ["customers", "order_items", "orders", "products"]
        assert found.tables[0] == schema.catalog.table("customers")
        assert ("products", "price") in (await schema.find("what is the most expensive product?")).columns[:3]


async def test_a_value_is_found_as_the_data_spells_it(shop: str, tmp_path: Path, embedder: LocalEmbedder) -> None:
    async with open_schema(shop, home=tmp_path, embedder=embedder) as schema:
        found = await schema.find("how much green tea went to sao paulo?")
    assert set(found.values) == {Value("products", "title", "Green Tea"), Value("customers", "city", "São Paulo")}


async def test_only_what_changed_is_embedded_again(shop: str, tmp_path: Path, embedder: LocalEmbedder) -> None:
    counting = Counting(embedder)
    async with open_schema(shop, home=tmp_path, embedder=counting) as schema:
        assert (schema.stored.tables, schema.stored.columns, schema.stored.embedded) == (4, 12, 16)
    async with open_schema(shop, home=tmp_path, embedder=counting) as schema:
        assert schema.stored.embedded == 0
    counting.texts.clear()
    run(tmp_path / "shop.sqlite", "ALTER TABLE customers ADD COLUMN loyalty_points INTEGER; DROP TABLE order_items;")
    async with open_schema(shop, home=tmp_path, embedder=counting) as schema:
        assert sorted(counting.texts) == ["customers loyalty points", "customers. id, name, city, loyalty points"]
        assert schema.stored.embedded == 2
        assert schema.stored.removed == 5  # the dropped table, its three columns and the table that changed
        assert "order_items" not in names(await schema.find("quantity of order items"))
        assert ("customers", "loyalty_points") in (await schema.find("who has the most loyalty points?")).columns[:2]


async def test_rebuilding_embeds_everything_anew(shop: str, tmp_path: Path, embedder: LocalEmbedder) -> None:
    async with open_schema(shop, home=tmp_path, embedder=embedder):
        pass
    async with open_schema(shop, home=tmp_path, embedder=embedder, rebuild=True) as schema:
        assert schema.stored.embedded == 16


async def test_two_opened_at_once_on_one_home_both_answer(shop: str, tmp_path: Path, embedder: LocalEmbedder) -> None:
    async with (
        open_schema(shop, home=tmp_path, embedder=embedder) as one,
        open_schema(shop, home=tmp_path, embedder=embedder) as other,
    ):
        assert names(await one.find("customers")) == names(await other.find("customers"))


async def test_progress_is_told_for_reading_and_for_embedding(
    shop: str, tmp_path: Path, embedder: LocalEmbedder
) -> None:
    told: list[tuple[str, int, int]] = []
    async with open_schema(shop, home=tmp_path, embedder=embedder, progress=lambda *step: told.append(step)):
        pass
    assert told == [*(("Reading tables", done, 4) for done in (1, 2, 3, 4)), ("Embedding", 16, 16)]


async def test_without_an_embedder_words_are_matched(shop: str, tmp_path: Path) -> None:
    async with open_schema(shop, home=tmp_path) as schema:
        assert schema.stored.embedded == 0
        assert names(await schema.find("the quantity of each order item"))[0] == "order_items"


async def test_an_embedder_that_is_down_leaves_the_words_and_is_used_again_at_the_next_start(
    shop: str, tmp_path: Path, embedder: LocalEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    counting = Counting(embedder)
    counting.down = True
    async with open_schema(shop, home=tmp_path, embedder=counting) as schema:
        assert names(await schema.find("orders placed at"))[0] == "orders"
    assert "until the next start the schema is matched by words alone" in caplog.text
    counting.down = False
    async with open_schema(shop, home=tmp_path, embedder=counting) as schema:
        assert schema.stored.embedded == 16
        counting.down = True
        assert names(await schema.find("orders placed at"))[0] == "orders"


async def test_a_question_of_any_text_is_searched_for(shop: str, tmp_path: Path, embedder: LocalEmbedder) -> None:
    async with open_schema(shop, home=tmp_path, embedder=embedder) as schema:
        for question in (
            "",
            "\0",
            "?" * 100_000,
            "Wie viele Kunden gibt es?",
            "顧客は何人ですか",
            "'; DROP TABLE x --",
        ):
            assert len((await schema.find(question)).tables) == 4


async def test_opening_and_finding_do_not_block_the_event_loop(
    shop: str, tmp_path: Path, embedder: LocalEmbedder
) -> None:
    with blockbuster_ctx():
        async with open_schema(shop, home=tmp_path, embedder=embedder) as schema:
            await schema.find("how many customers are there?")


async def test_a_database_that_cannot_be_read_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="There is no database file"):
        async with open_schema(f"sqlite:///{tmp_path}/none.sqlite", home=tmp_path):
            pass


async def test_a_home_that_cannot_be_written_leaves_the_words(
    shop: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("a file, so no folder can be made in it")
    embedder = LocalEmbedder(tmp_path / "home" / "models")
    async with open_schema(shop, home=tmp_path / "home", embedder=embedder) as schema:
        assert names(await schema.find("how many customers?"))[0] == "customers"
    assert "until the next start the schema is matched by words alone" in caplog.text


def test_the_command_line_indexes_and_says_what_it_stored(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUAESTOR_HOME", str(tmp_path / "home"))
    app = typer.Typer()
    app.command()(index)
    first = CliRunner().invoke(app, ["--database-url", shop])
    assert first.stdout == (
        "shop: 4 tables, 12 columns and 6 values are indexed; 16 texts were embedded, 0 entries removed.\n"
    )
    assert "Reading tables" in first.stderr
    assert "0 texts were embedded" in CliRunner().invoke(app, ["--database-url", shop]).stdout
    assert "16 texts were embedded" in CliRunner().invoke(app, ["--database-url", shop, "--rebuild"]).stdout


# --- many tables ---------------------------------------------------------------------------------------------------

THINGS = (
    "airport flight passenger pilot runway luggage hotel room guest booking invoice payment refund employee department "
    "salary training patient doctor nurse ward prescription medicine insurance claim student teacher course exam grade "
    "library book author publisher warehouse pallet truck driver route depot farm field crop harvest tractor river "
    "bridge dam turbine"
).split()


def many_tables() -> Catalog:
    """Fifty-odd tables that know nothing of each other, and three that are joined through a fourth."""
    tables = [
        Table(
            thing, (Column("id", "INTEGER", "number"), Column("label", "TEXT", "text"), Column("made", "TEXT", "date"))
        )
        for thing in THINGS
    ]
    tables += [
        Table("museum", (Column("museum_id", "INTEGER", "number"), Column("city", "TEXT", "text"))),
        Table("painting", (Column("painting_id", "INTEGER", "number"), Column("painter", "TEXT", "text"))),
        Table(
            "xref_17",
            (Column("m", "INTEGER", "number"), Column("p", "INTEGER", "number")),
            (ForeignKey(("m",), "museum", ("museum_id",)), ForeignKey(("p",), "painting", ("painting_id",))),
        ),
    ]
    return Catalog("many", "sqlite", tuple(tables))


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.listen()
        held: list[socket.socket] = []
        stop = threading.Event()

        def take() -> None:
            listener.settimeout(0.05)
            while not stop.is_set():
                try:
                    held.append(listener.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()
            for connection in held:
                connection.close()


@pytest.fixture
async def many(tmp_path: Path, embedder: LocalEmbedder) -> AsyncIterator[Schema]:
    async with aclosing(await Schema.open(many_tables(), tmp_path / "index" / "many", embedder)) as schema:
        yield schema


@pytest.mark.parametrize(
    ("question", "table"),
    [
        ("how many patients were treated last month?", "patient"),
        ("which physicians work on Mondays?", "doctor"),
        ("list the drugs by price", "medicine"),
        ("average pay by year", "salary"),
        ("who are our staff?", "employee"),
        ("how many lorries do we own?", "truck"),
        ("pupils by age", "student"),
        ("which novels are overdue?", "book"),
    ],
)
async def test_the_right_table_is_found_among_many(many: Schema, question: str, table: str) -> None:
    found = await many.find(question, limit=8)
    assert table in names(found)
    assert len(found.tables) == 8


async def test_a_bridge_between_two_tables_found_is_found_too(many: Schema) -> None:
    found = await many.find("which museum shows the most paintings?", limit=4)
    assert {"museum", "painting", "xref_17"} <= set(names(found))


async def test_no_table_is_found_that_the_catalog_does_not_hold(many: Schema) -> None:
    known = {table.name for table in many.catalog}
    for question in ("unicorns by dragon", "sqlite_master", "pg_catalog.pg_tables"):
        assert set(names(await many.find(question))) <= known


def chain(*tables: str) -> Catalog:
    """Each table refers to the next."""
    keys = [(ForeignKey(("next",), target, ("id",)),) for target in tables[1:]] + [()]
    columns = (Column("id", "INT"), Column("next", "INT"))
    return Catalog("chain", "sqlite", tuple(Table(n, columns, k) for n, k in zip(tables, keys, strict=True)))


@pytest.mark.parametrize(
    ("found", "added"),
    [
        (["a", "b"], []),
        (["a", "c"], ["b"]),
        (["d", "a"], ["c", "b"]),
        (["a", "e"], []),  # too far apart
        (["a", "c", "b"], []),
        (["a", "lonely"], []),
    ],
)
def test_bridges_follow_the_foreign_keys(found: list[str], added: list[str]) -> None:
    catalog = chain("a", "b", "c", "d", "e")
    lonely = Catalog("chain", "sqlite", (*catalog.tables, Table("lonely", ())))
    assert JoinGraph(lonely).bridges(found) == added


# --- values --------------------------------------------------------------------------------------------------------


def lookup(*values: str) -> Callable[[str], list[str]]:
    column = Column("status", "TEXT", "text", values=values)
    find = ValueLookup(Catalog("c", "sqlite", (Table("tickets", (column,)),))).find
    return lambda question: [value.text for value in find(question)]


@pytest.mark.parametrize(
    ("values", "question", "found"),
    [
        (("Iron Maiden", "Iron"), "albums of iron maiden", ["Iron Maiden"]),
        (("Iron Maiden",), "albums of iron madien", ["Iron Maiden"]),
        (("Germany",), "customers in Germny", ["Germany"]),
        (("Tokyo",), "shops in Tokio", ["Tokyo"]),
        (("Paris",), "shops in aParis", ["Paris"]),
        (("Germany",), "who is in Gremany", ["Germany"]),
        (("Germany",), "who is in Germanz", ["Germany"]),
        (("Germany",), "who is in Garmanz", []),
        (("Zürich",), "customers in zurich", ["Zürich"]),
        (("AC/DC",), "tracks by AC/DC", ["AC/DC"]),
        (("Laptop",), "how many laptops", ["Laptop"]),
        (("US", "IT"), "do it for us", []),
        (("US", "IT"), "customers in the US", ["US"]),
        (("all", "The"), "show all the things", []),
        (("5", "2010", "10"), "top 5 of 2010", []),
        (("12345",), "who lives in 12345", ["12345"]),
        (("Signe",), "who signed up", []),
        (("Statux",), "tickets by Status", []),
        (("a very long value of more than six words",), "a very long value of more than six words", []),
    ],
)
def test_a_question_names_values(values: tuple[str, ...], question: str, found: list[str]) -> None:
    assert lookup(*values)(question) == found


def test_a_value_is_found_in_every_column_that_holds_it() -> None:
    city = Column("city", "TEXT", "text", values=("Oslo",))
    catalog = Catalog("c", "sqlite", (Table("shops", (city,)), Table("people", (city,))))
    assert ValueLookup(catalog).find("how many in oslo") == [
        Value("shops", "city", "Oslo"),
        Value("people", "city", "Oslo"),
    ]


# --- where the entries are kept ------------------------------------------------------------------------------------


@pytest.fixture
def stores() -> Iterator[list[EntryStore]]:
    """Our own store and a server's; the server is played by its client's in-memory mode."""
    stores: list[EntryStore] = [OwnStore(), ServerStore(QdrantClient(":memory:"), "entries")]
    yield stores
    for store in stores:
        store.close()


def shelves() -> list[Entry]:
    values = [Entry("value", "drinks", "name", name) for name in ("Green Tea", "Espresso", "Black Tea")]
    return [
        Entry("table", "drinks", "", "drinks. id, name, price"),
        Entry("column", "drinks", "price", "drinks price"),
        Entry("table", "cups", "", "cups. id, colour"),
        *values,
    ]


def filled(store: EntryStore, vectors: dict[str, list[float]]) -> EntryStore:
    entries = shelves()
    store.create(2 if vectors else None)
    store.put(entries, {entry.id: entry.digest("m") for entry in entries}, vectors)
    return store


@pytest.mark.parametrize("with_vectors", [True, False])
def test_our_own_qdrant_finds_what_a_server_finds(stores: list[EntryStore], with_vectors: bool) -> None:
    angles = [0.1, 0.3, 1.4]
    entries = shelves()[:3] if with_vectors else []
    vectors = {entry.id: [cos(angle), sin(angle)] for entry, angle in zip(entries, angles, strict=False)}
    own, server = (filled(store, vectors) for store in stores)
    for text in ("price of drinks", "black tea", "cups", "nothing of it", ""):
        vector = [1.0, 0.0] if with_vectors else None
        # Entries of one rank may stand in either order.
        own_hits, server_hits = (sorted(each.search(text, vector), key=str) for each in (own, server))
        assert [replace(hit, score=0) for hit in own_hits] == [replace(hit, score=0) for hit in server_hits]
        assert [hit.score for hit in own_hits] == pytest.approx([hit.score for hit in server_hits])


def test_the_nearest_of_a_kind_are_told_with_their_cosines(stores: list[EntryStore]) -> None:
    entries = shelves()[:3]
    vectors = {entry.id: [cos(angle), sin(angle)] for entry, angle in zip(entries, [0.1, 0.3, 1.4], strict=True)}
    for store in stores:
        [near, far] = filled(store, vectors).nearest("table", [1.0, 0.0], 5)
        assert [(hit.id, hit.table) for hit in (near, far)] == [(entries[0].id, "drinks"), (entries[2].id, "cups")]
        assert [near.score, far.score] == pytest.approx([cos(0.1), cos(1.4)], abs=1e-5)


def test_a_store_forgets_what_is_removed_and_everything_when_dropped(stores: list[EntryStore]) -> None:
    for store in stores:
        filled(store, {})
        gone = shelves()[2]
        assert [hit.table for hit in store.search("cups", None)] == ["cups"]
        store.remove([gone.id])
        assert store.search("cups", None) == []
        assert store.digests() == {e.id: e.digest("m") for e in shelves() if e.id != gone.id}
        store.drop()
        assert store.digests() == {}
        with pytest.raises(IndexUnavailable, match="is gone"):
            store.probe()
        filled(store, {})
        assert [hit.table for hit in store.search("cups", None)] == ["cups"]


def test_our_own_qdrant_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = OwnStore()
    filled(store, {})
    assert len(list(tmp_path.iterdir())) == 1
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    store = OwnStore()
    with pytest.raises(IndexUnavailable, match="temporary files"):
        store.create(None)
    store.close()


async def test_a_question_asked_again_is_not_searched_again_and_another_schema_finds_its_own(
    shop: str, tmp_path: Path, embedder: LocalEmbedder
) -> None:
    counting = Counting(embedder)
    async with open_schema(shop, home=tmp_path, embedder=counting) as schema:
        counting.texts.clear()
        found = await schema.find("how many customers?")
        assert await schema.find("how many customers?") is found
        assert counting.texts == ["how many customers?"]
        assert len((await schema.find("how many customers?", limit=2)).tables) == 2
    run(tmp_path / "shop.sqlite", "DROP TABLE customers")
    async with open_schema(shop, home=tmp_path, embedder=counting) as schema:
        assert "customers" not in names(await schema.find("how many customers?"))


async def test_what_words_alone_found_is_not_remembered(shop: str, tmp_path: Path, embedder: LocalEmbedder) -> None:
    counting = Counting(embedder)
    async with open_schema(shop, home=tmp_path, embedder=counting) as schema:
        counting.down = True
        await schema.find("who buys?")
        counting.down = False
        counting.texts.clear()
        await schema.find("who buys?")
    assert counting.texts == ["who buys?"]


# --- a server ------------------------------------------------------------------------------------------------------


async def test_a_qdrant_that_is_not_there_is_said_to_be_in_one_sentence(
    shop: str, tmp_path: Path, embedder: LocalEmbedder
) -> None:
    counting = Counting(embedder)
    with pytest.raises(IndexUnavailable, match="check that Qdrant runs at QDRANT_URL"):
        async with open_schema(shop, home=tmp_path, embedder=counting, qdrant_url="http://127.0.0.1:1"):
            pass
    assert counting.is_closed


class _Refuses(BaseHTTPRequestHandler):
    """Answers every request with the key that came with it."""

    def do_GET(self) -> None:
        said = json.dumps({"status": {"error": f"{self.headers['api-key']} is no key of mine"}}).encode()
        self.send_response(403)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")  # Nothing leaves this machine.
async def test_a_qdrant_that_refuses_the_key_leaves_it_in_no_traceback(shop: str, tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Refuses)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    key, url = SecretStr("plum"), f"http://127.0.0.1:{server.server_port}"
    try:
        with pytest.raises(IndexUnavailable) as raised:
            async with open_schema(shop, home=tmp_path, qdrant_url=url, qdrant_api_key=key):
                pass
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert "is no key of mine" not in "".join(traceback.format_exception(raised.value))


async def test_a_qdrant_that_never_answers_is_given_up(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.schema_server.SERVER_SECONDS", 1)
    with silent_server() as port, pytest.raises(IndexUnavailable, match="does not answer"):
        async with asyncio.timeout(30), open_schema(shop, home=tmp_path, qdrant_url=f"http://127.0.0.1:{port}"):
            pass


async def test_a_server_that_is_no_qdrant_is_said_to_be_none(shop: str, tmp_path: Path) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>It works!</html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page)
    async with TestServer(app, host="127.0.0.1") as server:
        with pytest.raises(IndexUnavailable, match="does not answer"):
            async with open_schema(shop, home=tmp_path, qdrant_url=str(server.make_url(""))):
                pass


async def test_a_damaged_file_of_vectors_is_made_anew(shop: str, tmp_path: Path) -> None:
    embedder = open_embedder(tmp_path / "models")
    async with open_schema(shop, home=tmp_path, embedder=embedder):
        pass
    [file] = tmp_path.glob("index/*/vectors.sqlite")  # noqa: ASYNC240  # nothing else runs in this loop
    file.write_bytes(b"no database" * 1_000)
    async with open_schema(shop, home=tmp_path, embedder=open_embedder(tmp_path / "models")) as schema:
        assert schema.stored.embedded > 0
    async with open_schema(shop, home=tmp_path, embedder=open_embedder(tmp_path / "models")) as schema:
        assert schema.stored.embedded == 0


async def test_a_qdrant_url_that_is_none_is_said_to_be(shop: str, tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailable, match="QDRANT_URL cannot be read"):
        async with open_schema(shop, home=tmp_path, qdrant_url="not a url at all"):
            pass
