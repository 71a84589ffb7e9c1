"""Says the expressions and conditions of SQL as people say them, or quotes them where there are no plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from sqlglot import exp

from tools.breakdown_dates import is_literal, say_moment, say_part_of_date
from tools.breakdown_nouns import joined, name_of, one_of, plural
from tools.breakdown_sources import QUERIES, Sources
from tools.catalog import Dialect
from tools.conditions import COMPARED, COMPARED_DATES, DAY, asks_for_missing, likeness_of
from tools.guard_premises import bounded_column, days_between
from tools.wording import clean, say_number, say_time

QUOTED = 100
"""Characters of SQL that are quoted within a sentence."""
LISTED = 4
"""Values of an IN that are named."""

MINUS = "\N{MINUS SIGN}"
_OPPOSITE: dict[type[exp.Expr], type[exp.Expr]] = {exp.EQ: exp.NEQ, exp.NEQ: exp.EQ}
_SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: MINUS, exp.Mul: "\N{MULTIPLICATION SIGN}", exp.Div: "÷"}
_TRANSPARENT = (
    exp.Lower,
    exp.Upper,
    exp.Trim,
    exp.Cast,
    exp.TryCast,
    exp.Date,
    exp.TsOrDsToDate,
    exp.TsOrDsToTimestamp,
    exp.Round,
    exp.Nullif,
    exp.Collate,
    exp.Alias,
)
"""What changes how a value is written rather than what it is."""


class Words:
    """Says what stands in one SELECT."""

    def __init__(
        self, sources: Sources, dialect: Dialect, told: Mapping[int, int], equal: frozenset[str] = frozenset()
    ) -> None:
        """Take the last step of each query inside this one that is told on its own, by the query's `id`.

        `equal` are the names of columns that are the same in all sources, so that nobody need say whose they are.
        """
        self._sources = sources
        self._dialect = dialect
        self._told = told
        self._equal = equal

    def quoted(self, node: exp.Expr) -> str:
        return f"“{clean(node.sql(dialect=self._dialect), QUOTED)}”"

    def column(self, column: exp.Expr) -> str:
        """Return a column's name in words, with its table's where several tables have such a column."""
        name = name_of(column.name)
        place = self._sources.owner(column)
        if place is None and self._sources.is_text(column):
            return say_text(column.name)
        if place is None or not self._sources.is_shared(column.name) or column.name.lower() in self._equal:
            return name
        source = self._sources[place]
        whose = one_of(source.words)
        return name if name.startswith(f"{whose} ") else f"{whose} {name}"

    def value(self, node: exp.Expr | None) -> str | None:
        """Return an expression in words: a column, a value, an aggregate, arithmetic; None for anything else."""
        match node:
            case exp.Column():
                return None if isinstance(node.this, exp.Star) else self.column(node)
            case exp.Literal():
                return say_text(node.this) if node.is_string else _number(node.this)
            case exp.Boolean():
                return "true" if node.this else "false"
            case exp.Neg(this=exp.Literal() as inner):
                return f"{MINUS}{_number(inner.this)}"
            case exp.Round() | exp.Cast() if node.find(exp.Div, exp.Mul) and not node.find(exp.AggFunc):
                return self.value(node.this)
            case exp.Coalesce():
                return self.value(node.this)
            case exp.Subquery() if node.this.unnest() is not None and (step := self.step_of(node)) is not None:
                return f"what step {step + 1} found"
            case exp.Paren():
                said = self.value(node.this)
                return f"({said})" if said and isinstance(node.this, exp.Binary) else said
            case exp.Window():
                return self._window(node)
            case exp.Filter():
                return self._aggregate(node.this, self.condition(node.expression.this))
            case exp.AggFunc():
                return self._aggregate(node, None)
        if moment := say_moment(node):
            return moment
        if isinstance(node, _TRANSPARENT):
            return self.value(node.this)
        if node is not None and type(node) in _SIGNS:
            left, right = self.value(node.args["this"]), self.value(node.args["expression"])
            return f"{left} {_SIGNS[type(node)]} {right}" if left and right else None
        return say_part_of_date(node, self.value)

    def say(self, node: exp.Expr) -> str:
        """Return an expression in words, quoted as SQL where there are none."""
        return self.value(node) or self.quoted(node)

    def step_of(self, node: exp.Expr) -> int | None:
        """Return the place of the last step of a query inside this one, where it is told on its own."""
        query = node
        while isinstance(query, exp.Subquery):
            query = query.this
        return self._told.get(id(query)) if isinstance(query, QUERIES) else None

    def condition(self, node: exp.Expr) -> str:
        """Return what must hold of a row: "city is “Bern”"."""
        return self._condition(node) or f"{self.quoted(node)} holds"

    def conditions(self, nodes: list[exp.Expr]) -> str:
        """Return what must all hold; the second bound of one value is said without naming the value again."""
        if len(nodes) == 1:
            return self.condition(nodes[0].unnest())
        if period := self._period(nodes):
            return period
        said = [self.condition(node) for node in nodes]
        for place in range(len(said) - 1, 0, -1):
            subject, before = self.value(nodes[place].args.get("this")), said[place - 1]
            if subject and before.startswith(f"{subject} is ") and said[place].startswith(f"{subject} is "):
                said[place] = said[place].removeprefix(f"{subject} ")
        return joined(said)

    def _period(self, nodes: list[exp.Expr]) -> str | None:
        """Return "placed at is from 1 January 2025 to 31 December 2025" where the conditions are its two ends."""
        if not all(isinstance(node, exp.GTE | exp.LT | exp.LTE) for node in nodes):
            return None
        columns, subject = {bounded_column(node) for node in nodes}, self.value(nodes[0].this)
        days = days_between(nodes) if len(columns) == 1 and None not in columns and subject else ""
        return f"{subject} is from {days}" if " to " in days else None

    def _condition(self, node: exp.Expr) -> str | None:
        match node:
            case exp.Paren():
                inner = self._condition(node.this)
                is_loose = isinstance(node.this, exp.Or) and isinstance(node.parent, exp.And)
                return f"({inner})" if inner and is_loose else inner
            case exp.And():
                return f"{self.condition(node.left)} and {self.condition(node.right)}"
            case exp.Or() if (choice := _as_choice(node)) is not None:
                return self._membership(choice, "is")
            case exp.Or():
                return f"{self.condition(node.left)}, or {self.condition(node.right)}"
            case exp.Not():
                return self._denied(node.this)
            case exp.In():
                return self._membership(node, "is")
            case exp.Exists():
                return self._existence(node, "a")
            case exp.Between():
                parts = [self.value(node.args[part]) for part in ("this", "low", "high")]
                return f"{parts[0]} is between {parts[1]} and {parts[2]}" if all(parts) else None
            case exp.Is(expression=exp.Null()):
                return f"{self.say(node.this)} is {'missing' if asks_for_missing(node) else 'known'}"
            case exp.Like() | exp.ILike():
                return self._likeness(node)
            case exp.Column():
                return f"{self.column(node)} is true"
        return self._comparison(node)

    def _comparison(self, node: exp.Expr, kind: type[exp.Expr] | None = None) -> str | None:
        """Return a comparison in words, or where `kind` is given the same sides compared in that way."""
        kind = kind or type(node)
        if kind not in COMPARED:
            return None
        left, right = self.value(node.args["this"]), self.value(node.args["expression"])
        is_dated = self._is_dated(node.args["this"]) or self._is_dated(node.args["expression"])
        verb = (COMPARED_DATES if is_dated else COMPARED).get(kind, COMPARED[kind])
        return f"{left} {verb} {right}" if left and right else None

    def _is_dated(self, node: exp.Expr) -> bool:
        if isinstance(node, exp.Literal):
            return node.is_string and bool(DAY.match(node.this))
        if isinstance(node, exp.Column):
            column = self._sources.column(node)
            return column is not None and column.kind == "date"
        return isinstance(node, exp.Date | exp.TsOrDsToDate)

    def _denied(self, node: exp.Expr) -> str | None:
        while isinstance(node, exp.Paren):
            node = node.this
        match node:
            case exp.Is(expression=exp.Null()):
                return f"{self.say(node.this)} is {'known' if asks_for_missing(node) else 'missing'}"
            case exp.In():
                return self._membership(node, "is not")
            case exp.Exists():
                return self._existence(node, "no")
            case exp.Like() | exp.ILike():
                return self._likeness(node, denied=True)
        if type(node) in _OPPOSITE:
            return self._comparison(node, _OPPOSITE[type(node)])
        inner = self._condition(node)
        return f"it is not so that {inner}" if inner else None

    def _membership(self, node: exp.Expr, verb: str) -> str | None:
        subject = self.value(node.this)
        if subject is None:
            return None
        if (query := node.args.get("query")) is not None:
            step = self.step_of(query)
            return f"{subject} {verb} among those of step {step + 1}" if step is not None else None
        said = [self.value(option) for option in node.expressions]
        values = [text for text in said if text]
        if len(values) < len(said) or not values:
            return None
        if len(values) > LISTED:
            values = [*values[: LISTED - 1], f"{len(values) - LISTED + 1} others"]
        either = values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"
        return f"{subject} {verb} {either}"

    def _existence(self, node: exp.Expr, amount: str) -> str | None:
        step = self.step_of(node.this)
        if step is not None:
            return f"step {step + 1} found {'no' if amount == 'no' else 'any'} row"
        tables = [name_of(table.name) for table in node.this.find_all(exp.Table)]
        return f"there is {amount} matching row in {tables[0]}" if len(tables) == 1 else None

    def _likeness(self, node: exp.Expr, *, denied: bool = False) -> str | None:
        likeness, subject = likeness_of(node, denied=denied), self.value(node.this)
        return f"{subject} {likeness[0]} {say_text(likeness[1])}" if likeness and subject else None

    def _aggregate(self, node: exp.Expr, only: str | None) -> str | None:
        inner = node.this
        is_different = isinstance(inner, exp.Distinct)
        if isinstance(inner, exp.Distinct):
            inner = inner.expressions[0] if len(inner.expressions) == 1 else None
        if only is None and isinstance(inner, exp.Case) and (chosen := self._chosen(inner)) is not None:
            inner, only = chosen
        of = f" where {only}" if only else ""
        if isinstance(node, exp.Count):
            if not is_different and (inner is None or isinstance(inner, exp.Star | exp.Literal)):
                return f"the number of rows{of}"
            said = self._thing(inner) or self.value(inner)
            if is_different:
                return said and f"the number of different {plural(said)}{of}"
            return said and f"the number of rows with {'an' if said[0] in 'aeiou' else 'a'} {said}{of}"
        if isinstance(node, exp.Sum) and isinstance(inner, exp.Literal) and inner.this == "1":
            return f"the number of rows{of}"
        said = self.value(inner)
        least, most = ("earliest", "latest") if inner is not None and self._is_dated(inner) else ("lowest", "highest")
        names: dict[type[exp.Expr], str] = {exp.Sum: "total", exp.Avg: "average", exp.Min: least, exp.Max: most}
        name = names.get(type(node))
        if name == "total" and said and said.startswith("total "):
            return f"the sum of {said}{of}"
        return f"the {name} {said}{of}" if name and said else None

    def _thing(self, node: exp.Expr | None) -> str | None:
        """Return what a table's key stands for: one of its rows."""
        place = self._sources.owner(node) if isinstance(node, exp.Column) else None
        table = self._sources[place].table if place is not None else None
        is_key = (
            table is not None and node is not None and [key.lower() for key in table.primary_key] == [node.name.lower()]
        )
        return one_of(self._sources[place].words) if is_key and place is not None else None

    def _chosen(self, case: exp.Expr) -> tuple[exp.Expr, str] | None:
        """Return what is counted or added up of the rows that a CASE lets through, and which rows these are."""
        default = case.args.get("default")
        is_nothing = default is None or isinstance(default, exp.Null) or (is_literal(default, "0") and _is_added(case))
        if len(case.args["ifs"]) != 1 or case.this is not None or not is_nothing:
            return None
        only = case.args["ifs"][0]
        return only.args["true"], self.condition(only.this)

    def _window(self, node: exp.Expr) -> str | None:
        keys = _by_name([self.say(key).removeprefix("the ") for key in node.args.get("partition_by") or ()])
        order = node.args.get("order")
        among = [f"within each {joined(keys)}"] if keys else []
        among += [f"by {self.order(order)}"] if order is not None else []
        how = f" ({', '.join(among)})" if among else ""
        match node.this:
            case exp.RowNumber():
                return f"the row's number{how}"
            case exp.Rank() | exp.DenseRank():
                return f"the rank {', '.join(among)}" if among else "the rank"
            case exp.Lag() | exp.Lead():
                other = "row before" if isinstance(node.this, exp.Lag) else "next row"
                return f"the {self.say(node.this.this).removeprefix('the ')} of the {other}{how}"
        said = self.value(node.this)
        return said and f"{said}{' up to each row' if order else ' of all rows' if not keys else ''}{how}"

    def order(self, order: exp.Expr) -> str:
        """Return what rows are sorted by: "revenue, highest first, then name"."""
        return ", then ".join(self._key(ordered) for ordered in order.expressions)

    def _key(self, ordered: exp.Expr) -> str:
        key = ordered.this
        if missing := self._missing(key):
            return f"rows without {missing} {'first' if ordered.args.get('desc') else 'last'}"
        column = self._sources.column(key) if isinstance(key, exp.Column) else None
        words, is_down = self._place(ordered) or self.say(key), bool(ordered.args.get("desc"))
        kind = column.kind if column else "number" if isinstance(key, exp.AggFunc) else None
        if kind == "date" or self._is_dated(key):
            return f"{words}, {'latest' if is_down else 'earliest'} first"
        if kind == "text":
            return f"{words}, from {'Z to A' if is_down else 'A to Z'}"
        if is_down or kind == "number":
            return f"{words}, {'highest' if is_down else 'lowest'} first"
        return words

    def _missing(self, key: exp.Expr) -> str | None:
        """Return what a CASE puts first or last where it is missing: it is 1 there, and 0 elsewhere."""
        if not isinstance(key, exp.Case) or len(key.args["ifs"]) != 1 or not is_literal(key.args.get("default"), "0"):
            return None
        only = key.args["ifs"][0]
        is_null = isinstance(only.this, exp.Is) and isinstance(only.this.expression, exp.Null)
        return self.value(only.this.this) if is_null and is_literal(only.args["true"], "1") else None

    def _place(self, ordered: exp.Expr) -> str | None:
        """Return the column that a number in ORDER BY or GROUP BY stands for."""
        select = ordered.find_ancestor(exp.Select)
        key = ordered.this
        if not isinstance(key, exp.Literal) or key.is_string or select is None:
            return None
        return self.projection_at(select, key)

    def projection_at(self, select: exp.Expr, key: exp.Expr) -> str | None:
        place = int(key.name) if key.name.isdigit() else 0
        return self.projection(select.expressions[place - 1]) if 0 < place <= len(select.expressions) else None

    def projection(self, node: exp.Expr) -> str:
        """Return a column of the answer in words: by its alias, where it has one."""
        if isinstance(node, exp.Alias):
            return name_of(node.alias)
        return "all columns" if node.is_star else self.say(node)

    def computed(self, node: exp.Expr) -> str:
        """Return how a column of the answer is worked out: "revenue (the total price)"."""
        inner = node.this if isinstance(node, exp.Alias) else node
        how = self.value(inner)
        if not isinstance(node, exp.Alias):
            return how or self.quoted(node)
        alias = name_of(node.alias)
        bare = (how or "").removeprefix("the ")
        if how is None:
            return alias  # The SQL stands below; half of it in a sentence helps nobody.
        return how if bare == alias else f"{alias} ({how})"


def _as_choice(either: exp.Or) -> exp.In | None:
    """Return alternatives for one value as the list that they are: a = 1 OR a = 2 is a IN (1, 2)."""
    options = list(either.flatten())
    subjects = {option.this.sql() for option in options}
    if len(subjects) > 1 or not all(isinstance(o, exp.EQ) and isinstance(o.expression, exp.Literal) for o in options):
        return None
    return exp.In(this=options[0].this.copy(), expressions=[option.expression.copy() for option in options])


def say_text(text: str) -> str:
    return say_time(text, "moment") if DAY.match(text) else f"“{clean(text, 60)}”"


def _number(text: str) -> str:
    with suppress(ValueError):
        if re.fullmatch(r"(19|20)\d\d", text):
            return text  # As likely a year as an amount.
        return say_number(float(text))
    return text


def _is_added(case: exp.Expr) -> bool:
    return isinstance(case.parent, exp.Sum)


def _by_name(keys: list[str]) -> list[str]:
    """Return what a group is called: "category" for a category's ID and its name."""
    kept = list(keys)
    for key in keys:
        whose = key[:-3] if key.lower().endswith(" id") else ""
        name = next((k for k in kept if k in (f"{whose} name", f"{whose} title", "name", "title")), None)
        if whose and name is not None:
            kept.remove(name)
            kept[kept.index(key)] = whose
    return kept
