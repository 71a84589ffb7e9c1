"""Finds how tables are joined: foreign keys, those a schema leaves out, and the shortest way between two tables."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from agents.offline.meaning.naming import Naming
from tools.catalog import Catalog, Column, Table

_TO_MANY = 1.5
"""A step that multiplies rows costs more than one that does not."""
_BESIDE_A_BRIDGE = 2.0
"""Where a table of pairs joins two others, who belongs to what stands there: a key between them is another matter,
such as who leads it."""


@dataclass(frozen=True)
class Step:
    """From a row of `source` to the rows of `target` whose columns equal its own."""

    source: str
    source_columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    to_one: bool
    """True when at most one row of `target` belongs to a row of `source`."""

    def back(self) -> Step:
        return Step(self.target, self.target_columns, self.source, self.source_columns, not self.to_one)


class Joins:
    """The graph of one catalog's tables."""

    def __init__(self, catalog: Catalog, naming: Naming) -> None:
        self._steps: dict[str, list[Step]] = {t.name: [] for t in catalog}
        for step in [*_declared(catalog), *_inferred(catalog, naming)]:
            self._steps[step.source].append(step)
            self._steps[step.target].append(step.back())
        self._bridged = {pair for table in catalog if (pair := self._bridges(table))}
        self._pairs = {table.name for table in catalog if self._bridges(table)}

    def path(self, source: str, target: str, hint: Iterable[str] = ()) -> tuple[Step, ...] | None:
        """Return the cheapest way from a row of one table to rows of another, or None where there is none.

        Where several keys lead the same way, the one with a column in `hint` is taken.
        """
        ways = self._ways(source, target)
        if not ways:
            return None
        ways += [(step,) for step in self._steps[source] if self._is_beside_a_bridge(step) and step.target == target]
        hinted = [way for way in ways if any(c in hint for s in way for c in (*s.source_columns, *s.target_columns))]
        return (hinted or ways)[0]

    def is_ambiguous(self, source: str, target: str) -> bool:
        """Whether two equally short ways lead there, by different keys of the same tables."""
        ways = self._ways(source, target)
        return len(ways) > 1

    def to_one(self, source: str, target: str) -> bool:
        """Whether each row of `source` leads to at most one row of `target`."""
        way = self.path(source, target)
        return way is not None and all(s.to_one for s in way)

    def steps_from(self, table: str) -> tuple[Step, ...]:
        return tuple(self._steps.get(table, ()))

    def _bridges(self, table: Table) -> frozenset[str] | None:
        """Return the two tables whose pairs are all that this one holds, besides when or how they belong together."""
        steps = self._steps[table.name]
        others = frozenset(step.target for step in steps if step.to_one)
        keys = {column for step in steps if step.to_one for column in step.source_columns}
        holds_pairs = (
            len(steps) == len(others) == 2 and table.name not in others and len(table.columns) <= len(keys) + 1
        )
        return others if holds_pairs and set(table.primary_key) in (set(), keys) else None

    def _is_beside_a_bridge(self, step: Step) -> bool:
        return frozenset((step.source, step.target)) in self._bridged

    def _cost(self, step: Step) -> float:
        if step.to_one and step.source in self._pairs:
            return 0  # Through a table of pairs is one step: it says no more than who belongs to what.
        return (1 if step.to_one else _TO_MANY) + (_BESIDE_A_BRIDGE if self._is_beside_a_bridge(step) else 0)

    def _ways(self, source: str, target: str) -> list[tuple[Step, ...]]:
        if source == target:
            return [()]
        best: float | None = None
        ways: list[tuple[Step, ...]] = []
        order = count()
        heap: list[tuple[float, int, str, tuple[Step, ...]]] = [(0, next(order), source, ())]
        settled: dict[str, float] = {}
        while heap:
            cost, _, table, way = heapq.heappop(heap)
            if best is not None and cost > best:
                break
            if table == target:
                best = cost
                ways.append(way)
                continue
            if settled.setdefault(table, cost) < cost:
                continue
            for step in self._steps.get(table, ()):
                if step.target != source:
                    heapq.heappush(heap, (cost + self._cost(step), next(order), step.target, (*way, step)))
        return ways


def _declared(catalog: Catalog) -> list[Step]:
    steps = []
    for table in catalog:
        for key in table.foreign_keys:
            referred = catalog.table(key.table)
            if referred is not None:
                columns = key.referred or referred.primary_key
                steps.append(Step(table.name, key.columns, referred.name, columns, to_one=True))
    return steps


def _inferred(catalog: Catalog, naming: Naming) -> list[Step]:
    """Return joins that names suggest for columns that no key of the catalog covers.

    A column named as another table is refers to its key; a column shared by name refers to the table where each value
    stands once.
    """
    steps = []
    for table in catalog:
        covered = {c for key in table.foreign_keys for c in key.columns}
        for column in table.columns:
            if column.name in covered or table.is_view:
                continue
            found = _referred_by(catalog, naming, table, column)
            if found:
                steps.append(Step(table.name, (column.name,), found[0], (found[1],), to_one=True))
    return steps


def _referred_by(catalog: Catalog, naming: Naming, table: Table, column: Column) -> tuple[str, str] | None:
    words = naming.column(table.name, column.name)
    for other in catalog:
        key = naming.key(other.name)
        if other.name == table.name or key is None or other.is_view:
            continue
        kept = other.column(key)
        if kept is None or kept.kind != column.kind:
            continue
        if words == naming.table(other.name) and column.kind == "number":
            return other.name, key
        if table.primary_key == (column.name,):
            continue
        shared = column.name.lower() == key.lower() and naming.is_key_like(words)
        if shared and len(naming.column(other.name, key)[-1]) > 2 and naming.home(key) == other.name:
            return other.name, key
    return None
