"""Infers the foreign keys that a database does not declare, where names and values both show them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tools.catalog import Column, ForeignKey, Table
from tools.reflection_profile import Profiler, quote

CHECKED_VALUES = 1_000
"""How many distinct values of a column are looked for in the key they seem to refer to."""
ROWS_WITHOUT_KEY = 200_000
"""A larger table's values are looked for only in a declared key, which has an index."""
SHORTEST_NAME = 4
"""Letters that two differently prefixed names must share: `tx_cust_id` and `cust_id` share `custid`."""

_KEY_NAME = re.compile(r"(?P<stem>.*?)_?(id|code|key|no|nr|num|number)$")


@dataclass(frozen=True)
class _Key:
    """A column that names each row of its table."""

    table: Table
    column: Column
    declared: bool

    @property
    def stem(self) -> str:
        """What the key's name says it identifies: `artist` of `artist_id`; the table itself for a bare `id`."""
        return _stem(self.column.name) or _plain(self.table.name)


def infer_keys(tables: Sequence[Table], profiler: Profiler) -> tuple[Table, ...]:
    """Return the tables with the foreign keys that are evident beside those declared.

    A column refers to another table's key when its name is the key's (`artist_id` in both), names the table
    (`artist_id` and `artist.id`) or is the key's under another prefix, the types agree, and the key holds its values.
    """
    keys = _entities([key for table in tables if not table.is_view for key in _keys(table)])
    return tuple(replace(table, foreign_keys=table.foreign_keys + _inferred(table, keys, profiler)) for table in tables)


def _keys(table: Table) -> Iterator[_Key]:
    if table.primary_key:
        if len(table.primary_key) == 1 and (column := table.column(table.primary_key[0])):
            yield _Key(table, column, declared=True)
        return
    for column in table.columns:
        unique = column.distinct is not None and 0 < column.distinct == table.row_count
        own = _words(column.name) == "id" or _named_after(table.name, _stem(column.name))
        if unique and own and _is_key_name(column.name):
            yield _Key(table, column, declared=False)


def _entities(keys: Sequence[_Key]) -> list[_Key]:
    """Return the keys less those of longer-named tables: `domain_id` is the key of `domain`, not `domain_author`."""
    return [
        key
        for key in keys
        if key.declared
        or not any(
            _plain(other.column.name) == _plain(key.column.name) != "id"
            and other.table.name != key.table.name
            and _plain(key.table.name).startswith(_plain(other.table.name))
            for other in keys
        )
    ]


def _inferred(table: Table, keys: Sequence[_Key], profiler: Profiler) -> tuple[ForeignKey, ...]:
    if table.is_view:
        return ()
    taken = {name.lower() for key in table.foreign_keys for name in key.columns}
    found = []
    for column in table.columns:
        if column.name.lower() in taken or not _is_key_name(column.name):
            continue
        for key in _candidates(table, column, keys):
            if _holds(key, table, column, profiler):
                found.append(ForeignKey((column.name,), key.table.name, (key.column.name,), inferred=True))
                break
    return tuple(found)


def _candidates(table: Table, column: Column, keys: Sequence[_Key]) -> list[_Key]:
    """Return the keys that the column may refer to by name and type, the likeliest first."""
    own = [key.column.name for key in keys if key.table.name == table.name]
    if column.name in own and (not _stem(column.name) or _named_after(table.name, _stem(column.name))):
        return []  # It names this table's own rows.
    fitting = [
        key
        for key in keys
        if key.table.name != table.name and key.column.kind == column.kind and _names(column, table, key)
    ]
    return sorted(fitting, key=lambda key: (not _named_after(key.table.name, key.stem), not key.declared))


def _names(column: Column, table: Table, key: _Key) -> bool:
    mine, theirs = _plain(column.name), _plain(key.column.name)
    stem = _stem(column.name)
    if not stem:
        return False
    if mine == theirs:
        return key.declared or _named_after(key.table.name, key.stem)
    if not _stem(key.column.name):
        return stem in (_plain(key.table.name), _singular(_plain(key.table.name)))
    bare = _plain(column.name[len(_prefix(table)) :])
    return len(bare) >= SHORTEST_NAME and bool(_stem(bare)) and theirs.endswith(bare)


def _holds(key: _Key, table: Table, column: Column, profiler: Profiler) -> bool:
    """Whether the key holds the column's values; an empty column is taken at its name for a declared key."""
    if column.distinct == 0 or (table.row_count == 0):
        return key.declared
    if not key.declared and (key.table.row_count or 0) > ROWS_WITHOUT_KEY:
        return False
    dialect = profiler.dialect
    child, parent = quote(column.name, dialect), quote(key.column.name, dialect)
    strays = profiler.ask(
        f"SELECT 1 FROM (SELECT DISTINCT {child} AS v FROM {profiler.quoted(table)} WHERE {child} IS NOT NULL "
        f"LIMIT {CHECKED_VALUES}) AS c WHERE NOT EXISTS "
        f"(SELECT 1 FROM {profiler.quoted(key.table)} AS p WHERE p.{parent} = c.v) LIMIT 1"
    )
    return strays == []


def _words(name: str) -> str:
    """Return the name in lower case, its words apart: `ArtistId` and `artist id` are `artist_id`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"\W+", "_", apart).lower()


def _plain(name: str) -> str:
    return _words(name).replace("_", "")


def _is_key_name(name: str) -> bool:
    return _KEY_NAME.match(_words(name)) is not None


def _stem(name: str) -> str:
    match = _KEY_NAME.match(_words(name))
    return match["stem"].replace("_", "") if match else ""


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-2] if name.endswith(("ses", "xes", "ches", "shes")) else name.removesuffix("s")


def _named_after(table: str, stem: str) -> bool:
    """Whether the stem begins the table's name or one of its words, as `cust` and `c` begin `customers`."""
    return bool(stem) and (_plain(table).startswith(stem) or any(w.startswith(stem) for w in _words(table).split("_")))


def _prefix(table: Table) -> str:
    """Return what all column names of the table begin with, or nothing where they do not share three letters."""
    names = [column.name for column in table.columns]
    first, last = min(names), max(names)
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    return first[:shared] if len(names) > 1 and shared >= 3 else ""
