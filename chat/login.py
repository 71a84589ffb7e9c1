"""Knows the people whom the settings let in."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from errors import SettingsInvalid

SECRET = "CHAINLIT_AUTH_SECRET"
"""The environment variable from which Chainlit takes the key that signs its cookies."""


class Guests:
    """The names that may enter, and their passwords."""

    def __init__(self, pairs: str) -> None:
        """Take what QUAESTOR_USERS holds; raises SettingsInvalid where a pair is incomplete."""
        parted = [pair.strip().partition(":") for pair in pairs.split(",") if pair.strip()]
        if not parted or not all(name and password for name, _, password in parted):
            raise SettingsInvalid("QUAESTOR_USERS must hold name:password pairs with commas between them.")
        self._passwords = {name: password for name, _, password in parted}

    def know(self, name: str, password: str) -> bool:
        """Tell whether the password is the name's, in a time that does not depend on how much of it is right."""
        # A name that is not known is compared too, with a password that nobody can guess.
        expected = self._passwords.get(name, secrets.token_hex())
        return hmac.compare_digest(password.encode(), expected.encode())


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
