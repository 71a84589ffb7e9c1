"""The key that signs the chat's cookies."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from chat.login import SECRET, ensure_secret


def test_the_cookie_secret_is_made_once_and_only_its_owner_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def secret() -> str:
        monkeypatch.setenv(SECRET, "")
        ensure_secret(tmp_path / "home")
        return os.environ[SECRET]

    first = secret()
    assert len(bytes.fromhex(first)) == 32
    assert secret() == first
    assert stat.S_IMODE((tmp_path / "home" / "auth-secret").stat().st_mode) == 0o600


def test_a_secret_that_the_environment_names_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "from elsewhere")
    ensure_secret(tmp_path)
    assert os.environ[SECRET] == "from elsewhere"
    assert not list(tmp_path.iterdir())
