"""Gives Chainlit the key that signs its cookies."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

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
