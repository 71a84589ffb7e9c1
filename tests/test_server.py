"""How the server is served, and when it refuses to start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from errors import SettingsInvalid
from server import check_exposure, configure
from settings import Settings

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.53"])
def test_this_machine_alone_needs_no_login(host: str) -> None:
    check_exposure(Settings(host=host, users=None))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "chat.example"])
def test_an_open_address_needs_a_login_or_an_explicit_word(host: str) -> None:
    with pytest.raises(SettingsInvalid, match="QUAESTOR_USERS"):
        check_exposure(Settings(host=host))
    check_exposure(Settings(host=host, allow_anonymous=True))
    check_exposure(Settings.model_validate({"host": host, "users": "ann:plum"}))


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
