"""Looks at every request before anything else does: where it comes from, who sends it, and how long it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from errors import TooManyTries
from web.guests import Guests

SOCKET = "/ws/socket.io"
API = "/api/"
MCP = "/mcp"
METRICS = "/metrics"
LOOPBACK = ("localhost", "127.0.0.1", "::1")

LONGEST_BODY = 64 * 1024
"""Bytes of a request to the API."""

LONGEST_OTHER = 1024 * 1024
"""Bytes of any other: a page's action comes with the SQL of its answer."""

UNUSED = {
    "/project/element": "PUT DELETE",  # It writes into any conversation whose address somebody knows.
    "/project/file": "POST",
    "/project/thread/share": "PUT",
}
"""What Chainlit answers though no page of ours asks for it, and though its settings say that it is off."""

# Chainlit runs an element's code with `new Function` and sets its theme in an inline script. Everything else may
# come from here only, so a picture that a database's value smuggles into a text is never fetched.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline' data:; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self' {frames}"
)


KEPT = {
    "/assets/": "public, max-age=31536000, immutable",  # A changed one has another name.
    "/copilot/assets/": "public, max-age=31536000, immutable",
    "/copilot/": "public, max-age=3600",
}
"""How long browsers may keep what lies there; the first that fits."""


def refusal(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an answer that says why there is none."""
    return JSONResponse({"detail": sentence}, status, headers)


class SecurityHeaders:
    """Adds to every response what it may load and who may frame it."""

    def __init__(self, app: ASGIApp, allow_origins: tuple[str, ...]) -> None:
        self._app = app
        self._headers = {
            "content-security-policy": POLICY.format(frames=" ".join(allow_origins)).strip(),
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class PathCheck:
    """Turns away what no page asks for, and a path with a NUL in it: looking for that file fails with a traceback."""

    def __init__(self, app: ASGIApp, unused: Mapping[str, str] = UNUSED) -> None:
        self._app = app
        self._unused = unused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (
            "\0" in scope["path"] or scope["method"] in self._unused.get(scope["path"], "").split()
        ):
            await refusal(404, "There is nothing here.")(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class SafeCookies:
    """Has browsers send a login that came over TLS over TLS alone, and keep one for other sites' pages apart for each.

    Most browsers take no other login of another site (CHIPS).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [(name, safe(name, value)) for name, value in message["headers"]]}
            await send(message)

        def safe(name: bytes, value: bytes) -> bytes:
            if name.lower() != b"set-cookie":
                return value
            said = value.lower()
            if is_tls and b"; secure" not in said:
                value += b"; Secure"
            return value + b"; Partitioned" if b"samesite=none" in said else value

        is_http = scope["type"] == "http"
        # A proxy that speaks TLS for us says so; who says so without one keeps a cookie that no http:// page is sent.
        is_tls = is_http and "https" in (scope["scheme"], Headers(scope=scope).get("x-forwarded-proto"))
        await self._app(scope, receive, send_safely if is_http else send)


class ScriptsKept:
    """Has browsers keep Chainlit's scripts: each time it packs them anew, the copilot's in 0.3 s of the processor."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept = next((how for start, how in KEPT.items() if scope.get("path", "").startswith(start)), None)

        async def send_to_keep(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message)["cache-control"] = kept or ""
            await send(message)

        await self._app(scope, receive, send_to_keep if kept and scope["type"] == "http" else send)


class OriginCheck:
    """Lets only our own page and the allowed origins open the chat's socket, which checks no origin itself, and ask.

    Nor may another page do anything else: it could log its visitor in under a name of its own, and read what they ask.
    """

    def __init__(self, app: ASGIApp, allow_origins: tuple[str, ...], loopback_only: bool, root: str = "") -> None:
        """Take below which path the chat lies, where it does not lie at the top."""
        self._app = app
        self._root = root
        self._allowed = {origin.rstrip("/").lower() for origin in allow_origins}
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_guarded = scope["type"] == "websocket" or (
            scope["type"] == "http"
            and (
                scope["path"].removeprefix(self._root).startswith((SOCKET, API, MCP))
                or scope["method"] not in ("GET", "HEAD", "OPTIONS")
            )
        )
        if not is_guarded or self._may_enter(Headers(scope=scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(403, "Pages of this origin may not ask here.")(scope, receive, send)

    def _may_enter(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None or origin.lower() in self._allowed:
            return True  # A browser always names its origin; a program that does not is no page that can be tricked.
        try:
            at = urlsplit(origin)
        except ValueError:
            return False
        if self._loopback_only and at.hostname not in LOOPBACK:
            return False  # A stranger's name may be made to resolve to this machine.
        return at.netloc.lower() == headers.get("host", "").lower()


class LoginCheck:
    """Asks for a name and a password (HTTP Basic) before the API, MCP and the metrics, where there is a login."""

    def __init__(self, app: ASGIApp, guests: Guests | None) -> None:
        self._app = app
        self._guests = guests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_guarded = scope["type"] == "http" and (scope["path"].startswith((API, MCP)) or scope["path"] == METRICS)
        answer = self._app if not is_guarded else self._answer(HTTPConnection(scope))
        await answer(scope, receive, send)

    def _answer(self, request: HTTPConnection) -> ASGIApp:
        try:
            if may_know(self._guests, request):
                return self._app
        except TooManyTries as error:
            return refusal(429, str(error), {"retry-after": str(math.ceil(error.retry_after or 0))})
        ask = {"www-authenticate": 'Basic realm="Quaestor", charset="UTF-8"'}
        return refusal(401, "Name yourself: HTTP Basic with a name and password of QUAESTOR_USERS.", ask)


def may_know(guests: Guests | None, request: HTTPConnection) -> bool:
    """Tell whether who sends this may read what is not for everybody; raises TooManyTries as `Guests.know` does."""
    if guests is None:
        return True
    address = request.client.host if request.client else ""
    return guests.know_basic(request.headers.get("authorization"), address)


class BodyLimit:
    """Reads a request whole before it is looked at, and turns away one that is too long."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = LONGEST_BODY if scope["path"].startswith((API, MCP)) else LONGEST_OTHER
        body = await _read(Headers(scope=scope), receive, limit)
        if body is None:
            sentence = f"The request is longer than {limit // 1024:,} KiB."
            await refusal(413, sentence, {"connection": "close"})(scope, receive, send)
            return
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, receive_again, send)


async def _read(headers: Headers, receive: Receive, limit: int) -> bytes | None:
    """Return the body, or None where it is longer than so many bytes."""
    said = headers.get("content-length", "")
    if said.isdigit() and int(said) > limit:
        return None
    body = bytearray()
    while len(body) <= limit:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)
    return None
