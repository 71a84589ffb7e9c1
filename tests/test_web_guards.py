"""What is let in, and under which headers it leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from web.guards import (
    LONGEST_BODY,
    LONGEST_OTHER,
    UNUSED,
    BodyLimit,
    OriginCheck,
    PathCheck,
    SafeCookies,
    ScriptsKept,
    SecurityHeaders,
)

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


async def test_a_chat_below_another_path_is_guarded_there() -> None:
    path = "/below/ws/socket.io/"
    app = Starlette(routes=[Route(path, _page), WebSocketRoute(path, _chat)])
    guarded = OriginCheck(app, allow_origins=(), loopback_only=False, root="/below")
    headers = {"origin": "https://evil.example"}
    with TestClient(guarded, base_url="http://chat.example") as client:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(path, headers=headers):
            pass
        assert client.get(path, headers=headers).status_code == 403
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"), [("https://evil.example", 403), ("null", 403), (INTRANET, 200), ("http://chat.example", 200)]
)
async def test_another_page_cannot_log_its_visitor_in_under_a_name_of_its_own(origin: str, status: int) -> None:
    app = OriginCheck(
        Starlette(routes=[Route("/login", _page, methods=["GET", "POST"])]),
        allow_origins=(INTRANET,),
        loopback_only=False,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat.example") as client:
        assert (await client.post("/login", headers={"origin": origin})).status_code == status
        assert (await client.get("/login", headers={"origin": origin})).status_code == 200


async def test_every_response_says_what_it_may_load_and_who_may_frame_it() -> None:
    app = SecurityHeaders(_app(), allow_origins=(INTRANET,))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat.example") as client:
        headers = (await client.get("/")).headers
    assert f"frame-ancestors 'self' {INTRANET}" in headers["content-security-policy"]
    assert "img-src 'self' data: blob:;" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("samesite", "proxy", "attributes"),
    [
        ("none", "http", "; SameSite=none; Secure; Partitioned"),
        ("lax", "http", "; SameSite=lax"),
        ("lax", "https", "; SameSite=lax; Secure"),
        ("none", "https", "; SameSite=none; Secure; Partitioned"),
    ],
)
async def test_a_login_goes_over_tls_where_it_came_over_it_and_is_kept_apart_for_other_sites(
    samesite: Literal["none", "lax"], proxy: str, attributes: str
) -> None:
    async def page(_: object) -> PlainTextResponse:
        response = PlainTextResponse("in")
        response.set_cookie("access_token", "x", secure=samesite == "none", samesite=samesite)  # As Chainlit does.
        return response

    app = SafeCookies(Starlette(routes=[Route("/", page)]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat.example") as client:
        cookie = (await client.get("/", headers={"x-forwarded-proto": proxy})).headers["set-cookie"]
        parts = cookie.removeprefix("access_token=x; Path=/").split("; ")
        assert sorted(parts) == sorted(attributes.split("; "))


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/assets/index-B2u6.js", "public, max-age=31536000, immutable"),
        ("/copilot/assets/index-B2u6.js", "public, max-age=31536000, immutable"),
        ("/copilot/index.js", "public, max-age=3600"),
        ("/copilot/gone.js", None),
        ("/user", None),
    ],
)
async def test_a_browser_keeps_scripts_and_nothing_else(path: str, kept: str | None) -> None:
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse("in", 404 if "gone" in request.url.path else 200)

    app = ScriptsKept(Starlette(routes=[Route("/{path:path}", page)]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat.example") as client:
        assert (await client.get(path)).headers.get("cache-control") == kept


def test_a_path_that_can_name_no_file_is_turned_away() -> None:
    with TestClient(PathCheck(_app())) as client:
        assert client.get("/").text == "in"
        response = client.get("/public/elements/%00")
        assert response.status_code == 404
        assert response.json() == {"detail": "There is nothing here."}


@pytest.mark.parametrize(("path", "methods"), UNUSED.items())
async def test_what_no_page_of_ours_asks_for_is_turned_away(path: str, methods: str) -> None:
    app = PathCheck(Starlette(routes=[Route(path, _page, methods=["GET", "POST", "PUT", "DELETE"])]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat.example") as client:
        for method in methods.split():
            assert (await client.request(method, path)).status_code == 404
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(("path", "limit"), [("/api/ask", LONGEST_BODY), ("/project/threads", LONGEST_OTHER)])
async def test_a_body_that_is_too_long_is_not_kept_also_where_its_length_is_not_told(path: str, limit: int) -> None:
    async def length(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * limit:
            sent += 10_000
            yield b"x" * 10_000

    app = BodyLimit(Starlette(routes=[Route(path, length, methods=["POST"])]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://chat.example") as client:
        assert (await client.post(path, content=b"x" * limit)).text == str(limit)
        assert (await client.post(path, content=b"x" * (limit + 1))).status_code == 413
        assert (await client.post(path, content=endless())).status_code == 413
    assert sent < 2 * limit
