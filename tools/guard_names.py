"""Finds the tables that a statement reads and checks that each of its columns belongs to one of them.

Names are resolved as SQL scopes them: a CTE is seen by what follows it, a subquery sees the tables around it, an
alias hides the table's own name. Where the columns of a source cannot be known (a function's rows), any is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from sqlglot import exp

from errors import NameUnknown, SQLRefused
from tools.catalog import Catalog, Dialect
from tools.guard_reserved import check_table_name

Columns = frozenset[str] | None
"""Folded names of a source's columns; None where they are not known."""

_DEFAULT_SCHEMAS: dict[Dialect, tuple[str, ...]] = {
    "sqlite": ("main",),
    "duckdb": ("main",),
    "postgres": ("public",),
    "mysql": (),
}


def fold(name: str) -> str:
    """Return the name in lower case as databases fold it: ASCII letters only."""
    return name.lower() if name.isascii() else "".join(c.lower() if c.isascii() else c for c in name)


@dataclass
class _Scope:
    """What one SELECT can name."""

    outer: _Scope | None
    sources: dict[str, Columns] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    """The names its own output columns carry."""


class Names:
    """The tables and columns of one database, ready to be looked up."""

    def __init__(self, dialect: Dialect, catalog: Catalog | None) -> None:
        self.dialect = dialect
        self.known = catalog is not None
        self._tables: dict[str, tuple[str, frozenset[str]]] = {}
        self._spellings: dict[str, str] = {}
        self._defaults = _DEFAULT_SCHEMAS[dialect]
        self._database = ""
        if catalog is not None:
            self._database = catalog.name.lower()
            if dialect in ("mysql", "duckdb"):
                self._defaults = (*self._defaults, self._database)
            for table in catalog:
                columns = frozenset(fold(c.name) for c in table.columns)
                self._tables[self._key(table.name)] = (table.name, columns)
                self._spellings[fold(table.name)] = table.name

    def _key(self, name: str) -> str:
        # PostgreSQL alone tells "Orders" from "orders"; an unquoted name is already in lower case there.
        return name if self.dialect == "postgres" else fold(name)

    def key(self, identifier: exp.Expr) -> str:
        """Return the name as the database compares it."""
        if self.dialect == "postgres":
            return identifier.name if identifier.args.get("quoted") else fold(identifier.name)
        return fold(identifier.name)

    def cte_key(self, identifier: exp.Expr) -> str:
        """Return the key of a CTE's name. MySQL on Linux tells upper from lower case there."""
        return identifier.name if self.dialect == "mysql" else self.key(identifier)

    def table(self, node: exp.Expr) -> tuple[str, Columns]:
        """Return the catalog's name of a table and its columns; raises NameUnknown where it is not known."""
        parts = [p for p in (node.args.get("catalog"), node.args.get("db"), node.this) if p is not None]
        written = ".".join(p.name for p in parts)
        found = self._tables.get(".".join(self.key(p) for p in parts))
        if found is None and len(parts) > 1 and self.known:
            found = self._in_default_schema(parts)
        check_table_name([p.name for p in parts], self.dialect, known=found is not None)
        if not self.known:
            return written, None
        if found is None:
            raise NameUnknown(self._unknown_table(written, parts[-1].name))
        return found

    def _in_default_schema(self, parts: list[exp.Expr]) -> tuple[str, frozenset[str]] | None:
        keys = [self.key(p) for p in parts]
        if len(keys) == 3 and keys.pop(0).lower() != self._database:
            return None
        if (found := self._tables.get(".".join(keys))) is not None:
            return found
        return self._tables.get(keys[-1]) if keys[-2] in self._defaults else None

    def _unknown_table(self, written: str, last: str) -> str:
        if (spelled := self._spellings.get(fold(last))) is not None:
            return f'There is no table {written}; it is spelled "{spelled}", with the double quotes.'
        near = get_close_matches(fold(last), self._spellings, n=3, cutoff=0.5)
        names = ", ".join(self._spellings[n] for n in near or sorted(self._spellings)[:10])
        return f"There is no table {written}. {'Near it' if near else 'The tables'}: {names}."


class Resolver:
    """Walks one statement. `tables` fills with the catalog's names of the tables it reads, in order."""

    def __init__(self, names: Names, sql: str) -> None:
        self._names = names
        self._sql = sql
        self.tables: dict[str, None] = {}
        self._seen: set[int] = set()

    def resolve(self, statement: exp.Expr, nodes: Sequence[exp.Expr]) -> tuple[str, ...]:
        """Return the tables read, of a statement and all its nodes; raises SQLRefused at an unknown table or column."""
        self._query(statement, {}, None)
        for node in nodes:
            if isinstance(node, exp.Table) and id(node) not in self._seen:
                raise SQLRefused(f"The table {node.name} stands where none was expected.")
        return tuple(self.tables)

    def _query(self, node: exp.Expr, ctes: Mapping[str, Columns], outer: _Scope | None) -> Columns:
        """Return the output columns of a query."""
        if with_ := node.args.get("with_"):
            ctes = self._with(with_, ctes, outer)
        match node:
            case exp.Select():
                return self._select(node, ctes, outer)
            case exp.SetOperation():
                columns = self._query(node.this, ctes, outer)
                self._query(node.expression, ctes, outer)
                self._tail(node, columns, ctes, outer)
                return columns
            case exp.Subquery():
                scope = _Scope(outer)
                columns = self._source(node, ctes, scope, outer)
                self._tail(node, columns, ctes, outer)
                return columns
            case exp.Pivot():
                scope = _Scope(outer)
                self._source(node.this, ctes, scope, outer)
                scope.sources[""] = None
                self._expressions((v for k, v in node.args.items() if k not in ("this", "with_")), ctes, scope)
                return None
        scope = _Scope(outer)
        self._expressions(node.args.values(), ctes, scope)
        return None

    def _tail(self, node: exp.Expr, columns: Columns, ctes: Mapping[str, Columns], outer: _Scope | None) -> None:
        scope = _Scope(outer, {"": columns})
        self._expressions((node.args.get(k) for k in ("order", "limit", "offset", "on")), ctes, scope)

    def _with(self, with_: exp.Expr, ctes: Mapping[str, Columns], outer: _Scope | None) -> Mapping[str, Columns]:
        visible = dict(ctes)
        # SQLite lets a CTE read itself without the word RECURSIVE.
        recursive = with_.args.get("recursive") or self._names.dialect == "sqlite"
        for cte in with_.expressions:
            alias = cte.args["alias"]
            key = self._names.cte_key(alias.this)
            check_table_name([alias.name], self._names.dialect, known=False)
            inside = {**visible, key: None} if recursive else visible
            columns = self._query(cte.this, inside, outer)
            visible[key] = _renamed(columns, alias)
        return visible

    def _select(self, select: exp.Expr, ctes: Mapping[str, Columns], outer: _Scope | None) -> Columns:
        scope = _Scope(outer)
        from_ = select.args.get("from_")
        sources = [from_.this] if from_ else []
        joins = select.args.get("joins") or []
        for source in (*sources, *(j.this for j in joins), *(select.args.get("laterals") or ())):
            self._source(source, ctes, scope, outer)
        scope.labels = {fold(p.alias) for p in select.expressions if p.alias}
        rest = [v for k, v in select.args.items() if k not in ("from_", "joins", "laterals", "with_")]
        conditions = [v for j in joins for k, v in j.args.items() if k not in ("this", "using")]
        self._expressions((*conditions, *rest), ctes, scope)
        for join in joins:
            for using in join.args.get("using") or ():
                self._check_unqualified(using, scope)
        return self._outputs(select, scope)

    def _source(
        self, node: exp.Expr, ctes: Mapping[str, Columns], scope: _Scope, outer: _Scope | None, lateral: bool = False
    ) -> Columns:
        """Put what stands in FROM into the scope, and return its columns."""
        match node:
            case exp.Table():
                self._seen |= {id(node), id(node.args.get("indexed"))}
                columns = self._table(node, ctes, scope)
            case exp.Lateral():
                columns = self._source(node.this, ctes, scope, outer, lateral=True)
            case exp.Subquery() if isinstance(node.this, exp.Table | exp.Subquery) and not node.args.get("with_"):
                columns = self._source(node.this, ctes, scope, outer, lateral)
            case exp.Subquery() | exp.Query():
                around = scope if lateral or self._names.dialect == "duckdb" else outer
                inner = node.this if isinstance(node, exp.Subquery) else node
                if with_ := node.args.get("with_"):
                    ctes = self._with(with_, ctes, outer)
                columns = self._query(inner, ctes, around) if inner is not node else self._rows(node, ctes, scope)
            case _:
                columns = self._rows(node, ctes, scope)
        self._add(node, columns, scope)
        for join in node.args.get("joins") or ():
            self._source(join.this, ctes, scope, outer)
            self._expressions((join.args.get("on"),), ctes, scope)
        for extra in (*(node.args.get("laterals") or ()),):
            self._source(extra, ctes, scope, outer, lateral=True)
        if pivots := node.args.get("pivots"):
            # Which columns come out depends on the values; every name is taken.
            scope.sources[_label(node) + " pivot"] = None
            self._expressions(pivots, ctes, scope)
            return None
        return columns

    def _rows(self, node: exp.Expr, ctes: Mapping[str, Columns], scope: _Scope) -> Columns:
        """Take in VALUES, UNNEST or a function that yields rows; their columns are known only by an alias."""
        self._expressions((v for k, v in node.args.items() if k not in ("alias", "joins", "laterals")), ctes, scope)
        return None

    def _table(self, node: exp.Expr, ctes: Mapping[str, Columns], scope: _Scope) -> Columns:
        if not isinstance(node.this, exp.Identifier):
            self._expressions((node.this,), ctes, scope)
            return None
        if not node.args.get("db"):
            key = self._names.cte_key(node.this)
            if key in ctes:
                return ctes[key]
        name, columns = self._names.table(node)
        self.tables[name] = None
        return columns

    def _add(self, node: exp.Expr, columns: Columns, scope: _Scope) -> None:
        alias = node.args.get("alias")
        if alias is not None and alias.args.get("columns"):
            columns = _renamed(columns, alias)
        label = _label(node)
        if label and isinstance(node, exp.Lateral | exp.Unnest | exp.Table) and columns is None:
            scope.labels.add(label)
        previous = scope.sources.get(label, frozenset())
        scope.sources[label] = None if columns is None or previous is None else columns | previous

    def _expressions(self, values: Iterable[object], ctes: Mapping[str, Columns], scope: _Scope) -> None:
        """Check every column under the values, and every query nested in them."""
        stack: list[object] = list(values)
        while stack:
            node = stack.pop()
            if isinstance(node, list):
                stack.extend(node)
            elif isinstance(node, exp.Column):
                self._check_column(node, scope)
            elif isinstance(node, exp.Select | exp.SetOperation) or (
                isinstance(node, exp.Subquery | exp.Pivot) and node.args.get("this") is not None
            ):
                self._query(node, ctes, scope)
            elif isinstance(node, exp.Collate):
                stack.append(node.this)
            elif isinstance(node, exp.Expr):
                stack.extend(node.args.values())

    def _outputs(self, select: exp.Expr, scope: _Scope) -> Columns:
        found: set[str] = set()
        for projection in select.expressions:
            star = projection.this if isinstance(projection, exp.Column) else projection
            if isinstance(star, exp.Star):
                table = fold(projection.table) if isinstance(projection, exp.Column) else None
                for columns in [scope.sources.get(table)] if table is not None else scope.sources.values():
                    if columns is None or any(star.args.values()):
                        return None
                    found |= columns
            elif name := projection.alias_or_name if isinstance(projection, exp.Alias | exp.Column) else "":
                found.add(fold(name))
            else:
                return None  # The database names it: count, count(*), ?column?.
        return frozenset(found)

    def _check_column(self, column: exp.Expr, scope: _Scope) -> None:
        if not self._names.known:
            return
        table = column.args.get("table")
        if table is None:
            if isinstance(column.this, exp.Identifier):
                self._check_unqualified(column.this, scope)
            return
        columns, found = _lookup(fold(table.name), scope)
        if not found:
            if self._names.dialect in ("duckdb", "postgres"):
                self._check_unqualified(table, scope)  # A field of a structured column.
                return
            raise SQLRefused(f"There is no table or alias {table.name} in this part of the query.")
        if isinstance(column.this, exp.Star) or columns is None:
            return
        name = fold(column.name)
        if name not in columns and not self._is_row_id(name):
            raise NameUnknown(f"{table.name} has no column {column.name}. {_near(name, columns)}")

    def _check_unqualified(self, identifier: exp.Expr, scope: _Scope) -> None:
        if not self._names.known:
            return
        name = fold(identifier.name)
        within: _Scope | None = scope
        candidates: set[str] = set()
        while within is not None:
            if name in within.labels or name in within.sources:
                return
            for columns in within.sources.values():
                if columns is None or name in columns:
                    return
                candidates |= columns
            within = within.outer
        if self._is_row_id(name):
            return
        if self._is_text(identifier, name, candidates):
            return
        raise NameUnknown(f"No table here has a column {identifier.name}. {_near(name, candidates)}")

    def _is_text(self, identifier: exp.Expr, name: str, candidates: set[str]) -> bool:
        """Whether SQLite reads a name in double quotes as a text, as it does where no column is called so.

        A name that nearly is a column's is taken for a slip instead: the text would silently match nothing.
        """
        if self._names.dialect != "sqlite" or self._sql[identifier.meta.get("start", 0)] != '"':
            return False
        column = identifier.parent
        compared = column is not None and isinstance(column.parent, exp.Predicate | exp.Func | exp.Tuple | exp.Collate)
        return compared and not get_close_matches(name, candidates, n=1, cutoff=0.8)

    def _is_row_id(self, name: str) -> bool:
        return (self._names.dialect == "sqlite" and name in ("rowid", "_rowid_", "oid")) or (
            self._names.dialect == "duckdb" and name == "rowid"
        )


def _label(node: exp.Expr) -> str:
    """Return the name under which a source's columns are qualified."""
    alias = node.args.get("alias")
    if alias is not None and alias.name:
        return fold(alias.name)
    if isinstance(node, exp.Table) and node.this is not None:
        return fold(node.this.name)
    return ""


def _renamed(columns: Columns, alias: exp.Expr) -> Columns:
    """Return the columns under the names of an alias's column list, which may leave the last ones as they are."""
    names = frozenset(fold(c.name) for c in alias.args.get("columns") or ())
    if not names or columns is None:
        return names or columns
    return names if len(names) >= len(columns) else names | columns


def _lookup(label: str, scope: _Scope | None) -> tuple[Columns, bool]:
    while scope is not None:
        if label in scope.sources:
            return scope.sources[label], True
        scope = scope.outer
    return None, False


def _near(name: str, columns: Iterable[str]) -> str:
    known = sorted(columns)
    if not known:
        return "It reads no table."
    near = get_close_matches(name, known, n=4, cutoff=0.5) or known[:12]
    return f"Its columns are called: {', '.join(near)}."
