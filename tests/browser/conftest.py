"""The real server in a process of its own, and a real Chromium that looks at it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, Route, async_playwright, expect

from benchmarks.model_command import open_analyst
from benchmarks.model_server import MODEL, ModelServer, Pace, serving
from bootstrap import open_asker
from settings import Settings
from tests.ports import kept_port

# A busy machine takes longer to draw a page; what is wrong stays wrong for as long as we wait.
expect.set_options(timeout=20_000)

ROOT = Path(__file__).resolve().parent.parent.parent
TODAY = date(2026, 11, 20)
CHROMIUM_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let CI run a browser test that failed once more: the summary names it.

    A page that a machine draws a moment later than ever before must not hold back six thousand other tests.
    """
    if os.environ.get("CI"):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.flaky(reruns=1))


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    pid: int
    log: Path
    """Where what it prints goes."""


@dataclass
class Window:
    """A page, and what went wrong in it."""

    page: Page
    troubles: list[str] = field(default_factory=list)

    def watch(self, *own: str) -> None:
        """Note every error on the page, and every request that goes to none of these origins."""
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("console", self._hear)
        self.page.on("request", lambda request: self._follow(request, own))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.troubles.append(f"console: {message.text}")

    def _follow(self, request: Request, own: tuple[str, ...]) -> None:
        if not request.url.startswith((*own, "data:", "blob:")):
            self.troubles.append(f"request to a stranger: {request.url}")


@contextmanager
def serve(home: Path, *command: str, **settings: str) -> Iterator[Served]:
    """Start a server with these settings, and end it afterwards; `command` replaces `python server.py`."""
    if "QUAESTOR_PORT" not in settings:
        with kept_port() as free, serve(home, *command, QUAESTOR_PORT=str(free), **settings) as served:
            yield served
        return
    port = settings["QUAESTOR_PORT"]
    settings |= {"CHAINLIT_PORT": port, "QUAESTOR_HOME": str(home), "QUAESTOR_TODAY": TODAY.isoformat()}
    strange = ("QUAESTOR_", "OPENAI_", "CHAINLIT_", "QDRANT_", "DATABASE_URL")
    log = home.parent / f"server-{port}.log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, *(command or ("server.py",))],
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith(strange)} | settings,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    served = Served(f"http://127.0.0.1:{port}", process.pid, log)
    try:
        _wait_for(served, process)
        yield served
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(served: Served, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if not httpx.get(f"{served.url}/healthz").is_server_error:  # Below a root path it is not there.
                return
        time.sleep(0.1)
    pytest.fail(f"the server did not start: {served.log.read_text()}")


async def falls_idle(served: Served) -> None:
    """Wait until the server's process does nothing: a statement that goes on would want a core all the time.

    The limit is below the database's own of 30 seconds, and above the time that a page may be away.
    """
    async with asyncio.timeout(22):
        while await _is_busy(served.pid):
            pass


async def _is_busy(pid: int) -> bool:
    """Return whether a thread of the process runs, or waits for a core, at any of ten looks within half a second."""
    for _ in range(10):
        await asyncio.sleep(0.05)
        if "R" in _states(pid):
            return True
    return False


def _states(pid: int) -> set[str]:
    """Return the states of the process's threads, as ps shows them."""
    states = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # It has ended meanwhile.
            states.add((thread / "stat").read_text().rpartition(")")[2].split()[0])
    return states


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def built_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the sample database and its index, to be copied: one process at a time may open an index."""
    home = tmp_path_factory.mktemp("built") / "home"
    async with open_asker(Settings(home=home, today=TODAY)):
        pass
    return home


def copied_home(built_home: Path, folder: Path) -> Path:
    return Path(shutil.copytree(built_home, folder / "home"))


@pytest.fixture(scope="session")
def offline(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server as it starts without any model."""
    with serve(copied_home(built_home, tmp_path_factory.mktemp("offline"))) as served:
        yield served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def modelled(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The server with the stand-in model, which takes its time as a real one does."""
    home = copied_home(built_home, tmp_path_factory.mktemp("modelled"))
    sample = Settings.model_validate({"database_url": f"sqlite:///{home / 'sample.sqlite'}"})
    model = ModelServer(open_analyst(sample), Pace(0.1, 100))
    async with serving(model) as base_url:
        with serve(home, OPENAI_BASE_URL=base_url, OPENAI_API_KEY="sk-none-of-this", QUAESTOR_MODEL=MODEL) as served:
            yield served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        try:
            running = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        except Error:
            pytest.fail("No browser to test with: apt-get install chromium, or playwright install chromium")
        yield running
        await running.close()


async def _nothing(route: Route) -> None:
    await route.fulfill(body="", content_type="text/css")


@asynccontextmanager
async def opened(browser: Browser, url: str, *own: str, width: int = 1280, height: int = 800) -> AsyncIterator[Page]:
    """Open a page; at the end, nothing may have gone wrong in it, and no stranger may have been asked for anything."""
    context = await browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(30_000)
    window = Window(await context.new_page())
    window.watch(url, *own)
    await context.route(re.compile(r"^https://(fonts|cdn)\."), _nothing)
    try:
        await window.page.goto(url)
        yield window.page
    except (AssertionError, Error) as failure:
        failure.add_note(f"The page said:\n{await window.page.locator('body').inner_text()}\n{window.troubles}")
        raise
    finally:
        await context.close()
    assert not window.troubles, "\n".join(window.troubles)
