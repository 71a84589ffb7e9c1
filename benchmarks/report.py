"""Writes docs/performance.md and its plots from what the runs have measured; its words are in report.md."""

from __future__ import annotations

from pathlib import Path
from string import Template

from benchmarks import report_endpoints as endpoints
from benchmarks import report_requester as requester
from benchmarks import report_tables as tables
from benchmarks.report_measured import Measured, at, read_measured
from benchmarks.report_plots import PLOTS, draw_plots
from benchmarks.report_verdicts import number

WORDS = Path(__file__).parent / "report.md"


def write_report(kept: Path, docs: Path) -> None:
    """Write `performance.md` and the folder `benchmarks` of its plots into `docs`."""
    measured = read_measured(kept)
    drawn = draw_plots(measured, docs / "benchmarks")
    (docs / "performance.md").write_text(render(measured, drawn), encoding="utf-8")


def render(measured: Measured, drawn: list[str]) -> str:
    """Return the report as Markdown; `drawn` names the plots that there are."""
    plots = {name.replace("-", "_"): _picture(name, name in drawn) for name in PLOTS}
    told = {
        "verdicts": tables.verdicts(measured),
        "costs": tables.costs(measured),
        "turns": tables.turns(measured),
        "waiting": tables.waiting(measured),
        "spending": tables.spending(measured),
        "losses": tables.losses(measured),
        "api": tables.api(measured),
        "flow": tables.flow(measured),
        "visits": _visits(measured),
        "stages": (measured.figures("ask") or {}).get("markdown", tables.NOT_MEASURED),
        "endpoints": endpoints.phases(measured.figures("endpoints")),
        "requester_paces": requester.paces(measured.figures("requester")),
        "requester_rounds": requester.rounds(measured.figures("requester")),
        "requester_rounds_by_proxy": requester.rounds_by_proxy(measured.figures("requester")),
        "requester_limits": requester.limits(measured.figures("requester")),
        "requester_weights": requester.weights(measured.figures("requester")),
        "requester_memory": requester.memory(measured.figures("requester")),
        "machine": tables.machine(measured),
    }
    words = Template(WORDS.read_text(encoding="utf-8"))
    return words.substitute(told, **{f"plot_{name}": plot for name, plot in plots.items()})


def _picture(name: str, is_drawn: bool) -> str:
    about = (PLOTS[name].__doc__ or name).strip()
    return f"![{about}](benchmarks/{name}.png)" if is_drawn else tables.NOT_MEASURED


def _visits(measured: Measured) -> str:
    """Return what ten minutes of coming and going came to, in a sentence."""
    figures = measured.figures("visits")
    if figures is None:
        return tables.NOT_MEASURED
    grown = at(figures, "memory_grown_percent")
    last = "the run was too short to tell whether it grows" if grown is None else f"it grew by {number(grown, '%')}"
    asked, answered, memory = (number(at(figures, name)) for name in ("asked", "finished", "rss_mib"))
    return (
        f"In {figures['minutes']:g} minutes {figures['users']} people at a time asked {asked} questions, {answered} of "
        f"which were answered. The server ended at {memory} MiB; {last}."
    )
