"""Runs a job's lines in shards on a Ray cluster.

A shard travels with its lines, and comes back as lines: nodes need no folder in common, and the process that was
started is the only one that writes. So a shard that Ray runs again, because a node was lost, is still written once, and
what a kill loses is the shards that were under way.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from errors import AskError, JobStopped, SettingsInvalid
from jobs.engine import Files, Run, Tell
from jobs.lines import Counts
from jobs.lines_files import BEGINNING, Places, claim_files, open_requests
from jobs.lines_writer import append_lines

SHARD_LINES = 250
"""At most: what a kill makes the job ask again, for each shard under way."""

SHARDS_EACH = 4
"""Shards for each that may run at once, so that a slow one at the end keeps few waiting."""

REACH_SECONDS = 5.0

RETRIES = 3
"""How often a shard is run again whose node was lost."""


Shard = tuple[list[int], list[bytes]]
"""Places, and the lines there."""


@dataclass(frozen=True)
class _Written:
    """What a shard wrote, its lines numbered as in the whole input."""

    answers: bytes
    errors: bytes
    counts: Counts


def run_on_ray(run: Run, files: Files, at_once: int | None, tell: Tell) -> None:
    """Run the job on the cluster of RAY_ADDRESS, or on one that is started here; `at_once` None takes all its CPUs.

    Raises what `run` raises, SettingsInvalid without Ray, FileUnusable, or JobStopped.
    """
    ray = _import_ray()
    with (
        claim_files(files.requests, files.save, files.errors, resume=files.resume) as claim,
        open_requests(files.requests) as source,
        _cluster(ray) as cpus,
    ):
        at_once = at_once or cpus
        todo, counts = _count(source, claim.done)
        shards = _shards(source, claim.done, min(SHARD_LINES, todo // (at_once * SHARDS_EACH) + 1))
        for written in _run_shards(ray, run, shards, at_once):
            append_lines(files.save, written.answers)
            append_lines(files.errors, written.errors)
            for told in ("answered", "failed", "retries", "bytes_read"):
                setattr(counts, told, getattr(counts, told) + getattr(written.counts, told))
            tell(counts)


def _import_ray() -> Any:
    # Ray tells its makers about its use unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise SettingsInvalid("Ray is not installed: pip install -r requirements-ray.txt") from None
    return ray


@contextmanager
def _cluster(ray: Any) -> Iterator[int]:
    """Yield how many CPUs the cluster has."""
    try:
        _reach(os.environ.get("RAY_ADDRESS", ""))
        ray.init(logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise JobStopped("The Ray cluster does not answer: see whether RAY_ADDRESS is right.") from error
    try:
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Return where something listens at the address, or it names none; raises OSError or ValueError.

    Ray itself would try for ten minutes.
    """
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), REACH_SECONDS).close()


def _count(source: BinaryIO, done: Places) -> tuple[int, Counts]:
    """Return how many lines are to do, and how far the job is."""
    todo, counts = 0, Counts()
    for place, line in enumerate(source, 1):
        counts.bytes_total += len(line)
        if place not in done and not line.isspace():
            todo += 1
        else:
            counts.skipped += place in done
            counts.bytes_read += len(line)
    return todo, counts


def _shards(source: BinaryIO, done: Places, size: int) -> Iterator[Shard]:
    source.seek(0)
    todo = ((place, line) for place, line in enumerate(source, 1) if place not in done and not line.isspace())
    while shard := list(islice(todo, size)):
        yield [place for place, _ in shard], [line for _, line in shard]


def _run_shards(ray: Any, run: Run, shards: Iterator[Shard], at_once: int) -> Iterator[_Written]:
    """Yield what the shards wrote, as they end; so many run at once."""
    from ray.exceptions import RayError, RayTaskError

    remote = ray.remote(max_retries=RETRIES)(_run_shard)
    shared = ray.put(run)
    running = [remote.remote(shared, *shard, at_once) for shard in islice(shards, at_once)]
    while running:
        (ended,), running = ray.wait(running)
        try:
            written = ray.get(ended)
        except RayTaskError as error:
            if isinstance(error.cause, AskError):
                raise error.cause from None
            raise
        except RayError as error:
            raise JobStopped("Ray lost a shard of the job for good. Go on with --resume.") from error
        running += [remote.remote(shared, *shard, at_once) for shard in islice(shards, 1)]
        yield written


def _run_shard(run: Run, places: list[int], lines: list[bytes], at_once: int) -> _Written:
    """Run the lines as a job of their own. This is what runs on a node."""
    told = Counts()

    def tell(counts: Counts) -> None:
        nonlocal told
        told = counts

    with TemporaryDirectory(prefix="quaestor-") as name:
        folder = Path(name)
        files = Files(folder / "requests.jsonl", folder / "answers.jsonl", folder / "errors.jsonl", resume=False)
        files.requests.write_bytes(b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines))
        run(files, at_once, tell)
        return _Written(_renumbered(files.save, places), _renumbered(files.errors, places), told)


def _renumbered(path: Path, places: list[int]) -> bytes:
    return b"".join(_with_place(line, places) for line in path.read_bytes().splitlines(keepends=True))


def _with_place(line: bytes, places: list[int]) -> bytes:
    beginning, _, rest = line.partition(b",")
    return b"%s%d,%s" % (BEGINNING, places[int(beginning.removeprefix(BEGINNING)) - 1], rest)
