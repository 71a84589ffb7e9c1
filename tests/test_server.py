"""What the server lets in, and when it refuses to start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from errors import SettingsInvalid
from server import OriginCheck, SecurityHeaders, check_exposure
from settings import Settings

ROOT = Path(__file__).resolve().parent.parent
INTRANET = "https://intranet.example"


async def _page(_: object) -> PlainTextResponse:
    return PlainTextResponse("in")


async def _chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("in")
    await websocket.close()


def _app() -> Starlette:
    return Starlette(
        routes=[Route("/", _page), Route("/ws/socket.io/", _page), WebSocketRoute("/ws/socket.io/", _chat)]
    )


def _checked(loopback_only: bool = False) -> ASGIApp:
    return OriginCheck(_app(), allow_origins=(INTRANET + "/",), loopback_only=loopback_only)


def _opens(app: ASGIApp, origin: str | None, host: str = "chat.example") -> bool:
    headers = {"host": host} | ({"origin": origin} if origin else {})
    with TestClient(app, base_url=f"http://{host}") as client:
        try:
            with client.websocket_connect("/ws/socket.io/", headers=headers) as websocket:
                return websocket.receive_text() == "in"
        except WebSocketDisconnect:
            return False


@pytest.mark.parametrize(
    ("origin", "may_enter"),
    [
        ("http://chat.example", True),
        ("https://CHAT.example", True),
        (INTRANET, True),
        (None, True),
        ("https://evil.example", False),
        ("https://chat.example.evil.example", False),
        ("https://evil.example/chat.example", False),
        ("http://chat.example:8001", False),
        ("http://intranet.example", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_the_socket_opens_only_for_our_own_and_the_allowed_origins(origin: str | None, may_enter: bool) -> None:
    assert _opens(_checked(), origin) is may_enter


def test_a_name_that_was_made_to_point_at_this_machine_does_not_open_the_socket() -> None:
    assert _opens(_checked(loopback_only=True), "http://localhost:8000", "localhost:8000")
    assert not _opens(_checked(loopback_only=True), "http://evil.example:8000", "evil.example:8000")


async def test_polling_is_refused_like_the_socket_and_pages_are_not() -> None:
    headers = {"origin": "https://evil.example"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(_checked()), base_url="http://chat.example") as client:
        assert (await client.get("/ws/socket.io/", headers=headers)).status_code == 403
        assert (await client.get("/", headers=headers)).status_code == 200


async def test_every_response_says_what_it_may_load_and_who_may_frame_it() -> None:
    app = SecurityHeaders(_app(), allow_origins=(INTRANET,))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat.example") as client:
        headers = (await client.get("/")).headers
    assert f"frame-ancestors 'self' {INTRANET}" in headers["content-security-policy"]
    assert "img-src 'self' data: blob:;" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


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
