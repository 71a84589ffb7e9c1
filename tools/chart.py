"""Chooses the chart that suits the rows' shape and the question's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from tools.chart_plotly import figure, in_order
from tools.chart_wishes import Kind, Wish, read_wish
from tools.columns import Shape, is_first_and_last_name, is_pair_unique, principal, read_columns
from tools.sql_runner import Rows
from tools.wording import is_finite, is_unfinished, name_tokens

BARS = 30
"""More categories than this are read better in a table."""
PARTS = 6
"""A pie with more slices than this cannot be read."""
LINES = 8
"""As many lines as the palette has colours."""
CELLS = 60
"""The longest side of a heat map."""
POINTS = 12
"""From so many rows on, two measures without a common group make a cloud worth seeing."""
MEASURES = 4

_CORRELATED = re.compile(r"\b(correlat\w*|relationship between|scatter)\b", re.I)
_SHARES = re.compile(r"\b(shares?|proportions?|percent\w*|make up|split|breakdown|broken down)\b", re.I)
_DERIVED = {"change", "difference", "diff", "growth", "delta", "rank"}


@dataclass(frozen=True)
class Chart:
    kind: Kind
    title: str
    x: str
    """The column on the horizontal axis (or the parts of a pie)."""
    y: tuple[str, ...]
    """The columns drawn, one or more."""
    series: str | None = None
    """The column whose values make one line or bar each."""
    label: tuple[str, ...] = ()
    """Further columns that complete x's label: the last name after the first."""
    is_stacked: bool = False
    is_log: bool = False
    """Whether the axis of the values is logarithmic."""
    is_unfinished: bool = False
    """Whether the last of x is a period that still runs, so that what stands there is no fall."""


def choose_chart(question: str, rows: Rows, wish: Wish | None = None, today: date | None = None) -> Chart | None:
    """Return the chart that suits the rows, or None where a table says more.

    What is wished for, by default in the question itself, is drawn wherever the rows allow it. Without `today`, every
    period counts as over.
    """
    wish = wish or read_wish(question)
    if wish.kind == "none":
        return None
    columns = read_columns(rows)
    if len(set(rows.columns)) < len(columns) or not rows.values:
        return None  # A chart names its columns, so two of one name cannot be told apart.
    if len(rows.values) == 1:
        alone = len(columns) == 1 and columns[0].role == "measure" and is_finite(columns[0].values[0])
        return Chart("number", columns[0].words, columns[0].name, (columns[0].name,)) if alone else None
    return _Choice(question, wish, columns, rows.truncated, today).choose()


def draw(chart: Chart, rows: Rows) -> dict[str, Any]:
    """Return a Plotly figure as plain JSON: {"data": [...], "layout": {...}}."""
    return figure(chart, rows)


@dataclass(frozen=True)
class _Choice:
    question: str
    wish: Wish
    columns: list[Shape]
    truncated: bool
    today: date | None

    def choose(self) -> Chart | None:
        measures = [c for c in self.columns if c.role == "measure" and any(map(is_finite, c.values))]
        if not measures:
            return None
        times = [c for c in self.columns if c.role in ("time", "cycle")]
        groups = [c for c in self.columns if c.role == "group"]
        prose = any(c.role == "text" for c in self.columns)
        if not times and not groups and not prose:
            return self._of_measures(measures)
        if prose or len(times) + len(groups) > 2:
            return None
        if len(times) == 2:
            return (
                self._crossed(times[1], times[0], measures) if times[0].role == "time" else self._grid(times, measures)
            )
        if times:
            return self._over_time(times[0], groups, measures)
        return self._by_group(groups, measures)

    @property
    def wanted(self) -> str | None:
        """The kind that is wished for, or that the question's words suggest."""
        return self.wish.kind or ("scatter" if _CORRELATED.search(self.question) else None)

    def _of_measures(self, measures: list[Shape]) -> Chart | None:
        ids = [c for c in self.columns if c.role == "id"]
        if len(measures) >= 2 and (self._count >= POINTS or self.wanted == "scatter"):
            return self._scatter(measures)
        if len(ids) == 1 and ids[0].is_unique and 2 <= self._count <= BARS:
            return self._bars(ids[0], measures)
        return None

    def _over_time(self, when: Shape, groups: list[Shape], measures: list[Shape]) -> Chart | None:
        if not groups:
            if not when.is_unique or when.distinct < 2:
                return None
            if self.wanted == "pie" or ((when.distinct == 2 or when.role == "cycle") and self.wanted != "line"):
                return self._bars(when, measures)
            kind: Kind = "bar" if self.wanted == "bar" else "area" if self._is_area(measures) else "line"
            return self._chart(kind, when, measures)
        group = groups[0]
        if not is_pair_unique(when, group):
            return None
        if when.distinct == 1:
            return self._bars(group, measures)
        if when.distinct == 2 and group.distinct <= BARS:
            return self._chart("bar", group, measures[:1], series=when)
        return self._crossed(when, group, measures)

    def _crossed(self, when: Shape, group: Shape, measures: list[Shape]) -> Chart | None:
        """One line for each group, or a heat map where the lines would be too many to follow."""
        if not is_pair_unique(when, group):
            return None
        if self.wanted == "bar" and when.distinct <= PARTS < group.distinct <= BARS // 2:
            return self._chart("bar", group, measures[:1], series=when)  # Fewer colours than the groups would take.
        if group.distinct > LINES or self.wanted == "heatmap":
            return self._grid([when, group], measures)
        shared = self.wanted is None and _SHARES.search(self.question) and not self.truncated
        kind: Kind = "area" if (shared or self._is_area(measures)) and _has_no_negative(measures[0]) else "line"
        if self.wanted == "bar" or (when.distinct <= 2 and self.wanted != "line"):
            kind = "bar"
        return self._chart(kind, when, measures[:1], series=group)

    def _is_area(self, measures: list[Shape]) -> bool:
        return self.wanted == "area" or (bool(self.wish.stacked) and self.wanted in (None, "line"))

    def _grid(self, sides: list[Shape], measures: list[Shape]) -> Chart | None:
        x, y = sides
        filled = self._count / (x.distinct * y.distinct)
        if (
            not is_pair_unique(x, y)
            or filled < 0.3
            or min(x.distinct, y.distinct) < 2
            or max(x.distinct, y.distinct) > CELLS
        ):
            return None
        return self._chart("heatmap", x, [principal([x, y, *measures])], series=y)

    def _by_group(self, groups: list[Shape], measures: list[Shape]) -> Chart | None:
        first = groups[0]
        if self.wanted == "scatter" and len(measures) >= 2:
            return self._scatter(measures)
        if len(groups) == 2:
            if is_first_and_last_name(first.name, groups[1].name):
                return self._bars(first, measures, label=(groups[1].name,))
            unique = [g for g in groups if g.is_unique]
            if not unique:
                return self._two_groups(groups, measures)
            first = unique[0]
        if self._count > BARS:
            return self._scatter(measures) if len(measures) >= 2 and first.is_unique else None
        # Rows of one thing that are not grouped by it (every order of a customer) are a list.
        return self._bars(first, measures) if first.distinct > self._count / 2 else None

    def _two_groups(self, groups: list[Shape], measures: list[Shape]) -> Chart | None:
        few, many = sorted(groups, key=lambda g: g.distinct)
        if not is_pair_unique(few, many):
            return None
        if few.distinct <= PARTS and many.distinct <= BARS // 2 and self.wanted != "heatmap":
            return self._chart("bar", many, [principal(measures)], series=few)
        return self._grid([few, many], measures)

    def _bars(self, x: Shape, measures: list[Shape], label: tuple[str, ...] = ()) -> Chart | None:
        if not 2 <= self._count <= max(BARS, 31 if x.role == "cycle" else 0):
            return None
        if (x.role != "time" or self.wanted == "pie") and self._are_parts(measures):
            return self._chart("pie", x, [self._part(measures)], label=label)
        kind: Kind = "line" if self.wanted == "line" else "bar"
        return self._chart(kind, x, measures, label=label)

    def _part(self, measures: list[Shape]) -> Shape:
        return next((m for m in measures if m.unit in ("percent", "fraction")), measures[0])

    def _are_parts(self, measures: list[Shape]) -> bool:
        """Whether the rows are the few parts of one whole, and the question is about the whole."""
        part = self._part(measures)
        numbers = [float(v) for v in part.values if is_finite(v)]
        if self.truncated or len(numbers) != len(part.values) or not 2 <= len(numbers) <= PARTS or min(numbers) <= 0:
            return False
        if self.wanted not in ("pie", None):
            return False
        whole = {"percent": 100.0, "fraction": 1.0}.get(part.unit)
        if whole is not None:
            return abs(sum(numbers) - whole) <= whole * 0.01
        averaged = {"avg", "average", "mean", "median", "min", "max", "rate", "ratio"} & set(name_tokens(part.name))
        return not averaged and bool(self.wanted == "pie" or _SHARES.search(self.question))

    def _scatter(self, measures: list[Shape]) -> Chart:
        return self._chart("scatter", measures[0], measures[1:2])

    def _chart(
        self,
        kind: Kind,
        x: Shape,
        measures: list[Shape],
        series: Shape | None = None,
        label: tuple[str, ...] = (),
    ) -> Chart:
        drawn = measures if kind in ("scatter", "heatmap", "pie") else _comparable(measures)
        title = f"{' and '.join(m.words for m in drawn)} by {x.words.lower()}"
        title += f" and {series.words.lower()}" if series else ""
        return Chart(
            kind,
            title,
            x.name,
            tuple(m.name for m in drawn),
            series.name if series else None,
            label,
            is_stacked=kind == "area" or (self._stacks(kind, drawn) and (series is not None or len(drawn) > 1)),
            is_log=bool(self.wish.log) and kind in ("bar", "line", "scatter") and all(map(_is_positive, drawn)),
            is_unfinished=x.role == "time" and self._is_unfinished(x),
        )

    def _is_unfinished(self, x: Shape) -> bool:
        return self.today is not None and is_unfinished(in_order(x)[-1], x.grain, self.today)

    def _stacks(self, kind: Kind, drawn: list[Shape]) -> bool:
        return bool(self.wish.stacked) and kind == "bar" and not self.wish.log and all(map(_has_no_negative, drawn))

    @property
    def _count(self) -> int:
        return len(self.columns[0].values)


def _comparable(measures: list[Shape]) -> list[Shape]:
    """Return the measures that can share one axis: of the principal one's unit, and of its size."""
    chief = principal(measures)
    size = _size(chief)
    others = [m for m in measures if m is not chief and m.unit == chief.unit and size / 20 <= _size(m) <= size * 20]
    # A change beside the two numbers it comes from says nothing more as a bar.
    return [chief, *(m for m in others if not _DERIVED & set(name_tokens(m.name)))][:MEASURES]


def _size(measure: Shape) -> float:
    return max((abs(float(v)) for v in measure.values if is_finite(v)), default=0.0)


def _has_no_negative(measure: Shape) -> bool:
    return all(v >= 0 for v in measure.values if is_finite(v))


def _is_positive(measure: Shape) -> bool:
    return all(v > 0 for v in measure.values if is_finite(v))
