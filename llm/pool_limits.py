"""Keeps rates: how many requests or tokens a second, how many retries beside the requests, how long to back off."""

from __future__ import annotations

from array import array
from random import Random

MARGIN = 1.02
"""How much of its rate a window may hold while lateness is made up."""
LATEST = 1.0
"""Seconds of lateness that are made up; what is beyond is lost."""
SECOND_BURST = 0.008
"""Seconds of its rate that a bucket lets through at once after a pause, where every second is to hold the rate."""
MINUTE_BURST = 6.0
"""... where only every minute is to: a tenth of it, so that the few calls of one question need not wait."""
_MOST_WATCHED = 1_000_000
"""Requests of a window beyond which it is not watched: no endpoint's limit is so large."""


class Bucket:
    """A token bucket, kept as the time at which it is whole again: the generic cell rate algorithm (ITU-T I.371).

    It lets `rate` a second through, and `burst` seconds of it at once. Whoever waits for it wakes late, by the grain
    of timers and whatever else the loop had to do; a bucket that forgot what was due meanwhile would fall behind
    its rate. So what queued takes miss stays due. Where a `window` is watched, of so many seconds, no stretch of
    that length ever holds more than `MARGIN` of the rate, however much is due.

    An amount is let through whole once anything is: what exceeds is a debt that the next one waits for.
    """

    __slots__ = ("_due", "_interval", "_place", "_times", "_window", "burst", "free_at", "rate")

    def __init__(self, rate: float, burst: float = SECOND_BURST, window: float = 0.0) -> None:
        self.rate = rate
        self._interval = 1.0 / rate
        self.burst = burst
        # A little longer, so that what stands at both ends of a window is not in it.
        self._window = window * 1.0005
        watched = rate * window <= _MOST_WATCHED
        # Not a list, which would come to hold an object for each of a window's requests.
        self._times = array("d", [float("-inf")]) * max(1, int(MARGIN * rate * window)) if window and watched else None
        self._place = 0
        self._due = float("-inf")
        self.free_at = float("-inf")
        """When the next may be taken."""

    def take(self, now: float, amount: float = 1.0, queued: bool = False) -> None:
        """Take `amount`, at or after `free_at`; `queued` says that somebody had been waiting for it.

        A bucket that watches a window counts one for each take, so it is asked for one.
        """
        due = self._due
        floor = now - LATEST if queued else now
        if due < floor:
            due = floor
        self._due = due = due + amount * self._interval
        free_at = due - self.burst
        times = self._times
        if times is not None:
            place = self._place
            times[place] = now
            self._place = place = place + 1 if place + 1 < len(times) else 0
            # The oldest must have left the window.
            oldest = times[place] + self._window
            if oldest > free_at:
                free_at = oldest
        self.free_at = free_at

    def settle(self, amount: float) -> None:
        """Take so much more after the fact, or give it back where it is negative."""
        self._due += amount * self._interval
        free_at = self._due - self.burst
        times = self._times
        if times is not None:
            if amount < 0:
                # What is given back is one request, the last one taken.
                self._place = (self._place - 1) % len(times)
                times[self._place] = float("-inf")
            free_at = max(free_at, times[self._place] + self._window)
        self.free_at = free_at


def second_bucket(per_second: float) -> Bucket:
    """Return the bucket of a limit on requests per second."""
    return Bucket(per_second, SECOND_BURST, window=1.0)


def requests_bucket(per_minute: float) -> Bucket:
    """Return the bucket of a limit on requests per minute: kept in every second where 2 % of one are a request."""
    rate = per_minute / 60
    return second_bucket(rate) if rate >= 50 else Bucket(rate, MINUTE_BURST, window=60.0)


def tokens_bucket(per_minute: float) -> Bucket:
    """Return the bucket of a limit on tokens per minute."""
    return Bucket(per_minute / 60, MINUTE_BURST)


class Budget:
    """How many extra calls the calls may bring about: a share of them, and a few a second beside.

    As Finagle's RetryBudget (twitter.github.io/finagle/guide/Clients.html#retries: 20 % and ten a second), and a
    bucket as in gRPC's retry throttling (proposal A6). In any stretch of time at most
    `share * calls + per_second * seconds + most` are spent.
    """

    __slots__ = ("_at", "_balance", "most", "per_second", "share")

    def __init__(self, share: float = 0.2, per_second: float = 10.0, most: float = 100.0) -> None:
        self.share = share
        self.per_second = per_second
        self.most = most
        self._balance = min(per_second, most)
        self._at: float | None = None

    def earn(self) -> None:
        """Count one call."""
        balance = self._balance + self.share
        self._balance = balance if balance < self.most else self.most

    def spend(self, now: float) -> bool:
        """Return whether one extra call may be made, and count it."""
        if self._at is not None:
            self._balance = min(self.most, self._balance + (now - self._at) * self.per_second)
        self._at = now
        # Ten times 0.1 is a little less than one.
        if self._balance < 1.0 - 1e-9:
            return False
        self._balance -= 1.0
        return True

    def refund(self) -> None:
        """Give back one extra call that was not made."""
        self._balance = min(self.most, self._balance + 1.0)


def full_jitter(random: Random, attempt: int, base: float, cap: float) -> float:
    """Return the seconds to wait before the attempt after `attempt` (counted from 0).

    Anything up to a ceiling that doubles each time: "Exponential Backoff and Jitter", AWS Architecture Blog, 2015,
    where full jitter needed the fewest calls of all that were compared.
    """
    return random.uniform(0.0, min(cap, base * 2.0 ** min(attempt, 32)))
