"""Takes a statement's filters apart: what each asks for, and how many rows there are when it is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp, parse_one
from sqlglot.optimizer.scope import Scope, traverse_scope

from tools.catalog import Catalog, Column, Dialect, Table
from tools.conditions import conditions_of, say_condition

FILTERS = 8
"""Of a statement with more filters, the first ones are looked at."""


@dataclass(frozen=True)
class Filter:
    """One condition that every row must meet."""

    words: str | None
    """As people say it: "city is Berln"; None where it is none of the plain ones."""
    table: Table | None
    """The table of the one column that it is about, None where it is about none or several."""
    column: Column | None
    wanted: tuple[str, ...] = ()
    """The texts that the column must equal or be like, as the statement spells them, without wildcards."""
    is_bound: bool = False
    """Whether it bounds the column: at least, below, between, or a part of a date."""


class Filters:
    """The filters of one statement. Parsing takes milliseconds: make and use it beside the event loop."""

    def __init__(self, sql: str, dialect: Dialect, catalog: Catalog) -> None:
        """Raises sqlglot's ParseError for what is no SQL."""
        self._dialect = dialect
        self._catalog = catalog
        self._tree = parse_one(sql, dialect=dialect)
        self._conditions = list(conditions_of(self._tree))[:FILTERS]
        scopes = _scopes_of(self._tree)
        self.all = tuple(self._filter(condition, scopes) for condition in self._conditions)

    def count_without(self, left_out: Sequence[int]) -> str:
        """Return SQL that counts the rows without the filters at these places; of an aggregate, those it is made of."""
        return self._count(left_out, {})

    def count_with(self, place: int, old: str, new: str) -> str:
        """Return SQL that counts the rows where the filter at this place asks for another text."""
        return self._count((), {place: (old, new)})

    def with_value(self, place: int, old: str, new: str) -> str:
        """Return the statement where the filter at this place asks for another text."""
        return self._changed((), {place: (old, new)}).sql(dialect=self._dialect)

    def _count(self, left_out: Sequence[int], replaced: dict[int, tuple[str, str]]) -> str:
        return _counting(self._changed(left_out, replaced)).sql(dialect=self._dialect)

    def _changed(self, left_out: Sequence[int], replaced: dict[int, tuple[str, str]]) -> exp.Expr:
        tree = self._tree.copy()
        for place, condition in enumerate(list(conditions_of(tree))[:FILTERS]):
            if place in left_out:
                condition.replace(exp.true())
            elif place in replaced:
                old, new = replaced[place]
                new = new.lower() if condition.find(exp.Lower) else new
                for literal in condition.find_all(exp.Literal):
                    if literal.is_string and old in literal.this:
                        literal.set("this", literal.this.replace(old, new))
        return tree

    def _filter(self, condition: exp.Expr, scopes: dict[int, Scope]) -> Filter:
        table, column = self._column(condition, scopes)
        wanted: tuple[str, ...] = ()
        if (
            column is not None
            and column.kind == "text"
            and isinstance(condition, exp.EQ | exp.In | exp.Like | exp.ILike)
            and not condition.args.get("negate")  # A NOT LIKE asks for everything else.
        ):
            texts = [literal.this.strip("%") for literal in condition.find_all(exp.Literal) if literal.is_string]
            wanted = tuple(text for text in texts if text)
        has_bound = isinstance(condition, exp.Between | exp.GT | exp.GTE | exp.LT | exp.LTE | exp.EQ)
        is_bound = (
            has_bound and column is not None and column.kind in ("number", "date") and not _has_aggregate(condition)
        )
        return Filter(say_condition(condition), table, column, wanted, is_bound)

    def _column(self, condition: exp.Expr, scopes: dict[int, Scope]) -> tuple[Table | None, Column | None]:
        """Return the one column of the catalog that the condition is about."""
        columns = list(condition.find_all(exp.Column))
        select = condition.find_ancestor(exp.Select)
        scope = scopes.get(id(select)) if select is not None else None
        if scope is None or len({(c.table, c.name) for c in columns}) != 1 or condition.find(exp.Select):
            return None, None
        sources = scope.sources
        asked = [sources.get(columns[0].table)] if columns[0].table else list(sources.values())
        for source in asked:
            table = self._catalog.table(_name_of(source)) if isinstance(source, exp.Table) else None
            if table is not None and (column := table.column(columns[0].name)) is not None:
                return table, column
        return None, None


def _counting(tree: exp.Expr) -> exp.Expr:
    if isinstance(tree, exp.Query):
        for part in ("order", "limit", "offset"):
            tree.set(part, None)
    grouped = tree.args.get("group") or tree.args.get("distinct")
    if isinstance(tree, exp.Select) and not grouped:
        has_aggregate = any(_has_aggregate(projection) for projection in tree.expressions)
        if has_aggregate or not tree.args.get("having"):
            tree.set("having", None)
            return tree.select("COUNT(*)", append=False)
    assert isinstance(tree, exp.Query)
    return exp.select("COUNT(*)").from_(tree.subquery("found"))


def _has_aggregate(node: exp.Expr) -> bool:
    return any(not isinstance(found.parent, exp.Window) for found in node.find_all(exp.AggFunc))


def _scopes_of(tree: exp.Expr) -> dict[int, Scope]:
    return {id(scope.expression): scope for scope in traverse_scope(tree)}


def _name_of(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts)
