"""Draws a chart as a Plotly figure in plain JSON, in which no value can become markup."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tools.columns import Shape, direction, read_columns
from tools.sql_runner import Rows
from tools.wording import as_moment, clean, is_finite

if TYPE_CHECKING:
    from tools.chart import Chart

# Okabe and Ito's palette for every kind of colour vision, without its black (dark themes) and yellow (light ones),
# and with the page's own colour first.
PALETTE = ("#009E73", "#E69F00", "#0072B2", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#8C6D31")
INK = "#7d838c"  # Mid grey: it can be read on white and on black.
HOVER = "#26302f"
GRID = "rgba(128,128,128,0.25)"
CLEAR = "rgba(0,0,0,0)"

AIR = {"ticks": "outside", "ticklen": 6, "tickcolor": CLEAR}
"""Keeps labels from touching the bars."""

_MONTH = re.compile(rf"\b({'|'.join(calendar.month_name[1:])})(?= \d{{4}})")
MANY_TICKS = 40
"""Where there are more, some are left out."""
LABEL = 32
"""Characters of a label on an axis; the hover shows more of it."""
LONG_LABEL = 12
"""Labels longer than this do not fit under upright bars."""
MANY_BARS = 8
SHORT_TICKS = {"nticks": 6, "minexponent": 2}
"""The numbers under lying bars, 4k and not 4,000: on a telephone Plotly would turn longer ones aslant."""


def figure(chart: Chart, rows: Rows) -> dict[str, Any]:
    """Return {"data": [...], "layout": {...}}; columns are found by the names in the chart."""
    return _Drawing(chart, rows).figure()


def escape(text: str) -> str:
    """Return text that Plotly shows letter for letter: it would read <a> as a link, and $…$ as LaTeX."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")


class _Drawing:
    def __init__(self, chart: Chart, rows: Rows) -> None:
        self._chart = chart
        self._columns = {column.name: column for column in read_columns(rows)}
        self._x = self._columns[chart.x]
        self._y = [self._columns[name] for name in chart.y]
        self._series = self._columns[chart.series] if chart.series else None
        parts = [self._x, *(self._columns[name] for name in chart.label)]
        self._labels = [" ".join(part.say(part.values[n]) for part in parts) for n in range(len(rows.values))]

    def figure(self) -> dict[str, Any]:
        match self._chart.kind:
            case "number":
                return self._number()
            case "pie":
                return self._pie()
            case "scatter":
                return self._scatter()
            case "heatmap":
                return self._heatmap()
            case "bar":
                return self._bars()
            case "line" | "area":
                return self._lines()

    def _number(self) -> dict[str, Any]:
        shape = self._y[0]
        value = _plain(shape.values[0])
        scaled = value * 100 if value is not None and shape.unit == "fraction" else value
        number = {"valueformat": _number_format(shape), "suffix": "%" if shape.unit in ("percent", "fraction") else ""}
        trace = {"type": "indicator", "mode": "number", "value": scaled, "number": number}
        return {"data": [trace | {"title": {"text": escape(shape.words)}}], "layout": _layout(height=200)}

    def _pie(self) -> dict[str, Any]:
        shape = self._y[0]
        trace = {
            "type": "pie",
            # Plotly would add up two slices of one label, so positions are the labels and the text carries the names.
            "labels": [str(n) for n in range(len(self._labels))],
            "text": [escape(_short(label)) for label in self._labels],
            "values": [_plain(v) for v in shape.values],
            "hovertext": self._hover(self._labels, shape),
            "hoverinfo": "text" if shape.unit in ("percent", "fraction") else "text+percent",
            "textinfo": "text+percent",
            # Beside the pie, in the page's own colour: on the slices grey letters stood on green and blue, some aslant.
            "textposition": "outside",
            "automargin": True,
            "sort": False,
            "direction": "clockwise",
            "marker": {"colors": list(PALETTE[: len(self._labels)])},
        }
        return {"data": [trace], "layout": _layout(showlegend=False)}

    def _scatter(self) -> dict[str, Any]:
        x, y = self._x, self._y[0]
        named = next((c for c in self._columns.values() if c.role == "group" and c.is_unique), None)
        hover = [
            " · ".join(
                ([named.say(named.values[n])] if named else []) + [f"{c.words} {c.say(c.values[n])}" for c in (x, y)]
            )
            for n in range(len(x.values))
        ]
        trace = {
            "type": "scatter",
            "mode": "markers",
            "x": [_plain(v) for v in x.values],
            "y": [_plain(v) for v in y.values],
            "hovertext": [escape(text) for text in hover],
            "hoverinfo": "text",
            "marker": {"color": PALETTE[0], "size": 8, "opacity": 0.7},
        }
        return {
            "data": [trace],
            "layout": _layout(xaxis=_measure_axis([x]), yaxis=self._measures(), hovermode="closest"),
        }

    def _heatmap(self) -> dict[str, Any]:
        assert self._series is not None
        shape, across, down = self._y[0], in_order(self._x), in_order(self._series)
        cells = {
            (_key(x), _key(y)): v for x, y, v in zip(self._x.values, self._series.values, shape.values, strict=True)
        }
        grid = [[cells.get((_key(x), _key(y))) for x in across] for y in down]
        texts = [
            [
                escape(f"{self._x.say(x)} · {self._series.say(y)}: {_said(shape, cells.get((_key(x), _key(y))))}")
                for x in across
            ]
            for y in down
        ]
        trace = {
            "type": "heatmap",
            "x": list(range(len(across))),
            "y": list(range(len(down))),
            "z": [[_plain(v) for v in line] for line in grid],
            "text": texts,
            "hoverinfo": "text",
            "colorscale": "Cividis",
            "colorbar": {"title": {"text": escape(shape.words)}, "outlinewidth": 0, **_ticks([shape])},
        }
        layout = _layout(
            xaxis=_label_axis(self._x.words, _named(self._x, across)),
            yaxis=_label_axis(self._series.words, _named(self._series, down)) | {"autorange": "reversed"},
            height=max(320, 90 + 26 * len(down)),
        )
        return {"data": [trace], "layout": layout}

    def _bars(self) -> dict[str, Any]:
        traces = self._traces_by_position()
        labels = self._positions()
        flat = self._is_flat(labels)
        along, across = ("x", "y") if flat else ("y", "x")
        data = [
            {
                "type": "bar",
                "orientation": "h" if flat else "v",
                across: trace["positions"],
                along: trace["values"],
                "name": trace["name"],
                "hovertext": trace["hover"],
                "hoverinfo": "text",
                "marker": {"color": PALETTE[n % len(PALETTE)], **self._paleness(trace["positions"], labels)},
            }
            for n, trace in enumerate(traces)
        ]
        names = _label_axis(self._x.words, labels) | ({"autorange": "reversed"} if flat else {})
        amounts = self._measures() | {"rangemode": "tozero"} | (SHORT_TICKS if flat else {})
        axes = {f"{across}axis": names, f"{along}axis": amounts}
        beside = 1 if self._chart.is_stacked else len(traces)
        height = max(280, 80 + 28 * len(labels) * beside) if flat else 360
        return {
            "data": data,
            "layout": _layout(
                **axes,
                barmode="stack" if self._chart.is_stacked else "group",
                bargap=0.3,
                height=height,
                showlegend=len(data) > 1,
            ),
        }

    def _paleness(self, positions: list[int], labels: list[str]) -> dict[str, Any]:
        """Return what makes the bar of a period that still runs pale."""
        opacity = [0.45 if place == len(labels) - 1 else 1 for place in positions]
        return {"opacity": opacity} if self._chart.is_unfinished else {}

    def _is_flat(self, labels: list[str]) -> bool:
        """Whether the bars lie: for long labels, for many, and for a ranking, which is read from the top."""
        if self._x.role in ("time", "cycle"):
            return False
        ranked = len(self._y) == 1 and self._series is None and direction(self._y[0]) is not None
        return ranked or len(labels) > MANY_BARS or any(len(label) > LONG_LABEL for label in labels)

    def _lines(self) -> dict[str, Any]:
        as_dates = self._x.role == "time" and self._x.grain in ("moment", "day", "month")
        traces, labels = self._traces_by_position(), self._positions()
        ticks = [_iso(value) for value in self._order()] if as_dates else []
        data: list[dict[str, Any]] = [
            {
                "type": "scatter",
                "mode": "lines+markers" if len(labels) <= 60 else "lines",
                "x": [ticks[p] for p in trace["positions"]] if as_dates else trace["positions"],
                "y": trace["values"],
                "name": trace["name"],
                "hovertext": trace["hover"],
                "hoverinfo": "text",
                "connectgaps": False,
                "line": {"color": PALETTE[n % len(PALETTE)], "width": 2},
                **({"stackgroup": "all"} if self._chart.kind == "area" else {}),
            }
            for n, trace in enumerate(traces)
        ]
        if self._chart.is_unfinished and self._chart.kind == "line":
            ends = [trace["positions"][-1:] == [len(labels) - 1] for trace in traces]
            data = [part for line, is_cut in zip(data, ends, strict=True) for part in _so_far(line, is_cut=is_cut)]
        dates = {**_axis(self._x.words), "type": "date", "showgrid": False}
        xaxis = dates if as_dates else _label_axis(self._x.words, labels)
        # On a telephone the names stand below one another: each beyond the third brings its own line along.
        height = 360 + 16 * max(0, len(traces) - 3)
        axes = {"xaxis": xaxis, "yaxis": self._measures()}
        return {"data": data, "layout": _layout(**axes, height=height, showlegend=len(traces) > 1, hovermode="closest")}

    def _measures(self) -> dict[str, Any]:
        """Return the axis of the values."""
        return _measure_axis(self._y) | ({"type": "log", "dtick": "D2"} if self._chart.is_log else {})

    def _order(self) -> list[Any]:
        """Return the distinct values of x in the order of the axis."""
        return in_order(self._x)

    def _positions(self) -> list[str]:
        """Return the label at each position of x. Without a series each row has its own, so equal labels stay apart."""
        if self._series is None and self._x.role != "time":
            return self._labels
        return _named(self._x, self._order())

    def _traces_by_position(self) -> list[dict[str, Any]]:
        """Return one trace for each measure, or for each value of the series: name, positions, values, hover."""
        if self._series is None and self._x.role != "time":
            places = list(range(len(self._labels)))
        else:
            order = {_key(value): n for n, value in enumerate(self._order())}
            places = [order[_key(value)] for value in self._x.values]
        rows = sorted(range(len(places)), key=lambda n: places[n])
        if self._series is None:
            return [self._trace(shape.words, shape, rows, places) for shape in self._y]
        series, shape = self._series, self._y[0]
        return [
            self._trace(series.say(value), shape, [n for n in rows if _key(series.values[n]) == _key(value)], places)
            for value in in_order(series)
        ]

    def _trace(self, name: str, shape: Shape, rows: list[int], places: list[int]) -> dict[str, Any]:
        lead = f"{name} · " if self._series is not None else ""
        return {
            "name": escape(_short(name)),
            "positions": [places[n] for n in rows],
            "values": [_plain(shape.values[n]) for n in rows],
            "hover": [
                escape(f"{lead}{self._labels[n]}: {_said(shape, shape.values[n])}")
                if self._series is not None
                else escape(f"{self._labels[n]} · {shape.words}: {_said(shape, shape.values[n])}")
                for n in rows
            ],
        }

    def _hover(self, labels: Sequence[str], shape: Shape) -> list[str]:
        return [escape(f"{label}: {_said(shape, v)}") for label, v in zip(labels, shape.values, strict=True)]


def _so_far(line: dict[str, Any], *, is_cut: bool) -> list[dict[str, Any]]:
    """Return the line, and dotted its way to the last point: what is there so far would look like a fall."""
    if not is_cut or len(line["x"]) < 2:
        return [line]
    whole = line | {name: line[name][:-1] for name in ("x", "y", "hovertext")}
    dotted = line | {name: line[name][-2:] for name in ("x", "y", "hovertext")}
    dotted["hovertext"] = [dotted["hovertext"][0], f"{dotted['hovertext'][1]} so far"]
    dashes = {"line": line["line"] | {"dash": "dot"}, "marker": {"symbol": ["circle", "circle-open"]}}
    return [whole, dotted | dashes | {"showlegend": False}]


def in_order(shape: Shape) -> list[Any]:
    """Return the distinct values: times as the calendar runs, all else as the rows have them."""
    distinct = list({_key(value): value for value in shape.values}.values())
    return sorted(distinct, key=_calendar_key) if shape.role == "time" else distinct


def _calendar_key(value: Any) -> tuple[int, str]:
    if value is None:
        return (1, "")
    text = str(value)
    # "Q3 2026" sorts by its year first.
    return (0, f"{text[3:]}-{text[:2]}" if text[:1] == "Q" else text)


def _key(value: Any) -> Any:
    return value if value.__hash__ is not None else repr(value)


def _said(shape: Shape, value: Any) -> str:
    return "no value" if value is None else shape.say(value)


def _named(shape: Shape, values: Sequence[Any]) -> list[str]:
    """Return the values as an axis names them, "Dec 2025", "Jan 2026", "Feb": whole months would stand aslant."""
    said = [shape.say(value) for value in values]
    if shape.role != "time":
        return said
    short = [_MONTH.sub(lambda name: name[1][:3], each) for each in said]
    if shape.grain != "month" or len(short) > MANY_TICKS:
        return short
    return short[:1] + [each[:3] if each[3:] == before[3:] else each for before, each in pairwise(short)]


def _short(text: str) -> str:
    return clean(text, LABEL)


def _iso(value: Any) -> str | None:
    moment = as_moment(value) if value is not None else None
    return moment.isoformat() if moment else None


def _plain(value: Any) -> float | int | None:
    """Return a number that JSON and a browser can hold; None for what is no finite number."""
    if not is_finite(value):
        return None
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    number = float(value) if abs(value) < 1.7e308 else math.inf
    return number if math.isfinite(number) else None


def _layout(**more: Any) -> dict[str, Any]:
    height = more.pop("height", 360)
    return {
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": INK, "size": 13},
        "hoverlabel": {"bgcolor": HOVER, "bordercolor": HOVER, "font": {"color": "#ffffff"}},
        "colorway": list(PALETTE),
        "margin": {"l": 8, "r": 16, "t": 16, "b": 8},
        "separators": ".,",
        "showlegend": False,
        # At the figure's own edge, so that it begins where the words above it begin.
        "legend": {
            "orientation": "h",
            "traceorder": "normal",
            "xref": "container",
            "x": 0,
            "yref": "container",
            "y": 1,
            "yanchor": "top",
        },
        "height": height,
        **more,
    }


def _axis(words: str) -> dict[str, Any]:
    title = {"text": escape(words), "standoff": 14, "font": {"size": 13}}
    return {"title": title, "automargin": True, "gridcolor": GRID, "zerolinecolor": GRID}


def _label_axis(words: str, labels: list[str]) -> dict[str, Any]:
    # The places are numbers and the names only their ticks: no name is taken for a date or a number,
    # and two things of one name stay two.
    step = max(1, math.ceil(len(labels) / MANY_TICKS))
    shown = list(range(0, len(labels), step))
    texts = [escape(_short(labels[n])) for n in shown]
    return _axis(words) | {"tickmode": "array", "tickvals": shown, "ticktext": texts, "showgrid": False} | AIR


def _measure_axis(shapes: list[Shape]) -> dict[str, Any]:
    title = shapes[0].words if len(shapes) == 1 else ""
    return _axis(title) | _ticks(shapes)


def _ticks(shapes: list[Shape]) -> dict[str, Any]:
    if shapes[0].unit == "fraction":
        return {"tickformat": ",.0%"}
    suffix = {"ticksuffix": "%"} if shapes[0].unit == "percent" else {}
    return {"separatethousands": True, "exponentformat": "B", **suffix}


def _number_format(shape: Shape) -> str:
    large = is_finite(shape.values[0]) and abs(shape.values[0]) >= 1e15
    return ",.4~g" if large else ",.1~f" if shape.unit in ("percent", "fraction") else f",.{shape.decimals}f"
