"""Slows down whoever guesses passwords, by where the guesses come from, and so that nobody is locked out elsewhere."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from errors import TooManyTries

HOUR = 3_600.0

ON_A_NAME, IN_A_NETWORK, AT_A_SITE = 5, 30, 300
"""Wrong passwords an hour before the next try has to wait: from one network on one name, from it, from its site."""

MOST_REMEMBERED = 10_000
"""Networks, and names guessed on there; past it those go that failed longest ago."""

LONGEST_KEY = 64
"""Characters of a name that count: it is a stranger's word."""


@dataclass(frozen=True)
class _Failures:
    level: float
    """How many there were, less those that time has forgiven."""
    last: float
    """When the last one was."""


class _Ledger:
    """Failures under keys; so many an hour are forgiven, and past that each one doubles the pause after it."""

    def __init__(self, hourly: int, now: Callable[[], float]) -> None:
        self._hourly = hourly
        self._now = now
        self._kept: OrderedDict[str, _Failures] = OrderedDict()  # Those that failed longest ago come first.

    def pause(self, key: str) -> float:
        """Return for how many seconds the next try must wait."""
        failures = self._kept.get(key)
        if failures is None or failures.level <= self._hourly - 1:
            return 0.0
        # Tries that wait do not count, so this grows until as many are forgiven as come, at `hourly` an hour.
        until: float = failures.last + 2.0 ** (failures.level - self._hourly + 1)
        return max(0.0, until - self._now())

    def add(self, key: str) -> None:
        before, now = self._kept.pop(key, None), self._now()
        forgiven = max(0.0, before.level - (now - before.last) * self._hourly / HOUR) if before else 0.0
        self._kept[key] = _Failures(forgiven + 1, now)
        if len(self._kept) > MOST_REMEMBERED:
            self._kept.popitem(last=False)

    def forget(self, key: str) -> None:
        self._kept.pop(key, None)


class Brake:
    """Tells who must wait with the next password.

    There is no count by the name alone: with one, whoever guesses on a name would lock out the person who has it.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Take a clock that never goes back, in seconds."""
        self._on_a_name = _Ledger(ON_A_NAME, now)
        self._in_a_network = _Ledger(IN_A_NETWORK, now)
        self._at_a_site = _Ledger(AT_A_SITE, now)
        self.wrong = 0
        """Passwords that were wrong, since the start."""
        self.refused = 0
        """Tries that were too early, since the start; their passwords were not looked at."""

    def check(self, name: str, address: str) -> None:
        """Raise TooManyTries where a try on this name from this address has to wait."""
        if pause := self._pause(name, address):
            self.refused += 1
            raise TooManyTries(pause)

    def take(self, name: str, address: str, *, is_right: bool) -> float:
        """Take note of a try; return for how many seconds the next one must wait."""
        ledgers = list(self._ledgers(name, address))
        if is_right:
            # Not the network's: else whoever has a login would guess on others' names between two of their own.
            ledger, key = ledgers[0]
            ledger.forget(key)
            return 0.0
        self.wrong += 1
        for ledger, key in ledgers:
            ledger.add(key)
        return self._pause(name, address)

    def _pause(self, name: str, address: str) -> float:
        return max(ledger.pause(key) for ledger, key in self._ledgers(name, address))

    def _ledgers(self, name: str, address: str) -> Iterator[tuple[_Ledger, str]]:
        network, site = networks_of(address)
        yield self._on_a_name, f"{network} {name[:LONGEST_KEY]}"
        yield self._in_a_network, network
        yield self._at_a_site, site


@lru_cache(maxsize=4_096)
def networks_of(address: str) -> tuple[str, str]:
    """Return the network that one person has, and the site it is part of, which may be the same.

    With IPv6 one person has a /64 at least and up to a /48 (RFC 6177), and can use any address in it.
    """
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # A socket that is a file has none, and a proxy may write what it likes.
        return address[:LONGEST_KEY], address[:LONGEST_KEY]
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is None:
            network, site = (ipaddress.ip_network((known, bits), strict=False) for bits in (64, 48))
            return str(network), str(site)
        known = known.ipv4_mapped
    return str(known), str(known)
