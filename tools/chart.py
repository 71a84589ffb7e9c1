"""Chooses a chart from the rows' shape and draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tools.sql_runner import Rows


@dataclass(frozen=True)
class Chart:
    kind: Literal["bar", "line", "area", "scatter", "pie", "heatmap", "number"]
    title: str
    x: str
    """The column on the horizontal axis (or the parts of a pie)."""
    y: tuple[str, ...]
    """The columns drawn, one or more."""
    series: str | None = None
    """The column whose values make one line or bar each."""


def choose_chart(question: str, rows: Rows) -> Chart | None:
    """Return the chart that suits the rows, or None where a table says more."""
    raise NotImplementedError


def draw(chart: Chart, rows: Rows) -> dict[str, Any]:
    """Return a Plotly figure as plain JSON: {"data": [...], "layout": {...}}."""
    raise NotImplementedError
