"""Turns are given in order, within every limit, and every one comes back."""

import asyncio
import time
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints import Endpoint
from errors import ModelUnavailable
from llm.pool import Pool
from llm.pool_faults import CallFailed, classify
from llm.pool_health import Health
from llm.pool_turn import Turn
from tests.test_pool import endpoints_of, failing, pool_of
from tests.test_pool_limits import most_in
from tests.virtual_time import clock, virtually


def test_turns_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    async def scene() -> None:
        pool, order = pool_of(1, 1, limits={"in_flight": 2}), list[int]()

        async def ask(place: int) -> None:
            async with pool.take():
                order.append(place)
                await asyncio.sleep(Random(place).random())

        await asyncio.gather(*(ask(place) for place in range(100)))
        assert order == list(range(100))

    virtually(scene())


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    caps=st.sampled_from([None, 1, 3]),
    per_minute=st.sampled_from([None, 60, 6_000]),
    per_second=st.sampled_from([None, 20.0]),
    patient=st.booleans(),
    hedging=st.booleans(),
)
def test_whatever_is_cancelled_or_fails_every_turn_comes_back(
    seed: int, caps: int | None, per_minute: int | None, per_second: float | None, patient: bool, hedging: bool
) -> None:
    random = Random(seed)

    async def call(turn: Turn) -> str:
        members = {member.endpoint.name: member for member in pools[0].seats.members}
        assert members[turn.endpoint.name].in_flight <= (caps or 1_000)
        await asyncio.sleep(random.expovariate(2))
        match random.randrange(8):
            case 0:
                raise CallFailed(classify(random.choice([400, 401, 404, 429, 500, 503])))
            case 1:
                raise CallFailed(classify(429), {"retry-after": "1"})
            case 2:
                raise ValueError
            case _:
                turn.succeeded(tokens=random.random() * 100)
                return "answered"

    async def scene() -> None:
        limits = {"in_flight": caps, "requests_per_minute": per_minute, "tokens_per_minute": 60_000}
        pool = pool_of(2, 1, 1, limits=limits, max_requests_per_second=per_second, patient=patient, hedging=hedging)
        pools.append(pool)
        tasks = []
        for _ in range(60):
            tasks.append(asyncio.create_task(pool.run(call, tokens=50, seconds=random.choice([None, 3.0]))))
            await asyncio.sleep(random.expovariate(20))
            if random.random() < 0.3:
                random.choice(tasks).cancel()
        await asyncio.sleep(1)
        for task in tasks[::3]:
            task.cancel()
        async with asyncio.timeout(20_000):
            await asyncio.gather(*tasks, return_exceptions=True)
        assert pool.waiting == 0 and pool.seats.choice.pending == 0
        assert [state.in_flight for state in pool.states] == [0, 0, 0]
        assert all(member.pending == 0 for member in pool.seats.members)
        assert all(member.breaker.health is not Health.HALF_OPEN for member in pool.seats.members)

    pools: list[Pool] = []
    virtually(scene())


def test_a_turn_given_to_somebody_who_has_just_left_goes_to_the_next() -> None:
    async def scene() -> None:
        pool = pool_of(1, limits={"in_flight": 1, "tokens_per_minute": 60})
        seated: list[str] = []

        async def ask(name: str) -> None:
            async with pool.take(1.0):
                seated.append(name)

        async with pool.take(1.0):
            tasks = [asyncio.create_task(ask("first")), asyncio.create_task(ask("second"))]
            await asyncio.sleep(0.1)
        # The turn has gone to the first, which has not run since.
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert seated == ["second"]

    virtually(scene())


@pytest.mark.parametrize("rate", [500, 1_000, 5_000])
def test_the_rate_over_all_endpoints_is_kept(rate: int) -> None:
    async def scene() -> None:
        pool, times = pool_of(3, 2, 1, max_requests_per_second=rate), list[float]()
        random = Random(rate)

        async def ask() -> None:
            while clock() < 4:
                async with pool.take():
                    times.append(clock())
                    await asyncio.sleep(random.random() * 0.02)

        await asyncio.gather(*(ask() for _ in range(120)))
        shares = [state.successes / len(times) for state in pool.states]
        times = [moment for moment in times if moment < 4]
        assert most_in(times, 1.0) <= 1.02 * rate
        assert 0.98 * 4 * rate <= len(times) <= 1.02 * 4 * rate
        assert shares == pytest.approx([3 / 6, 2 / 6, 1 / 6], abs=0.02)

    virtually(scene())


async def test_the_rate_is_kept_by_a_real_clock_too() -> None:
    pool, times = Pool(endpoints_of(1, 1), max_requests_per_second=1_000), list[float]()
    end = time.monotonic() + 1.5

    async def ask() -> None:
        while time.monotonic() < end:
            async with pool.take() as turn:
                times.append(turn.started)
                await asyncio.sleep(0)

    await asyncio.gather(*(ask() for _ in range(20)))
    assert most_in(times, 1.0) <= 1_020
    assert len(times) > 1_000


async def test_a_thousand_waiting_hold_up_nothing_else() -> None:
    pool = Pool(endpoints_of(1, requests_per_minute=60))
    tasks = [asyncio.create_task(pool.run(failing({}, []))) for _ in range(1_000)]
    await asyncio.sleep(0.3)
    assert pool.waiting > 900
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert pool.waiting == 0 and pool.states[0].in_flight == 0


def test_tokens_that_were_not_used_can_be_used_by_others() -> None:
    async def scene(used: float) -> float:
        pool = pool_of(1, limits={"tokens_per_minute": 60_000})
        for _ in range(100):
            async with pool.take(1_000) as turn:
                turn.succeeded(tokens=used)
        return clock()

    assert virtually(scene(1_000)) == pytest.approx(93, abs=2)
    assert virtually(scene(100)) == pytest.approx(3, abs=1)


def test_a_fault_in_one_of_them_does_not_hold_up_those_in_line_for_the_other() -> None:
    """One that avoids the free endpoint stands first in line; the next one takes it."""

    async def scene() -> None:
        pool = pool_of(1, 1, limits={"in_flight": 1})
        first = pool.seats.members[0]
        async with pool.take(avoid=(first,)):
            waits = asyncio.create_task(take(pool, avoid=(first,)))
            await asyncio.sleep(0)
            assert await take(pool) == "a" and clock() == 0
        assert await waits == "b"

    async def take(pool: Pool, avoid: Any = ()) -> str:
        async with pool.take(avoid=avoid) as turn:
            return turn.endpoint.name

    virtually(scene())


def test_where_many_avoid_an_endpoint_it_is_asked_all_the_same() -> None:
    async def scene() -> None:
        pool = Pool([endpoints_of(1)[0], Endpoint("http://b/v1", "m", name="b", in_flight=1)], clock=clock)
        first = pool.seats.members[0]

        async def take() -> str:
            async with pool.take(avoid=(first,)) as turn:
                await asyncio.sleep(1)
                return turn.endpoint.name

        answers = await asyncio.gather(*(take() for _ in range(100)))
        assert Counter(answers) == {"a": 83, "b": 17} and clock() == pytest.approx(17)

    virtually(scene())


def test_closing_turns_away_whoever_waits() -> None:
    async def scene() -> None:
        pool = pool_of(1, limits={"in_flight": 1})
        async with pool.take():
            waits = asyncio.create_task(pool.run(failing({}, [])))
            await asyncio.sleep(0)
            pool.seats.close()
            with pytest.raises(ModelUnavailable):
                await waits

    virtually(scene())
