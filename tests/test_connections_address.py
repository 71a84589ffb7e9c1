"""A database's address tells its dialect and its name."""

from __future__ import annotations

import pytest

from tools.catalog import Dialect
from tools.connections.address import database_name, dialect_of


@pytest.mark.parametrize(
    ("url", "dialect", "name"),
    [
        ("sqlite:///shop.sqlite", "sqlite", "shop"),
        ("sqlite:////data/my%20shop.db", "sqlite", "my shop"),
        ("duckdb:////data/shop.duckdb", "duckdb", "shop"),
        ("postgresql://u:p@host/shop", "postgres", "shop"),
        ("postgres://u@/shop?host=/tmp", "postgres", "shop"),
        ("postgresql+psycopg://u@host", "postgres", "u"),
        ("mysql://u@host/shop", "mysql", "shop"),
        ("mariadb+pymysql://u@host/shop", "mysql", "shop"),
        ("  mariadb://u@host/shop\n", "mysql", "shop"),
    ],
)
def test_an_address_tells_the_dialect_and_the_name(url: str, dialect: Dialect, name: str) -> None:
    assert (dialect_of(url), database_name(url)) == (dialect, name)
