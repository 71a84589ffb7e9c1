"""Starts servers and load generators on cores of their own, and leaves none of them behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"

Surroundings = Mapping[str, str | None]
"""What is set in the environment beside what the caller has, or taken out of it where None."""

SERVER_CORE, LOAD_CORE = 0, 1

START_SECONDS = 120.0
"""A new home builds its database, its index and its embedding model first."""
STOP_SECONDS = 10.0


class RunFailed(Exception):
    """A part of the benchmark did not come to its end."""


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    pid: int
    url: str


@contextmanager
def serving(
    arguments: Sequence[str],
    *,
    port: int,
    core: int,
    log: Path,
    path: str = "/",
    extra: Surroundings | None = None,
) -> Iterator[Server]:
    """Run `python ARGUMENTS` on one core until the block is left; yields when it answers requests on its port.

    Raises RunFailed, with the end of its log, where it does not start.
    """
    with log.open("ab") as written, running(arguments, core, written.fileno(), extra) as process:
        url = f"http://{LOOPBACK}:{port}"
        _wait_until_it_answers(url + path, process, log)
        yield Server(process.pid, url)


def run(
    arguments: Sequence[str],
    *,
    core: int,
    log: Path,
    seconds: float,
    extra: Surroundings | None = None,
    well: Collection[int] = (0,),
) -> None:
    """Run `python ARGUMENTS` on one core to its end.

    Raises RunFailed where it ends with an exit code not in `well`, or takes longer than `seconds`.
    """
    with log.open("ab") as written, running(arguments, core, written.fileno(), extra) as process:
        try:
            status = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise RunFailed(f"It was stopped after {seconds:.0f} seconds.\n{end_of(log)}") from None
    if status not in well:
        raise RunFailed(f"It ended with {status}.\n{end_of(log)}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


def pinned(core: int) -> list[str]:
    """Return what goes before a command to keep it and its children on one core; nothing where there is only one."""
    can_pin = shutil.which("taskset") is not None and (os.cpu_count() or 1) > max(SERVER_CORE, LOAD_CORE)
    return ["taskset", "--cpu-list", str(core)] if can_pin else []


@contextmanager
def running(
    arguments: Sequence[str], core: int, output: int, extra: Surroundings | None, python: str = sys.executable
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python ARGUMENTS` on one core, its output going to that descriptor, until the block is left."""
    process = subprocess.Popen(
        [*pinned(core), python, *arguments],
        cwd=ROOT,
        env={name: value for name, value in {**os.environ, **(extra or {})}.items() if value is not None},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # So that all of it can be stopped at once.
    )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, then whatever it has left in its session."""
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RunFailed(f"The server ended while it started.\n{end_of(log)}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return  # It answers, whatever it says.
        except OSError:
            time.sleep(0.1)
    raise RunFailed(f"The server did not answer within {START_SECONDS:.0f} seconds.\n{end_of(log)}")


def end_of(log: Path) -> str:
    """Return a log's last words."""
    return log.read_text(errors="replace")[-1500:]


def surroundings(home: Path) -> dict[str, str | None]:
    """Return what sets the home and takes out every other setting: the caller's would change the figures."""
    ours = ("QUAESTOR_", "OPENAI_", "CHAINLIT_", "QDRANT_", "DATABASE_URL")
    rest = {name: None for name in os.environ if name.startswith(ours)}
    return {**rest, "QUAESTOR_HOME": str(home), "no_proxy": LOOPBACK}
