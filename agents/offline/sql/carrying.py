"""Carries the conditions that a person gave the rules' SQL over to the SQL of what is asked next."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tools.catalog import Dialect


def carry(written: str, edited: str, follows: str, dialect: Dialect) -> str | None:
    """Return `follows`, what the rules write for the next question, with what a person changed in what they wrote.

    It is `follows` itself where nothing was changed but how it is written. None where more was changed than
    conditions, or where these do not fit what follows: nothing is guessed.
    """
    try:
        if is_alike(written, edited, dialect):
            return follows
        before, after, next_ = (_select(sql, dialect) for sql in (written, edited, follows))
    except (SqlglotError, _Unlike):
        return None
    if _without_conditions(before) != _without_conditions(after):
        return None
    had, has, kept = (_conditions(each) for each in (before, after, next_))
    gone, new = had.keys() - has.keys(), [condition for said, condition in has.items() if said not in had]
    read = {table.name for table in next_.find_all(exp.Table)}
    if not gone <= kept.keys() or any(column.table not in read for each in new for column in each.find_all(exp.Column)):
        return None
    conditions = [*(each for said, each in kept.items() if said not in gone), *new]
    next_.set("where", exp.Where(this=exp.and_(*conditions)) if conditions else None)
    return next_.sql(dialect, pretty=True, comments=False)


class _Unlike(Exception):
    """The SQL is not one plain SELECT of the rules' kind."""


def is_alike(one: str, other: str, dialect: Dialect) -> bool:
    """Whether two statements are one but for how they are written; raises SqlglotError."""
    said = [sqlglot.parse_one(sql, read=dialect).sql(comments=False) for sql in (one, other)]
    return said[0] == said[1]


def _select(sql: str, dialect: Dialect) -> exp.Select:
    """Return the statement, with the name of its table before each column of a statement that reads one only."""
    tree = sqlglot.parse_one(sql, read=dialect)
    tables = list(tree.find_all(exp.Table))
    is_one = isinstance(tree, exp.Select) and len(list(tree.find_all(exp.Select))) == 1
    if not isinstance(tree, exp.Select) or not is_one or not tables or any(table.alias for table in tables):
        raise _Unlike
    for column in tree.find_all(exp.Column):
        if not column.table and len(tables) == 1:
            column.set("table", exp.to_identifier(tables[0].name, quoted=tables[0].this.quoted))
    return tree


def _conditions(tree: exp.Select) -> dict[str, exp.Expr]:
    """Return what must all hold of a row, by what it says."""
    where = tree.args.get("where")
    if where is None:
        return {}
    every = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
    return {each.sql(comments=False): each for each in every}


def _without_conditions(tree: exp.Select) -> str:
    bare = tree.copy()
    bare.set("where", None)
    return bare.sql(comments=False)
