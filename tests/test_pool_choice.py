"""Endpoints that are alike keep their weights; slow, loaded, full and resting ones get less or nothing."""

import heapq
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints import Endpoint
from llm.pool_choice import Choice, Member


def members_of(weights: list[float], seed: int = 1) -> list[Member]:
    return [Member(Endpoint(f"http://{name}/v1", "m", weight=weight), Random(seed)) for name, weight in named(weights)]


def named(weights: list[float]) -> list[tuple[str, float]]:
    return [(chr(ord("a") + place), weight) for place, weight in enumerate(weights)]


def name_of(member: Member | None) -> str:
    assert member is not None
    return member.endpoint.name[0]


def served(choice: Choice, draw: Callable[[Member], float], *, together: int, calls: int) -> list[Member]:
    """Return whom each call went to, where so many callers call again as soon as they are answered."""
    now, order = 0.0, 0
    under_way: list[tuple[float, int, float, Member]] = []
    chosen: list[Member] = []
    while len(chosen) < calls:
        if len(under_way) >= together:
            now, _, seconds, member = heapq.heappop(under_way)
            member.pending -= 1
            choice.pending -= 1
            member.latency.add(seconds, now)
            member.heard_at = now
        picked = choice.choose(now)
        assert picked is not None
        chosen.append(picked)
        if not picked.pending:
            picked.heard_at = now
        picked.pending += 1
        choice.pending += 1
        seconds, order = draw(picked), order + 1
        heapq.heappush(under_way, (now + seconds, order, seconds, picked))
    return chosen


def furthest(chosen: list[Member], members: list[Member], window: int) -> float:
    """Return how far any endpoint's share of any so many calls in a row strays from its weight's, at the most."""
    weights = sum(member.weight for member in members)
    strays = 0.0
    for member in members:
        counted = [0]
        for picked in chosen:
            counted.append(counted[-1] + (picked is member))
        due = member.weight / weights
        shares = ((counted[at + window] - counted[at]) / window for at in range(len(chosen) - window))
        strays = max(strays, max(abs(share - due) for share in shares))
    return strays


DRAWS: dict[str, Callable[[Random], float]] = {
    "even": lambda random: 1.0,
    "exponential": lambda random: random.expovariate(1.0),
    "lognormal": lambda random: random.lognormvariate(0.0, 0.7),
}


def test_the_weights_five_one_one_go_round_as_nginx_says() -> None:
    choice = Choice(members_of([5, 1, 1]))
    assert [name_of(choice.choose(0.0)) for _ in range(14)] == list("aabacaa" * 2)


@settings(deadline=None)
@given(
    weights=st.lists(st.sampled_from([0.5, 1, 1, 2, 3, 5, 10]), min_size=2, max_size=6),
    together=st.sampled_from([1, 2, 4, 8, 16, 64, 256, 512]),
    drawn=st.sampled_from(sorted(DRAWS)),
    scale=st.sampled_from([0.001, 0.03, 0.4, 5.0]),
    seed=st.integers(0, 10_000),
)
def test_endpoints_that_are_alike_keep_their_weights_in_every_window(
    weights: list[float], together: int, drawn: str, scale: float, seed: int
) -> None:
    members, random = members_of(weights), Random(seed)
    chosen = served(Choice(members), lambda _: scale * DRAWS[drawn](random), together=together, calls=3_000)
    assert furthest(chosen, members, 400) <= 0.02


@pytest.mark.parametrize("together", [1, 30])
def test_an_endpoint_ten_times_as_slow_gets_less(together: int) -> None:
    members, random = members_of([1, 1, 1]), Random(5)
    slow = members[2]
    chosen = served(
        Choice(members),
        lambda member: (1.0 if member is slow else 0.1) * random.lognormvariate(0, 0.3),
        together=together,
        calls=3_000,
    )
    assert 0.01 < Counter(chosen[1_000:])[slow] / 2_000 < 0.1


def test_an_endpoint_that_is_fast_again_gets_its_share_again() -> None:
    members, random = members_of([1, 1]), Random(5)
    asked = 0

    def draw(member: Member) -> float:
        nonlocal asked
        asked += 1
        return 5.0 if member is members[1] and asked < 500 else 0.1 * random.random()

    chosen = served(Choice(members), draw, together=4, calls=6_000)
    assert Counter(chosen[200:500])[members[1]] < 50
    assert furthest(chosen[3_000:], members, 400) <= 0.02


def test_an_endpoint_that_answers_nothing_is_given_nothing_more() -> None:
    members = members_of([1, 1, 1])
    stalled = members[0]
    chosen = served(Choice(members), lambda member: 1e9 if member is stalled else 0.1, together=60, calls=20_000)
    assert stalled.pending < 60 and stalled not in chosen[500:]


def test_those_to_avoid_are_asked_only_where_all_others_rest() -> None:
    members = members_of([3, 1])
    choice = Choice(members)
    assert {name_of(choice.choose(0.0, members[:1])) for _ in range(5)} == {"b"}
    members[1].pause(60.0, 0.0)
    members[1].refresh()
    assert name_of(choice.choose(1.0, members[:1])) == "a"
    members[1].paused_until = 0.0
    members[1].refresh()
    members[1].cap, members[1].in_flight = 1, 1
    assert choice.choose(1.0, members[:1]) is None


def test_the_share_of_a_resting_endpoint_goes_to_the_others_by_their_weights() -> None:
    members = members_of([5, 2, 1])
    choice = Choice(members)
    members[0].pause(100.0, 0.0)
    members[0].refresh()
    counted = Counter(name_of(choice.choose(1.0)) for _ in range(300))
    assert counted == {"b": 200, "c": 100}
    assert {name_of(choice.choose(101.0)) for _ in range(3)} & {"a"}


def test_it_chooses_nobody_where_all_are_full() -> None:
    members = members_of([1, 1])
    for member in members:
        member.cap = member.in_flight = 2
    assert Choice(members).choose(0.0) is None


def test_a_burst_of_refusals_lengthens_the_pause_once() -> None:
    [member] = members_of([1])
    pauses = []
    now = 0.0
    for _ in range(6):
        for _ in range(100):
            member.rate_limited(0.0, now, now + 0.1)
        pauses.append(member.paused_until - now)
        now = member.paused_until + 0.01
    assert all(pause <= 0.1 + 0.5 * 2**level for level, pause in enumerate(pauses))
    member.rate_limited(20.0, 0.0, now)
    assert member.paused_until == now + 20.0


def busy_members(seconds: float, pending: int) -> tuple[list[Member], Choice]:
    """Return endpoints that have answered many calls in so many seconds each, and have as many to answer since 0."""
    members = members_of([5, 3, 2])
    choice = Choice(members)
    for member in members:
        for _ in range(1_000):
            member.latency.add(seconds, 0.0)
        member.pending, member.heard_at = pending, 0.0
    choice.pending = 3 * pending
    return members, choice


def shares_of(choice: Choice, now: float) -> dict[str, int]:
    return dict(Counter(name_of(choice.choose(now)) for _ in range(100)))


def test_where_all_are_silent_it_is_our_own_loop_that_was_away() -> None:
    _, choice = busy_members(0.002, 100)
    assert shares_of(choice, 3.0) == {"a": 50, "b": 30, "c": 20}


def test_an_endpoint_that_answers_again_is_given_its_share_at_once() -> None:
    members, choice = busy_members(0.002, 100)
    members[0].heard_at = members[1].heard_at = 3.0
    assert "c" not in shares_of(choice, 3.0)
    members[2].heard_at = 3.001
    assert shares_of(choice, 3.001)["c"] >= 20


def test_milliseconds_are_no_reason_to_stray_from_the_weights() -> None:
    members, choice = busy_members(0.001, 8)
    for _ in range(200):
        members[0].latency.add(0.015, 0.0)
    members[0].pending, choice.pending = 500, 516
    assert shares_of(choice, 0.010) == {"a": 50, "b": 30, "c": 20}
