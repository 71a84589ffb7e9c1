"""The key that signs the chat's logins, and whom a page's token names."""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path

import jwt
import pytest
from fastapi import HTTPException

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What Chainlit imports is written for older versions of what that imports.
    from chat.login import SECRET, ensure_secret, whom_it_names
    from chat.presence import on_connect

KEY = "of thirty-two bytes, as one should be"


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


def test_a_pages_token_names_a_person_and_may_hold_what_other_servers_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, KEY)
    claims = {"identifier": "ann", "exp": 4_000_000_000, "iss": "intranet", "sub": "7", "metadata": {"role": "admin"}}
    person = whom_it_names(jwt.encode(claims, KEY))
    assert (person.identifier, person.metadata) == ("ann", {})


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        (jwt.encode({"identifier": "ann", "exp": 1}, KEY), "has expired"),
        (jwt.encode({"identifier": "ann"}, KEY), "has no exp"),
        (jwt.encode({"identifier": "ann", "exp": 4e9, "aud": "payroll"}, KEY), "is for somebody else"),
        (jwt.encode({"exp": 4e9}, KEY), "has no identifier"),
        (jwt.encode({"identifier": "", "exp": 4e9}, KEY), "has no identifier"),
        (jwt.encode({"identifier": ["ann"], "exp": 4e9}, KEY), "has no identifier"),
        (jwt.encode({"identifier": "ann", "exp": 4e9}, KEY[::-1]), "is not signed"),
        (jwt.encode({"identifier": "ann", "exp": 4e9}, "", "none"), "is not signed"),
        ("no token at all", "is not signed"),
    ],
)
def test_a_token_that_names_nobody_is_refused_in_one_sentence(
    token: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, KEY)
    with pytest.raises(HTTPException) as refused:
        whom_it_names(token)
    assert refused.value.status_code == 401
    assert sentence in refused.value.detail


@pytest.mark.parametrize("brought", [None, {}, [], "x", {"sessionId": [1]}, {"sessionId": "new", "userEnv": "{"}])
async def test_who_joins_without_saying_who_it_is_is_turned_away_in_a_line(
    brought: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert await on_connect("a connection", {}, brought) is False
    [record] = caplog.records
    assert record.message.startswith("a page was turned away") and record.exc_info is None
