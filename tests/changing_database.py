"""Real databases that a test fills, and changes while somebody asks them.

A test file asks for them with `pytest_plugins = ("tests.changing_database",)`.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pymysql
import pytest
from sqlalchemy.engine import make_url

SHOP = """
    CREATE TABLE products (product_id INTEGER PRIMARY KEY, name VARCHAR(40), amount INTEGER);
    INSERT INTO products VALUES (1, 'Tea', 3), (2, 'Coffee', 5);
"""
REFUNDS = """
    CREATE TABLE refunds (refund_id INTEGER PRIMARY KEY, reason VARCHAR(40));
    INSERT INTO refunds VALUES (1, 'broken'), (2, 'late'), (3, 'late');
"""

Fill = Callable[[str], str]
"""Runs a script on the database, and returns its URL."""


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Fill:
    def fill(script: str) -> str:
        with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
            connection.executescript(script)
        return f"sqlite:///{tmp_path}/shop.db"

    return fill


@pytest.fixture
def on_duckdb(tmp_path: Path) -> Fill:
    def fill(script: str) -> str:
        with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
            connection.execute(script)
        return f"duckdb:///{tmp_path}/shop.duckdb"

    return fill


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[Fill]:
    name = f"renewed_{secrets.token_hex(4)}"
    url = postgres_url.replace("/postgres?", f"/{name}?")
    assert url != postgres_url

    def fill(script: str) -> str:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(script.encode())
        return url

    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield fill
        finally:
            owner.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def on_mysql(mariadb_url: str) -> Iterator[Fill]:
    name = f"renewed_{secrets.token_hex(4)}"
    server = make_url(mariadb_url)

    def run(script: str) -> None:
        about: dict[str, Any] = server.translate_connect_args(username="user")
        with pymysql.connect(**about, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in filter(str.strip, script.split(";")):
                cursor.execute(statement)

    def fill(script: str) -> str:
        run(f"USE {name}; {script}")
        return server.set(database=name).render_as_string(hide_password=False)

    run(f"CREATE DATABASE {name}")
    yield fill
    run(f"DROP DATABASE {name}")


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mysql"])
def any_fill(request: pytest.FixtureRequest) -> Fill:
    found: Fill = request.getfixturevalue(f"on_{request.param}")
    return found


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def fill(request: pytest.FixtureRequest) -> Fill:
    found: Fill = request.getfixturevalue(f"on_{request.param}")
    return found
