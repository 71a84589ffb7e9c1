"""One request's turn at one endpoint: what it took, how it went, and that it is given back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from endpoints import Endpoint
from llm.pool_choice import Member
from llm.pool_faults import Blame, CallFailed, Fault, Kind
from llm.pool_headers import read_hints
from llm.pool_health import Health

if TYPE_CHECKING:
    from llm.pool_seats import Seats


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
        "kind",
        "member",
        "promised",
        "started",
        "tokens",
    )

    member: Member
    started: float

    def __init__(self, seats: Seats, tokens: float, avoid: Collection[Member], deadline: float, kind: str = "") -> None:
        self._seats = seats
        self.kind = kind
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
        self.end(error)

    def end(self, error: BaseException | None) -> None:
        """Give the turn back; where nobody has told how it went, what the call has raised tells it."""
        if isinstance(error, CallFailed):
            if error.endpoint is None:  # Of two that raced, the one that failed has said so already.
                error.endpoint = self.endpoint
            self.failed(error.fault, error.headers)
        elif error is None and not self._is_told:
            self.succeeded()
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
            # A call that gives its answer whole has told already.
            if not self._is_told:
                member.answered(self.kind, now - self.started, now)

    def succeeded(self, tokens: float | None = None, headers: Mapping[str, str] | None = None) -> None:
        """The call is answered. `tokens` are what it took in all; `headers` may say how much is left."""
        if self._is_told:
            return
        self._is_told = True
        member, now = self.member, self._seats.clock()
        breaker = member.breaker
        has_changed = breaker.health is not Health.CLOSED
        breaker.succeeded(self._epoch, self.started)
        member.successes += 1
        if not self._has_begun:
            member.answered(self.kind, now - self.started, now)
        member.well(self.started)
        if headers is not None and (wait := read_hints(headers).wait_for(tokens or self.tokens)):
            member.pause(wait, now)
            has_changed = True
        if tokens is not None and (limit := member.tokens) is not None:
            self._settle(tokens)
            # Of an endpoint that may be asked, a limit that lies in the past changes nothing.
            has_changed = has_changed or limit.free_at > now or member.free_at > now
        if has_changed:
            member.refresh()

    def failed(self, fault: Fault, headers: Mapping[str, str] | None = None) -> None:
        """The endpoint failed the call; what its headers ask for is kept to."""
        if self._is_told:
            return
        self._is_told = True
        member, now, seats = self.member, self._seats.clock(), self._seats
        member.reason, member.fault = fault.reason, fault
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
            member.heard_at = now
        member.refresh()
        seats.told(member, opened=opened)

    def _count(self, fault: Fault, wait: float, now: float) -> bool:
        """Count a failure of the endpoint's, and return whether it is not to be asked from now on."""
        member = self.member
        breaker = member.breaker
        if fault.kind is Kind.RATE_LIMITED:
            breaker.succeeded(self._epoch)
            member.limited += 1
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
        return breaker.failed(self._epoch, now, self.started)

    def overtaken(self) -> None:
        """Another endpoint answered the same call first, after this one had been late."""
        if self._is_told:
            return
        self._is_told = True
        now = self._seats.clock()
        self.member.reason = "was late"
        self._count_slowness(now)
        opened = self.member.breaker.failed(self._epoch, now, self.started)
        self.member.refresh()
        self._seats.told(self.member, opened=opened)

    def suspected(self) -> None:
        """Another endpoint answered what this one said it does not know: so it was this one's fault."""
        opened = self.member.breaker.failed(self._epoch, self._seats.clock(), self.started)
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
