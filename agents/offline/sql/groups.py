"""Writes what rows are grouped by: columns, dates by their grain, and rows by what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from agents.offline.meaning.lexicon import Lexicon
from agents.offline.plan import Col, Group
from agents.offline.sql.frame import Frame, Names
from agents.offline.sql.grains import place_in_time, truncate
from agents.offline.sql.predicates import is_known
from agents.offline.sql.titles import group_title

Written = tuple[Group, list[exp.Expr]]
"""A group and the columns that show it."""


@dataclass(frozen=True)
class Head:
    """The group that rows are ranked within, as it stands before them."""

    shown: list[exp.Expr]
    """Its columns, each under a name."""
    keys: list[exp.Expr]
    """What its rows agree in."""
    apart: list[exp.Expr]
    """The keys that tell groups of one name apart."""
    known: list[exp.Expr]
    """What holds where there is such a group at all."""

    @property
    def order(self) -> list[exp.Expr]:
        return [*(e.unalias().copy() for e in self.shown), *(key.copy() for key in self.apart)]


class Groups:
    """Writes groups in one database's dialect."""

    def __init__(self, lexicon: Lexicon, names: Names) -> None:
        self._lexicon = lexicon
        self._dialect = lexicon.catalog.dialect
        self._names = names

    def shown(self, frame: Frame, group: Group) -> list[exp.Expr]:
        if group.column is None:
            return [frame.column(c) for c in group.shown]
        if (referred := self._referred(group)) is not None:
            label = self._lexicon.naming.label(referred)
            return [frame.referred(Col(group.table, group.column), referred, name) for name in label]
        column = frame.column(Col(group.table, group.column))
        return [truncate(column, group.grain, self._dialect) if group.grain else column]

    def place(self, frame: Frame, group: Group) -> exp.Expr | None:
        """Return what puts a date's grain in its order."""
        if group.column is None or group.grain is None:
            return None
        return place_in_time(frame.column(Col(group.table, group.column)), group.grain, self._dialect)

    def labelled(self, groups: Sequence[Written]) -> list[exp.Expr]:
        """Return what the groups show, each under a name of its own."""
        titles = [group_title(group, self._lexicon) for group, _ in groups]
        labelled: list[exp.Expr] = []
        for title, (group, shown) in zip(titles, groups, strict=True):
            if group.grain is not None:
                labelled += [exp.alias_(e.copy(), title) for e in shown]
            elif title is not None and titles.count(title) == 1:
                labelled += [exp.alias_(e.copy(), self._names.identifier(title)) for e in shown]
            else:
                labelled += [e.copy() for e in shown]
        names = [e.alias_or_name for e in labelled]
        return [
            exp.alias_(e, f"{e.table}_{e.name}".lower()) if isinstance(e, exp.Column) and names.count(e.name) > 1 else e
            for e in labelled
        ]

    def keys(self, frame: Frame, group: Group, shown: Sequence[exp.Expr]) -> list[exp.Expr]:
        """Return what makes rows of the group one: a table's key beside its names, so that namesakes stay apart."""
        keys = [e.copy() for e in shown]
        if (place := self.place(frame, group)) is not None and place not in keys:
            keys.append(place)  # other databases than SQLite order by nothing else than what is grouped by
        if group.column is not None and group.grain is None and self._referred(group) is not None:
            keys.insert(0, frame.column(Col(group.table, group.column)))
        key = self._lexicon.naming.key(group.table) if group.column is None else None
        if key is not None and all(c.name != key for c in group.shown):
            keys.insert(0, frame.column(Col(group.table, key)))
        return keys

    def head(self, frame: Frame, group: Group) -> Head:
        shown = self.shown(frame, group)
        keys = self.keys(frame, group, shown)
        named_alike = group.grain is None and not self._is_unique(group)
        apart = [key for key in keys if key not in shown] if named_alike else []
        own = Col(group.table, group.column) if group.column is not None else None
        missing = own is not None and self._lexicon.column(own).nullable
        return Head(
            self.labelled([(group, shown)]), keys, apart, [is_known(frame.column(own))] if own and missing else []
        )

    def _is_unique(self, group: Group) -> bool:
        """Whether no two rows of a table are called the same."""
        if len(group.shown) != 1:
            return False
        rows, distinct = self._lexicon.table(group.table).row_count, self._lexicon.column(group.shown[0]).distinct
        return rows is not None and rows == distinct

    def _referred(self, group: Group) -> str | None:
        """Return the table whose rows are meant where a key is grouped by: the names of managers, not their numbers."""
        keys = self._lexicon.table(group.table).foreign_keys
        found = [k.table for k in keys if k.columns == (group.column,)]
        table = found[0] if found and self._lexicon.catalog.table(found[0]) is not None else None
        return table if table is not None and self._lexicon.naming.label(table) != (group.column,) else None
