"""A name that is not there is told from what else may be wrong with SQL, and a changed schema from one that is not."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from errors import NameMissing, NameUnknown, SQLFailed, SQLRefused
from tests.changing_database import REFUNDS, SHOP, Fill
from tools.connections.address import dialect_of
from tools.reflection import read_catalog
from tools.schema_catalog import is_as_declared
from tools.sql_guard import Guard
from tools.sql_runner import open_runner

pytest_plugins = ("tests.changing_database",)


async def test_a_database_says_that_a_name_is_missing(any_fill: Fill) -> None:
    url = any_fill(SHOP)
    dialect = dialect_of(url)
    # None of the four takes an integer that is too large, or several rows for one.
    wrong = "abs(-9223372036854775808)" if dialect == "sqlite" else "(SELECT name FROM products)"
    async with aclosing(open_runner(url)) as runner, aclosing(Guard(dialect, None)) as guard:
        for sql in ("SELECT weight FROM products", "SELECT 1 FROM nowhere"):
            with pytest.raises(NameMissing):
                await runner.run(await guard.check(sql))
        with pytest.raises(SQLFailed) as raised:
            await runner.run(await guard.check(f"SELECT {wrong}"))
        assert type(raised.value) is SQLFailed


def test_a_catalog_is_as_the_database_declares_it_until_that_changes(any_fill: Fill) -> None:
    url = any_fill(SHOP + REFUNDS)
    catalog = read_catalog(url)
    assert is_as_declared(catalog, url)
    any_fill("INSERT INTO products VALUES (3, 'Cocoa', 9)")
    assert is_as_declared(catalog, url), "only names and types are compared"
    any_fill("ALTER TABLE products ADD COLUMN opened DATE")
    assert not is_as_declared(catalog, url)
    assert is_as_declared(read_catalog(url), url)


async def test_the_guard_tells_an_unknown_name_from_what_may_not_be(on_sqlite: Fill) -> None:
    async with aclosing(Guard("sqlite", read_catalog(on_sqlite(SHOP)))) as guard:
        for sql in ("SELECT * FROM refunds", "SELECT weight FROM products", "SELECT p.weight FROM products AS p"):
            for _ in range(2):  # The second time by what it remembers.
                with pytest.raises(NameUnknown):
                    await guard.check(sql)
        with pytest.raises(SQLRefused) as raised:
            await guard.check("DELETE FROM products")
        assert type(raised.value) is SQLRefused
