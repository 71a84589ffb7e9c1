"""Knows the people whom the settings let in, also by what an HTTP request says of them."""

from __future__ import annotations

import base64
import hmac
import logging
import secrets
from functools import cache

from errors import SettingsInvalid
from settings import Settings
from web.brake import Brake

log = logging.getLogger("quaestor.login")


class Guests:
    """The names that may enter, and their passwords."""

    def __init__(self, pairs: str, brake: Brake) -> None:
        """Take what QUAESTOR_USERS holds; raises SettingsInvalid where a pair is incomplete."""
        parted = [pair.strip().partition(":") for pair in pairs.split(",") if pair.strip()]
        if not parted or not all(name and password for name, _, password in parted):
            raise SettingsInvalid("QUAESTOR_USERS must hold name:password pairs with commas between them.")
        self._passwords = {name: password for name, _, password in parted}
        self.brake = brake

    def know(self, name: str, password: str, address: str) -> bool:
        """Tell whether the password is the name's, in a time that does not depend on how much of it is right.

        Raises TooManyTries, and does not look at the password, where too many were wrong from this network address.
        """
        self.brake.check(name, address)
        # A name that is not known is compared too, with a password that nobody can guess.
        expected = self._passwords.get(name, secrets.token_hex())
        # A form may hold halves of characters, which UTF-8 would refuse: it names the encoding of its own fields.
        is_right = hmac.compare_digest(password.encode(errors="surrogatepass"), expected.encode())
        # Nothing waits between the check and this, so tries at the same time are tries one after the other.
        pause = self.brake.take(name, address, is_right=is_right)
        if not is_right:
            # A name that nobody has may be a password, typed one field too early.
            who = name if name in self._passwords else "a name that nobody has"
            log.warning("a wrong password for %s from %.64r; the next try waits %.0f s", who, address, pause)
        return is_right

    def know_basic(self, authorization: str | None, address: str) -> bool:
        """Tell whether an Authorization header is HTTP Basic (RFC 7617, in UTF-8) with a name and its password.

        Raises TooManyTries as `know` does.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
        except ValueError:
            return False
        return self.know(name, password, address)


@cache
def guests_of(settings: Settings) -> Guests | None:
    """Return the guests of these settings, None where there is no login: the chat and the API count tries together.

    Raises SettingsInvalid where QUAESTOR_USERS cannot be read.
    """
    return Guests(settings.users.get_secret_value(), Brake()) if settings.users else None
