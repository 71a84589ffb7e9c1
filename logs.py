"""Keeps passwords and keys out of the log, tracebacks included."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from settings import Settings
from tools.connections.address import names_files

HIDDEN = "•••"
SHORTEST = 4
"""A shorter secret would blot out ordinary words."""

_IN_URL = re.compile(r"(?<=://)[^\s/@]*:[^\s@]*(?=@)")
_KEY = re.compile(r"\bsk-[\w-]{6,}")


class _Redacting(logging.Formatter):
    """Formats like the formatter it stands before, tracebacks included, then hides what is secret."""

    def __init__(self, inner: logging.Formatter | None, secrets: list[str]) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line = self._inner.format(record)
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return _KEY.sub(HIDDEN, _IN_URL.sub(HIDDEN, line))


def hide_secrets(settings: Settings) -> None:
    """Hide the settings' secrets, and whatever looks like one, in all that the root logger's handlers write."""
    secrets = [secret for secret in _secrets_of(settings) if len(secret) >= SHORTEST]
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, _Redacting):
            handler.setFormatter(_Redacting(handler.formatter, secrets))
    for alone in ("engineio.server", "socketio.server"):  # They write by themselves, too: twice, and what is secret.
        logging.getLogger(alone).handlers.clear()
    for client in ("httpx", "httpx2"):  # They write a line for each request to the model: four for every question.
        logging.getLogger(client).setLevel(logging.WARNING)


def _secrets_of(settings: Settings) -> Iterator[str]:
    """Yield each secret as it is set, and the passwords inside it as a driver would spell them."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr) and not (name == "database_url" and names_files(value.get_secret_value())):
            yield value.get_secret_value()
    if settings.users is not None:
        yield from (pair.partition(":")[2].strip() for pair in settings.users.get_secret_value().split(","))
    if settings.database_url is not None:
        password = urlsplit(settings.database_url.get_secret_value()).password or ""
        yield from (password, unquote(password))
