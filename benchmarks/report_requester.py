"""Writes the tables of the requester's benchmark as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from benchmarks.report_measured import Figures
from benchmarks.report_requester_verdicts import mean_of, requester_targets
from benchmarks.report_tables import NOT_MEASURED, VERDICTS, markdown
from benchmarks.report_verdicts import number

CLIENTS = {
    "openai-aiohttp": "openai client over aiohttp",
    "openai": "openai client as it comes",
    "litellm": "LiteLLM's Router",
}
"""The peers, as readers know them."""
CEILING = "the stand-in's ceiling: prepared bytes on open sockets"


def summary(figures: Figures) -> str:
    """Return everything, for who has run it by itself."""
    parts = (
        markdown(VERDICTS, (target.row() for target in requester_targets(figures))),
        *(table(figures) for table in (paces, rounds, rounds_by_proxy, limits, weights, memory)),
        f"It took {figures['took_s']} s.",
    )
    return "\n\n".join(parts)


def paces(figures: Figures | None) -> str:
    """Return each client's requests a second and what one costs, the fastest first."""
    if figures is None:
        return NOT_MEASURED
    pace = mean_of(figures["ours"], "per_s")
    rows = []
    for name, under_way, runs in clients(figures):
        per_s, cpu, model = (mean_of(runs, what) for what in ("per_s", "cpu_us", "model_cpu_share"))
        told = [number(under_way), number(per_s, "/s"), number(cpu, "µs"), f"{100 * model:.0f} %"]
        rows.append([name, *told, f"{number(pace / per_s)} times"])
    missing = [
        f"\n\n{CLIENTS[name]}: not measured. {peer['error'].splitlines()[0]}"
        for name, peer in figures["peers"].items()
        if "error" in peer
    ]
    head = ("client", "under way", "requests", "CPU a request", "stand-in busy", "ours does")
    return markdown(head, rows) + "".join(missing)


def clients(figures: Figures) -> list[tuple[str, int, Sequence[Figures]]]:
    """Return who asked, with how many requests under way, and their runs, the fastest first."""
    under_way = figures["in_flight"]
    found: list[tuple[str, int, Sequence[Figures]]] = [
        (CEILING, under_way, [figures["raw"]]),
        ("bare loop of our client", under_way, figures["bare"]),
        ("**ours**, with limits, weights, checks and saving", under_way, figures["ours"]),
        ("**ours** through a proxy, with all of that", under_way, figures["proxied"]["ours"]),
        ("bare loop of aiohttp through a proxy", under_way, figures["proxied"]["bare"]),
        ("bare loop of aiohttp", under_way, [figures["aiohttp"]]),
        *(
            (f"{CLIENTS[name]}, {peer['version']}", peer["in_flight"], [peer])
            for name, peer in figures["peers"].items()
            if "per_s" in peer
        ),
    ]
    return sorted(found, key=lambda one: mean_of(one[2], "per_s"), reverse=True)


def rounds(figures: Figures | None) -> str:
    """Return every run of ours between the two bare loops beside it."""
    head = ("seconds", "ours", "slowest second", "core busy", "bare before", "bare after", "ratio", "ratio of CPU")
    rows = []
    for run, beside in zip(figures["ours"], pairwise(figures["bare"]), strict=True) if figures else ():
        ratio, of_cpu = run["per_s"] / mean_of(beside, "per_s"), mean_of(beside, "cpu_us") / run["cpu_us"]
        paced = [number(one, "/s") for one in (run["per_s"], min(run["by_second"]))]
        around = [number(one["per_s"], "/s") for one in beside]
        busy = f"{100 * run['cpu_share']:.0f} %"
        rows.append([str(run["seconds"]), *paced, busy, *around, f"{ratio:.2f}", f"{of_cpu:.2f}"])
    return markdown(head, rows)


def rounds_by_proxy(figures: Figures | None) -> str:
    """Return the same of the runs through a proxy, where ours and the bare loop use aiohttp."""
    return rounds(figures["proxied"] if figures else None)


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
    for run in figures["proxied"]["ours"]:
        yield f"{run['seconds']} s through a proxy", run
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
