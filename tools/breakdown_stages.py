"""Lays one SELECT out in the order in which it means: sources, joins, filters, groups, columns, sorting, limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from tools.breakdown_sources import Sources, columns_in, queries_in
from tools.breakdown_telling import Telling, has_aggregate, has_window, is_of_window
from tools.breakdown_words import Words
from tools.conditions import conjuncts

FILTERS = 4
"""Filters that are steps of their own; more are told as one."""
COLUMNS = 8
"""Columns of a step before the query's own columns are worked out: those that the query uses."""


@dataclass(frozen=True)
class Stage:
    """One step of a SELECT."""

    words: str
    tree: exp.Expr
    keeps_count: bool = False
    """Whether it has as many rows as the stage before it."""
    step: int | None = None
    """The step that showed these rows already, where the stage only reads a query that was told before."""
    shows_plainly: bool = False
    """Whether it only leaves out columns."""


def stages_of(select: exp.Expr, sources: Sources, words: Words, equal: frozenset[str]) -> list[Stage]:
    """Return the stages of a SELECT; what the last one leaves is what the SELECT gives.

    `equal` are the names of columns that are the same in all sources.
    """
    return list(_Laying(select, sources, words, equal).stages())


class _Laying:
    def __init__(self, select: exp.Expr, sources: Sources, words: Words, equal: frozenset[str]) -> None:
        self._select = select
        self._equal = equal
        self._sources = sources
        self._telling = Telling(select, sources, words)
        where = select.args.get("where")
        self._filters = list(conjuncts(where.this if where else None))
        self._used = list(self._used_columns())
        self._is_grouped = bool(select.args.get("group")) or any(
            has_aggregate(node) for node in (*select.expressions, select.args.get("having")) if node is not None
        )

    def stages(self) -> Iterator[Stage]:
        yield from self._joining()
        yield from self._filtering()
        laid = [*self._grouping(), *self._ending()]
        if not laid:
            plain = self._with_columns(self._read(len(self._sources), self._filters))
            laid = [Stage(self._telling.shown(), plain, keeps_count=True, shows_plainly=True)]
        yield from laid

    def _joining(self) -> Iterator[Stage]:
        joins = self._select.args.get("joins") or []
        first = Stage(self._telling.start(), self._read(1, []), step=self._sources[0].step)
        if self._joined_with(0):
            first = replace(first, tree=self._read(1, self._joined_with(0)))
        yield first
        waiting: list[int] = []
        for place in range(1, len(self._sources)):
            waiting.append(place)
            linked = [c for p in waiting for c in self._joined_with(p)]
            is_last = place == len(self._sources) - 1
            if _has_no_condition(joins[place - 1]) and not linked and not is_last:
                continue  # Without a condition it would only multiply: it is told with what links it.
            kept = [c for p in range(1, place + 1) for c in self._joined_with(p)]
            yield Stage(self._telling.joining(waiting, linked), self._read(place + 1, kept))
            waiting = []
        used = [c for p in range(len(self._sources)) for c in self._joined_with(p)]
        self._links, self._filters_left = used, [c for c in self._filters if not _is_among(c, used)]

    def _joined_with(self, place: int) -> list[exp.Expr]:
        """Return the conditions of WHERE that link a source without an ON to those before it."""
        joins = self._select.args.get("joins") or []
        if place == 0 or not any(_has_no_condition(join) for join in joins):
            return []
        found = []
        for condition in self._filters:
            owners = self._sources.owners(condition)
            if None in owners or len(owners) < 2 or any(True for _ in queries_in(condition)):
                continue
            if max(owner for owner in owners if owner is not None) == place and not isinstance(condition, exp.Or):
                found.append(condition)
        return found

    def _filtering(self) -> Iterator[Stage]:
        kept = list(self._links)
        for filters in self._filters_together():
            kept += filters
            yield Stage(self._telling.filtering(filters), self._read(len(self._sources), kept))

    def _filters_together(self) -> list[list[exp.Expr]]:
        """Return the filters, those on one value together, and all together where they are many."""
        together: dict[str, list[exp.Expr]] = {}
        for condition in self._filters_left:
            subject = condition.args.get("this")
            is_column = isinstance(subject, exp.Column)
            together.setdefault(subject.sql() if is_column and subject else str(id(condition)), []).append(condition)
        groups = list(together.values())
        return [self._filters_left] if len(groups) > FILTERS else groups

    def _grouping(self) -> Iterator[Stage]:
        having, group = self._select.args.get("having"), self._select.args.get("group")
        if not self._is_grouped or (group and self._counts_windows(group)):
            return
        tree = self._read(len(self._sources), self._filters)
        tree.set("group", group.copy() if group else None)
        tree.set("expressions", self._grouped_columns())
        yield Stage(self._telling.grouping(), tree)
        if having is not None:
            tree = tree.copy()
            tree.set("having", having.copy())
            yield Stage(self._telling.having(list(conjuncts(having.this))), tree)

    def _counts_windows(self, group: exp.Expr) -> bool:
        """Whether GROUP BY names columns by their places where some hold windows, which the groups do not have yet."""
        by_place = any(isinstance(key, exp.Literal) for key in group.expressions)
        return by_place and any(has_window(node) for node in self._select.expressions)

    def _grouped_columns(self) -> list[exp.Expr]:
        """Return the columns of the groups: keys, the answer's own, and what HAVING, windows and sorting look at."""
        select = self._select
        group = select.args.get("group")
        columns = [node.copy() for node in select.expressions if not has_window(node)]
        known = {(node.this if isinstance(node, exp.Alias) else node).sql() for node in columns}
        is_plain = group is not None and not any(group.args.get(k) for k in ("rollup", "cube", "grouping_sets", "all"))
        wanted: list[exp.Expr] = [
            key for key in (group.expressions if group and is_plain else ()) if isinstance(key, exp.Column)
        ]
        aliases = {node.alias.lower() for node in select.expressions if node.alias}
        wanted = [key for key in wanted if key.text("table") or key.name.lower() not in aliases]
        for kind in ("having", "order"):
            if (node := select.args.get(kind)) is not None:
                wanted += _aggregates(node)
        for node in select.expressions:
            wanted += _aggregates(node) if has_window(node) else []
        for node in wanted:
            if node.sql() not in known:
                known.add(node.sql())
                columns.append(node.copy())
        return columns

    def _ending(self) -> Iterator[Stage]:
        """Yield the stages that come after the groups: windows, columns, each row once, sorting, and the first ones."""
        select, grouped = self._select, self._is_grouped
        tree = self._complete(("distinct", "qualify", "order", "limit", "offset"))
        if any(has_window(node) for node in select.expressions):
            yield Stage(self._telling.windows(), tree, keeps_count=True)
        elif not grouped and any(not _is_plain_column(node) for node in select.expressions):
            yield Stage(self._telling.shown(), tree, keeps_count=True)
        if (qualify := select.args.get("qualify")) is not None:
            tree = self._complete(("distinct", "order", "limit", "offset"))
            yield Stage(self._telling.having(list(conjuncts(qualify.this))), tree)
        distinct, order = select.args.get("distinct"), select.args.get("order")
        # DISTINCT ON keeps the first row of each kind, so it means nothing before the rows are sorted.
        is_first_of = distinct is not None and distinct.args.get("on") is not None and order is not None
        if distinct is not None and not is_first_of:
            tree = self._complete(("order", "limit", "offset"))
            yield Stage(self._telling.distinct(), tree)
        if order is not None:
            tree = self._with_keys(self._complete(("limit", "offset")), order)
            yield Stage(self._telling.ordering(order), tree, keeps_count=not is_first_of)
        if select.args.get("limit") or select.args.get("offset"):
            yield Stage(self._telling.limiting(), select.copy())

    def _with_keys(self, tree: exp.Expr, order: exp.Expr) -> exp.Expr:
        """Return the sorted SELECT with what it is sorted by beside its columns, so that a reader can see it."""
        select = self._select
        if select.args.get("distinct") or any(node.is_star for node in select.expressions):
            return tree
        shown = {(node.this if isinstance(node, exp.Alias) else node).sql() for node in select.expressions}
        shown |= {exp.column(node.alias_or_name).sql() for node in select.expressions}
        keys = {key.this.sql(): key.this for key in order.expressions if isinstance(key.this, exp.Column | exp.AggFunc)}
        columns = [node.copy() for name, node in keys.items() if name not in shown]
        tree.set("expressions", [*tree.expressions, *columns])
        return tree

    def _complete(self, without: Sequence[str]) -> exp.Expr:
        """Return the SELECT without these last parts of it."""
        tree = self._select.copy()
        for kind in without:
            tree.set(kind, None)
        return tree

    def _read(self, count: int, kept: Sequence[exp.Expr]) -> exp.Expr:
        """Return a SELECT of the first sources, where these conditions hold, with the columns that the query uses."""
        tree = self._select.copy()
        for kind in list(tree.args):
            if kind not in ("from_", "joins", "expressions"):
                tree.set(kind, None)
        tree.set("joins", [join.copy() for join in (self._select.args.get("joins") or [])[: count - 1]])
        if kept:
            tree.set("where", exp.Where(this=exp.and_(*(condition.copy() for condition in kept), copy=False)))
        tree.set("expressions", self._columns_of_first(count))
        return tree

    def _with_columns(self, tree: exp.Expr) -> exp.Expr:
        tree.set("expressions", [node.copy() for node in self._select.expressions])
        return tree

    def _columns_of_first(self, count: int) -> list[exp.Expr]:
        shown: list[exp.Expr] = []
        names: set[str] = set()
        usable = [(owner, column) for owner, column in self._used if owner is not None and owner < count]
        if (count < 2 and len(usable) < 2) or any(node.is_star for node in self._select.expressions):
            return [exp.Star()]
        is_inner = not any(join.text("side") for join in self._select.args.get("joins") or ())
        for owner, column in usable[:COLUMNS]:
            name, copied = column.name.lower(), column.copy()
            if name in names and is_inner and name in self._equal:
                continue  # It is the very value that stands there already.
            if name in names:
                copied = exp.alias_(copied, f"{self._sources[owner].label}_{column.name}", quoted=True)
            names.add(name)
            shown.append(copied)
        return shown or [exp.Star()]

    def _used_columns(self) -> Iterator[tuple[int | None, exp.Expr]]:
        """Yield each column that the SELECT uses and its source: first those it shows, then those it looks at."""
        seen: set[tuple[int | None, str]] = set()
        select = self._select
        places = [*select.expressions, *(select.args.get(k) for k in ("group", "having", "order", "where"))]
        places += [join.args.get("on") for join in select.args.get("joins") or ()]
        for place in places:
            for column in columns_in(place) if place is not None else ():
                key = (self._sources.owner(column), column.name.lower())
                if key[0] is not None and key not in seen:
                    seen.add(key)
                    yield key[0], column


def _aggregates(node: exp.Expr) -> list[exp.Expr]:
    """Return the aggregates under a node that make groups, outermost first; a window's own function makes none."""
    found: list[exp.Expr] = []
    for inner in node.walk(prune=lambda n: isinstance(n, exp.Select) or n in found):
        if isinstance(inner, exp.AggFunc) and not is_of_window(inner):
            found.append(inner.parent if isinstance(inner.parent, exp.Filter | exp.WithinGroup) else inner)
    return found


def _has_no_condition(join: exp.Expr) -> bool:
    return not any(join.args.get(kind) for kind in ("on", "using", "method"))


def _is_among(node: exp.Expr, nodes: Sequence[exp.Expr]) -> bool:
    return any(node is other for other in nodes)


def _is_plain_column(node: exp.Expr) -> bool:
    inner = node.this if isinstance(node, exp.Alias) else node
    return isinstance(inner, exp.Column | exp.Star)
