"""Keeps a pool's limits together with other processes' through Redis, and alone while there is none."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from endpoints import Endpoint
from errors import SettingsInvalid
from llm.pool_choice import Member
from llm.pool_limits import Bucket, requests_bucket, second_bucket, tokens_bucket
from llm.pool_seats import Seats

try:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ImportError as error:
    raise SettingsInvalid("QUAESTOR_REDIS_URL needs the package redis: pip install redis.") from error

log = logging.getLogger("quaestor.pool")

ANSWER_SECONDS = 0.5
"""How long Redis may take; a request waits no longer for it."""
LOOK_SECONDS = 1.0
"""How often each process looks which endpoints others found to rest, and whether Redis is back."""
_BLOCK = 0.004
"""Seconds of a rate that are leased at once, or one request: a lease costs as much as thirty turns."""
_BURST = 0.004
_SLACK = 0.008
_SMALL_BURST = 1.2
_KEPT = 0.05
"""Seconds that a lease may lie unused before it is given back."""

# The generic cell rate algorithm, as in pool_limits.Bucket, on Redis's own clock. For each key: the seconds of one
# unit, the burst, the lateness made up, and the amount. Takes all amounts and returns no waits, or takes none.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local dues, waits, must_wait = {}, {}, false
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 4
  local due = math.max(tonumber(redis.call('GET', key) or '0'), now - tonumber(ARGV[at + 3]))
  local wait = due - tonumber(ARGV[at + 2]) - now
  dues[i], waits[i] = due, string.format('%.6f', math.max(0, wait))
  if wait > 0 then must_wait = true end
end
if must_wait then return waits end
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 4
  local due = dues[i] + tonumber(ARGV[at + 4]) * tonumber(ARGV[at + 1])
  redis.call('SET', key, string.format('%.6f', due), 'PX', math.ceil(math.max(0, due - now) * 1000) + 2000)
end
return {}
"""
_GIVE_BACK = """
local due = redis.call('GET', KEYS[1])
if due then redis.call('SET', KEYS[1], string.format('%.6f', due - ARGV[1]), 'KEEPTTL') end
"""
_RESTS = """
local rests = {}
for i, key in ipairs(KEYS) do rests[i] = redis.call('PTTL', key) end
return rests
"""


class SharedLimit:
    """One limit of several processes: what this one has leased of it, or a bucket of its own while it is alone."""

    def __init__(
        self, key: str, bucket: Bucket, burst: float, slack: float, settled: Callable[[SharedLimit], None]
    ) -> None:
        self.key = key
        self.burst = burst
        self.slack = slack
        self.interval = 1.0 / bucket.rate
        self.block = bucket.rate * _BLOCK
        self.stock = 0.0
        """What is leased and not used; less than nothing where more was used than reserved."""
        self.free_at = float("-inf")
        self.is_alone = False
        self.is_watched = False
        self._bucket = bucket
        self._settled = settled

    def take(self, now: float, amount: float = 1.0, queued: bool = False) -> None:
        if self.is_alone:
            self._bucket.take(now, amount, queued)
            self.free_at = self._bucket.free_at
        else:
            self.stock -= amount

    def settle(self, amount: float) -> None:
        if self.is_alone:
            self._bucket.settle(amount)
            self.free_at = self._bucket.free_at
        else:
            self.stock -= amount
            self._settled(self)

    def go(self, *, alone: bool) -> None:
        self.is_alone = alone
        self.stock = 0.0
        self.free_at = self._bucket.free_at if alone else float("-inf")


class Ledger:
    """What one process has leased, of each limit that others share."""

    def __init__(self, seats: Seats, redis: Redis) -> None:
        self._seats = seats
        self._redis = redis
        # Not a task group: it would wrap what is raised where the pool is used.
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_alone = False
        self._asked: set[Member] = set()
        self._heard: dict[Member, float] = {}
        """Until when each endpoint rests that rests for what others found."""
        self._take = redis.register_script(_TAKE)
        self._give = redis.register_script(_GIVE_BACK)
        self._look = redis.register_script(_RESTS)
        self._rest_keys = [f"quaestor:rest:{_digest([member.endpoint])}" for member in seats.members]
        overall = self._share_overall()
        self._limits: dict[Member, tuple[SharedLimit | None, SharedLimit | None, SharedLimit | None]] = {
            member: (overall, *self._share(member)) for member in seats.members
        }
        seats.lessor = self
        seats.rests = self._tell_rest
        self._looking = asyncio.create_task(self._keep_looking())

    def _share_overall(self) -> SharedLimit | None:
        if not isinstance(self._seats.overall, Bucket):
            return None
        rate = self._seats.overall.rate
        key = f"quaestor:all:{_digest(member.endpoint for member in self._seats.members)}"
        self._seats.overall = limit = SharedLimit(key, second_bucket(rate), _BURST, _SLACK, self._watch)
        return limit

    def _share(self, member: Member) -> tuple[SharedLimit | None, SharedLimit | None]:
        endpoint, key = member.endpoint, _digest([member.endpoint])
        requests = tokens = None
        if endpoint.requests_per_minute:
            bucket = requests_bucket(endpoint.requests_per_minute)
            burst = _BURST if bucket.rate >= 50 else _SMALL_BURST
            requests = SharedLimit(f"quaestor:requests:{key}", bucket, burst, _SLACK, self._watch)
            member.requests = requests
        if endpoint.tokens_per_minute:
            bucket = tokens_bucket(endpoint.tokens_per_minute)
            tokens = SharedLimit(f"quaestor:tokens:{key}", bucket, bucket.burst, _SLACK, self._watch)
            member.tokens = tokens
        return requests, tokens

    def lacks(self, member: Member, tokens: float) -> bool:
        """Return whether a request must wait for a lease, and ask for one if so."""
        if self._is_alone:
            return False
        needs = zip(self._limits[member], (1.0, 1.0, tokens), strict=True)
        lacking = [(limit, need) for limit, need in needs if limit is not None and need and limit.stock < need]
        if lacking and member not in self._asked:
            self._asked.add(member)
            self._start(self._lease(member, lacking))
        return bool(lacking)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _lease(self, member: Member, lacking: list[tuple[SharedLimit, float]]) -> None:
        """Lease what a request lacks, and a little more where the rate is high; then whoever waits goes on."""
        amounts = [max(need, limit.block) - limit.stock for limit, need in lacking]
        written = [
            value
            for (limit, _), amount in zip(lacking, amounts, strict=True)
            for value in (limit.interval, limit.burst, limit.slack, amount)
        ]
        asking = self._take(keys=[limit.key for limit, _ in lacking], args=written)
        waits = await self._ask(asking)
        self._asked.discard(member)
        if waits is not None and not self._is_alone:
            now = self._seats.clock()
            for place, (limit, _) in enumerate(lacking):
                if waits:
                    # Others may give back before that.
                    limit.free_at = now + min(float(waits[place]), LOOK_SECONDS)
                else:
                    limit.stock += amounts[place]
                    self._watch(limit)
        member.refresh()
        if self._seats.line:
            self._seats.serve()

    def _watch(self, limit: SharedLimit) -> None:
        """Have what is left of a lease given back in a moment."""
        if not limit.is_watched and not self._is_alone and limit.stock > 0:
            limit.is_watched = True
            self._start(self._give_back(limit))

    async def _give_back(self, limit: SharedLimit) -> None:
        await asyncio.sleep(_KEPT)
        limit.is_watched = False
        left, limit.stock = limit.stock, min(limit.stock, 0.0)
        if left > 0 and not self._is_alone:
            await self._ask(self._give(keys=[limit.key], args=[left * limit.interval]))

    def _tell_rest(self, member: Member) -> None:
        """Tell the others that an endpoint is to be left alone, or need not be any longer."""
        until = max(member.paused_until, member.breaker.blocked_until)
        milliseconds = (until - self._seats.clock()) * 1_000
        if not self._is_alone and milliseconds < float("inf"):
            key = self._rest_keys[self._seats.members.index(member)]
            self._start(self._tell(key, int(milliseconds)))

    async def _tell(self, key: str, milliseconds: int) -> None:
        if milliseconds > 0:
            await self._ask(self._redis.set(key, "1", px=milliseconds))
        else:
            await self._ask(self._redis.delete(key))

    async def _keep_looking(self) -> None:
        """Leave alone what others found to rest, and come back to Redis when it is back, until cancelled."""
        while True:
            rests = await self._ask(self._look(keys=self._rest_keys))
            if rests is not None:
                self._go(alone=False)
                for member, milliseconds in zip(self._seats.members, rests, strict=True):
                    self._hear_of_rest(member, milliseconds / 1_000)
            await asyncio.sleep(LOOK_SECONDS)

    def _hear_of_rest(self, member: Member, seconds: float) -> None:
        """Leave an endpoint alone because others do; where they do not any longer, neither does this process."""
        now = self._seats.clock()
        if seconds > 0:
            before = member.paused_until
            member.pause(seconds, now)
            if member.paused_until != before:
                self._heard[member] = member.paused_until
        elif self._heard.pop(member, None) == member.paused_until > now:
            member.paused_until = now
        else:
            return
        member.refresh()
        if self._seats.line:
            self._seats.serve()

    async def close(self) -> None:
        """Give back what is leased; whoever still has a turn goes on alone."""
        self._looking.cancel()
        self._seats.lessor = self._seats.rests = None
        await asyncio.wait([self._looking], timeout=ANSWER_SECONDS)
        for _ in range(2):  # A lease that was under way is here after the first, and is given back in the second.
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=2 * ANSWER_SECONDS)
        self._is_alone = True
        for task in self._tasks:  # Whoever still has a turn may go on for ever to leave something over.
            task.cancel()
        for limit in self._all():
            limit.go(alone=True)

    def _all(self) -> set[SharedLimit]:
        return {limit for limits in self._limits.values() for limit in limits if limit is not None}

    async def _ask(self, asking: Any) -> Any:
        """Return what Redis answers; None where it does not, and then the limits are this process's own."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asking or ()
        except Exception as error:
            # Whatever is wrong with Redis, a question is not to fail for it.
            self._go(alone=True, why=type(error).__name__)
            return None

    def _go(self, *, alone: bool, why: str = "") -> None:
        if alone == self._is_alone:
            return
        self._is_alone = alone
        if alone:
            log.warning(
                "Redis does not answer (%s): this process keeps the endpoints' limits by itself until it does", why
            )
        else:
            log.info("Redis answers again: the endpoints' limits are kept together with other processes'")
        for limit in self._all():
            limit.go(alone=alone)
        for member in self._seats.members:
            member.refresh()
        if self._seats.line:
            self._seats.serve()


def _digest(endpoints: Iterable[Endpoint]) -> str:
    """Return a name for these accounts that other processes find too, and that tells nothing of the key."""
    told = [(e.base_url, e.model, e.key.get_secret_value() if e.key else "") for e in endpoints]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:24]


@asynccontextmanager
async def share(seats: Seats, redis_url: SecretStr) -> AsyncIterator[None]:
    """Keep the limits of these seats together with other processes' while the block runs.

    Raises SettingsInvalid where the address is none. A Redis that does not answer is warned about, and tried again.
    """
    try:
        redis = Redis.from_url(
            redis_url.get_secret_value(),
            retry=Retry(NoBackoff(), 0),
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
        )
    except ValueError:
        raise SettingsInvalid("QUAESTOR_REDIS_URL is no address: write it like redis://localhost:6379/0.") from None
    try:
        ledger = Ledger(seats, redis)
        try:
            yield
        finally:
            await ledger.close()
    finally:
        await redis.aclose()
