"""Holds what the requester's benchmark measured against what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from benchmarks.report_measured import Figures
from benchmarks.report_verdicts import RATIO, Pair, Target

SECONDS, FEWEST, MOST = 60, 10_000, 1_000_000
"""For how long its pace is to be kept up, and between which lengths of file its memory is to stay the same."""
BESIDE = (("openai", "the openai client", 5), ("litellm", "LiteLLM's Router", 20))
"""By its package: what it is called, and how many times as much ours is to do."""
LIMITS = (500, 1_000, 5_000)


def requester_targets(figures: Figures | None) -> list[Target]:
    """Return every target of the requester; a shorter run than was asked for meets none."""
    whole = figures if figures and figures["kept"] >= SECONDS else None
    pace = mean_of(whole["ours"], "per_s") if whole else None
    return [
        *_kept("Requester, for 60 s", "its own client", whole),
        *(
            Target(f"… beside {name}", (pace, fastest(whole, package)), "/s", f"{times} times more", times, RATIO)
            for package, name, times in BESIDE
        ),
        *(
            _within(f"… limited to {limit:,}/s: its farthest second is off by", 2, (_limit_off(whole, limit), None))
            for limit in LIMITS
        ),
        _within("… weights: its farthest endpoint is off by", 2, (_weights_off(whole), None)),
        _within(f"… memory from {FEWEST:,} to {MOST:,} lines: grown", 10, (_grown(whole), None)),
        *_kept("Requester through a proxy, over aiohttp, for 60 s", "aiohttp", whole and whole["proxied"]),
    ]


def _kept(what: str, client: str, runs: Figures | None) -> list[Target]:
    """Return what a pace that is kept up is held against, and the bare loop beside it."""
    kept = runs["ours"][0] if runs else None
    wrong = sum(kept[name] for name in ("lost", "twice", "wrong", "failed")) if kept else None
    pace, bare = (mean_of(runs[those], "per_s") if runs else None for those in ("ours", "bare"))
    slowest = min(kept["by_second"]) if kept else None
    return [
        Target(f"{what}: its slowest second", (slowest, None), "/s", "at least 10,000/s", 10_000, "ours at least"),
        Target("… answers lost, doubled or mixed up", (wrong, None), "", "none", 0, "ours at most"),
        Target(f"… beside a bare loop of {client}", (pace, bare), "/s", "0.8 times", 0.8, RATIO),
    ]


def mean_of(runs: Sequence[Figures], name: str) -> float:
    """Return the mean of one figure over several runs."""
    return mean(float(run[name]) for run in runs)


def fastest(figures: Figures | None, package: str) -> float | None:
    """Return the requests a second of a package's client, in its faster form; None where it was not measured."""
    peers = figures["peers"].values() if figures else ()
    found = [float(peer["per_s"]) for peer in peers if peer["package"] == package and "per_s" in peer]
    return max(found, default=None)


def _within(what: str, percent: float, pair: Pair) -> Target:
    return Target(what, pair, "%", f"at most {percent:g}%", percent, "ours at most")


def _limit_off(figures: Figures | None, limit: int) -> float | None:
    found = {run["limit"]: float(run["off_percent"]) for run in figures["limited"]} if figures else {}
    return found.get(limit)


def _weights_off(figures: Figures | None) -> float | None:
    runs = [*figures["ours"], *figures["limited"], *figures["proxied"]["ours"]] if figures else []
    return max((float(run["weights_off_percent"]) for run in runs), default=None)


def _grown(figures: Figures | None) -> float | None:
    """Return by how many percent the highest peak is above that of the shortest file."""
    peaks = {run["lines"]: run["peak_mib"] for run in figures["memory"]} if figures else {}
    if FEWEST not in peaks or MOST not in peaks:
        return None
    return float(100 * (max(peaks.values()) - peaks[FEWEST]) / peaks[FEWEST])
