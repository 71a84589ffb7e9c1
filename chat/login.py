"""Lets in the people that the settings name."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

import chainlit as cl

from errors import SettingsInvalid

SECRET = "CHAINLIT_AUTH_SECRET"
"""The environment variable from which Chainlit takes the key that signs its cookies."""


def ask_for_login(users: str, home: Path) -> None:
    """Make the chat ask for a name and a password; `users` is what QUAESTOR_USERS holds.

    Raises SettingsInvalid where a pair is incomplete.
    """
    passwords = read_users(users)
    if not os.environ.get(SECRET):
        os.environ[SECRET] = _secret(home / "auth-secret")

    @cl.password_auth_callback
    async def password_auth_callback(username: str, password: str) -> cl.User | None:
        return cl.User(identifier=username) if is_known(username, password, passwords) else None


def read_users(users: str) -> dict[str, str]:
    """Return the password of each name."""
    pairs = [pair.strip().partition(":") for pair in users.split(",") if pair.strip()]
    if not pairs or not all(name and password for name, _, password in pairs):
        raise SettingsInvalid("QUAESTOR_USERS must hold name:password pairs with commas between them.")
    return {name: password for name, _, password in pairs}


def is_known(name: str, password: str, passwords: dict[str, str]) -> bool:
    """Tell whether the password is the name's, in a time that tells nothing about either."""
    expected = passwords.get(name)
    given = password if expected is not None else ""
    right = hmac.compare_digest(given.encode(), (expected or secrets.token_hex()).encode())
    return right and expected is not None


def _secret(path: Path) -> str:
    """Return the secret kept in the file, making one of 32 random bytes on the first start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text()
