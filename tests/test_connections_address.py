"""A database's address tells its dialect and its name."""

from __future__ import annotations

import pytest

from errors import SettingsInvalid
from tools.catalog import Dialect
from tools.connections.address import database_name, dialect_of, read_url


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
        ("postgresql://u%40server:p%40ss@host/a%40b", "postgres", "a@b"),
        ("postgresql://u:pa/ss@host/shop", "postgres", "shop"),
        ("  mariadb://u@host/shop\n", "mysql", "shop"),
    ],
)
def test_an_address_tells_the_dialect_and_the_name(url: str, dialect: Dialect, name: str) -> None:
    assert (dialect_of(url), database_name(url)) == (dialect, name)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:one@two@host/shop",
        "postgresql://u:one@two/three@host/shop",
        "mysql://u:one@two/three@host/shop?charset=utf8mb4",
    ],
)
def test_a_password_that_is_not_escaped_is_told_without_any_of_it(url: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"more than one @: .* %40") as told:
        read_url(url)
    assert not any(part in str(told.value) for part in ("one@", "two", "three"))
