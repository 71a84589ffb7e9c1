"""Runs the requester, the bare loop or another's client on one core, with the stand-in on the other, which counts."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.bench_servers import (
    LOAD_CORE,
    LOOPBACK,
    SERVER_CORE,
    RunFailed,
    Server,
    end_of,
    free_port,
    running,
    serving,
    surroundings,
)
from benchmarks.fast_model import MODEL, PATH
from benchmarks.measures import exact_cpu_seconds, peak_mib
from benchmarks.requester_figures import Counted, counted, rate_off, read_saved, weights_off

IN_FLIGHT = 256
WEIGHTS = (5, 3, 2)
UNREACHED = 100_000
"""Requests a second that ours may make where its own pace is measured: every limit is kept, and none slows it down.

A limit remembers a second of requests, so a needless one would be seen in the memory."""
TOKENS_EACH = 1_000
LATENCY = 0.02
"""Seconds of an answer where a limit is measured."""

SETTLING = 3
"""Seconds at the beginning that are not counted where a pace is measured: what a client does once is not its pace."""
STOPPED = 130
PATIENCE = 60.0
"""Seconds that a process may take to start, or to end when it is told to."""
_LOOKS = 0.02


@dataclass(frozen=True)
class StandIn:
    """The lean stand-in: an endpoint for each weight."""

    server: Server
    ports: tuple[int, ...]

    @property
    def base_urls(self) -> list[str]:
        return [f"http://{LOOPBACK}:{port}/v1" for port in self.ports]

    def counted(self) -> Counted:
        with urllib.request.urlopen(f"{self.server.url}/counts", timeout=PATIENCE) as response:
            return counted(json.load(response))


def write_requests(file: Path, lines: int) -> Path:
    """Write so many requests, each with its number."""
    with file.open("w") as written:
        written.writelines(f'{{"input":"Say what is said of #{n:09d}."}}\n' for n in range(1, lines + 1))
    return file


class Bench:
    """Carries out single runs, each with a stand-in and a process of its own. Every one may raise RunFailed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "log"
        self._answers, self._errors = folder / "answers.jsonl", folder / "errors.jsonl"

    def bare(self, client: str, seconds: int) -> dict[str, Any]:
        """Run a bare loop, with as many requests under way as ours has."""
        with self._stand_in() as stand_in:
            urls = [f"{url}{PATH.decode().removeprefix('/v1')}" for url in stand_in.base_urls]
            return self._looped(stand_in, ["-m", "benchmarks.requester_bare", client], urls, IN_FLIGHT, seconds)

    def peer(self, python: str, module: str, client: str, in_flight: int, seconds: int) -> dict[str, Any]:
        """Run another's client, with the Python of its own environment."""
        with self._stand_in() as stand_in:
            return self._looped(stand_in, ["-m", module, client], stand_in.base_urls, in_flight, seconds, python)

    def _looped(
        self,
        stand_in: StandIn,
        command: Sequence[str],
        urls: Sequence[str],
        in_flight: int,
        seconds: int,
        *python: str,
    ) -> dict[str, Any]:
        # A second more than is waited for.
        length = ["--in-flight", str(in_flight), "--seconds", str(seconds + SETTLING + 1)]
        with self._process([*command, "--urls", ",".join(urls), *length], *python) as process:
            spent = self._spending(stand_in, process, seconds)
            self._ended(process, PATIENCE)
        return {**self._pace(stand_in.counted(), seconds), **spent}

    def kept(self, requests: Path, lines: int, seconds: int, *, proxied: bool = False) -> dict[str, Any]:
        """Run ours for so long at whatever pace it has, with every limit on, and look at what it has saved."""
        with self._stand_in() as stand_in, self._requester(stand_in, requests, UNREACHED, proxied=proxied) as process:
            spent = self._spending(stand_in, process, seconds)
            peak = peak_mib(process.pid)
            process.send_signal(signal.SIGINT)
            self._ended(process, PATIENCE, well=STOPPED)
            came_in = stand_in.counted()
        return {
            "seconds": seconds,
            **self._pace(came_in, seconds),
            **spent,
            "peak_mib": round(peak, 1),
            **_weighed(came_in),
            **self._saved(came_in, lines),
        }

    def limited(self, limit: int, seconds: int) -> dict[str, Any]:
        """Run ours with a limit that it can reach."""
        requests = write_requests(self._folder / "requests-limited.jsonl", round(limit * (seconds + 1)))
        with self._stand_in(LATENCY) as stand_in:
            with self._requester(stand_in, requests, limit) as process:
                self._ended(process, seconds + 2 * PATIENCE)
            came_in = stand_in.counted()
        by_second = self._seconds(came_in, 0, seconds)
        return {
            "limit": limit,
            "seconds": seconds,
            "per_s": round(mean(by_second), 1),
            "by_second": by_second,
            "fullest": came_in.fullest,
            "off_percent": round(rate_off(by_second, limit), 2),
            **_weighed(came_in),
        }

    def memory(self, lines: int) -> dict[str, Any]:
        """Run ours through a file of so many lines, and see how much memory it takes at most."""
        requests, peak = write_requests(self._folder / "requests-memory.jsonl", lines), 0.0
        with self._stand_in() as stand_in:
            with self._requester(stand_in, requests, UNREACHED) as process:
                deadline = time.monotonic() + 2 * PATIENCE + lines / 2_000
                while process.poll() is None and time.monotonic() < deadline:
                    peak = max(peak, peak_mib(process.pid))
                    time.sleep(_LOOKS)
                self._ended(process, 0)
            came_in = stand_in.counted()
        requests.unlink()
        return {"lines": lines, "peak_mib": round(peak, 1), **self._saved(came_in, lines)}

    @contextmanager
    def _stand_in(self, latency: float = 0.0) -> Iterator[StandIn]:
        ports = tuple(free_port() for _ in WEIGHTS)
        told = ["--ports", ",".join(map(str, ports)), "--latency-ms", str(1e3 * latency)]
        command = ["-m", "benchmarks.fast_model", *told]
        with serving(command, port=ports[0], core=LOAD_CORE, log=self._log, path="/counts") as server:
            yield StandIn(server, ports)

    @contextmanager
    def _requester(
        self, stand_in: StandIn, requests: Path, per_second: float, *, proxied: bool = False
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run ours over a file of requests, with weights and limits, and with what an earlier run has saved gone."""
        config = self._folder / "quaestor.toml"
        config.write_text("\n".join(map(_endpoint, stand_in.base_urls, WEIGHTS)))
        for file in (self._answers, self._errors):
            file.unlink(missing_ok=True)
        command = ["-m", "jobs", "request", str(requests), "--concurrency", str(IN_FLIGHT)]
        command += ["--save_filepath", str(self._answers), "--errors_filepath", str(self._errors)]
        command += ["--max_requests_per_second", str(per_second)]
        proxy = {"http_proxy": stand_in.server.url, "no_proxy": None} if proxied else {}
        extra = {**surroundings(self._folder), "QUAESTOR_CONFIG": str(config), **proxy}
        with self._log.open("ab") as log, running(command, SERVER_CORE, log.fileno(), extra) as process:
            yield process

    @contextmanager
    def _process(self, command: Sequence[str], *python: str) -> Iterator[subprocess.Popen[bytes]]:
        with self._log.open("ab") as log, running(command, SERVER_CORE, log.fileno(), None, *python) as process:
            yield process

    def _spending(self, stand_in: StandIn, process: subprocess.Popen[bytes], seconds: int) -> dict[str, float]:
        """Wait until so many seconds after the first are over; return what a request cost meanwhile, and whom."""
        self._wait_for_the_first(stand_in, process)
        self._wait(process, SETTLING)
        began, before = time.monotonic(), stand_in.counted()
        pids = {"cpu": process.pid, "model_cpu": stand_in.server.pid}
        was = {name: exact_cpu_seconds(pid) for name, pid in pids.items()}
        self._wait(process, seconds + 0.1)
        spent = {name: exact_cpu_seconds(pid) - was[name] for name, pid in pids.items()}
        elapsed, requests = time.monotonic() - began, stand_in.counted().requests - before.requests
        each = {f"{name}_us": round(1e6 * cpu / max(1, requests), 2) for name, cpu in spent.items()}
        return {**each, **{f"{name}_share": round(cpu / elapsed, 3) for name, cpu in spent.items()}}

    def _pace(self, came_in: Counted, seconds: int) -> dict[str, Any]:
        by_second = self._seconds(came_in, SETTLING, seconds)
        return {"per_s": round(mean(by_second), 1), "by_second": by_second}

    def _wait_for_the_first(self, stand_in: StandIn, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not stand_in.counted().ticks:
            if time.monotonic() > deadline:
                raise RunFailed(f"No request came within {PATIENCE:.0f} seconds.\n{end_of(self._log)}")
            self._wait(process, 0.1)

    def _wait(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        """Wait; raises RunFailed where the process ends meanwhile."""
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise RunFailed(f"It ended with {status} before its time was over.\n{end_of(self._log)}")

    def _ended(self, process: subprocess.Popen[bytes], seconds: float, well: int = 0) -> None:
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise RunFailed(f"It was stopped after {seconds:.0f} seconds.\n{end_of(self._log)}") from None
        if status != well:
            raise RunFailed(f"It ended with {status}.\n{end_of(self._log)}")

    def _seconds(self, came_in: Counted, begin: int, seconds: int) -> list[int]:
        by_second = came_in.by_second(begin, seconds)
        if len(by_second) < seconds:
            raise RunFailed(f"It asked for {len(by_second)} seconds only, not {seconds}.\n{end_of(self._log)}")
        return by_second

    def _saved(self, came_in: Counted, lines: int) -> dict[str, int]:
        """Return how many answers were saved, and what is wrong with them, held against what the stand-in answered."""
        with self._answers.open("rb") as answers:
            saved = read_saved(answers, lines)
        with self._errors.open("rb") as errors:
            failed = sum(1 for _ in errors)
        lost = came_in.statuses.get("200", 0) - saved.lines
        return {"saved": saved.lines, "lost": lost, "twice": saved.twice, "wrong": saved.wrong, "failed": failed}


def _weighed(came_in: Counted) -> dict[str, Any]:
    everything = sum(came_in.ports)
    shares = [round(100 * count / everything, 2) for count in came_in.ports]
    return {"shares_percent": shares, "weights_off_percent": round(weights_off(came_in.ports, WEIGHTS), 2)}


def _endpoint(base_url: str, weight: int) -> str:
    per_minute = 60 * UNREACHED * weight / sum(WEIGHTS)
    return f"""[[endpoints]]
base_url = "{base_url}"
model = "{MODEL}"
name = "{base_url.rpartition(":")[2]}"
weight = {weight}
requests_per_minute = {per_minute}
tokens_per_minute = {TOKENS_EACH * per_minute}
in_flight = {IN_FLIGHT}
"""
