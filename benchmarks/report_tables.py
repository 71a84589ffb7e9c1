"""Writes the report's tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.report_endpoints_verdicts import endpoints_targets
from benchmarks.report_measured import Figures, Measured, at, cpu_ratio, flow_failed
from benchmarks.report_requester_verdicts import requester_targets
from benchmarks.report_verdicts import MISSING, number, targets

NOT_MEASURED = "*Not measured in this run.*"

LOADS = ("light", "middle", "prepare", "crowd", "rush")
"""By how many questions come each second, the fewest first."""
APPS = ("ours", "simulated", "reference")
SHARES = ("p50", "p99", "p999")
VERDICTS = ("", "ours", "reference", "ratio", "target", "met?")


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose columns but the first are aligned to the right; a note where it has no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return NOT_MEASURED
    rule = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join([f"| {' | '.join(head)} |", rule, *lines])


def verdicts(measured: Measured) -> str:
    told = (
        *targets(measured),
        *endpoints_targets(measured.figures("endpoints")),
        *requester_targets(measured.figures("requester")),
    )
    return markdown(VERDICTS, (target.row() for target in told))


def costs(measured: Measured) -> str:
    """Return the fixed cost and the cost per token of both apps."""
    ours, theirs = measured.cost("ours"), measured.cost("reference")
    if ours is None or theirs is None:
        return NOT_MEASURED
    pairs = (
        ("CPU per question, without its tokens", ours.fixed_ms, theirs.fixed_ms, "ms"),
        ("CPU per token", ours.per_token_us, theirs.per_token_us, "µs"),
    )
    rows = [[what, number(a, unit), number(b, unit), f"{b / a:.1f} times"] for what, a, b, unit in pairs]
    return markdown(("", "ours", "reference", "ratio"), rows)


def turns(measured: Measured) -> str:
    """Return what a question of the lightest load cost in each turn."""
    rows = []
    for number_of, turn in enumerate(measured.turns("light"), 1):
        spent = (number(at(turn[app], "cpu_per_question_ms"), "ms") for app in ("ours", "reference"))
        rows.append([f"turn {number_of}", *spent, f"{cpu_ratio(turn):.2f} times"])
    return markdown(("", "ours", "reference", "ratio"), rows)


def waiting(measured: Measured) -> str:
    """Return what people waited for their first token, by load and app."""
    head = ("people", "app", "asked", "answered", "first token p50", "p99", "p99.9", "added p50", "p99", "p99.9")
    rows = []
    for load, app, figures in _chats(measured):
        spreads = [_ms(figures, what, share) for what in ("first_token_ms", "added_ms") for share in SHARES]
        rows.append([people(measured, load), app, number(figures["asked"]), number(figures["finished"]), *spreads])
    return markdown(head, rows)


def spending(measured: Measured) -> str:
    """Return what each load cost the server, and how long a token was on its way."""
    head = (
        "people",
        "app",
        "token's way p50",
        "p99",
        "p99.9",
        "CPU a question",
        "core busy",
        "memory",
        "load",
        "model",
    )
    rows = []
    for load, app, figures in _chats(measured):
        spent, seconds = at(figures, "cpu_s"), at(figures, "seconds")
        busy = spent / seconds if spent is not None and seconds else None
        cost = number(at(figures, "cpu_per_question_ms"), "ms")
        memory = number(at(figures, "rss_mib"), "MiB")
        shares = [_percent(at(figures, f"{who}_cpu_share")) for who in ("generator", "model")]
        transits = [_ms(figures, "transit_ms", p) for p in SHARES]
        rows.append([people(measured, load), app, *transits, cost, _percent(busy), memory, *shares])
    return markdown(head, rows)


def losses(measured: Measured) -> str:
    """Return a sentence for each run in which questions were lost, and for each that failed as a whole."""
    lines = []
    for load, app, figures in _chats(measured):
        if figures["failed"]:
            why = ", ".join(f"{number(count)} {reason}" for reason, count in figures["failed"].items())
            lines.append(f"- {people(measured, load)}, {app}: {why}.")
    for name in sorted(measured.runs):
        if error := measured.error(name):
            lines.append(f"- The run “{name}” failed: {error.splitlines()[0]}")
    return "\n".join(lines) or "No question was lost in any of these runs."


def api(measured: Measured) -> str:
    figures = measured.figures("api")
    if figures is None:
        return NOT_MEASURED
    spreads = [_ms(figures, what, p) for what in ("first_token_ms", "added_ms", "transit_ms") for p in ("p50", "p99")]
    answered = f"{number(figures['finished'])} of {number(figures['asked'])}"
    cost = number(at(figures, "cpu_per_question_ms"), "ms")
    head = ("questions/s", "answered", "first token p50", "p99", "added p50", "p99", "token's way p50", "p99", "CPU")
    return markdown(head, [[number(figures["rate"]), answered, *spreads, cost]])


def flow(measured: Measured) -> str:
    head = ("variant", "load", "finished/s", "failed", "p50", "p99", "p99.9", "CPU a request", "memory", "load's core")
    rows = []
    for load in ("paced", "saturated"):
        for variant in ("async", "sync"):
            if (run := measured.flow(variant, load)) is None:
                continue
            spreads = [_ms(run, "ms", share) for share in SHARES]
            cost, memory = number(run["cpu_per_request_ms"], "ms"), number(run["rss_mib"], "MiB")
            asked = offered(measured, load)
            told = [number(run["per_s"]), number(flow_failed(run)), *spreads, cost, memory]
            rows.append([variant, asked, *told, _percent(run["generator_cpu_share"])])
    return markdown(head, rows)


def offered(measured: Measured, load: str) -> str:
    """Return how the flow's people ask."""
    return f"{(measured.figures('flow') or {})['rate']:g}/s offered" if load == "paced" else "no pause"


def machine(measured: Measured) -> str:
    """Return the machine and the packages, a line each."""
    told = measured.machine
    if not told:
        return NOT_MEASURED
    packages = ", ".join(f"{name} {found}" for name, found in told["packages"].items())
    commit = f" at commit {told['commit']}" if told.get("commit") else ""
    return (
        f"{told['cores']} cores of {told['processor']}, {told['memory_gib']:.0f} GiB of memory, {told['system']}, "
        f"Python {told['python']}; measured on {told['date']}{commit}.\n\nPackages: {packages}."
    )


def people(measured: Measured, load: str) -> str:
    """Return how many people ask within how long, of a load that at least one app has had."""
    run = next(figures for app in APPS if (figures := measured.figures(f"{load}-{app}")) is not None)
    return f"{run['users']:,} within {run['over']:g} s"


def _chats(measured: Measured) -> Iterable[tuple[str, str, Figures]]:
    for load in LOADS:
        for app in APPS:
            if (figures := measured.figures(f"{load}-{app}")) is not None:
                yield load, app, figures


def _ms(figures: Figures, *names: str) -> str:
    return number(at(figures, *names))


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{100 * share:.0f} %"
