"""Splits a query into its steps: each a SELECT of its own, made of the query's own pieces, told in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp, parse_one

from tools.breakdown_nouns import joined, name_of
from tools.breakdown_sources import (
    QUERIES,
    Part,
    Parts,
    Sources,
    nodes_of,
    outputs,
    queries_in,
    source_of,
    stands_alone,
)
from tools.breakdown_stages import Stage, stages_of
from tools.breakdown_telling import Telling
from tools.breakdown_words import Words
from tools.catalog import Catalog
from tools.conditions import conjuncts

MOST = 20
"""Steps that a person reads; of a query with more, each part is told as one."""

ASIDE = "on the side"
"""The part of a query within a condition or a column."""
_ENDINGS = ("order", "limit", "offset")


@dataclass(frozen=True)
class Planned:
    """A step that is not run yet."""

    words: str
    sql: str
    counting: str | None
    """SQL that counts its rows; None where it has as many as the step it takes."""
    takes: tuple[int, ...] = ()
    """The places of the steps whose rows it goes on from."""
    part: str = ""
    """The part of the query that it belongs to, in words; empty for the query itself."""
    rewritten: str = ""
    """Of the last step, the query as sqlglot writes it, where that is not the very same: its rows must be."""


def in_one_go(sql: str, counting: str | None = None) -> Planned:
    """Return a query that stays whole."""
    return Planned("Run the query in one go.", sql, counting)


def split(sql: str, catalog: Catalog) -> tuple[Planned, ...]:
    """Return the steps of a query that the guard has let through; the last one's SQL is the query's very text.

    Where a query cannot be split rightly it is one step. Raises sqlglot's errors for what is no SQL. Parsing takes
    milliseconds: call it beside the event loop.
    """
    tree = parse_one(sql, dialect=catalog.dialect)
    # What sqlglot writes must mean what it has read: every step but the last is written by it. Where it says
    # something in another way (PostgreSQL's ROUND(x, 2) becomes ROUND(CAST(x AS DECIMAL), 2)), the rows must show it.
    written = tree.sql(dialect=catalog.dialect)
    again = parse_one(written, dialect=catalog.dialect)
    named = [cte.this for cte in tree.find_all(exp.CTE)]
    is_plain = all(isinstance(query, QUERIES) for query in (tree, *named))  # DuckDB names a PIVOT with WITH, too.
    if is_plain and again.sql(dialect=catalog.dialect) == written:
        for in_detail in (True, False):
            steps = _Splitting(catalog, in_detail).split(tree)
            if steps and len(steps) <= MOST:
                rewritten = "" if again == tree or len(steps) == 1 else steps[-1].sql
                return (*steps[:-1], replace(steps[-1], sql=sql, rewritten=rewritten))
    counting = exp.select("COUNT(*)").from_(tree.subquery("step")) if isinstance(tree, exp.Query) else None
    return (in_one_go(sql, counting.sql(dialect=catalog.dialect) if counting else None),)


class _Splitting:
    """One query on its way into steps. The tree stays as it is: steps are made of copies."""

    def __init__(self, catalog: Catalog, in_detail: bool) -> None:
        self._catalog = catalog
        self._in_detail = in_detail
        self._steps: list[Planned] = []
        self._told: dict[int, int] = {}
        """The last step of each query inside the query, by its `id`."""
        self._nowhere = Words(Sources(()), catalog.dialect, self._told)

    def split(self, tree: exp.Expr) -> list[Planned]:
        self._query(tree, {}, "")
        return self._steps

    def _query(self, query: exp.Expr, parts: Parts, part: str) -> int:
        """Add a query's steps; return the place of the last one."""
        parts = self._with(query, parts)
        if part and not self._in_detail:
            return self._whole(query, parts, part)
        if isinstance(query, exp.Select) and (stages := self._stages(query, parts, part)):
            return self._add_stages(query, stages, parts, part)
        if isinstance(query, exp.Union | exp.Intersect | exp.Except):
            return self._set(query, parts, part)
        return self._whole(query, parts, part)

    def _with(self, query: exp.Expr, parts: Parts) -> Parts:
        """Add the steps of the queries named by a WITH; return all that can be read now."""
        visible = dict(parts)
        with_ = query.args.get("with_")
        for cte in with_.expressions if with_ else ():
            name = cte.alias.lower()
            part = name_of(cte.alias)
            columns = frozenset(c.name.lower() for c in cte.args["alias"].columns) or outputs(
                cte.this, visible, self._catalog
            )
            before = {key: kept for key, kept in visible.items() if key != name}
            if _reads_itself(cte, self._catalog):
                visible = {**before, name: Part(cte, -1, columns)}
                select = exp.select("*").from_(exp.to_table(cte.args["alias"].this.sql(dialect=self._catalog.dialect)))
                words = f"Build up “{part}” row by row, each from the ones before."
                step = self._add(words, select, visible, (), part)
            else:
                step = self._query(cte.this, visible, part)
            visible = {**before, name: Part(cte, step, columns)}
        return visible

    def _stages(self, select: exp.Expr, parts: Parts, part: str) -> list[Stage]:
        """Return the stages of a SELECT, after the steps of the queries inside it; none where it must stay whole."""
        if any(select.args.get(kind) for kind in ("laterals", "sample", "windows", "match", "pivots")):
            return []
        nodes = nodes_of(select)
        if not nodes or not all(self._is_plain(node, parts) for node in nodes):
            return []
        joins = select.args.get("joins") or ()
        if any(join.text("side") in ("RIGHT", "FULL") for join in joins) and any(_is_bare(join) for join in joins):
            return []  # A comma binds looser than JOIN: the sources are not joined in the order of the text.
        for node in nodes:
            if isinstance(node, exp.Subquery):
                self._told[id(node)] = self._query(node.this, parts, name_of(node.alias) if node.alias else "a part")
        for query in self._inner(select, parts):
            self._told[id(query)] = self._query(query, parts, ASIDE)
        sources = Sources([source_of(node, parts, self._catalog, self._told) for node in nodes])
        equal = _equal(select, sources)
        words = Words(sources, self._catalog.dialect, self._told, equal)
        stages = stages_of(select, sources, words, equal)
        if part == ASIDE and len(stages) > 1 and stages[-1].shows_plainly:
            *others, before, last = stages
            return [*others, replace(last, words=f"{before.words[:-1]}, and take {last.words.removeprefix('Show ')}")]
        return stages

    def _is_plain(self, node: exp.Expr, parts: Parts) -> bool:
        """Whether a source is a table, or a query that does not read what stands beside it."""
        if any(node.args.get(kind) for kind in ("joins", "laterals", "sample", "pivots", "with_")):
            return False
        if isinstance(node, exp.Table):
            return isinstance(node.this, exp.Identifier)
        if not isinstance(node, exp.Subquery) or not isinstance(node.this, QUERIES):
            return False
        return stands_alone(node.this, parts, self._catalog)

    def _inner(self, select: exp.Expr, parts: Parts) -> list[exp.Expr]:
        """Return the queries in conditions and columns that stand on their own."""
        places: list[exp.Expr] = [*select.expressions]
        places += [select.args[kind] for kind in ("where", "having", "qualify") if select.args.get(kind)]
        places += [join.args["on"] for join in select.args.get("joins") or () if join.args.get("on")]
        found = [query for place in places for query in queries_in(place)]
        return [query for query in found if stands_alone(query, parts, self._catalog)]

    def _add_stages(self, select: exp.Expr, stages: Sequence[Stage], parts: Parts, part: str) -> int:
        last = -1
        for place, stage in enumerate(stages):
            if stage.step is not None and place == 0 and len(stages) > 1:
                last = stage.step  # It was told already.
                continue
            takes = (last,) if last >= 0 else (stage.step,) if stage.step is not None else ()
            # The last one is the query itself, whatever the stages may have left out for their readers.
            tree = select.copy() if place == len(stages) - 1 else stage.tree
            last = self._add(stage.words, tree, parts, takes, part, keeps_count=stage.keeps_count)
        return last

    def _set(self, query: exp.Expr, parts: Parts, part: str) -> int:
        """Add the steps of what a UNION, INTERSECT or EXCEPT puts together, then of putting it together."""
        lists = _lists(query)
        if any(isinstance(one, exp.Subquery) and any(one.args.get(k) for k in _ENDINGS) for one in lists):
            return self._whole(query, parts, part)
        of = f" of {part}" if part else ""
        takes = tuple(self._query(one.unnest(), parts, f"list {place}{of}") for place, one in enumerate(lists, start=1))
        steps = [f"step {step + 1}" for step in takes]
        match query:
            case exp.Union():
                once = ", each different row once" if query.args.get("distinct") else ""
                words = f"Put the rows of {joined(steps)} together{once}."
            case exp.Intersect():
                words = f"Keep the rows that {joined(steps)} all have."
            case _:
                words = f"Keep the rows of {steps[0]} that {joined(steps[1:])} does not have."
        last = self._add(words, _without(query, _ENDINGS), parts, takes, part)
        if (order := query.args.get("order")) is not None:
            by_place = any(isinstance(key.this, exp.Literal) for key in order.expressions)
            by = "the rows" if by_place else f"by {self._nowhere.order(order)}"
            last = self._add(f"Sort {by}.", _without(query, _ENDINGS[1:]), parts, (last,), part, keeps_count=True)
        if query.args.get("limit") or query.args.get("offset"):
            words = Telling(query, Sources(()), self._nowhere).limiting()
            last = self._add(words, query.copy(), parts, (last,), part)
        return last

    def _whole(self, query: exp.Expr, parts: Parts, part: str) -> int:
        words = f"Work out “{part}” in one go." if part else "Run the query in one go."
        steps = {parts[name].step for name in _read_in(query) & parts.keys() if parts[name].step >= 0}
        return self._add(words, query.copy(), parts, tuple(sorted(steps)) if len(steps) == 1 else (), part)

    def _add(
        self, words: str, tree: exp.Expr, parts: Parts, takes: tuple[int, ...], part: str, keeps_count: bool = False
    ) -> int:
        tree.set("with_", None)
        counting = None if keeps_count and takes else self._sql(_count_of(tree), parts)
        self._steps.append(Planned(words, self._sql(tree, parts), counting, takes, part))
        return len(self._steps) - 1

    def _sql(self, tree: exp.Expr, parts: Parts) -> str:
        """Return the SQL of a step, with the named queries that it reads before it."""
        wanted = _read_in(tree)
        needed: list[exp.Expr] = []
        for name, part in reversed(list(parts.items())):
            if name in wanted:
                needed.insert(0, part.cte)
                wanted |= _read_in(part.cte)
        if needed:
            is_recursive = any(bool(cte.parent.args.get("recursive")) for cte in needed if cte.parent)
            with_ = exp.With(expressions=[cte.copy() for cte in needed], recursive=is_recursive)
            tree = tree.copy()
            tree.set("with_", with_)
        return tree.sql(dialect=self._catalog.dialect, pretty=True)


def _without(query: exp.Expr, kinds: Sequence[str]) -> exp.Expr:
    tree = query.copy()
    for kind in kinds:
        tree.set(kind, None)
    return tree


def _lists(query: exp.Expr) -> list[exp.Expr]:
    """Return what a set operation puts together; a chain of the same one is one of many."""
    left = query.this
    same = type(left) is type(query) and left.args.get("distinct") == query.args.get("distinct")
    is_chain = same and not isinstance(query, exp.Except) and not any(left.args.get(k) for k in (*_ENDINGS, "with_"))
    return [*(_lists(left) if is_chain else [left]), query.expression]


def _count_of(tree: exp.Expr) -> exp.Expr:
    """Return a query for the number of a query's rows."""
    has_ties = isinstance(tree.args.get("limit"), exp.Fetch)  # Which rows are alike hangs on how they are sorted.
    counted = tree.copy() if has_ties else _without(tree, ("order",))
    is_cut = bool(counted.args.get("limit") or counted.args.get("offset"))
    folds = any(counted.args.get(kind) for kind in ("group", "distinct", "having", "qualify"))
    if isinstance(counted, exp.Select) and not folds and not has_ties and not counted.find(exp.AggFunc):
        if not is_cut:
            return counted.select("COUNT(*)", append=False)
        counted = counted.select("1", append=False)  # MySQL takes no two columns of one name in a subquery.
    assert isinstance(counted, exp.Query)
    return exp.select("COUNT(*)").from_(counted.subquery("step"))


def _reads_itself(cte: exp.Expr, catalog: Catalog) -> bool:
    """Whether a named query builds on itself; a table of its name is what it reads where it may not."""
    name = cte.alias.lower()
    with_ = cte.parent
    may = catalog.table(name) is None or bool(with_ is not None and with_.args.get("recursive"))
    return may and name in _read_in(cte.this)


def _read_in(tree: exp.Expr) -> set[str]:
    return {table.name.lower() for table in tree.find_all(exp.Table) if not table.args.get("db")}


def _equal(select: exp.Expr, sources: Sources) -> frozenset[str]:
    """Return the names of the columns that are the same in all sources that have one, as those are joined."""
    conditions = [join.args.get("on") for join in select.args.get("joins") or ()]
    conditions += [where.this if (where := select.args.get("where")) else None]
    pairs: dict[str, set[frozenset[int | None]]] = {}
    for link in (link for condition in conditions for link in conjuncts(condition) if isinstance(link, exp.EQ)):
        left, right = link.this, link.expression
        if isinstance(left, exp.Column) and isinstance(right, exp.Column) and left.name.lower() == right.name.lower():
            pairs.setdefault(left.name.lower(), set()).add(frozenset(sources.owners(link)))
    return frozenset(
        name
        for name, linked in pairs.items()
        if frozenset().union(*linked) == sources.with_column(name) and len(linked) >= len(sources.with_column(name)) - 1
    )


def _is_bare(join: exp.Expr) -> bool:
    return not join.args.get("on") and not join.args.get("using") and not join.args.get("method")
