"""Knows the people whom the settings let in, also by what an HTTP request says of them."""

from __future__ import annotations

import base64
import hmac
import secrets

from errors import SettingsInvalid


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

    def know_basic(self, authorization: str | None) -> bool:
        """Tell whether an Authorization header is HTTP Basic (RFC 7617, in UTF-8) with a name and its password."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
        except ValueError:
            return False
        return self.know(name, password)
