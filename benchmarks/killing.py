"""Kills a job at random moments, starts it again until its file is done, and counts how often each line was written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.bench_servers import ROOT, RunFailed, Surroundings, end_of

WORKERS = (1, 2)
"""Processes, in turn from one file to the next."""

SHARE_WRITING = 0.5

MISSED_AT_MOST = 5
"""Files in a row that may be done before their first kill: on a busy machine the moment of a kill may come too late."""

SECONDS_TO_END = 300.0
"""How long the last run, which nobody kills, may take."""

_LOOK_SECONDS = 0.005
_WELL = (0, 1)
"""Exit codes of a job that came to its end; 1 says that lines failed, as some are made to."""


@dataclass(frozen=True)
class Job:
    """A job over a file, and what it is started with."""

    name: str
    command: tuple[str, ...]
    """What goes behind `python -m jobs`; the options that name the files and the processes are added."""
    output: str
    """The option that names the answers."""
    requests: Path
    extra: Surroundings


@dataclass
class Figures:
    """What came of one job's kills; all of `lost`, `twice` and `broken` should be 0."""

    name: str
    kills: int = 0
    writing: int = 0
    """Those of the kills that hit a run which had written answers; the others hit one that was starting."""
    files: int = 0
    lines: int = 0
    answered: int = 0
    failed: int = 0
    lost: int = 0
    """Lines that stand in neither file."""
    twice: int = 0
    """Lines that stand there more than once."""
    broken: int = 0
    """Written lines that are no JSON, or name another input than the line that they are for."""
    seconds: float = 0.0

    @property
    def is_exact(self) -> bool:
        return self.lost == self.twice == self.broken == 0


@dataclass(frozen=True)
class _Files:
    """One file of the job from its first run to its last."""

    job: Job
    answers: Path
    errors: Path
    log: Path
    workers: int

    def arguments(self, *, resume: bool) -> list[str]:
        files = str(self.job.requests), self.job.output, str(self.answers), "--errors_filepath", str(self.errors)
        how = "--workers", str(self.workers), "--no-progress", *(("--resume",) if resume else ())
        return ["-m", "jobs", *self.job.command, *files, *how]


def kill_often(job: Job, kills: int, random: Random, folder: Path) -> Figures:
    """Kill the job so often, over as many files as that takes, and return what the files hold.

    A kill is SIGKILL for the process that was started, which leaves those that it started to themselves. Half of the
    kills come at a random moment after the run has written its first answer, the others at one after its start, when it
    reads what is there and mends it. Raises RunFailed where a run does not come to its end.
    """
    figures = Figures(job.name)
    began, missed = time.monotonic(), 0
    while figures.kills < kills:
        before = figures.kills
        name, workers = f"{job.name}-{figures.files}", WORKERS[figures.files % len(WORKERS)]
        files = _Files(
            job, folder / f"{name}.jsonl", folder / f"{name}.errors.jsonl", folder / f"{job.name}.log", workers
        )
        _kill_until_done(files, kills, random, figures)
        missed = missed + 1 if figures.kills == before else 0
        if missed > MISSED_AT_MOST or not _size(files.answers):
            raise RunFailed(f"{job.name} ended before it could be killed.\n{end_of(files.log)}")
        count_lines(job.requests, files.answers, files.errors, figures)
        told = f"{job.name}: {figures.kills} kills, {figures.lines:,} lines, {figures.lost} lost, {figures.twice} twice"
        print(time.strftime("%H:%M:%S"), told, file=sys.stderr, flush=True)
    figures.seconds = time.monotonic() - began
    return figures


def _kill_until_done(files: _Files, kills: int, random: Random, figures: Figures) -> None:
    before = figures.kills
    starting = 0.0
    while True:
        size = _size(files.answers)
        with _running(files, resume=figures.kills > before) as process:
            if figures.kills == kills:
                if not _has_ended(process, SECONDS_TO_END, files.log):
                    raise RunFailed(f"{files.job.name} does not come to its end.\n{end_of(files.log)}")
                return
            if not starting or random.random() < SHARE_WRITING:
                starting = _seconds_to_answer(process, files.answers, size)
            if _has_ended(process, random.uniform(0, starting), files.log):
                return
            process.kill()
            process.wait()
        figures.kills += 1
        figures.writing += _size(files.answers) > size


def _has_ended(process: subprocess.Popen[bytes], seconds: float, log: Path) -> bool:
    """Return whether the process ends within the seconds; raises RunFailed where it does not end well."""
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    if status not in _WELL:
        raise RunFailed(f"A run ended with {status}.\n{end_of(log)}")
    return True


def _seconds_to_answer(process: subprocess.Popen[bytes], answers: Path, size: int) -> float:
    """Wait until the answers grow, or the process ends, and return how long that took."""
    began = time.monotonic()
    while _size(answers) <= size and process.poll() is None:
        time.sleep(_LOOK_SECONDS)
    return time.monotonic() - began


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _running(files: _Files, *, resume: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Run the job; at the end the process is gone, but not those that it has left: they end by themselves."""
    with files.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *files.arguments(resume=resume)],
            cwd=ROOT,
            env={name: value for name, value in {**os.environ, **files.job.extra}.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def count_lines(requests: Path, answers: Path, errors: Path, figures: Figures) -> None:
    """Add what the files hold to the figures."""
    inputs = [_input_of(line) for line in requests.read_bytes().splitlines()]
    times: Counter[int] = Counter()
    figures.answered += _count_written(answers, inputs, times, figures)
    figures.failed += _count_written(errors, inputs, times, figures)
    figures.files += 1
    figures.lines += len(inputs)
    figures.lost += sum(times[place] == 0 for place in range(1, len(inputs) + 1))
    figures.twice += sum(count > 1 for count in times.values())


def _count_written(path: Path, inputs: Sequence[object], times: Counter[int], figures: Figures) -> int:
    """Return how many records the file holds; `times` counts them for each line of the input."""
    records = 0
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            record = json.loads(line)
            place = record["line"]
            figures.broken += not line.endswith(b"\n") or record["input"] != inputs[place - 1]
        except (ValueError, LookupError, TypeError):
            figures.broken += 1
            continue
        times[place] += 1
        records += 1
    return records


def _input_of(line: bytes) -> object:
    return json.loads(line)["input"]
