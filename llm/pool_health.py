"""Knows how well one endpoint is: a breaker that stops asking it, and how long it takes."""

from __future__ import annotations

from enum import StrEnum
from random import Random

from llm.pool_limits import full_jitter

FAILURES_IN_A_ROW = 5
FAILURE_SHARE = 0.4
"""Of the last twenty calls, about."""
FIRST_COOL_DOWN, LONGEST_COOL_DOWN = 1.0, 30.0
REFUSED_COOL_DOWN = 60.0
"""Seconds an endpoint rests that refused the key: that mends itself only when a person mends it."""

_GRAIN = 0.05
_CALM = 0.05


class Health(StrEnum):
    CLOSED = "closed"
    """It is asked."""
    OPEN = "open"
    """It is left alone."""
    HALF_OPEN = "half-open"
    """One request finds out whether it is well again."""


class Breaker:
    """A circuit breaker (Nygard, Release It!): opens on failures, and lets one probe through after a cool-down.

    Every call carries the epoch in which it began; what a call of an older epoch brings says nothing about now, so
    the failures of many calls that were under way together open the breaker once.
    """

    __slots__ = ("_failures", "_level", "_random", "_share", "_since", "blocked_until", "epoch", "health", "refusal")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0
        self._since = float("-inf")
        """When the first call of those that fail in a row began."""
        self._share = 0.0
        self._level = 0
        self.health = Health.CLOSED
        self.epoch = 0
        self.blocked_until = float("-inf")
        """When it may be asked: infinity while a probe is under way."""
        self.refusal = False
        """Whether it is open because the endpoint refused the key, and not because it fails."""

    def begin(self) -> int:
        """Begin a call, at or after `blocked_until`, and return its epoch; of an open breaker it is the probe."""
        if self.health is not Health.CLOSED:
            self.health = Health.HALF_OPEN
            self.epoch += 1
            self.blocked_until = float("inf")
        return self.epoch

    def succeeded(self, epoch: int, started: float = float("inf")) -> None:
        """Count a success; one of a call that began before those that fail says nothing about now."""
        if epoch != self.epoch or (self._failures and started < self._since):
            return
        self._failures = 0
        if self.health is Health.HALF_OPEN:
            # Halfway to open again: an endpoint that fails every other call is not asked much between its probes.
            self._share = FAILURE_SHARE / 2
            self.health, self.refusal, self.blocked_until = Health.CLOSED, False, float("-inf")
            self.epoch += 1
        elif self._share:
            self._share -= self._share * _GRAIN
            if self._share < _CALM:
                self._level = 0
                self._share = self._share if self._share > 1e-6 else 0.0

    def failed(self, epoch: int, now: float, started: float = float("-inf")) -> bool:
        """Count a failure, and return whether it opened the breaker.

        One of a call that began before those that fail counts as little as a success would: of many under way
        together only the failures would be left, and a few in a hundred would look like a row.
        """
        if epoch != self.epoch or (self._failures and started < self._since):
            return False
        if not self._failures:
            self._since = started
        self._failures += 1
        self._share += (1.0 - self._share) * _GRAIN
        is_probe = self.health is not Health.CLOSED
        if not is_probe and self._failures < FAILURES_IN_A_ROW and self._share < FAILURE_SHARE:
            return False
        self.refusal = False
        self._open(now + full_jitter(self._random, self._level, FIRST_COOL_DOWN, LONGEST_COOL_DOWN))
        self._level += 1
        return True

    def refused(self, epoch: int, now: float) -> bool:
        """Open at once, and return whether this call did it: no call there can succeed."""
        if epoch != self.epoch:
            return False
        self.refusal = True
        self._open(now + REFUSED_COOL_DOWN)
        return True

    def dropped(self, epoch: int, now: float) -> None:
        """A call ended without telling anything; a probe's place is free again."""
        if epoch == self.epoch and self.health is Health.HALF_OPEN:
            self.health = Health.OPEN
            self.blocked_until = now

    def cut_short(self, now: float) -> None:
        """End the cool-down: what it waited for is here."""
        if self.health is Health.OPEN and not self.refusal:
            self.blocked_until = min(self.blocked_until, now)

    def _open(self, until: float) -> None:
        self.health = Health.OPEN
        self.epoch += 1
        self.blocked_until = until
        self._failures = 0


_LAST = 128
_ENOUGH = 20
_FEW = 24
_FRESH = 60.0


class Latency:
    """How long an endpoint takes: the mean of about its last 32 calls, and the p95 of its last 128.

    Finagle's peak EWMA (finagle-core, PeakEwma) jumps to every peak, which finds a slow endpoint at once and takes
    noise for slowness: under it, endpoints that are alike strayed from their weights. So this mean has no peaks;
    the requests that pile up at an endpoint tell first that it has slowed down.
    """

    __slots__ = ("_at", "_count", "_last", "_p95", "_p95_of", "_samples", "_seen", "mean")

    def __init__(self) -> None:
        self._last = [0.0] * _LAST
        self._samples = 0
        self._count = 0
        self._seen = 0
        self._at = float("-inf")
        self._p95 = 0.0
        self._p95_of = 0
        self.mean = 0.0

    def add(self, seconds: float, now: float) -> None:
        if now - self._at > _FRESH:
            self._count = self._seen = 0
        self._at = now
        self._seen += 1
        count = self._count
        if count < 32:
            self._count = count = count + 1
        self.mean += (seconds - self.mean) / count
        samples = self._samples
        self._last[samples % _LAST] = seconds
        self._samples = samples + 1

    def doubt(self) -> None:
        """Let the next calls count for more: an endpoint that is asked seldom is to be found well again soon."""
        self._count = min(self._count, 12)

    def is_begun(self, pending: int) -> bool:
        """Return whether there is a mean at all, if only a rough one."""
        return self._seen >= 10 and self._seen > pending

    def is_known(self, now: float, pending: int) -> bool:
        """Return whether the mean is of enough calls, and the last of them within the minute.

        Of many that began together the quick ones end first, so enough is more than are under way.
        """
        return self._seen >= _FEW and self._samples > 3 * pending and now - self._at < _FRESH

    def p95(self) -> float | None:
        """Return the seconds within which 95 of 100 calls were answered; None before twenty were."""
        samples = self._samples
        if samples < _ENOUGH:
            return None
        if self._p95_of == 0 or samples - self._p95_of >= 16:
            last = sorted(self._last[: min(samples, _LAST)])
            self._p95 = last[int(0.95 * (len(last) - 1))]
            self._p95_of = samples
        return self._p95
