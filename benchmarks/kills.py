"""`python -m benchmarks kills`: kills both jobs at random moments, and counts how often each line was written."""

from __future__ import annotations

import json
import signal
import tempfile
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from benchmarks.bench_servers import LOAD_CORE, LOOPBACK, free_port, run, serving, surroundings
from benchmarks.killing import Figures, Job, kill_often
from benchmarks.report_tables import markdown

QUESTIONS = Path(__file__).with_name("questions.txt")
FAILS = "SELECT abs(-9223372036854775808) AS n"
"""Within the guard's rules, and more than the database can work out."""
FAILS_EVERY = 50
BATCH_LINES, REQUEST_LINES = 2_000, 40_000
PER_SECOND = 5_000
"""Requests a second: a file then lasts for more than a few kills."""


def kills(
    times: Annotated[int, typer.Option(min=1, help="How often each of the two jobs is killed.")] = 200,
    seed: Annotated[int, typer.Option(help="What makes the moments the same again.")] = 4,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Kill the requester and the batch job with SIGKILL until both were killed so often, and count their lines.

    It takes some six minutes. Exit code 1: a line was lost, or written twice.
    """
    # Leave by an exception, so that the stand-in is stopped on the way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="quaestor-kills-") as name:
        folder = Path(name)
        port = free_port()
        stand_in = ["-m", "benchmarks.fast_model", "--ports", str(port), "--failed", "0.01"]
        with serving(stand_in, port=port, core=LOAD_CORE, log=folder / "model.log"):
            jobs = batch_job(folder), request_job(folder, f"http://{LOOPBACK}:{port}/v1")
            found = [kill_often(job, times, Random(seed), folder) for job in jobs]
    if json_file:
        json_file.write_text(json.dumps([asdict(figures) for figures in found], indent=1))
    typer.echo(table(found))
    if not all(figures.is_exact for figures in found):
        raise typer.Exit(1)


def batch_job(folder: Path) -> Job:
    """Return the batch job over the sample database, which is built now: what is killed is the job."""
    extra = surroundings(folder / "home")
    run(["-m", "jobs", "index"], core=LOAD_CORE, log=folder / "index.log", seconds=120, extra=extra)
    asked = islice(cycle(QUESTIONS.read_text(encoding="utf-8").splitlines()), BATCH_LINES)
    lines = [FAILS if place % FAILS_EVERY == 0 else text for place, text in enumerate(asked)]
    return Job("batch", ("batch",), "--output", _written(folder / "questions.jsonl", lines), extra)


def request_job(folder: Path, base_url: str) -> Job:
    extra = surroundings(folder / "home")
    asked = [7 if place % FAILS_EVERY == 0 else f"Say #{place:09}." for place in range(REQUEST_LINES)]
    command = ("request", "--endpoint", base_url, "--max_requests_per_second", str(PER_SECOND))
    return Job("request", command, "--save_filepath", _written(folder / "requests.jsonl", asked), extra)


def _written(path: Path, inputs: list[str] | list[str | int]) -> Path:
    path.write_text("".join(json.dumps({"id": place, "input": text}) + "\n" for place, text in enumerate(inputs)))
    return path


def table(found: list[Figures]) -> str:
    """Return the figures as a Markdown table."""
    head = [
        "job",
        "kills",
        "… of them while it wrote",
        "files",
        "lines",
        "answered",
        "failed",
        "lost",
        "twice",
        "broken",
    ]
    rows = [
        [
            figures.name,
            *(f"{count:,}" for count in (figures.kills, figures.writing, figures.files, figures.lines)),
            *(f"{count:,}" for count in (figures.answered, figures.failed)),
            *(f"{count:,}" for count in (figures.lost, figures.twice, figures.broken)),
        ]
        for figures in found
    ]
    return markdown(head, rows)
