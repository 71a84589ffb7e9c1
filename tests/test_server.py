"""What the server lets in, and when it refuses to start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from errors import SettingsInvalid
from server import check_exposure
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
