"""Builds the app that the chat is mounted in: its routes, who may call them, and what runs beside them."""

from __future__ import annotations

import gc
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import anyio
from fastapi import FastAPI
from starlette.applications import Starlette

from errors import SettingsInvalid
from settings import Settings
from web.api import add_api
from web.breakdown import add_breakdown
from web.desk import Desk
from web.guards import (
    UNUSED,
    BodyLimit,
    LoginCheck,
    OriginCheck,
    PathCheck,
    SafeCookies,
    ScriptsKept,
    SecurityHeaders,
)
from web.guests import Guests
from web.health import add_health
from web.mcp import add_mcp
from web.readiness import Readiness

VERSION = "0.1.0"

ABOUT = """Ask a database in plain words. Every answer comes with its SQL, its rows and what it assumed.

Where `QUAESTOR_USERS` names people, `/api/` and `/metrics` ask for a name and a password (HTTP Basic)."""

Hook = Callable[[], Awaitable[None]]


def build_web(settings: Settings, desk: Desk, guests: Guests | None, start: Hook, stop: Hook) -> FastAPI:
    """Return the app without the chat; `start` and `stop` are awaited around its life."""
    readiness = Readiness(desk)
    if guests:
        desk.metrics.watch_brake(guests.brake)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.metrics.watch_loop)
            await start()
            with settled():
                yield
            await readiness.close()
            await stop()
            tasks.cancel_scope.cancel()

    app = FastAPI(
        title="Quaestor", version=VERSION, description=ABOUT, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    add_health(app, desk, readiness, guests)
    add_breakdown(app, desk)
    add_api(app, desk, settings.today)
    add_mcp(app, desk, settings.today, names_only=settings.model_sees == "names")
    _guard(app, settings, guests, settings.host, UNUSED)
    return app


def guard_alone(chat: Starlette, settings: Settings, guests: Guests | None, host: str, root: str) -> None:
    """Set the guards before a chat that is served without us, at this host and below this path: `chainlit run`."""
    unused = {**UNUSED, "/mcp": "POST DELETE"}  # Chainlit's own, before which ours stands.
    _guard(chat, settings, guests, host, {f"{root}{path}": methods for path, methods in unused.items()}, root)


def _guard(
    app: Starlette, settings: Settings, guests: Guests | None, host: str, unused: Mapping[str, str], root: str = ""
) -> None:
    # The last one added looks first.
    app.add_middleware(BodyLimit)
    app.add_middleware(PathCheck, unused=unused)
    app.add_middleware(LoginCheck, guests=guests)
    loopback_only = guests is None and is_loopback(host)
    app.add_middleware(OriginCheck, allow_origins=settings.allow_origins, loopback_only=loopback_only, root=root)
    app.add_middleware(SafeCookies)
    app.add_middleware(ScriptsKept)
    app.add_middleware(SecurityHeaders, allow_origins=settings.allow_origins)


@contextmanager
def settled() -> Iterator[None]:
    """Take what is there after the start out of Python's garbage collection, and let that run less often.

    Otherwise each full collection looks at every module's objects again: a third of a second in which nobody is served.
    """
    gc.collect()
    gc.freeze()
    usual = gc.get_threshold()
    gc.set_threshold(5_000, 10, 5)  # A full collection for some two thousand questions: little goes in cycles.
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def check_exposure(settings: Settings, host: str) -> None:
    """Raise SettingsInvalid where strangers could read the database: an open address without a login."""
    if settings.users is None and not settings.allow_anonymous and not is_loopback(host):
        raise SettingsInvalid(
            f"Quaestor does not serve {host} without a login: set QUAESTOR_USERS=name:password, "
            "or QUAESTOR_ALLOW_ANONYMOUS=true if everybody who can reach this address may read the database."
        )


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
