"""Logs people in to the chat: by a password, or by a token that the server of a page has signed."""

from __future__ import annotations

import fcntl
import math
import os
import re
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path

import chainlit as cl
import chainlit.server
import jwt
from chainlit.auth import set_auth_cookie
from chainlit.config import config
from fastapi import HTTPException, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from errors import AskError, SettingsInvalid

SECRET = "CHAINLIT_AUTH_SECRET"
"""The environment variable from which Chainlit takes the key."""

SHORTEST_SECRET = 32
"""Bytes, as HS256 wants them (RFC 7518, section 3.2)."""

_address: ContextVar[str] = ContextVar("_address", default="")
"""Where the request comes from that is being answered: Chainlit does not say it to who is asked about a password."""


def ask_for_password(know: Callable[[str, str, str], bool]) -> None:
    """Make the chat ask for a name and a password.

    `know` is told both and the network address they come from, and may raise an AskError that says when to try again.
    """

    async def log_in(username: str, password: str) -> cl.User | None:
        try:
            return cl.User(identifier=username) if know(username, password, _address.get()) else None
        except AskError as error:
            again = {"retry-after": str(math.ceil(error.retry_after or 0))}
            raise HTTPException(429, str(error), again) from None

    # Chainlit's decorator takes whatever is raised for a wrong password.
    config.code.password_auth_callback = log_in


class _Addressed:
    """Keeps the address that a request comes from, until it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        _address.set(client[0] if client else "")
        await self._app(scope, receive, send)


def ensure_secret(home: Path) -> None:
    """Give Chainlit a key of 32 random bytes, kept in `home`, where the environment does not name one.

    Raises SettingsInvalid where it names one that can be guessed: everybody with a login has something that it signed.
    """
    if named := os.environ.get(SECRET):
        if len(named.encode()) < SHORTEST_SECRET:
            raise SettingsInvalid(
                f"{SECRET} is too short: whoever finds it out can log in as anybody. "
                f"Let it hold {SHORTEST_SECRET} characters or more, made with openssl rand -hex 32."
            )
        return
    home.mkdir(parents=True, exist_ok=True)
    with open(os.open(home / "auth-secret", os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # Servers that start at once share one.
        # One made at an earlier start is kept, so who is logged in stays so; it is empty where the disk was full.
        if not (secret := file.read()):
            secret = secrets.token_hex(32)
            file.write(secret)
    os.environ[SECRET] = secret


class Guest(cl.User):
    """A person whom a page's token names."""

    until: float
    """When the token ends, in seconds since 1970."""


def whom_it_names(token: str) -> Guest:
    """Return the person whom a page's token (a JWT by RFC 7519, HS256) names; other claims than its own are let be.

    Raises HTTPException 401 with one sentence for who looks at the page. Chainlit's own raises what it does not
    expect itself where a claim is missing or one is too many.
    """
    key = os.environ.get(SECRET)
    if not key:
        raise HTTPException(401, "Nobody logs in here: QUAESTOR_USERS names no people.")
    try:
        claims = jwt.decode(token, key, algorithms=["HS256"], options={"require": ["exp"]})
    except jwt.ExpiredSignatureError:
        raise HTTPException(401, "Your login to Quaestor has expired. Reload this page.") from None
    except jwt.MissingRequiredClaimError:
        raise _wrong("has no exp") from None
    except jwt.InvalidAudienceError:
        raise _wrong("is for somebody else: leave out its aud") from None
    except jwt.InvalidTokenError:
        raise _wrong(f"is not signed with its {SECRET}") from None
    name = claims.get("identifier")
    if not isinstance(name, str) or not name:
        raise _wrong("has no identifier")
    guest = Guest(identifier=name)
    guest.until = float(claims["exp"])
    return guest


def login_for(user: cl.User) -> str:
    """Return the login that Chainlit keeps in a cookie; a guest's ends with their token, if not before."""
    now = time.time()
    until = min(now + config.project.user_session_timeout, getattr(user, "until", math.inf))
    return jwt.encode({**user.to_dict(), "iat": int(now), "exp": int(until)}, os.environ[SECRET])


def keep_login(request: Request, response: Response, token: str) -> None:
    """Set the cookie as Chainlit does; the browser forgets it when the login ends."""
    set_auth_cookie(request, response, token)
    ends = jwt.decode(token, options={"verify_signature": False})["exp"]
    lasts = b"Max-Age=%d" % max(0, ends - int(time.time()))
    for n, (name, value) in enumerate(response.raw_headers):
        if name == b"set-cookie" and b"Max-Age=0" not in value:  # With that, a cookie is taken back.
            response.raw_headers[n] = (name, re.sub(rb"Max-Age=\d+", lasts, value))


def _wrong(why: str) -> HTTPException:
    return HTTPException(
        401, f"This page cannot log you in to Quaestor: its token {why}. Tell who looks after the page."
    )


# It has imported them.
chainlit.server.decode_jwt = whom_it_names  # type: ignore[attr-defined]
chainlit.server.create_jwt = login_for  # type: ignore[assignment, attr-defined]
chainlit.server.set_auth_cookie = keep_login  # type: ignore[attr-defined]
if chainlit.server.app.middleware_stack is None:  # `chainlit run --watch` loads this again while it serves.
    chainlit.server.app.add_middleware(_Addressed)
