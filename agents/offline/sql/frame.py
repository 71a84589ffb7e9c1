"""One SELECT while it is built: its tables, under which names, and how they are joined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlglot import exp

from agents.offline.meaning.joins import Step
from agents.offline.meaning.lexicon import Lexicon
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.plan import Col
from tools.catalog import Catalog

_PLAIN = {
    "sqlite": re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z"),
    "duckdb": re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z"),
    "mysql": re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z"),
    "postgres": re.compile(r"[a-z_][a-z0-9_]*\Z"),
}
_RESERVED = frozenset(
    """
    abs add all alter analyze and any array as asc avg before between binary both by call cascade case cast change
    character check collate column condition constraint convert count create cross cube current_date current_time
    current_user database date day dec decimal declare default delete desc describe distinct do double drop each
    else end escape except exists explain false fetch filter first float for foreign from full function generated
    glob grant group grouping groups having hour if ignore in index inner insert int integer intersect interval into
    is join key keys last lateral leading left like limit lock match max min minute mod month natural not null nulls
    of offset on only or order outer over partition percent pivot position precision primary procedure quarter range
    rank read recursive references regexp release rename replace right rollback row rows schema second select
    session_user set show some sql sum system table temp temporary then time timestamp to trailing trigger true
    union unique unpivot update usage use user using values view week when where window with work write year zone
    """.split()
)


class Names:
    """Writes the catalog's names so that the dialect takes them as they are."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._plain = _PLAIN[catalog.dialect]

    def identifier(self, name: str) -> exp.Identifier:
        quoted = not self._plain.match(name) or name.lower() in _RESERVED
        return exp.to_identifier(name, quoted=quoted)

    def table(self, name: str, alias: str | None) -> exp.Table:
        table = self._catalog.table(name)
        assert table is not None
        schema, bare = (table.parts[0], table.parts[1]) if len(table.parts) == 2 else (None, table.parts[0])
        return exp.Table(
            this=self.identifier(bare),
            db=self.identifier(schema) if schema else None,
            alias=exp.TableAlias(this=self.identifier(alias)) if alias else None,
        )

    def bare(self, name: str) -> str:
        table = self._catalog.table(name)
        assert table is not None
        return table.parts[-1]


class Frame:
    """The FROM clause around one base table; a table is joined when a column of it is asked for."""

    def __init__(self, lexicon: Lexicon, names: Names, base: str, taken: Iterable[str] = ()) -> None:
        self._lexicon = lexicon
        self._names = names
        self.base = base
        self.taken = set(taken)
        """Names that the queries around this one use already."""
        self._aliases: dict[str, str] = {base: self._free(base)}
        self._joined: list[tuple[Step, bool]] = []
        self._referred: dict[Col, tuple[str, str, str]] = {}
        """Rows that a key of its own leads to, whatever other ways there are: the key, its table, under which name."""

    @property
    def aliases(self) -> set[str]:
        return self.taken | set(self._aliases.values()) | {alias for _, _, alias in self._referred.values()}

    def has(self, table: str) -> bool:
        return table in self._aliases

    def column(self, col: Col, optional: bool = False) -> exp.Column:
        """Return the column, its table joined; `optional` keeps rows that have no row there."""
        alias = self._reach(col.table, optional)
        return exp.column(self._names.identifier(col.name), table=self._names.identifier(alias))

    def number(self, col: Col) -> exp.Expr:
        """Return the column as a number, also where it is kept as text."""
        column = self._lexicon.column(col)
        if column.kind == "text":
            return exp.cast(self.column(col), "DOUBLE" if self._lexicon.catalog.dialect != "sqlite" else "REAL")
        return self.column(col)

    def referred(self, key: Col, table: str, column: str) -> exp.Column:
        """Return a column of the row that a key refers to: the name of the manager that `manager_id` means."""
        if key not in self._referred:
            alias = (
                "_".join(w for w in self._lexicon.naming.column(key.table, key.name) if w not in {"id", "by"}) or "row"
            )
            while alias in self.aliases:
                alias += "_row"
            found = next(k for k in self._lexicon.table(key.table).foreign_keys if k.columns == (key.name,))
            self.column(key)
            self._referred[key] = (table, (found.referred or self._lexicon.table(table).primary_key)[0], alias)
        alias = self._referred[key][2]
        return exp.column(self._names.identifier(column), table=self._names.identifier(alias))

    def near(self, col: Col) -> Col:
        """Return a column of the base that equals this one by the key between them, else the column itself."""
        way = self._lexicon.joins.path(self.base, col.table)
        if way and len(way) == 1 and way[0].to_one and way[0].target_columns == (col.name,):
            return Col(self.base, way[0].source_columns[0])
        return col

    def multiplies(self, allowed: int) -> bool:
        """Whether the joins repeat rows of the base, other than through tables of `allowed` columns or fewer."""
        steps = [s for s, _ in self._joined]
        many = [s for s in steps if not s.to_one]
        if not many:
            return False
        return len(many) > 1 or len(self._lexicon.table(many[0].target).columns) > allowed

    def select(self, expressions: Sequence[exp.Expr]) -> exp.Select:
        query = exp.select(*expressions).from_(self._table(self.base))
        for step, optional in self._joined:
            on = exp.and_(*self._equal(step, self._aliases[step.source], self._aliases[step.target]))
            query = query.join(self._table(step.target), on=on, join_type="left" if optional else "")
        for key, (table, referred, alias) in self._referred.items():
            meant = exp.column(self._names.identifier(referred), table=self._names.identifier(alias))
            query = query.join(self._names.table(table, alias), on=exp.EQ(this=meant, expression=self.column(key)))
        return query

    def tie(self, step: Step, outer: str) -> list[exp.Expr]:
        """Return how the base, which the step leads to, belongs to a row of the query around."""
        return self._equal(step, outer, self._aliases[self.base])

    def alias(self, table: str) -> str:
        return self._reach(table, optional=False)

    def _equal(self, step: Step, source: str, target: str) -> list[exp.Expr]:
        return [
            exp.EQ(
                this=exp.column(self._names.identifier(b), table=self._names.identifier(target)),
                expression=exp.column(self._names.identifier(a), table=self._names.identifier(source)),
            )
            for a, b in zip(step.source_columns, step.target_columns, strict=True)
        ]

    def _reach(self, table: str, optional: bool) -> str:
        if table in self._aliases:
            return self._aliases[table]
        way = self._lexicon.joins.path(self.base, table)
        naming = self._lexicon.naming
        if way is None:
            raise NotUnderstood(f"Nothing joins {naming.say_table(self.base)} with {naming.say_table(table)}.")
        if self._lexicon.joins.is_ambiguous(self.base, table):
            raise NotUnderstood(
                f"{naming.say_table(self.base).capitalize()} belong to {naming.say_table(table)} in more than one way: "
                "I cannot tell which one is meant."
            )
        for step in way:
            if step.target not in self._aliases:
                self._aliases[step.target] = self._free(step.target)
                self._joined.append((step, optional and self._may_lack(step)))
        return self._aliases[table]

    def may_lack(self, table: str) -> bool:
        """Whether a row of the base may belong to no row of a table that is not joined yet."""
        if table in self._aliases:
            return any(optional and step.target == table for step, optional in self._joined)
        return any(self._may_lack(step) for step in self._lexicon.joins.path(self.base, table) or ())

    def _may_lack(self, step: Step) -> bool:
        source = self._lexicon.table(step.source)
        return any((c := source.column(name)) is not None and c.nullable for name in step.source_columns)

    def _free(self, table: str) -> str:
        bare = self._names.bare(table)
        alias, n = bare, 2
        while alias in self.taken:
            alias, n = f"{bare}_{n}", n + 1
        return alias

    def _table(self, name: str) -> exp.Table:
        alias = self._aliases[name]
        return self._names.table(name, alias if alias != self._names.bare(name) else None)
