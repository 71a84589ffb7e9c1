"""Leaves out the columns of wide tables that a question is not about, so that a prompt holds the rest."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import replace

from tools.catalog import Found, Table

log = logging.getLogger(__name__)


def narrow(found: Found, columns: int) -> Found:
    """Return what was found with at most `columns` columns in each table, in their own order.

    A table's own keys are always kept, even where they alone are more than that. Then come the columns that another
    table found refers to, those that hold a value named, those the index found, and the first of the others. The log
    says how many were left out.
    """
    needed = _referred(found)
    for value in found.values:
        needed[value.table].append(value.column)
    for table, column in found.columns:
        needed[table].append(column)
    tables = tuple(_narrowed(table, needed[table.name], columns) for table in found.tables)
    return replace(found, tables=tables)


def _referred(found: Found) -> dict[str, list[str]]:
    referred: dict[str, list[str]] = defaultdict(list)
    for table in found.tables:
        for key in table.foreign_keys:
            referred[key.table] += key.referred
    return referred


def _narrowed(table: Table, wanted: list[str], columns: int) -> Table:
    if len(table.columns) <= columns:
        return table
    keys = {*table.primary_key, *(name for key in table.foreign_keys for name in key.columns)}
    names = dict.fromkeys([*keys, *wanted, *(column.name for column in table.columns)])
    kept = set(list(names)[: max(columns, len(keys))])
    log.info("%s: %d of %d columns are left out", table.name, len(table.columns) - len(kept), len(table.columns))
    return replace(table, columns=tuple(column for column in table.columns if column.name in kept))
