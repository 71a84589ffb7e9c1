"""`python -m benchmarks endpoints`: questions over three model endpoints, all well, and then two of them not."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.bench_servers import LOAD_CORE, LOOPBACK, SERVER_CORE, free_port, run, serving, surroundings

ENDPOINTS = 3
FINISHING = 240.0
"""Seconds beside the load's own: a new home builds its database and its index first, and the last answers end."""


def endpoints(
    rate: Annotated[float, typer.Option(min=0.1, help="Questions a second.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, help="How long they come while all is well, and again after.")] = 30,
    hedge: Annotated[bool, typer.Option(help="Whether a call that is late is made a second time elsewhere.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Ask the whole pipeline over three endpoints; halfway one begins to fail half its calls, and one to stall."""
    figures = measure_endpoints(rate, seconds, hedge=hedge)
    if json_file:
        json_file.write_text(json.dumps(figures, indent=1))
    for phase in ("healthy", "faulty"):
        typer.echo(f"{phase}: {json.dumps(figures[phase])}")
    for one in figures["endpoints"]:
        typer.echo(json.dumps(one))


def measure_endpoints(rate: float, seconds: float, *, hedge: bool) -> dict[str, Any]:
    """Return the figures of both phases, which follow one another without a pause. Raises RunFailed."""
    with tempfile.TemporaryDirectory(prefix="quaestor-endpoints-") as name, _models(Path(name)) as urls:
        folder = Path(name)
        told, home = folder / "told.json", _home(folder, "ours")
        at = [part for url in urls for part in ("--url", url)]
        load = ["--rate", str(rate), "--seconds", str(seconds), "--hedge" if hedge else "--no-hedge"]
        run(
            ["-m", "benchmarks.endpoints_load", *at, *load, "--home", str(home), "--told", str(told)],
            core=SERVER_CORE,
            log=folder / "load.log",
            seconds=2 * seconds + FINISHING,
            extra=surroundings(home),
        )
        figures: dict[str, Any] = json.loads(told.read_text())
    return {"rate": rate, "seconds": seconds, "hedge": hedge, **figures}


@contextmanager
def _models(folder: Path) -> Iterator[list[str]]:
    """Serve the stand-ins; yields their addresses."""
    ports = [free_port() for _ in range(ENDPOINTS)]
    command = ["-m", "benchmarks.endpoints_models", *(part for port in ports for part in ("--port", str(port)))]
    extra = surroundings(_home(folder, "model"))
    with serving(command, port=ports[-1], core=LOAD_CORE, log=folder / "models.log", extra=extra):
        yield [f"http://{LOOPBACK}:{port}" for port in ports]


def _home(folder: Path, name: str) -> Path:
    (folder / name).mkdir(exist_ok=True)
    return folder / name
