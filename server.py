"""Serves the chat, the copilot page and health from one ASGI app on uvloop."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from errors import SettingsInvalid
from settings import Settings, read_settings

ROOT = Path(__file__).resolve().parent
SOCKET = "/ws/socket.io"
LOOPBACK = ("localhost", "127.0.0.1", "::1")

# Chainlit runs an element's code with `new Function` and sets its theme in an inline script. Everything else may
# come from here only, so a picture that a database's value smuggles into a text is never fetched.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline' data:; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self' {frames}"
)


def build_app(settings: Settings) -> FastAPI:
    """Return the app; Chainlit loads `app.py` on the way."""
    # Chainlit looks for its files where it was started from, once, while it is imported.
    os.environ.setdefault("CHAINLIT_APP_ROOT", str(ROOT))
    import chainlit.server
    from chainlit.config import config
    from chainlit.utils import mount_chainlit

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # A mounted app's own lifespan is not run; Chainlit's would end the process by force besides.
        if config.code.on_app_startup:
            await config.code.on_app_startup()
        yield
        if config.code.on_app_shutdown:
            await config.code.on_app_shutdown()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    config.run.host, config.run.port = settings.host, settings.port
    chainlit.server.get_html_template = _without_strangers(chainlit.server.get_html_template)
    mount_chainlit(app, target=str(ROOT / "app.py"), path="")
    app.add_middleware(SecurityHeaders, allow_origins=settings.allow_origins)
    app.add_middleware(OriginCheck, allow_origins=settings.allow_origins, loopback_only=_is_open_on_loopback(settings))
    return app


def _without_strangers(page: Callable[[str], str]) -> Callable[[str], str]:
    """Take the links to other people's servers out of Chainlit's page: fonts and formulas that we do not use."""
    strangers = re.compile(r"<link\b[^>]*?https://(?:fonts|cdn)\.[^>]*>")
    return lambda root_path: strangers.sub("", page(root_path))


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


class OriginCheck:
    """Lets only our own page and the allowed origins open the chat's socket, which checks no origin itself."""

    def __init__(self, app: ASGIApp, allow_origins: tuple[str, ...], loopback_only: bool) -> None:
        self._app = app
        self._allowed = {origin.rstrip("/").lower() for origin in allow_origins}
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not scope["path"].startswith(SOCKET) or self._may_enter(Headers(scope=scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse("This origin may not open the chat.", 403)(scope, receive, send)

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


def _is_open_on_loopback(settings: Settings) -> bool:
    return settings.users is None and _is_loopback(settings.host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_exposure(settings: Settings) -> None:
    """Raise SettingsInvalid where strangers could read the database: an open address without a login."""
    if settings.users is None and not settings.allow_anonymous and not _is_loopback(settings.host):
        raise SettingsInvalid(
            f"Quaestor does not serve {settings.host} without a login: set QUAESTOR_USERS=name:password, "
            "or QUAESTOR_ALLOW_ANONYMOUS=true if everybody who can reach this address may read the database."
        )


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises SettingsInvalid where the address cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsInvalid(
            f"Quaestor cannot listen on {host} port {port} ({error.strerror}): "
            "choose another with QUAESTOR_HOST and QUAESTOR_PORT."
        ) from None


def main() -> None:
    """Serve until stopped; a setting that cannot work ends it with one sentence."""
    try:
        settings = read_settings()
        check_exposure(settings)
        listening = _listen(settings.host, settings.port)
    except SettingsInvalid as error:
        sys.exit(str(error))
    config = uvicorn.Config(
        build_app(settings),
        log_config=None,  # The root logger's handler hides secrets; uvicorn's own would not.
        log_level="warning",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
