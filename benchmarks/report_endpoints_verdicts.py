"""Holds what the endpoints' benchmark measured against what was asked for."""

from __future__ import annotations

from benchmarks.report_measured import Figures, at, lost
from benchmarks.report_verdicts import Target

RATE, SECONDS = 20, 30
TIMES = 2.0


def endpoints_targets(figures: Figures | None) -> list[Target]:
    """Return every target of the endpoints; a smaller run than was asked for meets none."""
    is_whole = figures and figures["rate"] >= RATE and figures["seconds"] >= SECONDS
    healthy, faulty = (figures["healthy"], figures["faulty"]) if figures and is_whole else (None, None)
    usual = at(healthy, "first_token_ms", "p99")
    return [
        Target(
            "Two of three endpoints fail: lost, beside while all are well",
            (lost(faulty), lost(healthy)),
            "",
            "none",
            0,
            "ours at most",
        ),
        Target(
            "… first token, p99, beside while all are well",
            (at(faulty, "first_token_ms", "p99"), usual),
            "ms",
            "at most twice",
            TIMES * (usual or 0.0),
            "ours at most",
        ),
    ]
