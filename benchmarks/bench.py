"""`python -m benchmarks bench`: runs ours and the reference in turn, and writes docs/performance.md."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from benchmarks.bench_parts import FULL, QUICK, Part, Run
from benchmarks.bench_runs import PACE, QUICK_PACE, Place, carry_out
from benchmarks.bench_servers import ROOT
from benchmarks.model_speech import Pace
from benchmarks.report_machine import describe_machine
from errors import SettingsInvalid

KEPT = ROOT / ".quaestor" / "bench"
QUICK_KEPT = ROOT / ".quaestor" / "bench-quick"
DOCS = ROOT / "docs"


def bench(
    only: Annotated[str, typer.Option(help="Run these parts alone, comma-separated: " + ", ".join(FULL) + ".")] = "",
    quick: Annotated[bool, typer.Option(help="A few minutes, to see that it runs; the report goes elsewhere.")] = False,
    render: Annotated[bool, typer.Option(help="Run nothing: write the report of what was measured before.")] = False,
) -> None:
    """Measure ours against the reference, three quarters of an hour, and write docs/performance.md with its plots."""
    # Only who measures has matplotlib: it is a package for development.
    from benchmarks.report import write_report

    signal.signal(signal.SIGTERM, _end)
    kept, parts, pace = (QUICK_KEPT, QUICK, QUICK_PACE) if quick else (KEPT, FULL, PACE)
    kept.mkdir(parents=True, exist_ok=True)
    failed = [] if render else measure(_chosen(parts, only), kept, pace)
    write_report(kept, kept if quick else DOCS)
    typer.echo(f"The report is {(kept if quick else DOCS) / 'performance.md'}.")
    if failed:
        typer.echo(f"These runs failed, and are missing in it: {', '.join(failed)}.", err=True)
        raise typer.Exit(1)


def measure(runs: Iterable[Run], kept: Path, pace: Pace = PACE) -> list[str]:
    """Carry the runs out one after the other, a JSON file each in `kept`; return the names of those that failed."""
    (kept / "machine.json").write_text(json.dumps(describe_machine(), indent=1))
    logs, failed = kept / "logs", []
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    with tempfile.TemporaryDirectory(prefix="quaestor-bench-") as name:
        for one in runs:
            print(f"{time.strftime('%H:%M:%S')} {one.name} …", file=sys.stderr, flush=True)
            try:
                told: dict[str, Any] = {"run": asdict(one), "figures": carry_out(one, Place(Path(name), logs, pace))}
            except Exception as error:
                # One run that fails must not cost the others.
                print(f"{one.name} failed: {error}", file=sys.stderr, flush=True)
                told = {"run": asdict(one), "error": str(error)}
                failed.append(one.name)
            (kept / f"{one.name}.json").write_text(json.dumps(told, indent=1))
    return failed


def _chosen(parts: Mapping[str, Part], only: str) -> list[Run]:
    names = [name.strip() for name in only.split(",") if name.strip()] or list(parts)
    if unknown := [name for name in names if name not in parts]:
        raise SettingsInvalid(f"There is no part {unknown[0]}: choose among {', '.join(parts)}.")
    return [one for name in names for one in parts[name]]


def _end(_: int, __: FrameType | None) -> None:
    """Leave by an exception, so that every server is stopped on the way."""
    raise SystemExit(143)
