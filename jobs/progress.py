"""Shows how far a job is: a line on stderr that is written over, or one now and then where that is no terminal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from jobs.engine import Tell
from jobs.lines import Counts

RATE_SECONDS = 10.0
"""The rate is that of the last ten seconds: an endpoint's pauses average out, and a change shows soon."""
LINE_SECONDS = 10.0
"""How often a line is printed where none can be written over."""


@contextmanager
def progress(wanted: bool | None) -> Iterator[Tell]:
    """Yield what shows each count that it is told; where nobody said what is wanted, only a terminal shows anything."""
    console = Console(stderr=True)
    if not (console.is_terminal if wanted is None else wanted):
        yield lambda counts: None
        return
    rate = Rate()
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda counts: live.update(
                Text(described(counts, rate.of(counts)), overflow="ellipsis"), refresh=True
            )
        return
    last = time.monotonic()

    def print_now_and_then(counts: Counts) -> None:
        nonlocal last
        per_second = rate.of(counts)
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            console.print(described(counts, per_second), highlight=False, soft_wrap=True)

    yield print_now_and_then


class Rate:
    """Lines per second, of what was told in the last seconds."""

    def __init__(self) -> None:
        self._told: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def of(self, counts: Counts) -> float:
        """Return the rate, these counts included."""
        now, done = time.monotonic(), counts.answered + counts.failed
        self._told.append((now, done))
        while len(self._told) > 2 and now - self._told[1][0] >= RATE_SECONDS:
            self._told.popleft()
        then, before = self._told[0]
        return (done - before) / (now - then) if now > then else 0.0


def described(counts: Counts, per_second: float) -> str:
    """Return the line: what is done, how fast, and how long the rest will take."""
    parts = [f"{counts.answered + counts.skipped:,} answered"]
    if counts.failed:
        parts.append(f"{counts.failed:,} failed")
    if counts.retries:
        parts.append(f"{counts.retries:,} retries")
    parts.append(f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s")
    remaining = remaining_lines(counts)
    if per_second > 0 and remaining is not None:
        parts.append(f"{duration(remaining / per_second)} left")
    return " · ".join(parts)


def remaining_lines(counts: Counts) -> float | None:
    """Return how many lines are to do, by the length of those that were read; None where none was."""
    seen = counts.answered + counts.failed + counts.skipped + counts.pending
    if not counts.bytes_read or not seen:
        return None
    return counts.pending + (counts.bytes_total - counts.bytes_read) * seen / counts.bytes_read


def duration(seconds: float) -> str:
    """Return "45 s", "12 min" or "3 h 5 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
