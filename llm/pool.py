"""Shares requests among weighted endpoints: health, rate limits, retries, hedging. No HTTP in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from pydantic import SecretStr

from endpoints import Endpoint
from llm.pool_choice import Member
from llm.pool_faults import Blame, Breakage, CallFailed, Fault, Kind, classify
from llm.pool_health import Health
from llm.pool_limits import Budget, full_jitter
from llm.pool_race import Goodbyes, race
from llm.pool_seats import Seats
from llm.pool_turn import Turn

__all__ = [
    "Blame",
    "Breakage",
    "Budget",
    "CallFailed",
    "EndpointState",
    "Fault",
    "Health",
    "Kind",
    "Pool",
    "Turn",
    "classify",
    "open_pool",
]

T = TypeVar("T")

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 10.0
HEDGE_SHARE = 0.1
LONG_WAIT = 3.0
"""Seconds after which the only endpoint there is to ask is not asked a second time: no connection came, say."""
_NEVER = float("inf")
_UNREACHED = (Breakage.CONNECT, Breakage.RESET)


@dataclass(frozen=True)
class EndpointState:
    """How one endpoint is, for metrics and for /readyz."""

    name: str
    health: Health
    is_up: bool
    """Whether it is asked, or may be asked whether it is well again."""
    reason: str
    """Why it failed last; empty where it never did."""
    in_flight: int
    paused: float
    """Seconds that it asked to be left alone, from now."""
    latency: float
    """Mean seconds of a call, or to a stream's first item; 0 where none is known."""
    p95: float | None
    pace: float
    """What its speed leaves of its weight, from 0 to 1."""
    successes: int
    failures: int
    limited: int
    """How many of the failures were for too many requests."""


class Pool:
    """Many model endpoints as one.

    A call is given its `Turn` and asks `turn.endpoint`; where the endpoint fails it, it raises CallFailed with
    what `classify` makes of the failure. It may tell `turn.succeeded(tokens=…, headers=…)` itself; where it does
    not, a call that returns has succeeded. One pool belongs to one event loop.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        max_requests_per_second: float | None = None,
        attempts: int = 4,
        patient: bool = False,
        hedging: bool = False,
        retries: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        """Take turns at the endpoints, of which there is at least one.

        `attempts` is how often one call is made at most. A `patient` pool, for a file of requests, waits until an
        endpoint is well again; any other says at once that none is. The clock counts seconds.
        """
        self._random = random or Random()
        self.seats = Seats(
            endpoints, per_second=max_requests_per_second, patient=patient, clock=clock, random=self._random
        )
        self._clock = clock
        self._attempts = attempts
        self._patient = patient
        self._retries = retries or Budget()
        self._goodbyes = Goodbyes()
        self._hedges = Budget(HEDGE_SHARE, per_second=0.0, most=10.0) if hedging else None

    def take(self, tokens: float = 0.0, *, avoid: Collection[Member] = (), seconds: float | None = None) -> Turn:
        """Return a turn to be waited for with `async with`.

        `tokens` are reserved until `succeeded` tells how many there were. Waiting raises ModelUnavailable when no
        endpoint is well, or when none is free within `seconds`.
        """
        return Turn(self.seats, tokens, avoid, _NEVER if seconds is None else self._clock() + seconds)

    async def run(
        self,
        call: Callable[[Turn], Awaitable[T]],
        *,
        tokens: float = 0.0,
        kind: str = "",
        seconds: float | None = None,
        each: float | None = None,
    ) -> T:
        """Return what the call returns, made again elsewhere while it fails in a way that may pass.

        `seconds` is for everything, waiting included; `each` for one attempt. Calls of one `kind` take about as long
        as one another: they tell which of them is late. Raises the last attempt's CallFailed, or ModelUnavailable
        where no endpoint could be asked.
        """
        if self._hedges is not None:
            async with aclosing(
                self.stream(_once(call), tokens=tokens, kind=kind, seconds=seconds, each=each)
            ) as answers:
                [answer] = [answer async for answer in answers]
                return answer
        tries, seats = _Tries(self, seconds), self.seats
        while True:
            turn = Turn(seats, tokens, tries.avoid, tries.deadline, kind)
            # As `async with turn`, whose two coroutines would be a tenth of what a call costs here.
            if seats.line or not seats.seat(turn):
                await seats.wait(turn)
            try:
                limit = tries.limit(each)
                answer = await call(turn) if limit is None else await _within(call(turn), limit)
            except BaseException as error:
                turn.end(error)
                if not isinstance(error, CallFailed):
                    raise
                await tries.prepare_next(turn, error)
            else:
                turn.end(None)
                tries.succeeded()
                return answer

    async def stream(
        self,
        call: Callable[[Turn], AsyncGenerator[T]],
        *,
        tokens: float = 0.0,
        kind: str = "",
        seconds: float | None = None,
        each: float | None = None,
    ) -> AsyncGenerator[T]:
        """Yield what the call yields; it is made again, as by `run`, only as long as nothing was yielded.

        `seconds` and `each` end with the first item; what comes later is the call's to bound. Close it with
        `aclosing`. With hedging, a call whose first item is later than its endpoint's p95 is made a second time
        elsewhere, for a tenth of all calls at most; whichever is first goes on, and the other is cancelled. At an
        endpoint that was found not to be well meanwhile, such a call is made again as any that has failed.
        """
        tries = _Tries(self, seconds)
        while True:
            turn = Turn(self.seats, tokens, tries.avoid, tries.deadline, kind)
            has_begun = False
            try:
                async with aclosing(self._attempt(turn, call, tries, kind, each)) as items:
                    async for item in items:
                        if not has_begun:
                            has_begun = True
                            tries.succeeded()
                        yield item
                return
            except CallFailed as failed:
                if has_begun:
                    raise
                await tries.prepare_next(turn, failed)

    async def _attempt(
        self, turn: Turn, call: Callable[[Turn], AsyncGenerator[T]], tries: _Tries, kind: str, each: float | None
    ) -> AsyncGenerator[T]:
        """Yield one attempt's items, or those of the quicker of two."""
        async with turn:
            if self._hedges is None or (late := self._lateness(turn.member, kind)) is None:
                attempt = _begin(turn, call, tries.limit(each))
            else:
                attempt = race(
                    turn,
                    lambda turn: _begin(turn, call, tries.limit(each)),
                    late,
                    lambda turns: self._hedge(turns, tries),
                    self._goodbyes,
                )
            async with aclosing(attempt) as items:
                async for item in items:
                    yield item

    def _lateness(self, member: Member, kind: str) -> float | None:
        """Return after how many seconds a call there is late: its p95, or the others' where it is not known."""
        others = (other.p95(kind) for other in self.seats.members)
        return member.p95(kind) or min((p95 for p95 in others if p95 is not None), default=None)

    def _hedge(self, turns: list[Turn], tries: _Tries) -> Turn | None:
        """Return a turn at yet another endpoint, where there is a seat at once and the traffic allows it."""
        hedges, first = self._hedges, turns[0]
        others = [member for member in self.seats.members if member is not first.member]
        if hedges is None or self.seats.line or not any(member.is_up(self._clock()) for member in others):
            return None
        # Who waits at an endpoint that is down by now is not early but lost.
        extra = hedges if first.member.is_up(self._clock()) else self._retries
        if not extra.spend(self._clock()):
            return None
        turn = Turn(
            self.seats, first.tokens, (*tries.avoid, *(turn.member for turn in turns)), tries.deadline, first.kind
        )
        if self.seats.seat(turn):
            if turn.member is not first.member:
                return turn
            turn.undo()
        extra.refund()
        return None

    async def close(self) -> None:
        """Turn away whoever still waits, and return when no call that lost a race goes on."""
        self.seats.close()
        await self._goodbyes.close()

    @property
    def healthy(self) -> bool:
        """Whether any endpoint may be asked."""
        now = self._clock()
        return any(member.is_up(now) for member in self.seats.members)

    def lone_fault(self) -> Fault | None:
        """Return what the only endpoint failed with and now rests for; None where there are others, or it is asked."""
        [member, *others] = self.seats.members
        return member.fault if not others and member.is_resting(self._clock()) else None

    def unreached(self) -> tuple[str, ...]:
        """Return the names of those that rest because they could not be reached, and not for anything they said."""
        now = self._clock()
        resting = (member for member in self.seats.members if not member.is_up(now))
        return tuple(m.endpoint.name for m in resting if m.fault is not None and m.fault.breakage in _UNREACHED)

    def reached(self, name: str) -> None:
        """An endpoint that could not be reached can be: let the next call find out whether it is well."""
        self.seats.end_rest(next(member for member in self.seats.members if member.endpoint.name == name))

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self.seats.line)

    @property
    def states(self) -> tuple[EndpointState, ...]:
        """How each endpoint is, in the order in which they were given."""
        now = self._clock()
        return tuple(
            EndpointState(
                name=member.endpoint.name,
                health=member.breaker.health,
                is_up=member.is_up(now),
                reason=member.reason,
                in_flight=member.in_flight,
                paused=max(0.0, member.paused_until - now),
                latency=member.latency.mean,
                p95=member.latency.p95(),
                pace=member.pace,
                successes=member.successes,
                failures=member.failures,
                limited=member.limited,
            )
            for member in self.seats.members
        )


class _Tries:
    """The attempts of one call: when they end, whom the next one avoids, and whether there is a next one."""

    __slots__ = ("_pool", "_suspects", "_times", "avoid", "deadline")

    def __init__(self, pool: Pool, seconds: float | None) -> None:
        pool._retries.earn()
        if pool._hedges is not None:
            pool._hedges.earn()
        self._pool = pool
        self.deadline = _NEVER if seconds is None else pool._clock() + seconds
        self.avoid: tuple[Member, ...] = ()
        self._times = 0
        self._suspects: tuple[Turn, ...] = ()

    def limit(self, each: float | None) -> float | None:
        """Return the seconds for one attempt from now; None is no limit."""
        if self.deadline == _NEVER:
            return each
        left = self.deadline - self._pool._clock()
        return left if each is None else min(each, left)

    def succeeded(self) -> None:
        for turn in self._suspects:
            turn.suspected()

    async def prepare_next(self, turn: Turn, failed: CallFailed) -> None:
        """Return when the next attempt may be made; raises what failed where there is none."""
        pool, fault = self._pool, failed.fault
        self._times += 1
        if fault.blame is Blame.EITHER:
            self._suspects = (*self._suspects, turn)
        self.avoid = (*self.avoid, turn.member)
        now = pool._clock()
        others = [member for member in pool.seats.members if member.is_up(now) and member not in self.avoid]
        if not others:
            self.avoid = (turn.member,)
        if not _may_pass(fault, bool(others)) or self._times >= pool._attempts:
            raise failed
        if not others and not pool._patient and now - turn.started > LONG_WAIT:
            # Nobody else can be asked, and whoever waits has waited long enough for this one.
            raise failed
        # Another endpoint need not be waited for: it is not the one that needs a rest.
        is_free = any(member.paused_until <= now for member in others)
        delay = 0.0 if is_free else full_jitter(pool._random, self._times - 1, FIRST_BACKOFF, LONGEST_BACKOFF)
        if now + delay >= self.deadline:
            raise failed
        while not pool._retries.spend(pool._clock()):
            if not pool._patient or pool._clock() >= self.deadline:
                raise failed
            await asyncio.sleep(full_jitter(pool._random, 0, 1.0, 1.0))
        if delay:
            await asyncio.sleep(delay)


def _may_pass(fault: Fault, has_another: bool) -> bool:
    if fault.kind is Kind.FINAL:
        return has_another and fault.blame is not Blame.REQUEST
    return True


async def _within(answer: Awaitable[T], seconds: float) -> T:
    """Return the answer; raises CallFailed where it takes longer."""
    try:
        async with asyncio.timeout(seconds) as limit:
            return await answer
    except TimeoutError:
        if not limit.expired():
            raise
        raise CallFailed(classify(Breakage.TIMEOUT)) from None


async def _begin(turn: Turn, call: Callable[[Turn], AsyncGenerator[T]], limit: float | None) -> AsyncGenerator[T]:
    """Yield the call's items; raises CallFailed where the first is later than the limit."""
    async with aclosing(call(turn)) as items:
        try:
            first = await anext(items) if limit is None else await _within(anext(items), limit)
        except StopAsyncIteration:
            return
        turn.began()
        yield first
        async for item in items:
            yield item


def _once(call: Callable[[Turn], Awaitable[T]]) -> Callable[[Turn], AsyncGenerator[T]]:
    async def answer(turn: Turn) -> AsyncGenerator[T]:
        yield await call(turn)

    return answer


@asynccontextmanager
async def open_pool(
    endpoints: Sequence[Endpoint],
    *,
    redis_url: SecretStr | None = None,
    max_requests_per_second: float | None = None,
    attempts: int = 4,
    patient: bool = False,
    hedging: bool = False,
) -> AsyncIterator[Pool]:
    """Yield a pool, which keeps its limits together with other processes' where a Redis is named.

    Raises SettingsInvalid where that cannot be an address, or the package redis is not installed.
    """
    pool = Pool(
        endpoints, max_requests_per_second=max_requests_per_second, attempts=attempts, patient=patient, hedging=hedging
    )
    try:
        if redis_url is None:
            yield pool
        else:
            from llm.pool_shared import share

            async with share(pool.seats, redis_url):
                yield pool
    finally:
        await pool.close()
