"""Turns what a load run saw into figures: percentiles, failures, and what the server spent."""

from __future__ import annotations

import gc
import os
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIB = 2**20
_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ordered values that at least `share` (0 to 1) of them do not exceed."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def spread(values: Iterable[float]) -> dict[str, float] | None:
    """Return the percentiles of milliseconds that reports show, None of no values."""
    ordered = sorted(values)
    if not ordered:
        return None
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}
    return {name: round(percentile(ordered, share), 1) for name, share in shares.items()}


@dataclass
class Visit:
    """How one question went; every time is in milliseconds."""

    question: str
    failure: str | None = None
    connect: float | None = None
    late: float | None = None
    """How long after the intended moment the question was really sent, where it did not wait for its page."""
    first_token: float | None = None
    """Since the moment at which the question was meant to be asked."""
    own: float | None = None
    """What the model itself took until the first token."""
    whole: float | None = None
    """Until nothing more came: next questions are part of it."""
    transits: array[float] = field(default_factory=lambda: array("d"))
    """How long each token was on its way from the model to here."""
    may_ask: float | None = None
    """Until the next question could be asked."""

    @property
    def added(self) -> float | None:
        """What we added to the model's own time until the first token."""
        return None if self.first_token is None or self.own is None else self.first_token - self.own


@dataclass
class Load:
    """All questions of one run."""

    visits: list[Visit] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the beginning, and the server's MiB."""

    def figures(self) -> dict[str, Any]:
        """Return counts, and the spreads in milliseconds of the questions that were answered."""
        well = [visit for visit in self.visits if visit.failure is None]
        failed = Counter(visit.failure for visit in self.visits if visit.failure is not None)
        own = sorted(v.own for v in well if v.own is not None)
        return {
            "asked": len(self.visits),
            "finished": len(well),
            "failed": dict(failed),
            "tokens": sum(len(v.transits) for v in well),
            "first_token_ms": spread(v.first_token for v in well if v.first_token is not None),
            "added_ms": spread(v.added for v in well if v.added is not None),
            "transit_ms": spread(transit for v in well for transit in v.transits),
            "may_ask_ms": spread(v.may_ask for v in well if v.may_ask is not None),
            "whole_ms": spread(v.whole for v in well if v.whole is not None),
            "connect_ms": spread(v.connect for v in self.visits if v.connect is not None),
            "generator_late_ms": spread(v.late for v in self.visits if v.late is not None),
            "model_ms": round(percentile(own, 0.5), 1) if own else None,
        }


class Meter:
    """What a server, all that it started, and this process spend from now on."""

    def __init__(self, pid: int | None, model_pid: int | None = None) -> None:
        self._pid, self._model_pid = pid, model_pid
        self._server, self._model = _spent(pid), _spent(model_pid)
        self._own = time.process_time()
        self._began = time.monotonic()

    def figures(self, questions: int) -> dict[str, Any]:
        """Return CPU seconds, MiB, and the shares of a core that this process and the model took."""
        seconds = time.monotonic() - self._began
        share = round((time.process_time() - self._own) / seconds, 3)
        measured: dict[str, Any] = {"seconds": round(seconds, 2), "generator_cpu_share": share}
        if self._model_pid:
            measured["model_cpu_share"] = round((_spent(self._model_pid) - self._model) / seconds, 3)
        if self._pid:
            spent = _spent(self._pid) - self._server
            measured["cpu_s"] = round(spent, 2)
            measured["cpu_per_question_ms"] = round(1e3 * spent / questions, 2) if questions else None
            measured["rss_mib"] = round(memory_mib(self._pid), 1)
        return measured


def _spent(pid: int | None) -> float:
    return cpu_seconds(pid) if pid else 0.0


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep Python's collector away from what is already there: a pause of ours would look like the server's."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def cpu_seconds(pid: int) -> float:
    """Return the seconds that a process and all it started have computed, those that have ended included."""
    ticks = 0
    for one in _family(pid):
        try:
            stat = (_PROC / str(one) / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It ended just now: its parent counts it next time.
        own_and_reaped = stat.rpartition(")")[2].split()[11:15]
        ticks += sum(map(int, own_and_reaped))
    return ticks / _TICKS


def memory_mib(pid: int) -> float:
    """Return what a process and all it started keep in memory; a page that several share counts once."""
    return sum(map(_memory_kib, _family(pid))) / 1024


def exact_cpu_seconds(pid: int) -> float:
    """Return the seconds that one process has computed, its threads that have ended included, to the nanosecond.

    `cpu_seconds` counts the timer's ticks, which miss what runs for microseconds at a time. The clock's number is made
    as in clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | 2)


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has had so far, without what it started; 0 where it has ended."""
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return 0.0
    # A process that has ended and was not waited for has no such line.
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


def _memory_kib(pid: int) -> int:
    for name, field_name in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            for line in (_PROC / str(pid) / name).read_text().splitlines():
                if line.startswith(field_name):
                    return int(line.split()[1])
        except OSError:
            continue
    return 0


def _family(pid: int) -> list[int]:
    family = [pid]
    for one in family:  # It grows as we go.
        for children in _PROC.glob(f"{one}/task/*/children"):
            try:
                family += map(int, children.read_text().split())
            except OSError:
                continue
    return family


def as_table(title: str, figures: dict[str, Any]) -> str:
    """Return the figures of a run as Markdown."""
    lines = [f"\n### {title}\n", "| ms | p50 | p99 | p99.9 | max |", "|---|---|---|---|---|"]
    spreads = {name: value for name, value in figures.items() if isinstance(value, dict) and "p50" in value}
    for name, values in spreads.items():
        lines.append(f"| {name.removesuffix('_ms').replace('_', ' ')} | {' | '.join(map(str, values.values()))} |")
    rest = {name: value for name, value in figures.items() if name not in spreads and name != "memory"}
    lines += ["", *(f"- {name}: {value}" for name, value in rest.items() if value is not None)]
    return "\n".join(lines)
