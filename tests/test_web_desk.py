"""The one open database that everybody asks at."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import NoReturn

import pytest

from errors import AskError, DatabaseUnavailable, SQLRefused
from settings import Settings
from tests.asked import offline_settings
from tools.files import Database
from web import desk as desk_module
from web.desk import Desk, desk_of


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT)")
        connection.execute("INSERT INTO products (name) VALUES ('Tea')")
        connection.commit()
    return path


@asynccontextmanager
async def desk_for(database: Path, home: Path) -> AsyncIterator[Desk]:
    desk = Desk(offline_settings(home, database_url=f"sqlite:///{database}"))
    try:
        yield desk
    finally:
        await desk.close()


async def test_a_database_that_was_not_there_is_tried_again_by_the_next_question(shop: Path, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    async with desk_for(database, tmp_path / "home") as desk:
        assert await desk.ready() is None
        assert "shop.db" in str(desk.trouble)
        shutil.copy(shop, database)
        assert await desk.ready() is None, "only a question tries again"
        asker = await desk.asker()
        assert asker.catalog.name == "shop"
        assert await desk.ready() is asker
        assert await desk.asker() is asker


async def test_every_question_is_told_why_the_database_cannot_be_opened(tmp_path: Path) -> None:
    async with desk_for(tmp_path / "shop.db", tmp_path / "home") as desk:
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable, match=r"shop\.db"):
                await desk.asker()


async def test_who_waits_while_a_file_cannot_be_read_is_told_why_and_does_not_have_it_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, begun = tmp_path / "sales.csv", asyncio.Queue[str]()
    file.write_text("a\n1\n2,3\n")
    folder = Database.of(str(file), tmp_path / "home").folder
    folder.mkdir(parents=True)
    desk = Desk(offline_settings(tmp_path / "home", database_url=str(file)))
    monkeypatch.setattr(desk, "_begin", begun.put_nowait)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # So the import waits until all do.
        asking = [asyncio.create_task(desk.asker()) for _ in range(3)]
        await begun.get()
    for each in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(each, DatabaseUnavailable) and "line 3" in str(each)
    assert begun.empty()
    with pytest.raises(DatabaseUnavailable, match="line 3"):
        await desk.asker()
    assert begun.qsize() == 1, "who asks later tries again"
    await desk.close()


async def test_what_nobody_foresaw_is_told_by_the_number_it_is_logged_under(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def open_renewing(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("the DSN and its password")

    monkeypatch.setattr(desk_module, "open_renewing", open_renewing)
    async with desk_for(tmp_path / "shop.db", tmp_path) as desk:
        with pytest.raises(AskError, match="The log has the details under") as raised:
            await desk.asker()
    assert "password" not in str(raised.value)
    assert str(desk.trouble).split()[-1].rstrip(".") in caplog.text


def test_the_same_settings_lead_to_the_same_desk() -> None:
    read = {"host": "127.0.0.1", "users": "ann:plum", "database_url": "sqlite:///shop.db"}
    first, again = (Settings.model_validate(read) for _ in range(2))
    assert first is not again
    assert desk_of(first) is desk_of(again)
    assert desk_of(first) is not desk_of(Settings.model_validate({**read, "users": "ann:pear"}))


async def test_a_querys_rows_are_fetched_behind_the_guard(shop: Path, tmp_path: Path) -> None:
    async with desk_for(shop, tmp_path / "home") as desk:
        assert await desk.download("SELECT name FROM products", lambda rows: rows.values) == (("Tea",),)
        with pytest.raises(SQLRefused, match="DELETE is not allowed"):
            await desk.download("DELETE FROM products", repr)


async def test_a_file_holds_more_rows_than_an_answer_and_says_where_it_was_cut(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(shop)) as connection:
        connection.executemany("INSERT INTO products (name) VALUES (?)", [(f"Tea {i}",) for i in range(2_999)])
        connection.commit()
    async with desk_for(shop, tmp_path / "home") as desk:
        sql = "SELECT * FROM products"
        assert await desk.download(sql, lambda rows: (len(rows.values), rows.truncated)) == (3_000, False)
        monkeypatch.setattr(desk_module, "DOWNLOADED", 2_000)
        assert await desk.download(sql, lambda rows: (len(rows.values), rows.truncated)) == (2_000, True)
