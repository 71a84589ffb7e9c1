"""Chooses the endpoint of the next request: by weight, and by how much each has to answer and how fast it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Protocol

from endpoints import Endpoint
from llm.pool_faults import Fault
from llm.pool_health import Breaker, Latency
from llm.pool_limits import full_jitter, requests_bucket, tokens_bucket

ALIKE = 2.0
"""Up to twice as slow as the fastest, or twice as loaded as the others, an endpoint keeps its weight."""
AT_ONCE = 0.02
"""Seconds below which every endpoint answers at once: such a mean tells when our own loop came to read the answers."""
_SLOWEST = 0.02
"""What is left of its weight at least, so that its latency stays known."""
_FEW = 8
"""Pending requests that say nothing yet."""
SILENCE = 4.0
"""How many times as long as the fastest takes an endpoint that has enough to answer may answer nothing at all."""
_EVERY = 0.05
_LONG_AGO = float("-inf")


class Limit(Protocol):
    """What a bucket offers, whether it is this process's or shared by several."""

    free_at: float

    def take(self, now: float, amount: float = 1.0, queued: bool = False) -> None: ...

    def settle(self, amount: float) -> None: ...


class Member:
    """One endpoint within a pool, and everything known about it."""

    __slots__ = (
        "_pause_level",
        "breaker",
        "cap",
        "current",
        "ease",
        "endpoint",
        "failures",
        "fault",
        "free_at",
        "heard_at",
        "in_flight",
        "kinds",
        "latency",
        "limited",
        "pace",
        "paused_at",
        "paused_until",
        "pending",
        "random",
        "reason",
        "requests",
        "share",
        "successes",
        "tokens",
        "weight",
    )

    def __init__(self, endpoint: Endpoint, random: Random) -> None:
        self.endpoint = endpoint
        self.random = random
        self.weight = endpoint.weight
        self.cap: float = endpoint.in_flight or float("inf")
        requests, tokens = endpoint.requests_per_minute, endpoint.tokens_per_minute
        self.requests: Limit | None = requests_bucket(requests) if requests else None
        self.tokens: Limit | None = tokens_bucket(tokens) if tokens else None
        self.breaker = Breaker(random)
        self.latency = Latency()
        self.kinds: dict[str, Latency] = {}
        """How long the calls of each kind take that were answered."""
        self.in_flight = 0
        self.pending = 0
        """How many of these have not begun to answer."""
        self.heard_at = _LONG_AGO
        """When it last answered anything, or was asked after it had nothing to answer."""
        self.successes = self.failures = 0
        self.limited = 0
        """How many of the failures were for too many requests."""
        self.reason = ""
        """Why it failed last."""
        self.fault: Fault | None = None
        """What it failed with since it last answered."""
        self.paused_until = self.paused_at = _LONG_AGO
        self._pause_level = 0
        self.free_at = _LONG_AGO
        """When it may be given a request, as far as limits, pauses and health go."""
        self.current = 0.0
        """What it is owed, in nginx's smooth weighted round robin."""
        self.pace = 1.0
        """What its speed leaves of its weight."""
        self.ease = float("inf")
        """How many requests may be pending there for each at the others, for it to keep its weight."""
        self.share = self.weight

    def refresh(self) -> None:
        """Bring `free_at` up to date; whoever changes a limit, the pause or the breaker calls it."""
        free_at = self.paused_until
        blocked = self.breaker.blocked_until
        if blocked > free_at:
            free_at = blocked
        limit = self.requests
        if limit is not None and limit.free_at > free_at:
            free_at = limit.free_at
        limit = self.tokens
        if limit is not None and limit.free_at > free_at:
            free_at = limit.free_at
        self.free_at = free_at

    def answered(self, kind: str, seconds: float, now: float) -> None:
        """Note how long a call took until its answer began."""
        self.latency.add(seconds, now)
        self.heard_at = now
        if kind:
            self.kinds.setdefault(kind, Latency()).add(seconds, now)

    def p95(self, kind: str) -> float | None:
        """Return within how many seconds 95 of 100 calls of a kind begin to be answered; None where few were."""
        latency = self.kinds.get(kind) if kind else self.latency
        return latency.p95() if latency is not None else None

    def is_up(self, now: float) -> bool:
        """Return whether it is asked, or may be asked whether it is well again."""
        return self.breaker.blocked_until <= now

    def is_resting(self, now: float) -> bool:
        return self.breaker.blocked_until > now or self.paused_until > now

    def pause(self, seconds: float, now: float) -> None:
        """Leave it alone, because it asked for that."""
        if now + seconds > self.paused_until:
            self.paused_until = now + seconds
            self.paused_at = now

    def rate_limited(self, wait: float, started: float, now: float) -> None:
        """It had too many requests: pause as long as it asks, or longer each time where it does not say.

        What began before the pause was under way with the request that brought it, and does not lengthen it.
        """
        if wait:
            self.pause(wait, now)
        elif started >= self.paused_at:
            self.pause(full_jitter(self.random, self._pause_level, 0.5, 30.0), now)
            self._pause_level = min(self._pause_level + 1, 10)

    def well(self, started: float) -> None:
        if started > self.paused_until:
            self._pause_level = 0
            self.fault = None


class Choice:
    """Smooth weighted round robin (nginx, "Upstream: smooth weighted round-robin balancing", 2012), adjusted.

    Every choice gives each endpoint its weight, takes the one that is owed most, and takes from that one what all
    were given. The weight counts less for an endpoint that is more than twice as slow as the fastest, or has more
    than twice the others' load waiting for an answer to begin: in proportion to what is beyond. One that has gone
    silent is given nothing. Among endpoints that are alike the weights are kept.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        self.pending = 0
        self._looked_at = _LONG_AGO

    def choose(self, now: float, avoid: Collection[Member] = ()) -> Member | None:
        """Return the endpoint to ask now; None where each is resting, at a limit or full.

        Those to avoid are asked only where all others rest.
        """
        if now >= self._looked_at:
            self._look(now)
        best: Member | None = None
        owed = given = 0.0
        pending = self.pending
        for member in self.members:
            if member.free_at > now or member.in_flight >= member.cap or (avoid and member in avoid):
                continue
            share = member.share
            if not share and member.heard_at >= self._looked_at - _EVERY:
                # It answers again.
                share = member.weight
            busy = member.pending
            if (
                busy > _FEW
                and busy > (comfortable := _FEW + member.ease * (pending - busy + 1))
                # Of one that answers at once they are what our own loop has not read yet.
                and (now - member.heard_at > AT_ONCE or member.latency.mean > AT_ONCE)
            ):
                share *= max(_SLOWEST, comfortable / busy)
            given += share
            member.current = current = member.current + share
            if best is None or current > owed:
                best, owed = member, current
        if best is not None:
            best.current -= given
        elif avoid and all(member.is_resting(now) for member in self.members if member not in avoid):
            return self.choose(now)
        return best

    def free_at(self, now: float, avoid: Collection[Member] = ()) -> float:
        """Return when the first endpoint that is not full may be asked; infinity where that waits for a call's end."""
        others = [member for member in self.members if member not in avoid]
        if avoid and all(member.is_resting(now) for member in others):
            return self.free_at(now)
        return min((member.free_at for member in others if member.in_flight < member.cap), default=float("inf"))

    def _look(self, now: float) -> None:
        """Weigh every endpoint's speed and load, a few times a second."""
        self._looked_at = now + _EVERY
        members = self.members
        known = [member for member in members if member.latency.is_known(now, member.pending)]
        fastest = min((member.latency.mean for member in known if member.is_up(now)), default=0.0)
        fastest = max(AT_ONCE, fastest) if fastest else 0.0
        answering = (
            member.latency.mean for member in members if member.latency.is_begun(member.pending) and member.is_up(now)
        )
        silence = SILENCE * max(AT_ONCE, min(answering, default=float("inf")))
        # Where nobody answers, nobody is told from the others by it: it may be us who did not read.
        heard_at = max(member.heard_at for member in members)
        weights = sum(member.weight for member in members if member.is_up(now))
        for member in members:
            mean = member.latency.mean if fastest and member in known else 0.0
            is_silent = member.pending >= _FEW and heard_at - member.heard_at > silence
            pace = max(_SLOWEST, ALIKE * fastest / mean) if mean > ALIKE * fastest else 1.0
            # Those that are pending there tell when it answers again.
            member.pace = 0.0 if is_silent else pace
            member.share = member.weight * member.pace
            if member.pace < 0.5:
                member.latency.doubt()
            others = weights - member.weight if member.is_up(now) else weights
            member.ease = ALIKE * member.weight / others if others > 0 else float("inf")
