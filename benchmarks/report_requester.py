"""Writes the tables of the requester's benchmark as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from statistics import mean

from benchmarks.report_measured import Figures
from benchmarks.report_requester_verdicts import mean_pace, requester_targets
from benchmarks.report_tables import NOT_MEASURED, VERDICTS, markdown
from benchmarks.report_verdicts import number

CLIENTS = {
    "openai-aiohttp": "openai client over aiohttp",
    "openai": "openai client as it comes",
    "litellm": "LiteLLM's Router",
}
"""The peers, as readers know them."""


def summary(figures: Figures) -> str:
    """Return everything, for who has run it by itself."""
    parts = (
        markdown(VERDICTS, (target.row() for target in requester_targets(figures))),
        *(table(figures) for table in (paces, rounds, limits, weights, memory)),
        f"It took {figures['took_s']} s.",
    )
    return "\n\n".join(parts)


def paces(figures: Figures | None) -> str:
    """Return each client's requests a second, the fastest first."""
    if figures is None:
        return NOT_MEASURED
    pace = mean_pace(figures["ours"])
    rows = [
        [name, number(under_way), number(per_s, "/s"), f"{number(pace / per_s)} times"]
        for name, under_way, per_s in clients(figures)
    ]
    missing = [
        f"\n\n{CLIENTS[name]}: not measured. {peer['error'].splitlines()[0]}"
        for name, peer in figures["peers"].items()
        if "error" in peer
    ]
    return markdown(("client", "under way", "requests", "ours does"), rows) + "".join(missing)


def clients(figures: Figures) -> list[tuple[str, int, float]]:
    """Return who asked, with how many requests under way, and how many each second, the fastest first."""
    found = [
        ("the stand-in's ceiling: prepared bytes on open sockets", figures["in_flight"], figures["raw"]["per_s"]),
        ("bare loop of our client", figures["in_flight"], mean_pace(figures["bare"])),
        ("**ours**, with limits, weights, checks and saving", figures["in_flight"], mean_pace(figures["ours"])),
        ("bare loop of aiohttp", figures["in_flight"], figures["aiohttp"]["per_s"]),
        *(
            (f"{CLIENTS[name]}, {peer['version']}", peer["in_flight"], peer["per_s"])
            for name, peer in figures["peers"].items()
            if "per_s" in peer
        ),
    ]
    return sorted(found, key=lambda one: one[2], reverse=True)


def rounds(figures: Figures | None) -> str:
    """Return every run of ours between the two bare loops beside it."""
    head = ("seconds", "ours", "slowest second", "core busy", "stand-in busy", "bare before", "bare after", "ratio")
    rows = []
    for run, (before, after) in zip(figures["ours"], pairwise(figures["bare"]), strict=True) if figures else ():
        beside = mean((before["per_s"], after["per_s"]))
        busy = [f"{100 * run[name]:.0f} %" for name in ("core_busy", "model_cpu_share")]
        paced = [number(one, "/s") for one in (run["per_s"], min(run["by_second"]))]
        around = [number(one["per_s"], "/s") for one in (before, after)]
        rows.append([str(run["seconds"]), *paced, *busy, *around, f"{run['per_s'] / beside:.2f}"])
    return markdown(head, rows)


def limits(figures: Figures | None) -> str:
    head = ("limit", "requests", "slowest second", "fastest second", "fullest stretch of a second", "off by")
    rows = [
        [
            number(run["limit"], "/s"),
            number(run["per_s"], "/s"),
            *(number(count) for count in (min(run["by_second"]), max(run["by_second"]), run["fullest"])),
            number(run["off_percent"], "%"),
        ]
        for run in (figures["limited"] if figures else ())
    ]
    return markdown(head, rows)


def weights(figures: Figures | None) -> str:
    """Return what each endpoint has had, in every run of ours."""
    if figures is None:
        return NOT_MEASURED
    due = [f"{100 * weight / sum(figures['weights']):.0f} % due" for weight in figures["weights"]]
    rows = [
        [what, *(f"{share:.2f} %" for share in run["shares_percent"]), number(run["weights_off_percent"], "%")]
        for what, run in _weighed(figures)
    ]
    return markdown(("run", *due, "off by"), rows)


def _weighed(figures: Figures) -> Iterator[tuple[str, Figures]]:
    for run in figures["ours"]:
        yield f"{run['seconds']} s at its own pace", run
    for run in figures["limited"]:
        yield f"limited to {run['limit']:,}/s", run


def memory(figures: Figures | None) -> str:
    """Return the peak for each length of file, and for every run what became of its answers."""
    head = ("lines", "peak", "saved", "lost", "twice", "mixed up", "failed")
    rows: Iterable[list[str]] = (
        [
            number(run["lines"]) if "lines" in run else f"those of {run['seconds']} s",
            number(run["peak_mib"], "MiB"),
            *(number(run[name]) for name in ("saved", "lost", "twice", "wrong", "failed")),
        ]
        for run in ((*figures["memory"], *figures["ours"]) if figures else ())
    )
    return markdown(head, rows)
