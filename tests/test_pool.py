"""Many endpoints answer as one: turns, limits, retries, and what is said where none is well."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints import Endpoint
from errors import ModelUnavailable
from llm.pool import Pool
from llm.pool_faults import Breakage, CallFailed, Kind, classify
from llm.pool_health import FAILURES_IN_A_ROW, Health
from llm.pool_limits import Budget
from llm.pool_seats import Turn
from tests.test_pool_limits import most_in
from tests.virtual_time import clock, virtually

Call = Callable[[Turn], Awaitable[str]]


def endpoints_of(*weights: float, **limits: Any) -> list[Endpoint]:
    return [
        Endpoint(f"http://{name}/v1", "m", weight=weight, name=name, **limits)
        for name, weight in zip("abcdef", weights, strict=False)
    ]


def pool_of(*weights: float, limits: dict[str, Any] | None = None, **options: Any) -> Pool:
    return Pool(endpoints_of(*weights, **(limits or {})), clock=clock, random=Random(1), **options)


def failing(which: dict[str, int | Breakage], calls: list[str], headers: dict[str, str] | None = None) -> Call:
    """Return a call that some endpoints fail, and that writes down whom it asked."""

    async def call(turn: Turn) -> str:
        name = turn.endpoint.name
        calls.append(name)
        await asyncio.sleep(0.1)
        if name in which:
            raise CallFailed(classify(which[name]), headers)
        return name

    return call


def test_a_call_that_an_endpoint_fails_is_answered_by_another_at_once() -> None:
    async def scene() -> None:
        pool, calls = pool_of(10, 1, 1), list[str]()
        assert await pool.run(failing({"a": 503}, calls)) == "b"
        assert calls == ["a", "b"] and clock() == pytest.approx(0.2)
        assert [(state.successes, state.failures) for state in pool.states] == [(0, 1), (1, 0), (0, 0)]

    virtually(scene())


def test_every_endpoint_that_failed_is_left_out_until_all_have() -> None:
    async def scene() -> None:
        pool, calls = pool_of(10, 1, 1), list[str]()
        with pytest.raises(CallFailed, match="has a fault of its own"):
            await pool.run(failing({"a": 500, "b": 500, "c": 500}, calls))
        assert sorted(calls[:3]) == ["a", "b", "c"] and len(calls) == 4 and calls[3] != calls[2]

    virtually(scene())


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_nobody_takes_is_made_once_and_blames_nobody(status: int) -> None:
    async def scene() -> None:
        pool, calls = pool_of(1, 1), list[str]()
        for _ in range(20):
            with pytest.raises(CallFailed) as failed:
                await pool.run(failing({"a": status, "b": status}, calls))
            assert failed.value.fault.kind is Kind.FINAL
        assert len(calls) == 20 and {state.health for state in pool.states} == {Health.CLOSED}

    virtually(scene())


def test_an_endpoint_that_refuses_the_key_rests_and_the_others_answer() -> None:
    async def scene() -> None:
        pool, calls = pool_of(1, 1), list[str]()
        answers = [await pool.run(failing({"a": 401}, calls)) for _ in range(20)]
        assert set(answers) == {"b"} and calls.count("a") == 1

    virtually(scene())


def test_where_every_key_is_refused_even_a_patient_pool_says_so() -> None:
    async def scene() -> None:
        pool = pool_of(1, 1, patient=True)
        call = failing({"a": 401, "b": 402}, [])
        with pytest.raises(CallFailed):
            await pool.run(call)
        with pytest.raises(
            ModelUnavailable, match=r"a refused the key; b says that the account's quota is used up\. Check"
        ):
            await pool.run(call)
        assert clock() < 1

    virtually(scene())


def test_a_model_that_only_one_endpoint_lacks_is_that_endpoints_fault() -> None:
    async def scene() -> None:
        pool, calls = pool_of(1, 1), list[str]()
        for _ in range(20):
            assert await pool.run(failing({"a": 404}, calls)) == "b"
        assert pool.states[0].health is Health.OPEN and calls.count("a") < 10

    virtually(scene())


def test_a_model_that_nobody_knows_is_the_requests_fault() -> None:
    async def scene() -> None:
        pool, calls = pool_of(1, 1), list[str]()
        for _ in range(20):
            with pytest.raises(CallFailed, match="does not know the model"):
                await pool.run(failing({"a": 404, "b": 404}, calls))
        assert {state.health for state in pool.states} == {Health.CLOSED} and len(calls) == 40

    virtually(scene())


@pytest.mark.parametrize("patient", [False, True])
def test_retry_after_is_kept_to(patient: bool) -> None:
    async def scene() -> None:
        pool, times = pool_of(1, patient=patient), list[float]()

        async def call(turn: Turn) -> str:
            times.append(clock())
            if len(times) == 1:
                raise CallFailed(classify(429), {"Retry-After": "20"})
            return "answered"

        assert await pool.run(call) == "answered"
        assert times[0] == 0 and 20 <= times[1] <= 20.5

    virtually(scene())


def test_headers_that_say_nothing_is_left_hold_back_the_next_request() -> None:
    async def scene() -> None:
        pool = pool_of(1)
        async with pool.take() as turn:
            turn.succeeded(headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s"})
        async with pool.take():
            assert 62 <= clock() <= 62.1

    virtually(scene())


def test_who_cannot_wait_so_long_is_told_at_once() -> None:
    async def scene() -> None:
        pool = pool_of(1)
        async with pool.take() as turn:
            turn.failed(classify(429), {"retry-after": "60"})
        with pytest.raises(ModelUnavailable, match="too many requests"):
            await pool.run(failing({}, []), seconds=30)
        assert clock() == 0

    virtually(scene())


def test_where_no_endpoint_is_well_it_is_said_at_once_and_one_probe_finds_out() -> None:
    async def scene() -> None:
        pool, calls = pool_of(1, 1), list[str]()
        down = failing({"a": Breakage.CONNECT, "b": 503}, calls)
        for _ in range(10):
            with pytest.raises((CallFailed, ModelUnavailable)):
                await pool.run(down)
        assert not pool.healthy
        asked, moment = len(calls), clock()
        with pytest.raises(
            ModelUnavailable, match=r"^No model endpoint answers at the moment: a cannot be reached; b "
        ):
            await pool.run(down)
        assert (len(calls), clock()) == (asked, moment)
        await asyncio.sleep(60)
        assert pool.healthy
        # Both are probed by one request each; the others are told.
        answers = await asyncio.gather(*(pool.run(failing({}, calls)) for _ in range(10)), return_exceptions=True)
        assert sorted(map(str, answers))[8:] == ["a", "b"] and len(calls) == asked + 2
        assert {state.health for state in pool.states} == {Health.CLOSED}

    virtually(scene())


def test_who_waits_in_line_is_told_too_when_the_last_endpoint_fails() -> None:
    async def scene() -> None:
        pool = pool_of(1, limits={"in_flight": FAILURES_IN_A_ROW}, attempts=1)
        calls = [pool.run(failing({"a": 500}, [])) for _ in range(20)]
        failures = await asyncio.gather(*calls, return_exceptions=True)
        # Four seats of those that failed were taken before the fifth failure.
        assert Counter(map(type, failures)) == {CallFailed: 2 * FAILURES_IN_A_ROW - 1, ModelUnavailable: 11}
        assert clock() == pytest.approx(0.2) and pool.waiting == 0

    virtually(scene())


def test_a_patient_pool_waits_until_an_endpoint_is_well_again() -> None:
    async def scene() -> None:
        pool = pool_of(1, patient=True, attempts=1)

        async def call(turn: Turn) -> str:
            if clock() < 100:
                raise CallFailed(classify(503))
            return "answered"

        answers = await asyncio.gather(*(pool.run(call) for _ in range(200)), return_exceptions=True)
        # Only those fail that were under way when nobody knew yet, and the probes.
        assert answers.count("answered") > 100 and clock() > 99

    virtually(scene())


def test_an_attempt_that_takes_too_long_is_made_elsewhere() -> None:
    async def scene() -> None:
        pool = pool_of(10, 1)

        async def call(turn: Turn) -> str:
            await asyncio.sleep(1_000 if turn.endpoint.name == "a" else 0.1)
            return turn.endpoint.name

        assert await pool.run(call, each=5) == "b"
        assert clock() == pytest.approx(5.1)
        with pytest.raises(CallFailed, match="did not answer in time"):
            await pool_of(1).run(call, seconds=7)
        assert clock() == pytest.approx(12.1)

    virtually(scene())


def test_a_call_that_is_wrong_itself_is_not_made_again() -> None:
    async def scene() -> None:
        pool, asked = pool_of(1, 1), 0

        async def call(turn: Turn) -> str:
            nonlocal asked
            asked += 1
            raise KeyError("a mistake of ours")

        for _ in range(20):
            with pytest.raises(KeyError):
                await pool.run(call)
        assert asked == 20 and all(state.health is Health.CLOSED and not state.in_flight for state in pool.states)

    virtually(scene())


def test_retries_do_not_storm() -> None:
    async def scene() -> None:
        calls: list[str] = []
        pool = pool_of(1, 1, 1, retries=Budget(0.2, per_second=0.0, most=5.0), attempts=10)
        random = Random(3)

        async def call(turn: Turn) -> str:
            calls.append(turn.endpoint.name)
            await asyncio.sleep(0.01)
            if random.random() < 0.25:
                raise CallFailed(classify(500))
            return "answered"

        answers = [await asyncio.gather(pool.run(call), return_exceptions=True) for _ in range(1_000)]
        assert len(calls) <= 1_000 + 0.2 * 1_000 + 5
        assert Counter(type(answer) for [answer] in answers)[str] > 850

    virtually(scene())


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


async def letters(turn: Turn) -> AsyncGenerator[str]:
    for letter in "xyz":
        await asyncio.sleep(0.1)
        yield turn.endpoint.name + letter


def test_a_stream_is_begun_elsewhere_only_while_nothing_was_said() -> None:
    async def scene() -> None:
        pool = pool_of(10, 1)

        async def before(turn: Turn) -> AsyncGenerator[str]:
            if turn.endpoint.name == "a":
                raise CallFailed(classify(Breakage.RESET))
            async for letter in letters(turn):
                yield letter

        async def after(turn: Turn) -> AsyncGenerator[str]:
            yield "said"
            raise CallFailed(classify(Breakage.RESET))

        assert [letter async for letter in pool.stream(before)] == ["bx", "by", "bz"]
        said = []
        with pytest.raises(CallFailed, match="broke off"):
            async for letter in pool.stream(after):
                said.append(letter)
        assert said == ["said"] and sum(state.in_flight for state in pool.states) == 0

    virtually(scene())


def test_a_stream_that_says_nothing_in_time_is_begun_elsewhere() -> None:
    async def scene() -> None:
        pool = pool_of(10, 1)

        async def call(turn: Turn) -> AsyncGenerator[str]:
            if turn.endpoint.name == "a":
                await asyncio.sleep(1_000)
            yield turn.endpoint.name
            await asyncio.sleep(50)
            yield "the rest may take longer"

        assert [item async for item in pool.stream(call, each=5)] == ["b", "the rest may take longer"]
        assert clock() == pytest.approx(55)

    virtually(scene())


def test_who_stops_reading_has_been_answered() -> None:
    async def scene() -> None:
        pool = pool_of(1)
        async with aclosing(pool.stream(letters)) as stream:
            async for _ in stream:
                assert pool.states[0].in_flight == 1
                break
        [state] = pool.states
        assert (state.in_flight, state.successes, state.failures) == (0, 1, 0)
        assert state.latency == pytest.approx(0.1)

    virtually(scene())
