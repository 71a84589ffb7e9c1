"""How the server is served, and when it refuses to start."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import server
from errors import SettingsInvalid
from server import configure
from settings import Settings
from tests.browser.conftest import serve
from tests.ports import kept_port
from tools.files import Database
from web.app import check_exposure

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.53"])
def test_this_machine_alone_needs_no_login(host: str) -> None:
    check_exposure(Settings(users=None), host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "chat.example"])
def test_an_open_address_needs_a_login_or_an_explicit_word(host: str) -> None:
    with pytest.raises(SettingsInvalid, match="QUAESTOR_USERS"):
        check_exposure(Settings(), host)
    check_exposure(Settings(allow_anonymous=True), host)
    check_exposure(Settings.model_validate({"users": "ann:plum"}), host)


def _start(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("QUAESTOR_", "OPENAI_"))}
    return subprocess.run(
        [sys.executable, "server.py"],
        cwd=ROOT,
        env=environment | {f"QUAESTOR_{name.upper()}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_start_that_cannot_work_ends_with_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = _start(port=str(taken.getsockname()[1]))
    for ended, words in (
        (busy, "choose another with QUAESTOR_HOST and QUAESTOR_PORT"),
        (_start(host="0.0.0.0"), "does not serve 0.0.0.0 without a login"),
        (_start(port="many"), "The setting QUAESTOR_PORT cannot be used"),
    ):
        assert ended.returncode == 1
        assert words in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1
        assert not ended.stdout


def test_it_is_served_on_the_cheapest_loop_and_protocols() -> None:
    config = configure(FastAPI())
    config.load()
    loop = config.get_loop_factory()
    assert loop is not None and loop.__module__.startswith("uvloop")
    assert issubclass(config.http_protocol_class, HttpToolsProtocol)
    assert config.ws_protocol_class.__name__ == "WebSocketsSansIOProtocol"  # type: ignore[union-attr]
    assert not config.ws_per_message_deflate


async def _page(request: Request) -> PlainTextResponse:
    await request.body()
    return PlainTextResponse("in")


@contextmanager
def _served(page: Callable[[Request], Awaitable[Response]] = _page) -> Iterator[int]:
    """Serve one page as the chat is served, and yield its port."""
    config = configure(FastAPI(routes=[Route("/", page, methods=["POST"])]))
    served = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=served.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            served.should_exit = True
            thread.join()


def _answers(port: int, *pieces: bytes) -> bytes:
    """Send the pieces as long as they are taken, and return all that comes until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
        with suppress(ConnectionError):
            for piece in pieces:
                caller.sendall(piece)
        came = b""
        with suppress(ConnectionError):
            while piece := caller.recv(65_536):
                came += piece
        return came


HEAD = b"POST / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"


@pytest.mark.parametrize("endless", [b"a" * 65_536, b"X: a\r\n" * 10_000], ids=["one header", "many headers"])
def test_a_head_without_an_end_is_turned_away(endless: bytes) -> None:
    with _served() as port:
        assert b" 200 " not in _answers(port, HEAD, b"Y: ", *[endless] * 200, b"\r\n\r\n")
        # That long a body is no head, and a head in two pieces is one.
        body = b"x" * 65_536
        whole = (HEAD[:30], HEAD[30:], b"Content-Length: %d\r\n\r\n" % (20 * len(body)), *[body] * 20)
        assert _answers(port, *whole).endswith(b"in")


def test_a_connection_that_never_gets_to_a_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.1)
    with _served() as port:
        assert _answers(port) == b""
        assert _answers(port, HEAD) == b""
        assert b" 200 " not in _answers(port, HEAD, b"Content-Length: 9\r\n\r\n", b"half")


def test_who_takes_nothing_of_an_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALLED_SECONDS", 0.1)
    gone = threading.Event()

    async def endless(request: Request) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 65_536
                    await asyncio.sleep(0)
            finally:
                gone.set()

        return StreamingResponse(pieces())

    with _served(endless) as port, socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
        caller.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n")
        assert gone.wait(30)


@pytest.mark.parametrize("more", [1, 100_000])
def test_who_sends_more_requests_before_an_answer_is_noticed_to_leave(more: int) -> None:
    asked, gone = threading.Event(), threading.Event()

    async def slow(request: Request) -> PlainTextResponse:
        await request.body()
        asked.set()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()
        return PlainTextResponse("in")

    whole = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n"
    with _served(slow) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
            caller.sendall(whole)
            assert asked.wait(30)
            with suppress(ConnectionError):
                caller.sendall(whole * more)
                if more > server.MOST_WAITING:  # It is not kept.
                    assert caller.recv(1_000).startswith(b"HTTP/1.1 400 ")
        assert gone.wait(30)


def _files_allowed(soft: int, hard: int) -> subprocess.CompletedProcess[str]:
    """Return what a process says that starts under these limits."""
    code = (
        "import logging, resource; from server import allow_files; logging.basicConfig(); "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "
        "allow_files(); print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)


def test_as_many_files_may_be_open_as_the_machine_allows() -> None:
    many = _files_allowed(256, 5_000)
    assert (many.stdout.split(), many.stderr) == (["5000", "5000"], "")
    few = _files_allowed(256, 1_000)
    assert few.stdout.split() == ["1000", "1000"]
    assert "Only 1000 files may be open: past 450 people at once some are turned away." in few.stderr


def test_a_signal_ends_a_start_that_still_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("a,b\n1,2\n")
    database = Database.of(str(tmp_path / "sales.csv"), tmp_path / "home")
    database.folder.mkdir(parents=True)
    settings = {
        "QUAESTOR_DATABASE_URL": str(tmp_path / "sales.csv"),
        "QUAESTOR_HOME": str(tmp_path / "home"),
    }
    with kept_port() as port, (database.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # So the import waits for ever.
        command = [sys.executable, str(ROOT / "server.py")]
        environment = os.environ | settings | {"QUAESTOR_PORT": str(port)}
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            assert b"Reading sales.csv" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            try:
                _, said = process.communicate(timeout=30)
            finally:
                process.kill()
    assert b"Traceback" not in said


def test_a_signal_ends_the_questions_that_wait_for_a_file_without_a_word_of_a_fault(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("a,b\n1,2\n")
    database = Database.of(str(tmp_path / "sales.csv"), tmp_path / "home")
    database.folder.mkdir(parents=True)
    with (database.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # So the import waits for ever.
        with serve(tmp_path / "home", QUAESTOR_DATABASE_URL=str(tmp_path / "sales.csv")) as served:
            address = httpx.URL(served.url)
            with socket.create_connection((address.host, address.port or 80), timeout=60) as asking:
                asking.sendall(b"POST /api/ask HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n")
                asking.sendall(b'Content-Length: 16\r\n\r\n{"question":"a"}')
                assert httpx.get(f"{served.url}/healthz").is_success  # So it is known that it asks.
                os.kill(served.pid, signal.SIGINT)
                while asking.recv(65_536):
                    pass
        assert "Traceback" not in served.log.read_text()


def test_while_a_file_is_read_the_server_says_so_and_answers_when_it_is_done(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("city,sales\nRome,1\nOslo,2\n")
    database = Database.of(str(tmp_path / "sales.csv"), tmp_path / "home")
    database.folder.mkdir(parents=True)
    settings = {"QUAESTOR_DATABASE_URL": str(tmp_path / "sales.csv")}
    with ExitStack() as reading:
        lock = reading.enter_context((database.folder / "lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)  # So the import waits for as long as we want.
        with serve(tmp_path / "home", **settings) as served, httpx.Client(base_url=served.url, timeout=60) as client:
            assert client.get("/healthz").json() == {"status": "ok"}
            early = client.get("/readyz")
            assert early.status_code == 503
            assert early.json()["parts"]["database"]["reason"].startswith("Reading sales.csv; ")
            page = client.get("/project/settings").json()
            (profile,) = page["chatProfiles"]
            assert "Reading sales.csv; " in profile["markdown_description"] and page["starters"] == []
            assert "cannot answer yet. Reading sales.csv; " in served.log.read_text()
            reading.close()
            asked = client.post("/api/ask", json={"question": "how many sales"})
            assert asked.json()["status"] == "answered"
            assert "Quaestor serves sales.csv (1 table, 2 rows)" in served.log.read_text()
            (profile,) = client.get("/project/settings").json()["chatProfiles"]
            assert "The database is **sales.csv**" in profile["markdown_description"]
