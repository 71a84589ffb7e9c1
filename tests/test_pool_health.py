"""A breaker opens on failures, lets one probe through, and believes nobody who began before it changed."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llm.pool_health import (
    FAILURES_IN_A_ROW,
    LONGEST_COOL_DOWN,
    REFUSED_COOL_DOWN,
    Breaker,
    Health,
    Latency,
)


class BreakerInUse(RuleBasedStateMachine):
    """Calls begin when they may, and end in any order, each in any way."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(Random(1))
        self.under_way: list[int] = []
        self.probes: set[int] = set()

    def _end(self, which: int) -> int:
        epoch = self.under_way.pop(which % len(self.under_way))
        self.probes.discard(epoch)
        return epoch

    @rule(seconds=st.sampled_from([0.0, 0.01, 1.0, 30.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.blocked_until <= self.now)
    @rule()
    def begin(self) -> None:
        was = self.breaker.health
        epoch = self.breaker.begin()
        self.under_way.append(epoch)
        if was is not Health.CLOSED:
            assert self.breaker.health is Health.HALF_OPEN
            self.probes.add(epoch)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 99))
    def succeed(self, which: int) -> None:
        was, current = self.breaker.health, self.breaker.epoch
        epoch = self._end(which)
        self.breaker.succeeded(epoch)
        if was is Health.HALF_OPEN:
            assert (self.breaker.health is Health.CLOSED) == (epoch == current)
        else:
            assert self.breaker.health is was

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 99))
    def fail(self, which: int) -> None:
        was, current = self.breaker.health, self.breaker.epoch
        epoch = self._end(which)
        opened = self.breaker.failed(epoch, self.now)
        if opened:
            assert epoch == current and self.breaker.health is Health.OPEN
            assert self.now <= self.breaker.blocked_until <= self.now + LONGEST_COOL_DOWN
        else:
            assert self.breaker.health is was
        if was is Health.HALF_OPEN:
            assert opened == (epoch == current)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 99))
    def refuse(self, which: int) -> None:
        current = self.breaker.epoch
        epoch = self._end(which)
        if self.breaker.refused(epoch, self.now):
            assert epoch == current and self.breaker.refusal
            assert self.breaker.blocked_until == self.now + REFUSED_COOL_DOWN

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 99))
    def drop(self, which: int) -> None:
        self.breaker.dropped(self._end(which), self.now)

    @invariant()
    def one_probe_at_a_time(self) -> None:
        assert len(self.probes) <= 1
        if self.breaker.health is Health.HALF_OPEN:
            assert len(self.probes) == 1 and self.breaker.blocked_until == float("inf")
        elif self.breaker.health is Health.CLOSED:
            assert self.breaker.blocked_until <= self.now

    @invariant()
    def it_always_comes_back(self) -> None:
        if self.breaker.health is Health.OPEN:
            assert self.breaker.blocked_until <= self.now + REFUSED_COOL_DOWN


TestBreakerInUse = BreakerInUse.TestCase


def test_failures_in_a_row_open_it_and_a_success_in_between_does_not() -> None:
    breaker = Breaker(Random(1))
    for _ in range(2):
        for _ in range(FAILURES_IN_A_ROW - 1):
            assert not breaker.failed(breaker.begin(), 0.0)
        breaker.succeeded(breaker.begin())
    breaker = Breaker(Random(1))
    outcomes = [breaker.failed(breaker.begin(), 0.0) for _ in range(FAILURES_IN_A_ROW)]
    assert outcomes == [False] * (FAILURES_IN_A_ROW - 1) + [True]


def test_every_other_call_failing_opens_it_too() -> None:
    breaker = Breaker(Random(1))
    calls = 0
    while breaker.health is Health.CLOSED and calls < 200:
        calls += 2
        breaker.succeeded(breaker.begin())
        breaker.failed(breaker.begin(), 0.0)
    assert 10 <= calls <= 80


def test_a_tenth_of_the_calls_failing_does_not() -> None:
    breaker = Breaker(Random(1))
    random = Random(2)
    for _ in range(5_000):
        epoch = breaker.begin()
        if random.random() < 0.1:
            assert not breaker.failed(epoch, 0.0)
        else:
            breaker.succeeded(epoch)


def test_it_rests_longer_each_time_until_it_has_been_well_for_a_while() -> None:
    def rests(breaker: Breaker) -> float:
        now = 0.0
        while breaker.health is Health.CLOSED:
            breaker.failed(breaker.begin(), now)
        return breaker.blocked_until - now

    def longest(failed_probes: int, calm: int = 0) -> float:
        """Return the longest rest of many breakers that failed so many probes, and then were well so often."""
        found = 0.0
        for seed in range(300):
            breaker = Breaker(Random(seed))
            rests(breaker)
            for _ in range(failed_probes):
                breaker.failed(breaker.begin(), 0.0)
            if calm:
                for _ in range(calm):
                    breaker.succeeded(breaker.begin())
                rests(breaker)
            found = max(found, breaker.blocked_until)
        return found

    assert 0.9 < longest(0) <= 1.0
    assert 7.0 < longest(3) <= 8.0
    assert 28.0 < longest(9) <= LONGEST_COOL_DOWN
    assert longest(9, calm=5) > 28.0
    assert longest(9, calm=100) <= 1.0


@given(seconds=st.lists(st.floats(0.001, 60), min_size=1, max_size=400))
def test_the_mean_lies_among_what_was_measured(seconds: list[float]) -> None:
    latency = Latency()
    for place, value in enumerate(seconds):
        latency.add(value, place * 0.1)
    assert min(seconds) - 1e-6 <= latency.mean <= max(seconds) + 1e-6
    p95 = latency.p95()
    assert (p95 is None) == (len(seconds) < 20)
    assert p95 is None or p95 in seconds


def test_the_p95_is_that_of_the_last_calls() -> None:
    latency = Latency()
    for value in range(1, 1_001):
        latency.add(float(value), 0.0)
    p95 = latency.p95()
    assert p95 is not None and 970 <= p95 <= 1_000


def test_what_was_measured_long_ago_is_forgotten() -> None:
    latency = Latency()
    for _ in range(40):
        latency.add(9.0, 0.0)
    assert latency.is_known(30.0, pending=1) and not latency.is_known(61.0, pending=1)
    latency.add(1.0, 100.0)
    assert latency.mean == 1.0


def test_what_began_before_the_failures_says_nothing_about_them() -> None:
    breaker = Breaker(Random(1))
    epoch = breaker.begin()
    for moment in range(FAILURES_IN_A_ROW):
        assert breaker.health is Health.CLOSED
        breaker.succeeded(epoch, started=9.0)
        breaker.failed(epoch, 11.0 + moment, started=10.0)
    assert breaker.health is Health.OPEN


def test_what_began_after_a_failure_and_was_answered_ends_the_row() -> None:
    breaker = Breaker(Random(1))
    epoch = breaker.begin()
    for moment in range(FAILURES_IN_A_ROW):
        breaker.failed(epoch, 11.0 + moment, started=10.0 + moment)
        breaker.succeeded(epoch, started=10.5 + moment)
    assert breaker.health is Health.CLOSED


@pytest.mark.parametrize("under_way", [2, 30, 100, 1_000])
def test_a_few_failures_among_many_under_way_together_are_no_row(under_way: int) -> None:
    breaker, random = Breaker(Random(1)), Random(2)
    epoch, now = breaker.begin(), 0.0
    for _ in range(100_000 // under_way):
        starts = [now + place / 1e6 for place in range(under_way)]
        random.shuffle(starts)
        now += 1.0
        for started in starts:
            if random.random() < 0.05:
                assert not breaker.failed(epoch, now, started)
            else:
                breaker.succeeded(epoch, started)
    assert breaker.health is Health.CLOSED
