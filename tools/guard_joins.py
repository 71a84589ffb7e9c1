"""Tells which of a SELECT's sources its conditions bring together, and how tightly."""

from __future__ import annotations

from sqlglot import exp

from tools.guard_recursion import conditions


def links(select: exp.Expr, tables: dict[str, str], *, equal: bool) -> list[list[str]]:
    """Return the groups of sources that a condition brings together; `tables` names the table behind each label.

    With `equal` only an equality of one source with another counts: `a.id = b.id`, not `a.total <> b.total + c.total`.
    """
    found = []
    for join in select.args.get("joins") or ():
        if join.args.get("using") or join.args.get("method"):
            found.append(list(tables))  # USING, NATURAL, ASOF and POSITIONAL name no tables.
    for condition in conditions(select):
        found += _equated(condition, tables) if equal else [_named(condition, tables)]
    return [labels for labels in found if len(labels) > 1]


def _named(condition: exp.Expr, tables: dict[str, str]) -> list[str]:
    columns = list(condition.find_all(exp.Column))
    labels = {column.table.lower() for column in columns}
    if "" in labels and len(columns) > 1:
        # Only the database knows whose these are; no copy's, or it would call them ambiguous.
        copied = list(tables.values())
        labels |= {label for label, table in tables.items() if not table or copied.count(table) == 1}
    return [label for label in labels if label in tables]


def _equated(condition: exp.Expr, tables: dict[str, str]) -> list[list[str]]:
    """Return the pairs that the condition equates, in each of its alternatives."""
    match condition:
        case exp.Paren():
            return _equated(condition.this, tables)
        case exp.And():
            return [*_equated(condition.this, tables), *_equated(condition.expression, tables)]
        case exp.Or():
            left, right = (_equated(side, tables) for side in (condition.this, condition.expression))
            return [pair for pair in left if any(set(pair) <= set(wider) for wider in right)]
        case exp.EQ() | exp.NullSafeEQ():
            if any(not column.table for column in condition.find_all(exp.Column)):
                return [_named(condition, tables)]
            one, other = (_owners(side, tables) for side in (condition.this, condition.expression))
            if len(one) == len(other) == 1:
                return [[*one, *(other - one)]]
        case exp.In() if condition.expressions and len(_named(condition, tables)) == 2:
            return [_named(condition, tables)]
    return []


def _owners(side: exp.Expr, tables: dict[str, str]) -> set[str]:
    """Return whose value the side is: nobody's where arithmetic may make one number of all values (b.id * 0)."""
    columns = list(side.find_all(exp.Column))
    if side.find(exp.Mul, exp.Mod) is not None or (len(columns) > 1 and side.find(exp.Sub) is not None):
        return set()
    return {column.table.lower() for column in columns} & tables.keys()
