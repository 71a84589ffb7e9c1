"""Rates are kept in every window, lateness is made up, and retries stay within their budget."""

from bisect import bisect_left
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.pool_limits import Bucket, Budget, full_jitter, requests_bucket, second_bucket, tokens_bucket

SEEDS = st.integers(0, 2**32)


def most_in(times: list[float], window: float) -> int:
    """Return how many of these ascending times lie in the fullest window of so many seconds."""
    return max((place - bisect_left(times, time - window) + 1 for place, time in enumerate(times)), default=0)


def taken(bucket: Bucket, seconds: float, random: Random, *, late: float, idle: float) -> list[float]:
    """Take whenever the bucket lets, waking late, and stay away now and then."""
    times: list[float] = []
    now = 100.0
    while now < 100.0 + seconds:
        queued = bucket.free_at > now
        if queued:
            now = bucket.free_at + random.random() * late
        elif random.random() < idle:
            now += random.expovariate(5.0)
        while bucket.free_at <= now:
            bucket.take(now, queued=queued)
            times.append(now)
            if random.random() < idle:
                break
    return times


@pytest.mark.parametrize("rate", [500, 1_000, 5_000])
@settings(deadline=None)
@given(seed=SEEDS, late=st.sampled_from([0.0, 0.001, 0.02, 0.3]), idle=st.sampled_from([0.0, 0.001, 0.02]))
def test_no_second_holds_more_than_two_percent_above_the_rate(rate: int, seed: int, late: float, idle: float) -> None:
    times = taken(second_bucket(rate), 4.0, Random(seed), late=late, idle=idle)
    assert most_in(times, 1.0) <= 1.02 * rate


@pytest.mark.parametrize("rate", [500, 1_000, 5_000])
@pytest.mark.parametrize("late", [0.0, 0.001, 0.004, 0.012, 0.05])
def test_what_timers_oversleep_is_made_up(rate: int, late: float) -> None:
    bucket = second_bucket(rate)
    times = taken(bucket, 10.0, Random(7), late=late, idle=0.0)
    assert 0.99 * 10 * rate <= len(times) <= 1.005 * 10 * rate


def test_a_pause_of_the_whole_loop_is_made_up_within_the_rate() -> None:
    bucket = second_bucket(1_000)
    times: list[float] = []
    for tick in range(20_000):
        now = tick * 0.001
        if 5.0 < now < 5.15:
            continue
        while bucket.free_at <= now:
            bucket.take(now, queued=True)
            times.append(now)
    assert len(times) >= 0.998 * 20 * 1_000
    assert most_in(times, 1.0) <= 1_020


@settings(deadline=None)
@given(seed=SEEDS, per_minute=st.sampled_from([3, 60, 500, 2_900]), idle=st.sampled_from([0.0, 0.05]))
def test_no_minute_holds_more_than_a_small_limit(seed: int, per_minute: int, idle: float) -> None:
    times = taken(requests_bucket(per_minute), 240.0, Random(seed), late=0.002, idle=idle)
    assert most_in(times, 60.0) <= 1.02 * per_minute


def test_a_large_limit_per_minute_is_kept_every_second() -> None:
    times = taken(requests_bucket(60_000), 5.0, Random(3), late=0.002, idle=0.01)
    assert most_in(times, 1.0) <= 1_020


@given(
    seed=SEEDS,
    per_minute=st.sampled_from([6_000, 60_000, 2_000_000]),
    estimates=st.lists(st.integers(1, 8_000), min_size=5, max_size=60),
)
def test_no_minute_holds_more_tokens_than_the_limit_a_burst_and_one_request(
    seed: int, per_minute: int, estimates: list[int]
) -> None:
    random = Random(seed)
    bucket = tokens_bucket(per_minute)
    spent: list[tuple[float, float]] = []
    now = 0.0
    for estimate in estimates:
        now = max(now, bucket.free_at)
        bucket.take(now, estimate, queued=True)
        used = estimate * random.random()
        bucket.settle(used - estimate)
        spent.append((now, used))
    for start, _ in spent:
        inside = sum(used for time, used in spent if start <= time <= start + 60)
        assert inside <= per_minute / 60 * (60 + 6 + 1) + 8_000


@given(amounts=st.lists(st.floats(0.1, 500), min_size=1, max_size=20))
def test_what_is_given_back_is_as_if_it_had_not_been_taken(amounts: list[float]) -> None:
    bucket = Bucket(10, burst=1.0)
    bucket.take(50.0)
    before = bucket.free_at
    for amount in amounts:
        bucket.take(50.0, amount)
    bucket.settle(-sum(amounts))
    assert bucket.free_at == pytest.approx(before)


@given(seed=SEEDS)
def test_a_request_that_was_never_sent_leaves_no_trace(seed: int) -> None:
    random = Random(seed)
    plain, other = second_bucket(50), second_bucket(50)
    now = 0.0
    for _ in range(200):
        now = max(now, plain.free_at) + random.random() * 0.03
        plain.take(now)
        other.take(now)
        if random.random() < 0.3 and other.free_at <= now:
            other.take(now)
            other.settle(-1.0)
        assert other.free_at == pytest.approx(plain.free_at)


def test_idle_time_earns_no_more_than_the_burst() -> None:
    bucket = Bucket(100, burst=0.05)
    bucket.take(0.0)
    taken_at_once = 0
    while bucket.free_at <= 3_600.0:
        bucket.take(3_600.0)
        taken_at_once += 1
    assert 5 <= taken_at_once <= 6


@given(
    share=st.floats(0, 1),
    per_second=st.floats(0, 20),
    most=st.integers(0, 50),
    steps=st.lists(st.tuples(st.sampled_from(["call", "retry"]), st.floats(0, 2)), max_size=300),
)
def test_retries_stay_within_their_budget(
    share: float, per_second: float, most: int, steps: list[tuple[str, float]]
) -> None:
    budget = Budget(share, per_second, most)
    now = 0.0
    marks: list[tuple[float, int, int]] = [(0.0, 0, 0)]
    calls = spent = 0
    for step, seconds in steps:
        now += seconds
        if step == "call":
            budget.earn()
            calls += 1
        else:
            spent += budget.spend(now)
        marks.append((now, calls, spent))
    for place, (start, calls_before, spent_before) in enumerate(marks):
        for end, calls_then, spent_then in marks[place:]:
            allowed = share * (calls_then - calls_before) + per_second * (end - start) + most
            # The trickle of a stretch is counted when it is next spent from.
            assert spent_then - spent_before <= allowed + per_second * 2 + 1e-6


def test_a_tenth_of_a_hundred_is_ten() -> None:
    budget = Budget(0.1, per_second=0.0, most=10.0)
    spent = 0
    for _ in range(100):
        budget.earn()
        spent += budget.spend(0.0)
    assert spent == 10


@settings(deadline=None)
@given(seed=SEEDS, attempt=st.integers(0, 10_000))
def test_backing_off_is_anything_up_to_a_ceiling_that_doubles(seed: int, attempt: int) -> None:
    ceiling = min(10.0, 0.1 * 2.0 ** min(attempt, 32))
    assert 0 <= full_jitter(Random(seed), attempt, 0.1, 10.0) <= ceiling


def test_backing_off_fills_its_whole_range() -> None:
    waits = [full_jitter(Random(seed), 3, 0.1, 10.0) for seed in range(500)]
    assert min(waits) < 0.02 and max(waits) > 0.78
