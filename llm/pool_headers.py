"""Reads how long a reply's headers ask to wait."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache

_LONGEST = 3_600.0
"""Seconds: what asks for more is believed for an hour."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an endpoint says is left of one limit; None where it does not say."""

    remaining: float | None
    limit: float | None
    reset: float | None
    """Seconds until the limit is whole again."""

    def wait_for(self, amount: float) -> float:
        """Return the seconds until `amount` is there, as a bucket fills evenly up to its limit."""
        if self.remaining is None or self.reset is None or self.remaining >= amount:
            return 0.0
        if self.limit is None or self.limit <= self.remaining:
            return self.reset
        return self.reset * min(1.0, (amount - self.remaining) / (self.limit - self.remaining))


@dataclass(frozen=True, slots=True)
class Hints:
    """What a reply's headers say about the next request."""

    retry_after: float | None
    """Seconds."""
    requests: Allowance
    tokens: Allowance

    def wait_for(self, tokens: float) -> float:
        """Return the seconds that the headers ask to wait before a request of so many tokens; 0 is none."""
        asked = self.retry_after or 0.0
        return max(asked, self.requests.wait_for(1.0), self.tokens.wait_for(max(tokens, 1.0)))


_SILENT = Allowance(None, None, None)
NO_HINTS = Hints(None, _SILENT, _SILENT)


def read_hints(headers: Mapping[str, str], *, now: float | None = None) -> Hints:
    """Return what `Retry-After`, `retry-after-ms` and OpenAI's `x-ratelimit-*` say; what cannot be read says nothing.

    `now` is the wall clock in seconds since 1970, for a `Retry-After` that names a date (RFC 9110, 10.2.3).
    """
    if isinstance(headers, dict):
        headers = {name.lower(): value for name, value in headers.items()}
    after = _retry_after(headers, now)
    if "x-ratelimit-remaining-requests" in headers or "x-ratelimit-remaining-tokens" in headers:
        return Hints(after, _allowance(headers, "requests"), _allowance(headers, "tokens"))
    return NO_HINTS if after is None else Hints(after, _SILENT, _SILENT)


def _allowance(headers: Mapping[str, str], what: str) -> Allowance:
    remaining = _number(headers.get(f"x-ratelimit-remaining-{what}"))
    if remaining is None:
        return _SILENT
    limit = _number(headers.get(f"x-ratelimit-limit-{what}"))
    return Allowance(remaining, limit, read_duration(headers.get(f"x-ratelimit-reset-{what}") or ""))


def _retry_after(headers: Mapping[str, str], now: float | None) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1_000, _LONGEST)
    written = headers.get("retry-after")
    if written is None:
        return None
    seconds = read_duration(written)
    return seconds if seconds is not None else _until(written, time.time() if now is None else now)


def _until(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    # A date without a zone would be read as this machine's; HTTP's are all GMT.
    if moment.tzinfo is None:
        return None
    return min(max(0.0, moment.timestamp() - now), _LONGEST)


_PART = re.compile(r"(\d{1,12}(?:\.\d{0,12})?)(ms|us|µs|ns|d|h|m|s)")
_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@lru_cache(maxsize=1_024)
def read_duration(written: str) -> float | None:
    """Return the seconds of "6m0s", "120ms", "1h30m" (as Go writes durations) or "20"; None for anything else."""
    written = written.strip()
    plain = _number(written)
    if plain is not None:
        return min(plain, _LONGEST)
    parts = _PART.findall(written)
    if not parts or "".join(number + unit for number, unit in parts) != written:
        return None
    return min(sum(float(number) * _SECONDS[unit] for number, unit in parts), _LONGEST)


def _number(written: str | None) -> float | None:
    if not written or len(written) > 20 or not written.strip().replace(".", "", 1).isascii():
        return None
    try:
        number = float(written)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
