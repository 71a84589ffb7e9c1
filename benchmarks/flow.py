"""`python -m benchmarks flow`: three guardrails side by side, then an API call; synchronous against asynchronous."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from benchmarks.bench_servers import LOAD_CORE, SERVER_CORE, free_port, run, serving
from benchmarks.measures import cpu_seconds, memory_mib, percentile, spread

FLOOR_MS = 1_250.0
"""A guardrail's 250 ms and the API's second."""
SETTLING = 6.0
"""Seconds at the beginning that are not counted: people begin one after the other."""
FINISHING = 60.0
"""Seconds after the end within which what is under way may finish."""

Variant = Literal["async", "sync"]
VARIANTS: tuple[Variant, ...] = ("async", "sync")
LOCUST = "benchmarks/flow_load.py"


def flow(
    users: Annotated[int, typer.Option(min=1, max=20_000, help="People at the same time.")] = 1_000,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second that they offer together.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds counted in each of the four runs.")] = 50,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Measure the flow four times: each variant at a rate of requests, and with people who ask without a pause."""
    figures = measure_flow(users, rate, seconds)
    if json_file:
        json_file.write_text(json.dumps(figures))
    for one in figures["runs"]:
        told = {name: value for name, value in one.items() if name != "quantiles_ms"}
        typer.echo(json.dumps(told))


def measure_flow(users: int, rate: float, seconds: float) -> dict[str, Any]:
    """Return the figures of the four runs. Raises RunFailed."""
    with tempfile.TemporaryDirectory(prefix="quaestor-flow-") as name:
        folder, port = Path(name), free_port()
        api = ["-m", "benchmarks.flow_api", "--port", str(port)]
        with serving(api, port=port, core=LOAD_CORE, log=folder / "api.log"):
            runs = [
                _measure(variant, f"http://127.0.0.1:{port}/chat", users, every, seconds, folder)
                for every in (users / rate, 0.0)
                for variant in VARIANTS
            ]
    return {"users": users, "rate": rate, "seconds": seconds, "floor_ms": FLOOR_MS, "runs": runs}


def _measure(variant: Variant, api_url: str, users: int, every: float, seconds: float, folder: Path) -> dict[str, Any]:
    """Run one variant under load; `every` is the seconds from a person's question to the next, 0 for no pause."""
    port, record = free_port(), folder / "record.json"
    app = ["-m", "benchmarks.flow_app", variant, "--port", str(port), "--api-url", api_url]
    people = ["--users", str(users), "--spawn-rate", str(users), "--run-time", f"{SETTLING + seconds + 1:.0f}s"]
    quiet = ["--headless", "--skip-log", "--only-summary", "--exit-code-on-error", "0"]
    own = ["--stop-timeout", f"{FINISHING:.0f}", "--record", str(record), "--every", str(every)]
    with serving(app, port=port, core=SERVER_CORE, log=folder / "app.log") as server:
        spent = cpu_seconds(server.pid)
        run(
            ["-m", "locust", "-f", LOCUST, "--host", server.url, *people, *quiet, *own],
            core=LOAD_CORE,
            log=folder / "locust.log",
            seconds=SETTLING + seconds + FINISHING + 30,
        )
        spent = cpu_seconds(server.pid) - spent
        told = json.loads(record.read_text())
        measured = {"rss_mib": round(memory_mib(server.pid), 1)}
    load = "paced" if every else "saturated"
    figures = figures_of(told, SETTLING, seconds)
    measured["cpu_per_request_ms"] = round(1e3 * spent / max(1, len(told["requests"])), 3)
    return {"variant": variant, "load": load, "every_s": every, **figures, **measured}


def figures_of(told: Mapping[str, Any], settling: float, seconds: float) -> dict[str, Any]:
    """Return what a record of requests comes to, counted from `settling` for `seconds`.

    Throughput counts what ended in that time; the milliseconds are of the requests that began in it.
    """
    begin, end = told["began"] + settling, told["began"] + settling + seconds
    requests: Sequence[tuple[float, float, str | None]] = told["requests"]
    ended = sum(wrong is None and begin <= start + ms / 1e3 < end for start, ms, wrong in requests)
    whole = sorted(ms for start, ms, wrong in requests if wrong is None and begin <= start < end)
    return {
        "finished": sum(wrong is None for _, _, wrong in requests),
        "failed": dict(Counter(wrong for _, _, wrong in requests if wrong is not None)),
        "unfinished": sum(begin <= start < end for start in told["under_way"]),
        "per_s": round(ended / seconds, 2),
        "ms": spread(whole),
        "quantiles_ms": [round(percentile(whole, share / 100), 1) for share in range(101)] if whole else [],
        "generator_cpu_share": round(told["cpu_share"], 3),
    }
