"""The key that signs the chat's logins, and whom a page's token names."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import time
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jwt
import pytest
from fastapi import HTTPException

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What Chainlit imports is written for older versions of what that imports.
    from chainlit.config import config

    from chat.login import SECRET, ensure_secret, whom_it_names
    from chat.presence import on_connect
    from tests.login_fixture import chat_of

from errors import SettingsInvalid
from web.brake import Brake
from web.guests import Guests

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


def test_a_secret_that_could_not_be_written_is_made_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, "")
    (tmp_path / "auth-secret").touch()  # As where the disk was full, or another server has just begun to write it.
    ensure_secret(tmp_path)
    assert len(bytes.fromhex(os.environ[SECRET])) == 32
    assert (tmp_path / "auth-secret").read_text() == os.environ[SECRET]


def test_a_secret_that_the_environment_names_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, KEY)
    ensure_secret(tmp_path)
    assert os.environ[SECRET] == KEY
    assert not list(tmp_path.iterdir())


def test_a_secret_that_whoever_has_a_login_could_find_out_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, "swordfish")
    with pytest.raises(SettingsInvalid, match="CHAINLIT_AUTH_SECRET is too short") as refused:
        ensure_secret(tmp_path)
    assert "swordfish" not in str(refused.value)


def test_a_pages_token_names_a_person_and_may_hold_what_other_servers_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, KEY)
    claims = {"identifier": "ann", "exp": 4_000_000_000, "iss": "intranet", "sub": "7", "metadata": {"role": "admin"}}
    person = whom_it_names(jwt.encode(claims, KEY))
    assert (person.identifier, person.metadata) == ("ann", {})


@pytest.fixture
async def chat(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv(SECRET, KEY)
    monkeypatch.setattr(config.code, "password_auth_callback", None)
    async with chat_of(Guests("ann:plum", Brake())) as chat:
        yield chat


async def shows(chat: httpx.AsyncClient, token: str) -> tuple[int, int]:
    """Show a page's token; return when the login ends that comes for it, and for how long a browser keeps it."""
    response = await chat.post("/auth/jwt", headers={"authorization": f"Bearer {token}"})
    response.raise_for_status()
    kept = re.search(r"Max-Age=(\d+)", response.headers["set-cookie"])
    assert kept is not None
    login = jwt.decode(response.cookies["access_token"], KEY, algorithms=["HS256"])
    assert login["identifier"] == "ann"
    return login["exp"], int(kept[1])


async def test_a_login_by_a_pages_token_ends_when_the_token_does_if_not_before(chat: httpx.AsyncClient) -> None:
    soon, late = int(time.time()) + 300, int(time.time()) + 10**9
    ends, lasts = await shows(chat, jwt.encode({"identifier": "ann", "exp": soon}, KEY))
    assert ends == soon
    assert 0 < lasts <= 300
    days = config.project.user_session_timeout
    ends, lasts = await shows(chat, jwt.encode({"identifier": "ann", "exp": late}, KEY))
    assert lasts <= days
    assert ends < late - days


async def test_a_login_is_none_that_makes_itself_last_longer(chat: httpx.AsyncClient) -> None:
    soon = int(time.time()) + 300
    await shows(chat, jwt.encode({"identifier": "ann", "exp": soon}, KEY))
    ends, _ = await shows(chat, chat.cookies["access_token"])
    assert ends == soon


async def test_after_its_end_a_login_opens_nothing_also_where_it_is_still_sent(chat: httpx.AsyncClient) -> None:
    await shows(chat, jwt.encode({"identifier": "ann", "exp": int(time.time()) + 3}, KEY))
    login = {"cookie": f"access_token={chat.cookies['access_token']}"}
    assert (await chat.get("/user", headers=login)).json()["identifier"] == "ann"
    async with asyncio.timeout(10):
        while (await chat.get("/user", headers=login)).status_code != 401:  # noqa: ASYNC110  # Time passes by itself.
            await asyncio.sleep(0.1)


async def test_a_login_by_a_password_lasts_as_long_as_the_settings_say(chat: httpx.AsyncClient) -> None:
    response = await chat.post("/login", data={"username": "ann", "password": "plum"})
    days = config.project.user_session_timeout
    assert (
        f"Max-Age={days}" in response.headers["set-cookie"] or f"Max-Age={days - 1}" in response.headers["set-cookie"]
    )


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


def test_a_token_where_nobody_logs_in_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    with pytest.raises(HTTPException, match="Nobody logs in here") as refused:
        whom_it_names(jwt.encode({"identifier": "ann", "exp": 4e9}, KEY))
    assert refused.value.status_code == 401


@pytest.mark.parametrize(
    "brought",
    [
        None,
        {},
        [],
        "x",
        {"sessionId": [1]},
        {"sessionId": "new", "userEnv": "{"},
        {"sessionId": "/srv", "clientType": "webapp"},
        {"sessionId": "../..", "clientType": "webapp"},
        {"sessionId": "new", "clientType": "webapp", "threadId": ["x"]},
    ],
)
async def test_who_joins_without_saying_who_it_is_is_turned_away_in_a_line(
    brought: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert await on_connect("a connection", {}, brought) is False
    [record] = caplog.records
    assert record.message.startswith("a page was turned away") and record.exc_info is None
