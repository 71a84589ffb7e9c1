"""Gives each request its turn at an endpoint, first come first served, within every limit."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random
from types import TracebackType
from typing import Protocol

from endpoints import Endpoint
from errors import ModelUnavailable
from llm.pool_choice import Choice, Limit, Member
from llm.pool_faults import Blame, CallFailed, Fault, Kind
from llm.pool_headers import read_hints
from llm.pool_health import Health
from llm.pool_limits import second_bucket

_GRAIN = 0.002
"""Seconds between two looks at the line: timers are no finer, and buckets make up for it."""
_NEVER = float("inf")


class Lessor(Protocol):
    """Where limits are shared: what must be asked for before it can be taken."""

    def lacks(self, member: Member, tokens: float) -> bool:
        """Return whether a request of so many tokens must wait for a lease, and ask for one if so."""


class Turn:
    """One request's turn at one endpoint; `async with` waits for it and gives it back.

    Tell how it went with `succeeded` or `failed`. Where nobody does, the end of the block tells: a CallFailed is
    its fault, no exception is a success, and anything else (a cancellation, a programming error) says nothing
    about the endpoint.
    """

    __slots__ = (
        "_epoch",
        "_has_begun",
        "_is_told",
        "_seats",
        "_sits",
        "avoid",
        "deadline",
        "member",
        "promised",
        "started",
        "tokens",
    )

    member: Member
    started: float

    def __init__(self, seats: Seats, tokens: float, avoid: Collection[Member], deadline: float) -> None:
        self._seats = seats
        self.tokens = tokens
        """What is reserved."""
        self.avoid = avoid
        self.deadline = deadline
        self.promised: Member | None = None
        self._is_told = True
        self._has_begun = False
        self._sits = False

    @property
    def endpoint(self) -> Endpoint:
        return self.member.endpoint

    async def __aenter__(self) -> Turn:
        seats = self._seats
        if not self._sits and (seats.line or not seats.seat(self)):
            await seats.wait(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_told:
            if error is None:
                self.succeeded()
            elif isinstance(error, CallFailed):
                self.failed(error.fault, error.headers)
        self.leave()

    def sit(self, member: Member, epoch: int, now: float) -> None:
        self.member, self._epoch, self.started = member, epoch, now
        self._is_told = False
        self._sits = True

    def began(self) -> None:
        """The first of the answer is here: what a stream's endpoint takes is counted until now."""
        if not self._has_begun:
            self._has_begun = True
            member, now = self.member, self._seats.clock()
            member.pending -= 1
            self._seats.choice.pending -= 1
            member.latency.add(now - self.started, now)

    def succeeded(self, tokens: float | None = None, headers: Mapping[str, str] | None = None) -> None:
        """The call is answered. `tokens` are what it took in all; `headers` may say how much is left."""
        if self._is_told:
            return
        self._is_told = True
        member, now = self.member, self._seats.clock()
        breaker = member.breaker
        was_probe = breaker.health is not Health.CLOSED
        breaker.succeeded(self._epoch)
        member.successes += 1
        if not self._has_begun:
            member.latency.add(now - self.started, now)
        member.well(self.started)
        if headers is not None and (wait := read_hints(headers).wait_for(tokens or self.tokens)):
            member.pause(wait, now)
            was_probe = True
        if tokens is not None and member.tokens is not None:
            self._settle(tokens)
        elif was_probe:
            member.refresh()

    def failed(self, fault: Fault, headers: Mapping[str, str] | None = None) -> None:
        """The endpoint failed the call; what its headers ask for is kept to."""
        if self._is_told:
            return
        self._is_told = True
        member, now, seats = self.member, self._seats.clock(), self._seats
        member.reason = fault.reason
        opened = False
        hints = read_hints(headers) if headers is not None else None
        wait = hints.wait_for(self.tokens) if hints is not None else 0.0
        if fault.blame is Blame.REQUEST:
            # An endpoint that tells what is wrong with a request is well.
            member.breaker.succeeded(self._epoch)
        else:
            member.failures += 1
            opened = self._count(fault, wait, now)
        if fault.status is not None:
            # Refused, so not worked on: only what broke off may have cost tokens.
            self._settle(0.0)
        member.refresh()
        seats.told(member, opened=opened)

    def _count(self, fault: Fault, wait: float, now: float) -> bool:
        """Count a failure of the endpoint's, and return whether it is not to be asked from now on."""
        member = self.member
        breaker = member.breaker
        if fault.kind is Kind.RATE_LIMITED:
            breaker.succeeded(self._epoch)
            member.rate_limited(wait, self.started, now)
            return False
        if fault.kind is Kind.FINAL:
            if fault.blame is Blame.ENDPOINT:
                return breaker.refused(self._epoch, now)
            breaker.dropped(self._epoch, now)
            return False
        self._count_slowness(now)
        if wait:
            member.pause(wait, now)
        return breaker.failed(self._epoch, now)

    def overtaken(self) -> None:
        """Another endpoint answered the same call first, after this one had been late."""
        if self._is_told:
            return
        self._is_told = True
        now = self._seats.clock()
        self.member.reason = "was late"
        self._count_slowness(now)
        opened = self.member.breaker.failed(self._epoch, now)
        self.member.refresh()
        self._seats.told(self.member, opened=opened)

    def suspected(self) -> None:
        """Another endpoint answered what this one said it does not know: so it was this one's fault."""
        opened = self.member.breaker.failed(self._epoch, self._seats.clock())
        self.member.refresh()
        self._seats.told(self.member, opened=opened)

    def leave(self) -> None:
        """Give the turn back; a second time changes nothing."""
        if not self._sits:
            return
        member = self.member
        if self._has_begun:
            # Whoever stops reading has been answered.
            self.succeeded()
        elif not self._is_told:
            self._is_told = True
            member.breaker.dropped(self._epoch, self._seats.clock())
            member.refresh()
        self._sits = False
        if not self._has_begun:
            member.pending -= 1
            self._seats.choice.pending -= 1
        self._seats.release(member)

    def undo(self) -> None:
        """Give back a turn that was never used, and all that was taken for it."""
        if not self._sits:
            return
        for limit, amount in (
            (self._seats.overall, 1.0),
            (self.member.requests, 1.0),
            (self.member.tokens, self.tokens),
        ):
            if limit is not None:
                limit.settle(-amount)
        self.leave()

    def _count_slowness(self, now: float) -> None:
        elapsed = now - self.started
        if not self._has_begun and elapsed > self.member.latency.mean:
            self.member.latency.add(elapsed, now)

    def _settle(self, tokens: float) -> None:
        limit = self.member.tokens
        if limit is not None and tokens != self.tokens:
            limit.settle(tokens - self.tokens)
            self.tokens = tokens
        self.member.refresh()


class Seats:
    """The endpoints' seats, and the line before them."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        per_second: float | None,
        patient: bool,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        self.members = tuple(Member(endpoint, random) for endpoint in endpoints)
        self.choice = Choice(self.members)
        self.overall: Limit | None = second_bucket(per_second) if per_second else None
        self.lessor: Lessor | None = None
        self.rests: Callable[[Member], None] | None = None
        """Told of each endpoint that is to be left alone from now on."""
        self.clock = clock
        self.line: OrderedDict[Turn, asyncio.Future[None]] = OrderedDict()
        self._patient = patient
        self._timer: asyncio.TimerHandle | None = None
        self._wake_at = _NEVER

    def seat(self, turn: Turn, *, queued: bool = False) -> bool:
        """Return whether there is a seat now, and give it."""
        now = self.clock()
        overall = self.overall
        if overall is not None and overall.free_at > now:
            return False
        member = turn.promised
        if member is None or member.free_at > now or member.in_flight >= member.cap:
            member = self.choice.choose(now, turn.avoid)
            if member is None:
                return False
        if self.lessor is not None:
            turn.promised = member
            if self.lessor.lacks(member, turn.tokens):
                return False
        breaker = member.breaker
        is_closed = breaker.health is Health.CLOSED
        turn.sit(member, breaker.epoch if is_closed else breaker.begin(), now)
        member.in_flight += 1
        member.pending += 1
        self.choice.pending += 1
        if overall is not None:
            overall.take(now, queued=queued)
        requests, tokens = member.requests, member.tokens
        if requests is not None:
            requests.take(now, queued=queued)
        if tokens is not None and turn.tokens:
            tokens.take(now, turn.tokens, queued=queued)
        if requests is not None or tokens is not None or not is_closed:
            member.refresh()
        return True

    def release(self, member: Member) -> None:
        was_full = member.in_flight >= member.cap
        member.in_flight -= 1
        if self.line and (was_full or self._is_sooner(member)):
            self.serve()

    def told(self, member: Member, *, opened: bool) -> None:
        """An endpoint's health, pause or limits have changed."""
        if self.rests is not None and member.is_resting(self.clock()):
            self.rests(member)
        if self.line and (opened or self._is_sooner(member)):
            self.serve()

    def _is_sooner(self, member: Member) -> bool:
        free_at = member.free_at if self.overall is None else max(member.free_at, self.overall.free_at)
        return free_at < self._wake_at

    async def wait(self, turn: Turn) -> None:
        """Return when the turn has its seat.

        Raises ModelUnavailable when no endpoint is well, or none will be free before the turn's deadline.
        """
        future = asyncio.get_running_loop().create_future()
        head = next(iter(self.line), None)
        self.line[turn] = future
        try:
            # Behind somebody who waits for whatever comes there is nothing to look for.
            if head is None or head.avoid:
                self.serve()
            if turn.deadline == _NEVER:
                await future
            else:
                await self._wait_within(future, turn.deadline)
        except BaseException:
            self.line.pop(turn, None)
            if future.done() and not future.cancelled():
                future.exception()
            turn.undo()
            if self.line:
                self.serve()
            raise

    async def _wait_within(self, future: asyncio.Future[None], deadline: float) -> None:
        seconds = deadline - self.clock()
        is_full = any(member.in_flight >= member.cap for member in self.members)
        if not future.done() and (seconds <= 0 or (deadline < self._wake_at < _NEVER and not is_full)):
            raise _busy()
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            raise _busy() from None

    def serve(self) -> None:
        """Seat those in line who can be seated, in their order, and wake up when the next one may be."""
        line = self.line
        passed_over: list[tuple[Turn, asyncio.Future[None]]] = []
        while line:
            turn, future = line.popitem(last=False)
            if future.done():
                continue
            if self.seat(turn, queued=True):
                future.set_result(None)
                continue
            passed_over.append((turn, future))
            # Whoever avoids an endpoint holds nobody up who would take it.
            if not turn.avoid or (self.overall is not None and self.overall.free_at > self.clock()):
                break
        for turn, future in reversed(passed_over):
            line[turn] = future
            line.move_to_end(turn, last=False)
        self._arm([turn for turn, _ in passed_over])

    def _arm(self, heads: list[Turn]) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake_at = _NEVER
        if not heads:
            return
        now = self.clock()
        if self._is_hopeless(now):
            self._turn_all_away()
            return
        self._wake_at = min(self.choice.free_at(now, turn.avoid) for turn in heads)
        if self.overall is not None:
            self._wake_at = max(self._wake_at, self.overall.free_at)
        if self._wake_at < _NEVER:
            delay = max(self._wake_at - now, _GRAIN)
            self._timer = asyncio.get_running_loop().call_later(delay, self.serve)

    def _is_hopeless(self, now: float) -> bool:
        if any(member.is_up(now) for member in self.members):
            return False
        return not self._patient or all(member.breaker.refusal for member in self.members)

    def _turn_all_away(self) -> None:
        waiting = list(self.line.values())
        self.line.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(self.down())

    def down(self) -> ModelUnavailable:
        """Return what is said where no endpoint is well."""
        whys = "; ".join(f"{member.endpoint.name} {member.reason or 'is being tried'}" for member in self.members)
        if all(member.breaker.refusal for member in self.members):
            return ModelUnavailable(f"No model endpoint can be used: {whys}. Check the keys and the accounts.")
        return ModelUnavailable(f"No model endpoint answers at the moment: {whys}. Ask again in a minute.")

    def close(self) -> None:
        """Turn away whoever still waits, and stop the timer."""
        self._turn_all_away()
        self._arm([])


def _busy() -> ModelUnavailable:
    return ModelUnavailable("Every model endpoint has too many requests at the moment. Ask again in a minute.")
