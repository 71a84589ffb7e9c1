"""Reads what the runs measured, and works out what no single run shows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Figures = Mapping[str, Any]
Turn = Mapping[str, Figures]
"""What each app's figures were, by its name."""


@dataclass(frozen=True)
class Cost:
    """What one app's answers cost, by the line through a short and a long one."""

    per_token_us: float
    """Microseconds of CPU for each token of an answer."""
    fixed_ms: float
    """Milliseconds of CPU for a question whose answer has no token."""


@dataclass(frozen=True)
class Measured:
    """All runs of one benchmark, by name."""

    runs: Mapping[str, Mapping[str, Any]]
    machine: Mapping[str, Any]

    def figures(self, name: str) -> Figures | None:
        """Return a run's figures, None where it was not run or failed."""
        return self.runs.get(name, {}).get("figures")

    def turns(self, name: str) -> Sequence[Turn]:
        """Return what each turn of a run measured, none where it was not run, or not by turns."""
        found: Sequence[Turn] = (self.figures(name) or {}).get("turns", ())
        return found

    def error(self, name: str) -> str | None:
        """Return why a run failed, None where it did not."""
        return self.runs.get(name, {}).get("error")

    def tokens(self, name: str) -> int:
        """Return how long the run's answers were."""
        return int(self.runs[name]["run"]["tokens"])

    def cost(self, app: str) -> Cost | None:
        """Return an app's cost per token and its fixed cost, None where the two runs for it are not there."""
        names = (f"short-{app}", f"long-{app}")
        short, long = (at(self.figures(name), "cpu_per_question_ms") for name in names)
        if short is None or long is None:
            return None
        few, many = map(self.tokens, names)
        slope = (long - short) / (many - few)
        return Cost(per_token_us=1e3 * slope, fixed_ms=short - slope * few)

    def flow(self, variant: str, load: str) -> Figures | None:
        """Return the figures of one of the flow's runs."""
        runs = (self.figures("flow") or {}).get("runs", ())
        return next((run for run in runs if (run["variant"], run["load"]) == (variant, load)), None)


def read_measured(folder: Path) -> Measured:
    """Return what `measure` has left in a folder; runs that are not there are missing in it.

    Of a run by turns, the turn whose ratio is the median stands for both apps.
    """
    told = {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
    machine = told.pop("machine", {})
    for name, one in tuple(told.items()):
        if turns := one.get("figures", {}).get("turns"):
            median = sorted(turns, key=cpu_ratio)[len(turns) // 2]
            told |= {f"{name}-{app}": {"run": one["run"], "figures": figures} for app, figures in median.items()}
    return Measured(told, machine)


def cpu_ratio(turn: Turn) -> float:
    """Return how many times the CPU of ours the reference took for a question."""
    ours, theirs = (at(turn[app], "cpu_per_question_ms") or math.nan for app in ("ours", "reference"))
    return theirs / ours


def at(figures: Figures | None, *names: str) -> float | None:
    """Return the number at a path of names (`at(figures, "added_ms", "p99")`), None where it is not there."""
    found: Any = figures
    for name in names:
        found = (found or {}).get(name)
    return found if isinstance(found, int | float) else None


def lost(figures: Figures | None) -> float | None:
    """Return how many questions of a run were not answered."""
    return None if figures is None else figures["asked"] - figures["finished"]


def flow_failed(figures: Figures | None) -> float | None:
    """Return how many of the flow's requests failed or were never answered."""
    return None if figures is None else sum(figures["failed"].values()) + figures["unfinished"]
