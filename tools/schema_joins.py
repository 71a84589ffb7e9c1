"""Finds the tables that lie between others on the way of the foreign keys."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import combinations

from tools.catalog import Catalog

BRIDGES = 2
"""Tables between two others; two that lie further apart have little to do with each other."""


class JoinGraph:
    """Which tables refer to which, in either direction."""

    def __init__(self, catalog: Catalog) -> None:
        self._beside: dict[str, set[str]] = defaultdict(set)
        for table in catalog:
            for key in table.foreign_keys:
                self._beside[table.name].add(key.table)
                self._beside[key.table].add(table.name)

    def bridges(self, tables: Sequence[str]) -> list[str]:
        """Return the tables that must be added so that those given can be joined, nearest pairs first."""
        added: list[str] = []
        for start, end in combinations(tables, 2):
            known = [*tables, *added]
            if not self._joined(start, end, known):
                added += [name for name in self._way(start, end) if name not in known]
        return added

    def _joined(self, start: str, end: str, among: Iterable[str]) -> bool:
        allowed = set(among)
        seen, waiting = {start}, [start]
        while waiting:
            for name in self._beside[waiting.pop()] & allowed - seen:
                seen.add(name)
                waiting.append(name)
        return end in seen

    def _way(self, start: str, end: str) -> list[str]:
        """Return the tables between the two on the shortest way, or none where it is too long."""
        came_from: dict[str, str] = {start: ""}
        waiting = deque([start])
        while waiting and end not in came_from:
            name = waiting.popleft()
            for other in sorted(self._beside[name] - came_from.keys()):
                came_from[other] = name
                waiting.append(other)
        between = []
        name = came_from.get(end, "")
        while name and name != start:
            between.append(name)
            name = came_from[name]
        return between[::-1] if len(between) <= BRIDGES else []
