"""Makes a `SafeQuery` of SQL that only reads what it may read, or refuses with a reason."""

from __future__ import annotations

from dataclasses import dataclass

from tools.catalog import Catalog, Dialect


@dataclass(frozen=True)
class SafeQuery:
    """SQL that the guard has let through; only `Guard.check` makes one."""

    sql: str
    """The very text that was checked; it is the text that runs."""
    dialect: Dialect
    tables: tuple[str, ...]
    """The catalog's names of the tables it reads."""


class Guard:
    """Checks SQL for one database. `catalog=None` takes any table name as known (catalogue tables excepted)."""

    def __init__(self, dialect: Dialect, catalog: Catalog | None) -> None:
        self._dialect = dialect
        self._catalog = catalog

    async def check(self, sql: str) -> SafeQuery:
        """Return the query, safe to run; raises SQLRefused with the reason, also on anything unexpected."""
        raise NotImplementedError
