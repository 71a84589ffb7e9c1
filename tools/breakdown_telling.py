"""Tells each stage of a SELECT in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tools.breakdown_nouns import joined, many_of, one_of
from tools.breakdown_sources import QUERIES, Source, Sources
from tools.breakdown_words import Words
from tools.conditions import conjuncts

NAMED = 4
"""Columns of the answer that a sentence names."""


class Telling:
    """Tells the stages of one SELECT."""

    def __init__(self, select: exp.Expr, sources: Sources, words: Words) -> None:
        self._select = select
        self._sources = sources
        self._words = words

    def start(self) -> str:
        source = self._sources[0]
        if source.step is not None:
            return f"Go on with the rows of step {source.step + 1}."
        return f"Start with all rows of {source.words}."

    def joining(self, places: Sequence[int], linked: Sequence[exp.Expr]) -> str:
        """Return what is joined to the rows so far; `linked` are the conditions of WHERE that say how."""
        source = self._sources[places[-1]]
        join = (self._select.args.get("joins") or [])[places[-1] - 1]
        if len(places) > 1:
            names = joined([self._sources[place].words for place in places])
            return f"Join {names}, {self._where(linked)}." if linked else f"Pair every row with every row of {names}."
        conditions = [*conjuncts(join.args.get("on")), *linked]
        keys = [one for one in conditions if self._is_link(one, places[-1])]
        rest = [one for one in conditions if one not in keys]
        if not keys and not rest and join.args.get("using"):
            shared = joined([self._words.column(exp.column(column.name)) for column in join.args["using"]])
            return f"Join {source.words} to the rows, where both have the same {shared}{self._kept(join)}."
        if not conditions and join.args.get("method") == "NATURAL":
            return f"Join {source.words} to the rows, by the columns that both have{self._kept(join)}."
        if not conditions:
            return f"Pair every row with every row of {source.words}."
        if len(keys) != 1:
            return f"Join {source.words} to the rows, {self._where(conditions)}{self._kept(join)}."
        extra = f", {self._where(rest)}" if rest else ""
        return f"Join {self._relation(keys[0], places[-1])}{extra}{self._kept(join)}."

    def _where(self, conditions: Sequence[exp.Expr]) -> str:
        return f"where {self._words.conditions(list(conditions))}"

    def _is_link(self, condition: exp.Expr, place: int) -> bool:
        """Whether a condition says that a column of this source is the same as one of another source."""
        if not isinstance(condition, exp.EQ):
            return False
        sides = (condition.this, condition.expression)
        owners = [self._sources.owner(side) for side in sides if isinstance(side, exp.Column)]
        return len(owners) == 2 and None not in owners and len(set(owners)) == 2 and place in owners

    def _relation(self, link: exp.Expr, place: int) -> str:
        """Return who is joined to whom: "each order to its store", or "each store to its orders"."""
        sides = (link.this, link.expression)
        mine, other = sides if self._sources.owner(sides[0]) == place else sides[::-1]
        new = self._sources[place]
        before = self._sources[self._sources.owner(other) or 0]
        if new.table is None or before.table is None:
            return f"each row of {before.words} to the rows of {new.words} with the same {self._words.column(mine)}"
        if _leads(before, other, new, mine):
            return f"each {one_of(before.words)} to its {one_of(new.words)}{self._role(other, new)}"
        if _leads(new, mine, before, other):
            return f"each {one_of(before.words)} to its {many_of(new.words)}{self._role(mine, before)}"
        same = self._words.column(mine)
        if mine.name.lower() != other.name.lower():
            same = f"{same} as its {self._words.column(other)}"
        return f"each {one_of(before.words)} to the {many_of(new.words)} with the same {same}"

    def _role(self, column: exp.Expr, referred: Source) -> str:
        """Return by which column, where its name says more than the table it leads to: "home team", not "team ID"."""
        words = self._words.column(column).removesuffix(" id").removesuffix(" ID")
        plain = one_of(referred.words)
        is_telling = words != plain and not words.startswith(plain) and words not in ("id", "ID") and "“" not in plain
        shared = plain.split()[-1] if plain else ""
        return f" (by {self._words.column(column)})" if is_telling and words != shared else ""

    def _kept(self, join: exp.Expr) -> str:
        match join.text("side"):
            case "LEFT":
                return "; rows without one stay"
            case "RIGHT":
                return "; all the joined ones stay, also those that belong to no row"
            case "FULL":
                return "; on both sides, rows without a match stay"
        return ""

    def filtering(self, filters: Sequence[exp.Expr]) -> str:
        return f"Keep the rows {self._where(filters)}."

    def grouping(self) -> str:
        group = self._select.args.get("group")
        measures = [node for node in self._select.expressions if has_aggregate(node) and not has_window(node)]
        work = joined([self._words.computed(node) for node in measures[:NAMED]]) if measures else ""
        if len(measures) > NAMED:
            work += f" and {len(measures) - NAMED} more"
        keys = self._keys(group) if group else []
        if not group and len(measures) == 1 and _counts_rows(measures[0]):
            return "Count the rows."
        if not keys:
            by = "Group the rows" if group else "Take all rows together"
        else:
            by = f"Make one row for each {joined(keys)}"
        return f"{by}, and work out {work}." if work else f"{by}."

    def _keys(self, group: exp.Expr) -> list[str]:
        if group.args.get("all"):
            return [self._words.projection(node) for node in self._select.expressions if not has_aggregate(node)]
        keys = []
        for key in group.expressions:
            if isinstance(key, exp.Literal) and (place := self._words.projection_at(self._select, key)):
                keys.append(place)
            else:
                keys.append(self._words.say(key).removeprefix("the "))
        return list(dict.fromkeys(keys))  # a weekday by its name and by its place in the week

    def having(self, conditions: Sequence[exp.Expr]) -> str:
        return f"Of these, keep those {self._where(conditions)}."

    def windows(self) -> str:
        added = [self._words.computed(node) for node in self._select.expressions if has_window(node)]
        return f"Add to each row {joined(added)}."

    def shown(self) -> str:
        columns = self._select.expressions
        named = [
            self._words.projection(node) if _is_plain(node) else self._words.computed(node) for node in columns[:NAMED]
        ]
        more = [f"{len(columns) - NAMED} more columns"] if len(columns) > NAMED else []
        return f"Show {joined([*named, *more])}."

    def distinct(self) -> str:
        distinct = self._select.args["distinct"]
        if on := distinct.args.get("on"):
            return f"Keep one row for each {joined([self._words.say(key) for key in on.expressions])}."
        names = [self._words.projection(node) for node in self._select.expressions]
        return f"Keep each different {joined(names)} once." if len(names) <= NAMED else "Keep each different row once."

    def ordering(self, order: exp.Expr) -> str:
        distinct = self._select.args.get("distinct")
        sort = f"Sort by {self._words.order(order)}"
        if distinct is not None and (on := distinct.args.get("on")):
            return f"{sort}, and keep the first row for each {joined([self._words.say(k) for k in on.expressions])}."
        return f"{sort}."

    def limiting(self) -> str:
        limit, offset = self._select.args.get("limit"), self._select.args.get("offset")
        skip = f"Skip {_first(offset.expression)}" if offset else ""
        most = (limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression) if limit else None
        if limit is None:
            return f"{skip}."
        return f"{skip}, then keep {_first(most).replace('first', 'next')}." if skip else f"Keep {_first(most)}."


def _leads(source: Source, column: exp.Expr, other: Source, key: exp.Expr) -> bool:
    """Whether a column of the source says which one row of the other belongs to it."""
    if source.table is None or other.table is None:
        return False
    if [name.lower() for name in other.table.primary_key] == [key.name.lower()]:
        return True
    return any(
        [name.lower() for name in found.columns] == [column.name.lower()]
        and [name.lower() for name in found.referred] == [key.name.lower()]
        and found.table == other.table.name
        for found in source.table.foreign_keys
    )


def _counts_rows(node: exp.Expr) -> bool:
    return isinstance(node, exp.Count) and isinstance(node.this, exp.Star)


def _first(amount: exp.Expr | None) -> str:
    number = int(amount.name) if isinstance(amount, exp.Literal) and amount.name.isdigit() else None
    return "the first row" if number == 1 else "the first rows" if number is None else f"the first {number:,} rows"


def has_window(node: exp.Expr) -> bool:
    return any(isinstance(inner, exp.Window) for inner in node.walk(prune=lambda n: isinstance(n, QUERIES)))


def has_aggregate(node: exp.Expr) -> bool:
    """Whether an expression makes one value of many rows; a window's function leaves the rows as they are."""
    return any(
        isinstance(inner, exp.AggFunc) and not is_of_window(inner)
        for inner in node.walk(prune=lambda n: isinstance(n, QUERIES))
    )


def is_of_window(function: exp.Expr) -> bool:
    """Whether this is the function of an OVER."""
    around = function.parent
    while isinstance(around, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        around = around.parent
    return isinstance(around, exp.Window)


def _is_plain(node: exp.Expr) -> bool:
    return node.is_star or isinstance(node.this if isinstance(node, exp.Alias) else node, exp.Column)
