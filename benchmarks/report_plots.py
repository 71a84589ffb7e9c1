"""Draws the report's plots, as PNG that reads on a light page and on a dark one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmarks.report_measured import Figures, Measured, at
from benchmarks.report_requester import CEILING, clients
from benchmarks.report_requester_verdicts import mean_of
from benchmarks.report_tables import LOADS, offered, people

WORDS = "#7d8590"
"""A grey that stands out from white and from black alike."""
COLOURS = {"ours": "#2f81f7", "reference": "#e0823d", "simulated": "#3fa266"}
FLOW_COLOURS = {"async": COLOURS["ours"], "sync": COLOURS["reference"]}

STYLE: Any = {
    "axes.edgecolor": WORDS,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelcolor": WORDS,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": WORDS,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "grid.alpha": 0.35,
    "grid.color": WORDS,
    "legend.frameon": False,
    "legend.labelcolor": WORDS,
    "text.color": WORDS,
    "xtick.color": WORDS,
    "ytick.color": WORDS,
}

SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)

Draw = Callable[[Measured, Axes], bool]


def draw_plots(measured: Measured, folder: Path) -> list[str]:
    """Write every plot for which there are figures; return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    return [name for name, draw in PLOTS.items() if _draw(draw, measured, folder / f"{name}.png")]


def _draw(draw: Draw, measured: Measured, file: Path) -> bool:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.4), dpi=144)
        if not draw(measured, figure.subplots()):
            file.unlink(missing_ok=True)  # An older run's would pass for this one's.
            return False
        figure.savefig(file, transparent=True)
        return True


def first_token(measured: Measured, axes: Axes) -> bool:
    """Time to the first token against the questions that come each second; a cross where too many were lost."""
    rates: set[float] = set()
    for app in ("reference", "ours"):
        points = sorted(_by_rate(measured, app), key=lambda point: point[0])
        rates |= {rate for rate, _ in points}
        for share, line in (("p99", "-"), ("p50", ":")):
            # A load with losses interrupts the line: who was answered there was lucky.
            seconds = [math.nan if _lost_many(run) else run["first_token_ms"][share] / 1e3 for _, run in points]
            axes.plot(
                [rate for rate, _ in points], seconds, line, marker="o", color=COLOURS[app], label=f"{app} {share}"
            )
        for rate, run in points:
            if _lost_many(run):
                told = f"{app}: {run['finished']:,}\nof {run['asked']:,} answered"
                axes.plot(rate, 0.97, "x", color=COLOURS[app], transform=axes.get_xaxis_transform())
                axes.annotate(
                    told, (rate, 0.94), xycoords=axes.get_xaxis_transform(), ha="center", va="top", fontsize=9
                )
    if not rates:
        return False
    axes.set(xlabel="questions a second", ylabel="seconds to the first token", xscale="log", yscale="log")
    axes.set_xticks(sorted(rates), [f"{rate:g}" for rate in sorted(rates)])
    low, high = axes.get_ylim()
    axes.set_yticks(SECONDS, [f"{place:g}" for place in SECONDS])
    axes.set_ylim(low / 1.2, high * 1.8)
    axes.minorticks_off()
    _legend(axes)
    return True


def _by_rate(measured: Measured, app: str) -> Iterator[tuple[float, Figures]]:
    for load in LOADS:
        if (run := measured.figures(f"{load}-{app}")) is not None:
            yield run["users"] / run["over"], run


def _lost_many(run: Figures) -> bool:
    return run["first_token_ms"] is None or run["finished"] < 0.99 * run["asked"]


def _legend(axes: Axes) -> None:
    """Name the lines above the plot, where they hide nothing."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)


def cpu_per_question(measured: Measured, axes: Axes) -> bool:
    """CPU of the server for each question, by load; a bar an app."""
    loads = [load for load in LOADS if any(measured.figures(f"{load}-{app}") for app in COLOURS)]
    for place, app in enumerate(COLOURS):
        told = [(i, at(measured.figures(f"{load}-{app}"), "cpu_per_question_ms")) for i, load in enumerate(loads)]
        bars = [(i + 0.28 * (place - 1), cost) for i, cost in told if cost is not None]
        if bars:
            places, heights = zip(*bars, strict=True)
            drawn = axes.bar(places, heights, width=0.26, color=COLOURS[app], label=app)
            axes.bar_label(drawn, fmt="{:.0f}", padding=2, fontsize=9)
    axes.set_xticks(range(len(loads)), [people(measured, load) for load in loads])
    axes.set(xlabel="people who ask", ylabel="CPU ms a question")
    axes.grid(axis="x", visible=False)
    _legend(axes)
    return bool(loads)


def cost_per_token(measured: Measured, axes: Axes) -> bool:
    """CPU for each question against the length of its answer; the slope is the cost of a token."""
    drawn = False
    for app in ("reference", "ours"):
        names = [name for name in (f"short-{app}", f"light-{app}", f"long-{app}") if measured.figures(name)]
        points = [(measured.tokens(name), at(measured.figures(name), "cpu_per_question_ms")) for name in names]
        if points and (cost := measured.cost(app)):
            label = f"{app}: {cost.fixed_ms:.0f} ms + {cost.per_token_us:.0f} µs a token"
            axes.plot(*zip(*points, strict=True), marker="o", color=COLOURS[app], label=label)
            drawn = True
    axes.set(xlabel="tokens of the answer", ylabel="CPU ms a question")
    axes.set_ylim(bottom=0)
    _legend(axes)
    return drawn


def memory(measured: Measured, axes: Axes) -> bool:
    """Memory of the server while people come and go."""
    samples = (measured.figures("visits") or {}).get("memory") or []
    if not samples:
        return False
    axes.plot([seconds / 60 for seconds, _ in samples], [mib for _, mib in samples], color=COLOURS["ours"])
    axes.set(xlabel="minutes", ylabel="MiB of the server and all it started")
    axes.set_ylim(0, 1.15 * max(mib for _, mib in samples))
    return True


def flow(measured: Measured, axes: Axes) -> bool:
    """How many of the flow's requests were answered within how long."""
    drawn = False
    for load, line in (("paced", "-"), ("saturated", ":")):
        for variant, colour in FLOW_COLOURS.items():
            run = measured.flow(variant, load)
            if run and run["quantiles_ms"]:
                within = [milliseconds / 1e3 for milliseconds in run["quantiles_ms"]]
                label = f"{variant}, {offered(measured, load)}: {run['per_s']:.0f}/s"
                axes.plot(within, range(len(within)), line, color=colour, label=label)
                drawn = True
    axes.axvline(1.25, color=WORDS, linewidth=1, linestyle="--", label="floor, 1.25 s")
    axes.set(xlabel="seconds until the answer", ylabel="% answered within", xscale="log")
    axes.set_xticks([1, 1.25, 2, 5, 10, 20, 50], ["1", "1.25", "2", "5", "10", "20", "50"])
    axes.minorticks_off()
    _legend(axes)
    return drawn


def requester(measured: Measured, axes: Axes) -> bool:
    """Requests a second from one core, by client."""
    figures = measured.figures("requester")
    if figures is None:
        return False
    # Without the ceiling: it is nobody's pace.
    told = [(name, mean_of(runs, "per_s")) for name, _, runs in reversed(clients(figures)) if name != CEILING]
    colours = [COLOURS["ours" if "ours" in name else "reference"] for name, _ in told]
    names = [name.replace("**", "").partition(",")[0] for name, _ in told]
    bars = axes.barh(names, [per_s for _, per_s in told], color=colours)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set(xlabel="requests a second")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlim(right=1.15 * max(per_s for _, per_s in told))
    axes.grid(axis="y", visible=False)
    return True


PLOTS: dict[str, Draw] = {
    "first-token": first_token,
    "cpu-per-question": cpu_per_question,
    "cost-per-token": cost_per_token,
    "flow": flow,
    "memory": memory,
    "requester": requester,
}
