"""Makes an environment for each of other people's clients, in .bench/, and has them ask the stand-in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_servers import ROOT, RunFailed

BENCH = ROOT / ".bench"
PINS = ROOT / "benchmarks" / "peers"

INSTALL_SECONDS = 600.0


@dataclass(frozen=True)
class Peer:
    """A client that ours is measured against."""

    client: str
    """What its module calls it."""
    module: str
    package: str
    """What is installed, and the name of its pins."""
    in_flight: int
    """How many requests under way it is fastest with, of 16, 64 and 256."""

    @property
    def version(self) -> str:
        return next(
            line.partition("==")[2].split(";")[0].strip()
            for line in _pins(self.package).read_text().splitlines()
            if line.startswith(f"{self.package}==")
        )


PEERS = (
    Peer("openai", "benchmarks.peers.openai_client", "openai", 16),
    Peer("openai-aiohttp", "benchmarks.peers.openai_client", "openai", 64),
    Peer("litellm", "benchmarks.peers.litellm_router", "litellm", 16),
)


def prepare(package: str) -> str:
    """Return the Python of the environment with this package, made now where there is none with these pins.

    Raises RunFailed where it cannot be made.
    """
    pins, home = _pins(package), BENCH / package
    python, installed = home / "bin" / "python", home / "installed.txt"
    if installed.is_file() and installed.read_bytes() == pins.read_bytes():
        return str(python)
    print(f"Installing {package} into {home} …", file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    # No patience with an index that is not there: the rest of the run does not need it.
    install = [str(python), "-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "20"]
    for command in ([sys.executable, "-m", "venv", str(home)], [*install, "-r", str(pins)]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise RunFailed(f"{package} was not installed within {INSTALL_SECONDS:.0f} seconds.") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [""])[-1]
            raise RunFailed(f"{package} could not be installed; can PyPI be reached? pip says: {last}")
    shutil.copyfile(pins, installed)
    return str(python)


def _pins(package: str) -> Path:
    return PINS / f"{package}.txt"
