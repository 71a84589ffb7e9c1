"""The server without the chat, over real HTTP on a free port, with the offline analyst on a small database.

A test file asks for it with `pytest_plugins = ("tests.web_fixture",)`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import uvicorn

from server import configure, listen
from settings import Settings
from tests.asked import offline_settings
from web.app import build_web
from web.desk import Desk
from web.guests import Guests, guests_of

FOREVER = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
    "SELECT count(*) FROM n AS a JOIN n AS b ON a.i < b.i"
)
"""Within the guard's rules, and longer than any test waits."""


@dataclass(frozen=True)
class Web:
    """A running server."""

    client: httpx.AsyncClient
    desk: Desk

    async def ask(self, question: str, **more: object) -> httpx.Response:
        return await self.client.post("/api/ask", json={"question": question, **more})

    async def counted(self, name: str) -> float:
        """Return a metric's value by its name as Prometheus reads it, labels included."""
        for line in (await self.client.get("/metrics")).text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[-1])
        raise AssertionError(f"there is no metric {name}")

    async def comes_to(self, name: str, value: float) -> None:
        """Wait until a metric has this value."""
        async with asyncio.timeout(20):
            while await self.counted(name) != value:  # noqa: ASYNC110  # The server has no event to wait for.
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(settings: Settings, guests: Guests | None = None) -> AsyncIterator[Web]:
    """Serve with these settings, and to these guests where others than the settings' are named."""
    desk = Desk(settings)

    async def start() -> None:
        await desk.ready()

    with listen("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        app = build_web(settings, desk, guests or guests_of(settings), start, desk.close)
        server = uvicorn.Server(configure(app))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                yield Web(client, desk)
        finally:
            server.should_exit = True
            await serving


def small_shop(folder: Path) -> str:
    """Make a small database; return its URL."""
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.execute("CREATE TABLE products (product_id INTEGER PRIMARY KEY, name TEXT, price REAL)")
        products = [("Tea", 3.5), ("<img src=x>", 2.0)]
        connection.executemany("INSERT INTO products (name, price) VALUES (?, ?)", products)
        connection.commit()
    return f"sqlite:///{folder}/shop.db"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def web(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    settings = offline_settings(folder / "home", database_url=small_shop(folder))
    # One statement at a time, and none that ends by itself: where the next one runs, the one before was stopped.
    async with running(settings.model_copy(update={"statements_at_once": 1, "query_timeout": 600.0})) as web:
        yield web
