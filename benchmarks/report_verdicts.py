"""Holds what was measured against what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.report_measured import Figures, Measured, at, flow_failed, lost

Held = Literal["ratio at least", "ours at least", "ours at most", "ours below"]
RATIO: Held = "ratio at least"
Verdict = Literal["yes", "no", "not measured"]

Pair = tuple[float | None, float | None]
"""Ours, then the reference's."""

Of = Callable[[Figures | None], float | None]
"""Reads one number out of a run's figures."""

MISSING = "-"

CPU_AT = {
    "light": "… at 2 a second",
    "middle": "… at 5 a second",
    "prepare": "… at 10 a second, the most that the reference still answers",
}
"""The loads that both apps answer whole, and what each is called."""


@dataclass(frozen=True)
class Target:
    """One figure that was asked for."""

    what: str
    pair: Pair
    unit: str
    target: str
    limit: float
    of: Held
    """What is held against the limit, and how."""

    @property
    def ours(self) -> float | None:
        return self.pair[0]

    @property
    def theirs(self) -> float | None:
        return self.pair[1]

    @property
    def ratio(self) -> float | None:
        """How many times better ours is: by so much it is less, or more where more is better (unit "/s")."""
        if not self.ours or not self.theirs:
            return None
        return self.ours / self.theirs if self.unit == "/s" else self.theirs / self.ours

    @property
    def met(self) -> Verdict:
        measured = self.ratio if self.of == RATIO else self.ours
        if measured is None:
            return "not measured"
        if self.of in (RATIO, "ours at least"):
            is_met = measured >= self.limit
        else:
            is_met = measured < self.limit if self.of == "ours below" else measured <= self.limit
        return "yes" if is_met else "no"

    def row(self) -> list[str]:
        # Near one, a tenth would round away what is held against the limit.
        ratio = f"{self.ratio:.{2 if self.ratio < 2 else 1}f} times" if self.ratio is not None else MISSING
        return [self.what, number(self.ours, self.unit), number(self.theirs, self.unit), ratio, self.target, self.met]


def number(value: float | None, unit: str = "") -> str:
    """Return a number as a reader takes it in: three figures that count, thousands separated."""
    if value is None:
        return MISSING
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}" + (f" {unit}" if unit and unit not in ("/s", "%") else unit)


def targets(measured: Measured) -> list[Target]:
    """Return every target of the benchmark, in the order of the report; a smaller run than was asked for is none."""
    grown = (at(_sized(measured.figures("visits"), {"minutes": 10}), "memory_grown_percent"), None)
    return [
        *_costs(measured),
        *_arrivals(measured, "crowd", {"users": 1_500, "over": 60}, 500, "under 500 ms"),
        *_arrivals(measured, "rush", {"users": 500, "over": 10}, 1_500, "under 1.5 s"),
        *_flows(measured),
        Target("Ten minutes of visits: memory grown", grown, "%", "at most 5%", 5, "ours at most"),
    ]


def _costs(measured: Measured) -> list[Target]:
    cost, per_question = (measured.cost("ours"), measured.cost("reference")), _number("cpu_per_question_ms")
    per_token = [one.per_token_us if one else None for one in cost]
    ours, theirs = (_over_all([measured.figures(f"{load}-{app}") for load in CPU_AT]) for app in ("ours", "reference"))
    return [
        Target("CPU per question, over all of three loads", (ours, theirs), "ms", "5 times less", 5, RATIO),
        *(
            Target(what, _chats(measured, load, per_question), "ms", "5 times less", 5, RATIO)
            for load, what in CPU_AT.items()
        ),
        Target("CPU per token", (per_token[0], per_token[1]), "µs", "8 times less", 8, RATIO),
    ]


def _over_all(runs: Sequence[Figures | None]) -> float | None:
    """Return the milliseconds of CPU for a question, of all that the runs have answered; None where one is missing."""
    each = [(at(run, "cpu_per_question_ms"), at(run, "finished")) for run in runs]
    spent = [ms * answered for ms, answered in each if ms is not None and answered is not None]
    answered = sum(answered for _, answered in each if answered is not None)
    return sum(spent) / answered if answered and len(spent) == len(runs) else None


def _arrivals(measured: Measured, load: str, size: dict[str, float], limit: float, target: str) -> list[Target]:
    """Return what is asked of so many people who come within so many seconds."""
    name = f"{size['users']:,} people within {size['over']} s: lost"
    added = _chats(measured, load, _number("added_ms", "p99"), size)
    return [
        Target(name, _chats(measured, load, lost, size), "", "none", 0, "ours at most"),
        Target("… first token, added by the app, p99", added, "ms", target, limit, "ours below"),
    ]


def _flows(measured: Measured) -> list[Target]:
    is_whole = _sized(measured.figures("flow"), {"users": 1_000, "rate": 200})

    def flows(load: str, of: Of) -> Pair:
        ours, theirs = (measured.flow(variant, load) if is_whole else None for variant in ("async", "sync"))
        return of(ours), of(theirs)

    whole = flows("paced", _number("ms", "p99"))
    return [
        Target("Flow at 200 requests/s: failed", flows("paced", flow_failed), "", "none", 0, "ours at most"),
        Target("… whole, p99", whole, "ms", "at most 1,375 ms", 1_375, "ours at most"),
        Target("Flow: throughput", flows("saturated", _number("per_s")), "/s", "5.4 times more", 5.4, RATIO),
    ]


def _chats(measured: Measured, load: str, of: Of, size: Mapping[str, float] | None = None) -> Pair:
    ours, theirs = (_sized(measured.figures(f"{load}-{app}"), size or {}) for app in ("ours", "reference"))
    return of(ours), of(theirs)


def _sized(figures: Figures | None, size: Mapping[str, float]) -> Figures | None:
    """Return the figures where the run had that size, None otherwise."""
    return figures if figures and all(figures.get(name) == value for name, value in size.items()) else None


def _number(*names: str) -> Of:
    return lambda figures: at(figures, *names)
