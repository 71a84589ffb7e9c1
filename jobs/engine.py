"""Runs a job over a file: in this process, in several of this machine, or on a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from errors import AskError, FileUnusable, JobStopped
from jobs.lines import Counts
from jobs.lines_files import Share, claim_files

SECONDS_TO_END = 10.0
"""How long processes that are no longer wanted may take, all together, to write what they have."""


@dataclass(frozen=True)
class Files:
    """The files of a run, as `open_lines` takes them."""

    requests: Path
    save: Path
    errors: Path
    resume: bool
    share: Share = (0, 1)


def files_of(requests: Path, save: Path | None, errors: Path | None, *, resume: bool) -> Files:
    """Return a job's files; where none is named, the answers lie beside the requests, and the errors beside those.

    Raises FileUnusable for the name of a folder.
    """
    for path in (requests, save):
        if path is not None and not path.name:
            raise FileUnusable(f"{path} is a folder: name a file in it.")
    save = save or requests.with_suffix(".answers.jsonl")
    return Files(requests, save, errors or save.with_name("errors.jsonl"), resume)


Tell = Callable[[Counts], None]
"""Is told how far the job is, as often as a person wants to know: once a second."""

Run = Callable[[Files, int, Tell], None]
"""Runs one share of a job to its end, and tells how far it is, also at the very end.

The number says how many shares run at the same time: a limit that is the whole job's is divided by it. It is a function
of a module, or a `functools.partial` of one with options that can be pickled: other processes call it too.
"""


class Engine(StrEnum):
    """Where a job runs."""

    LOCAL = "local"
    RAY = "ray"


def run_job(run: Run, files: Files, engine: Engine, workers: int | None, tell: Tell) -> None:
    """Run the job to its end in so many processes; None is one here, and as many as there are CPUs on a Ray cluster.

    Raises what `run` raises, FileUnusable, or JobStopped.
    """
    if engine is Engine.RAY:
        from jobs.engine_ray import run_on_ray

        run_on_ray(run, files, workers, tell)
    elif workers and workers > 1:
        _run_in_processes(run, files, workers, tell)
    else:
        run(files, 1, tell)


def _run_in_processes(run: Run, files: Files, workers: int, tell: Tell) -> None:
    pipes: dict[Connection, BaseProcess] = {}
    with claim_files(files.requests, files.save, files.errors, resume=files.resume):
        try:
            for k in range(workers):
                receive, process = _start(run, replace(files, share=(k, workers)), workers)
                pipes[receive] = process
            _listen(pipes, tell)
        except KeyboardInterrupt:
            # Ctrl-C has reached them too; they write what they have.
            _join(pipes.values())
            raise
        finally:
            _end(pipes.values())


def _listen(pipes: dict[Connection, BaseProcess], tell: Tell) -> None:
    """Tell what the processes tell until all have ended; raises what the first of them raised, or JobStopped."""
    told = {pipe: Counts() for pipe in pipes}
    talking = list(pipes)
    while talking:
        for pipe in (pipe for pipe in wait(talking) if isinstance(pipe, Connection)):
            try:
                message = pipe.recv()
            except EOFError:
                talking.remove(pipe)
                _check_ended_well(pipes[pipe])
                continue
            if isinstance(message, AskError):
                raise message
            told[pipe] = message
            tell(together(list(told.values())))


def together(told: list[Counts]) -> Counts:
    """Return what several processes have told as one; each of them reads the whole file, for its own lines."""
    sums = {f.name: sum(getattr(counts, f.name) for counts in told) for f in fields(Counts)}
    sums["bytes_total"] = max(counts.bytes_total for counts in told)
    sums["bytes_read"] //= len(told)
    return Counts(**sums)


def _start(run: Run, files: Files, workers: int) -> tuple[Connection, BaseProcess]:
    # Not forked: threads and an event loop's descriptors do not survive that.
    spawning = multiprocessing.get_context("spawn")
    receive, send = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_work, args=(run, files, workers, send), name=f"share {files.share[0]}")
    process.start()
    send.close()
    return receive, process


def _end(processes: Collection[BaseProcess]) -> None:
    """End them; all are told so before any is waited for, because a job that has ended asks for nothing more."""
    for process in processes:
        process.terminate()
    _join(processes)
    for process in processes:
        process.kill()
        process.join()


def _join(processes: Collection[BaseProcess]) -> None:
    """Return when all have ended, or when their time to do so is over."""
    until = time.monotonic() + SECONDS_TO_END
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))


def _check_ended_well(process: BaseProcess) -> None:
    process.join()
    if process.exitcode:
        raise JobStopped("A process of the job was ended from outside. Go on with --resume: what it had written stays.")


def _work(run: Run, files: Files, workers: int, send: Connection) -> None:
    _end_with_the_parent()
    try:
        run(files, workers, send.send)
    except AskError as error:
        send.send(error)
    except KeyboardInterrupt:
        sys.exit(130)


def _end_with_the_parent() -> None:
    """End this process as soon as the one that started it is gone, however it went: nobody else would end it."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent").start()
