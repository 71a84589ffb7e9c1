"""Gives each request its turn at an endpoint, first come first served, within every limit."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from endpoints import Endpoint
from errors import Unseated
from llm.pool_choice import Choice, Limit, Member
from llm.pool_health import Health
from llm.pool_limits import second_bucket
from llm.pool_turn import Turn

_GRAIN = 0.002
"""Seconds between two looks at the line: timers are no finer, and buckets make up for it."""
_PASSED_OVER = 16
"""How many may stand in line because they avoid an endpoint; where more would, it is asked all the same."""
_NEVER = float("inf")


class Lessor(Protocol):
    """Where limits are shared: what must be asked for before it can be taken."""

    def lacks(self, member: Member, tokens: float) -> bool:
        """Return whether a request of so many tokens must wait for a lease, and ask for one if so."""


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
        """Told of each endpoint that is to be left alone from now on, or need not be any longer."""
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
        if not member.pending:
            member.heard_at = now
        member.pending += 1
        self.choice.pending += 1
        if overall is not None:
            overall.take(now, 1.0, queued)
        if (limit := member.requests) is not None:
            limit.take(now, 1.0, queued)
            if limit.free_at > member.free_at:
                member.free_at = limit.free_at
        if (limit := member.tokens) is not None and turn.tokens:
            limit.take(now, turn.tokens, queued)
            if limit.free_at > member.free_at:
                member.free_at = limit.free_at
        if not is_closed:
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

    def end_rest(self, member: Member) -> None:
        """The endpoint need not be left alone any longer."""
        now = self.clock()
        member.breaker.cut_short(now)
        member.paused_until = min(member.paused_until, now)
        member.refresh()
        if self.rests is not None:
            self.rests(member)
        if self.line:
            self.serve()

    def _is_sooner(self, member: Member) -> bool:
        free_at = member.free_at if self.overall is None else max(member.free_at, self.overall.free_at)
        return free_at < self._wake_at

    async def wait(self, turn: Turn) -> None:
        """Return when the turn has its seat.

        Raises Unseated when no endpoint is well, or none will be free before the turn's deadline.
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
            if len(passed_over) >= _PASSED_OVER:
                turn.avoid = ()
            if self.seat(turn, queued=True):
                future.set_result(None)
                continue
            passed_over.append((turn, future))
            # Whoever avoids an endpoint holds nobody up who would take it.
            is_limited = self.overall is not None and self.overall.free_at > self.clock()
            if not turn.avoid or is_limited:
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

    def down(self) -> Unseated:
        """Return what is said where no endpoint is well."""
        whys = "; ".join(f"{member.endpoint.name} {member.reason or 'is being tried'}" for member in self.members)
        if all(member.breaker.refusal for member in self.members):
            return Unseated(f"No model endpoint can be used: {whys}. Check their addresses, keys and accounts.")
        return Unseated(f"No model endpoint answers at the moment: {whys}. Ask again in a minute.")

    def close(self) -> None:
        """Turn away whoever still waits, and stop the timer."""
        self._turn_all_away()
        self._arm([])


def _busy() -> Unseated:
    return Unseated("Every model endpoint has too many requests at the moment. Ask again in a minute.")
