"""Writes the names of a catalog as they stand in SQL, whatever characters they hold."""

from __future__ import annotations

from sqlglot import exp

from tools.catalog import Table


def quoted_table(table: Table) -> exp.Table:
    """Return the table, each part of its name in the dialect's quotes."""
    *schema, name = (exp.to_identifier(part, quoted=True) for part in table.parts)
    return exp.Table(this=name, db=schema[0] if schema else None)


def quoted_column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)
