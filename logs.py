"""Keeps passwords and keys out of every line of the log."""

from __future__ import annotations

import logging
import re

from pydantic import SecretStr

from settings import Settings

HIDDEN = "•••"

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
    values = (getattr(settings, name) for name in type(settings).model_fields)
    secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, _Redacting):
            handler.setFormatter(_Redacting(handler.formatter, [s for s in secrets if len(s) >= 4]))
