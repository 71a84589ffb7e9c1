"""Knows what one SELECT reads: its sources, whose each column is, and which queries inside it stand on their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from tools.breakdown_nouns import name_of
from tools.catalog import Catalog, Column, Table

QUERIES = (exp.Select, exp.SetOperation)


@dataclass(frozen=True)
class Part:
    """A query that was given a name with WITH, and told before the query that reads it."""

    cte: exp.Expr
    step: int
    """The place of its last step."""
    columns: frozenset[str] | None
    """Its columns' names in lower case; None where they are not known."""


Parts = Mapping[str, Part]
"""The named queries that can be read at some place, by their names in lower case, in their order."""


@dataclass(frozen=True)
class Source:
    """What stands in a FROM: a table, a named query, or a query of its own."""

    label: str
    """What qualifies its columns, in lower case."""
    words: str
    """Its rows in words: "order lines"."""
    table: Table | None = None
    columns: frozenset[str] | None = None
    step: int | None = None
    """The place of the step that told it, where it is no table."""

    def column(self, name: str) -> Column | None:
        return self.table.column(name) if self.table else None


class Sources:
    """The sources of one SELECT, in the order in which they are joined."""

    def __init__(self, all_of_them: Sequence[Source]) -> None:
        words = [source.words for source in all_of_them]
        self.all = tuple(
            replace(source, words=f"{source.words} “{source.label}”") if words.count(source.words) > 1 else source
            for source in all_of_them
        )

    def __getitem__(self, place: int) -> Source:
        return self.all[place]

    def __len__(self) -> int:
        return len(self.all)

    def owner(self, column: exp.Expr) -> int | None:
        """Return the place of the source whose column this is; None where that cannot be told for certain."""
        label, name = column.text("table").lower(), column.name.lower()
        if label:
            return next((i for i, source in enumerate(self.all) if source.label == label), None)
        if len(self.all) > 1 and any(source.columns is None for source in self.all):
            return None
        # Anything else in the place of a column is the alias of one of the answer's, or a text.
        owners = [i for i, source in enumerate(self.all) if source.columns is None or name in source.columns]
        return owners[0] if len(owners) == 1 else None

    def is_text(self, column: exp.Expr) -> bool:
        """Whether this is a text in double quotes, which SQLite takes for one where no column has such a name."""
        if column.text("table") or not column.this.args.get("quoted"):
            return False
        return all(column.name.lower() not in (source.columns or (column.name.lower(),)) for source in self.all)

    def owners(self, node: exp.Expr) -> set[int | None]:
        """Return whose columns an expression reads."""
        return {self.owner(column) for column in columns_in(node)}

    def column(self, column: exp.Expr) -> Column | None:
        """Return what the catalog knows of a column."""
        place = self.owner(column)
        return None if place is None else self.all[place].column(column.name)

    def with_column(self, name: str) -> set[int]:
        """Return the places of the sources that have a column of this name, or may have one."""
        return {i for i, source in enumerate(self.all) if source.columns is None or name.lower() in source.columns}

    def is_shared(self, name: str) -> bool:
        """Whether several sources have a column of this name."""
        return sum(name.lower() in (source.columns or ()) for source in self.all) > 1


def table_of(node: exp.Expr, catalog: Catalog) -> Table | None:
    """Return the catalog's table that a node of the tree names."""
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        return None
    names = [part.name for part in node.parts]
    return catalog.table(".".join(names)) or catalog.table(names[-1])


def source_of(node: exp.Expr, parts: Parts, catalog: Catalog, told: Mapping[int, int]) -> Source:
    """Return a source; `told` holds the last step of each query that stands in a FROM, by the query's `id`."""
    label = node.alias_or_name.lower()
    if isinstance(node, exp.Table) and not node.args.get("db") and node.name.lower() in parts:
        part = parts[node.name.lower()]
        return Source(label, f"“{name_of(node.name)}”", None, part.columns, part.step)
    if (table := table_of(node, catalog)) is not None:
        return Source(label, _rows_of(node, table), table, frozenset(c.name.lower() for c in table.columns))
    words = f"“{name_of(node.alias)}”" if node.alias else "these rows"
    columns = outputs(node.this, parts, catalog) if isinstance(node, exp.Subquery) else None
    return Source(label, words, None, columns, told.get(id(node)))


def _rows_of(node: exp.Expr, table: Table) -> str:
    words = name_of(table.parts[-1])
    alias = name_of(node.alias) if node.alias else ""
    # An alias of a few letters, or of the words' initials, tells a reader nothing.
    is_telling = len(alias) > 3 and not words.startswith(alias) and not alias.startswith(words)
    return f"{words} “{alias}”" if is_telling else words


def nodes_of(select: exp.Expr) -> list[exp.Expr]:
    """Return what stands in a SELECT's FROM and JOINs."""
    from_ = select.args.get("from_")
    return [*([from_.this] if from_ else []), *(join.this for join in select.args.get("joins") or ())]


def outputs(query: exp.Expr, parts: Parts, catalog: Catalog) -> frozenset[str] | None:
    """Return the names of a query's columns in lower case; None where they are not known."""
    query = query.unnest()
    while isinstance(query, exp.SetOperation):
        query = query.this.unnest()
    if not isinstance(query, exp.Select) or query.args.get("with_"):
        return None
    names: set[str] = set()
    for projection in query.expressions:
        if projection.is_star:
            stars = _starred(projection, query, parts, catalog)
            if stars is None:
                return None
            names |= stars
        else:
            names.add(projection.alias_or_name.lower())
    return frozenset(names)


def _starred(star: exp.Expr, select: exp.Expr, parts: Parts, catalog: Catalog) -> frozenset[str] | None:
    sources = [source_of(node, parts, catalog, {}) for node in nodes_of(select)]
    label = star.text("table").lower()
    wanted = [source for source in sources if not label or source.label == label]
    if not wanted or (isinstance(star, exp.Star) and any(star.args.values())):
        return None
    found: set[str] = set()
    for source in wanted:
        if source.columns is None:
            return None
        found |= source.columns
    return frozenset(found)


def columns_in(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the columns under a node, those of queries inside it left out."""
    for found in node.walk(prune=lambda inner: inner is not node and isinstance(inner, QUERIES)):
        if isinstance(found, exp.Column) and not isinstance(found.this, exp.Star):
            yield found


def queries_in(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the outermost queries under a node, in the order of the text."""
    for found in node.walk(bfs=False, prune=lambda inner: isinstance(inner, QUERIES)):
        if isinstance(found, QUERIES):
            yield found


def stands_alone(query: exp.Expr, parts: Parts, catalog: Catalog) -> bool:
    """Whether a query inside another reads nothing of it. In doubt it is told to do so."""
    tables = [node for node in query.find_all(exp.Table, exp.Subquery) if isinstance(node.parent, exp.From | exp.Join)]
    if query.find(exp.Lateral, exp.With):
        return False
    labels = {node.alias_or_name.lower() for node in tables}
    return all(_is_its_own(column, labels, parts, catalog) for column in query.find_all(exp.Column))


def _is_its_own(column: exp.Expr, labels: set[str], parts: Parts, catalog: Catalog) -> bool:
    if isinstance(column.this, exp.Star) and not column.text("table"):
        return True
    if column.text("table"):
        return column.text("table").lower() in labels
    select = column.find_ancestor(exp.Select)
    if select is None:
        return True  # The ORDER BY of a union names its columns.
    name = column.name.lower()
    if any(projection.alias.lower() == name for projection in select.expressions):
        return True
    if any(name in (source_of(node, parts, catalog, {}).columns or ()) for node in nodes_of(select)):
        return True
    # SQLite takes a name in double quotes for a text where no column is called so, here or around.
    known = any(table.column(name) for table in catalog) or any(name in (p.columns or (name,)) for p in parts.values())
    return bool(column.this.args.get("quoted")) and catalog.dialect == "sqlite" and not known
