"""Gives Chainlit the key that signs its logins, and tells whom a login names that a page's own server has signed."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import chainlit as cl
import chainlit.server
import jwt
from fastapi import HTTPException

SECRET = "CHAINLIT_AUTH_SECRET"
"""The environment variable from which Chainlit takes the key."""


def ensure_secret(home: Path) -> None:
    """Give Chainlit a key of 32 random bytes, kept in `home`, where the environment does not name one."""
    if os.environ.get(SECRET):
        return
    path = home / "auth-secret"
    home.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass  # Made at an earlier start: who is logged in stays logged in.
    os.environ[SECRET] = path.read_text()


def whom_it_names(token: str) -> cl.User:
    """Return the person whom a page's token (a JWT by RFC 7519, HS256) names; other claims than its own are let be.

    Raises HTTPException 401 with one sentence for who looks at the page. Chainlit's own raises what it does not
    expect itself where a claim is missing or one is too many.
    """
    try:
        claims = jwt.decode(token, os.environ[SECRET], algorithms=["HS256"], options={"require": ["exp"]})
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
    return cl.User(identifier=name)


def _wrong(why: str) -> HTTPException:
    return HTTPException(
        401, f"This page cannot log you in to Quaestor: its token {why}. Tell who looks after the page."
    )


chainlit.server.decode_jwt = whom_it_names  # type: ignore[attr-defined]  # It has imported it.
