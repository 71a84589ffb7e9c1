"""`python -m benchmarks requester`: how fast, how evenly and in how much memory a file of requests is asked."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.bench_parts import REQUESTER, REQUESTER_QUICK, RequesterRun
from benchmarks.bench_servers import RunFailed
from benchmarks.report_requester import summary
from benchmarks.requester_peers import BENCH, PEERS, Peer, prepare
from benchmarks.requester_runs import IN_FLIGHT, SETTLING, WEIGHTS, Bench, write_requests

SPARE = 1.2
"""How many more lines there are than the bare loop would ask in the time: ours must not come to their end."""


def requester(
    quick: Annotated[bool, typer.Option(help="A minute, to see that it runs; its figures say little.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Measure `python -m jobs request` for six minutes: its pace beside others', its limits, weights and memory."""
    figures = measure_requester(REQUESTER_QUICK if quick else REQUESTER)
    if json_file:
        json_file.write_text(json.dumps(figures, indent=1))
    typer.echo(summary(figures))


def measure_requester(one: RequesterRun) -> dict[str, Any]:
    """Return the figures of all runs. Raises RunFailed; a client that cannot be installed costs its own alone."""
    BENCH.mkdir(exist_ok=True)
    pythons = {peer.client: _prepared(peer) for peer in PEERS}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="run-", dir=BENCH) as name:
        bench = Bench(Path(name))
        figures = {
            **asdict(one),
            "in_flight": IN_FLIGHT,
            "weights": WEIGHTS,
            "raw": _telling("prepared bytes", bench.bare("raw", one.each)),
            "aiohttp": _telling("bare aiohttp", bench.bare("aiohttp", one.each)),
            **_side_by_side(bench, Path(name), one.each, (one.kept, *one.again)),
            "proxied": _side_by_side(bench, Path(name), one.each, (one.kept,), proxied=True),
            "peers": {peer.client: _of_peer(bench, peer, pythons[peer.client], one.each) for peer in PEERS},
            "limited": [_telling(f"limit {limit}", bench.limited(limit, one.each)) for limit in one.limits],
            "memory": [_telling(f"{lines} lines", bench.memory(lines)) for lines in one.lines],
        }
    return {**figures, "took_s": round(time.monotonic() - began)}


def _side_by_side(
    bench: Bench, folder: Path, each: int, lengths: Sequence[int], *, proxied: bool = False
) -> dict[str, Any]:
    """Return runs of ours of so many seconds, with a bare loop of the client that it uses before and after each."""
    client = "proxied" if proxied else "wire"
    bare = [_telling(f"bare {client}", bench.bare(client, each))]
    lines = round(SPARE * bare[0]["per_s"] * (max(lengths) + SETTLING + 5))
    requests = write_requests(folder / "requests.jsonl", lines)
    ours = []
    for seconds in lengths:
        ours.append(_telling(f"ours over {client}", bench.kept(requests, lines, seconds, proxied=proxied)))
        bare.append(_telling(f"bare {client}", bench.bare(client, each)))
    requests.unlink()
    return {"ours": ours, "bare": bare}


def _prepared(peer: Peer) -> str | RunFailed:
    try:
        return prepare(peer.package)
    except RunFailed as failure:
        print(failure, file=sys.stderr, flush=True)
        return failure


def _of_peer(bench: Bench, peer: Peer, python: str | RunFailed, seconds: int) -> dict[str, Any]:
    about = {"package": peer.package, "version": peer.version, "in_flight": peer.in_flight}
    if isinstance(python, RunFailed):
        return {**about, "error": str(python)}
    return {**about, **_telling(peer.client, bench.peer(python, peer.module, peer.client, peer.in_flight, seconds))}


def _telling(what: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Show on stderr that something is measured."""
    told = f"{figures['per_s']:,.0f}/s" if "per_s" in figures else f"{figures['peak_mib']:.0f} MiB"
    print(f"{time.strftime('%H:%M:%S')} {what}: {told}", file=sys.stderr, flush=True)
    return figures
