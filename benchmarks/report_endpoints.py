"""Writes the table of the endpoints' benchmark as Markdown."""

from __future__ import annotations

from benchmarks.report_measured import Figures, at, lost
from benchmarks.report_tables import NOT_MEASURED, SHARES, markdown
from benchmarks.report_verdicts import number

PHASES = {"healthy": "all are well", "faulty": "one fails half its calls, one stalls"}


def phases(figures: Figures | None) -> str:
    """Return what people waited for in both halves, in milliseconds."""
    if figures is None:
        return NOT_MEASURED
    head = ("the endpoints", "asked", "lost", "first token p50", "p99", "p99.9", "whole p50", "p99")
    rows = []
    for phase, name in PHASES.items():
        found = figures[phase]
        firsts = [number(at(found, "first_token_ms", share)) for share in SHARES]
        wholes = [number(at(found, "whole_ms", share)) for share in SHARES[:2]]
        rows.append([name, number(found["asked"]), number(lost(found)), *firsts, *wholes])
    asked = f"{figures['rate']:g} questions a second, {figures['seconds']:g} s for each half."
    return f"{asked}\n\n{markdown(head, rows)}"
