"""Refuses a WITH that does not end, or whose queries multiply one another.

A recursion may walk along a table, or count towards a bound that can be seen in the query.
"""

from __future__ import annotations

from math import inf

from sqlglot import exp

from errors import SQLRefused
from tools.catalog import Dialect
from tools.guard_amounts import number

MAX_STEPS = 100_000
"""Rows that a counting recursion may make."""
MAX_COPIES = 500
"""How often a statement may come to read one table through CTEs that read CTEs."""


def check_with(with_: exp.Expr, dialect: Dialect) -> None:
    """Raise SQLRefused where the WITH may make rows without bound."""
    _check_copies(with_)
    if with_.args.get("recursive") or _refers_to_itself(with_):
        for cte in with_.expressions:
            _check_recursion(cte, dialect)


def _check_copies(with_: exp.Expr) -> None:
    """Raise SQLRefused where CTEs multiply what they read: each reads the one before it twice, and so on."""
    copies: dict[str, int] = {}
    for cte in with_.expressions:
        name = cte.alias.lower()
        copies[name] = sum(copies.get(table.name.lower(), 1) for table in cte.this.find_all(exp.Table)) or 1
        if copies[name] > MAX_COPIES:
            raise SQLRefused("The WITH queries read one another so often that the rows multiply: write it flatter.")


def _refers_to_itself(node: exp.Expr) -> bool:
    """Whether a CTE reads itself: SQLite recurses without the word RECURSIVE too."""
    return any(
        table.name.lower() == cte.alias.lower() and not table.args.get("db")
        for cte in node.expressions
        for table in cte.this.find_all(exp.Table)
    )


def _check_recursion(cte: exp.Expr, dialect: Dialect) -> None:
    """Raise SQLRefused unless a recursive CTE walks along a table or counts up to a bound."""
    name = cte.alias.lower()
    body = cte.this.unnest()
    if not any(t.name.lower() == name and not t.args.get("db") for t in body.find_all(exp.Table)):
        return
    if not isinstance(body, exp.Union):
        raise SQLRefused("A recursive WITH needs the form SELECT … UNION ALL SELECT ….")
    limit = body.args.get("limit")
    if limit is not None and dialect in ("sqlite", "mysql") and (number(limit.expression) or inf) <= MAX_STEPS:
        return  # These two stop recursing at the limit.
    for select in members(body):
        if _reads(select, name):
            _check_step(select, name, columns_of(cte, body))


def members(query: exp.Expr) -> list[exp.Expr]:
    query = query.unnest()
    if isinstance(query, exp.SetOperation):
        return [*members(query.this), *members(query.expression)]
    return [query]


def _reads(select: exp.Expr, name: str) -> bool:
    return any(t.name.lower() == name for t in select.find_all(exp.Table))


def columns_of(cte: exp.Expr, body: exp.Expr) -> list[str]:
    if declared := cte.args["alias"].columns:
        return [c.name.lower() for c in declared]
    first = members(body)[0]
    return [p.alias_or_name.lower() for p in first.expressions]


def _check_step(select: exp.Expr, name: str, columns: list[str]) -> None:
    read = sources(select)
    own = [s for s in read if isinstance(s, exp.Table) and s.name.lower() == name]
    if len(own) != 1 or not isinstance(select, exp.Select):
        raise SQLRefused("A recursive WITH may read itself once, in the FROM of its second part.")
    alias = own[0].alias_or_name.lower()
    required = conditions(select)
    if len(read) > 1:
        # Walking along a table ends where the table has no further row; a product with it does not.
        if any(_touches(c, alias, columns) for c in required):
            return
    elif any(_bounds(c, select, alias, columns) for c in required):
        return
    raise SQLRefused(
        f"The recursion has no end that can be seen: give its second part a WHERE with an upper bound of at most"
        f" {MAX_STEPS:,}, or join it to a table."
    )


def sources(select: exp.Expr) -> list[exp.Expr]:
    """Return what stands in the FROM, JOINs and LATERALs of a SELECT, in order."""
    found = []
    if source := select.args.get("from_"):
        found.append(source.this)
    for join in select.args.get("joins") or ():
        found.append(join.this)
    found.extend(select.args.get("laterals") or ())
    return found


def conditions(select: exp.Expr) -> list[exp.Expr]:
    """Return the conditions that all must hold, from WHERE and every ON."""
    roots = [select.args["where"].this] if select.args.get("where") else []
    roots += [j.args["on"] for j in select.args.get("joins") or () if j.args.get("on")]
    found: list[exp.Expr] = []
    while roots:
        root = roots.pop().unnest()
        if isinstance(root, exp.And):
            roots += [root.this, root.expression]
        else:
            found.append(root)
    return found


def _touches(condition: exp.Expr, alias: str, columns: list[str]) -> bool:
    return any(
        c.table.lower() == alias or (not c.table and c.name.lower() in columns) for c in condition.find_all(exp.Column)
    )


def _bounds(condition: exp.Expr, select: exp.Expr, alias: str, columns: list[str]) -> bool:
    """Whether the condition ends a recursion over the CTE alone: `n < 10`, `d <= '2025-12-31'`, `rest <> ''`."""
    if isinstance(condition, exp.Between):
        return _touches(condition.this, alias, columns) and _near(condition.args["high"])
    if isinstance(condition, exp.NEQ):
        # Text is cut away until nothing is left of it.
        return _touches(condition, alias, columns) and not condition.find(exp.Add)
    if not isinstance(condition, exp.LT | exp.LTE | exp.GT | exp.GTE):
        return False
    left, right = condition.this, condition.expression
    if not _touches(left, alias, columns):
        left, right = right, left
    if not _touches(left, alias, columns) or _touches(right, alias, columns):
        return False
    upward = isinstance(condition, exp.LT | exp.LTE) == (left is condition.this)
    return _near(right) and _direction(left, select, columns) in (1 if upward else -1, None)


def _near(bound: exp.Expr) -> bool:
    """Whether every number in the bound is small; what is looked up in a table is as large as the table's values."""
    return all((constant := number(part)) is None or abs(constant) <= MAX_STEPS for part in bound.walk())


def _direction(bounded: exp.Expr, select: exp.Expr, columns: list[str]) -> int | None:
    """Return 1 where the bounded column grows from step to step, -1 where it falls, 0 where it stays, else None."""
    name = next((c.name.lower() for c in bounded.find_all(exp.Column)), "")
    if name not in columns or columns.index(name) >= len(select.expressions):
        return None
    change = select.expressions[columns.index(name)].unalias().unnest()
    if isinstance(change, exp.Column) and change.name.lower() == name:
        return 0
    amount = number(change.expression) if isinstance(change, exp.Add | exp.Sub) else None
    if amount is None:
        return None
    if isinstance(change, exp.Sub):
        amount = -amount
    return (amount > 0) - (amount < 0)
