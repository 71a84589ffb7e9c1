"""Many endpoints answer as one: turns, limits, retries, and what is said where none is well."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from random import Random
from typing import Any

import pytest

from endpoints import Endpoint
from errors import ModelUnavailable, Unseated
from llm.pool import Pool
from llm.pool_faults import Breakage, CallFailed, Kind, classify
from llm.pool_health import FAILURES_IN_A_ROW, Health
from llm.pool_limits import Budget
from llm.pool_turn import Turn
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


def test_who_could_not_be_reached_is_asked_as_soon_as_it_is_there() -> None:
    async def scene() -> None:
        pool, calls = pool_of(1, 1), list[str]()
        down: dict[str, int | Breakage] = {"a": Breakage.CONNECT, "b": 503}
        while pool.healthy:
            with pytest.raises((CallFailed, Unseated)):
                await pool.run(failing(down, calls))
        assert pool.unreached() == ("a",), "the other one answers, if badly"
        calls.clear()
        pool.reached("a")
        assert await pool.run(failing({"b": 503}, calls)) == "a"
        assert calls == ["a"] and pool.states[0].health is Health.CLOSED

    virtually(scene())


def test_one_that_refuses_the_key_is_not_asked_for_being_there() -> None:
    async def scene() -> None:
        pool, calls = pool_of(1), list[str]()
        with pytest.raises(CallFailed):
            await pool.run(failing({"a": 401}, calls))
        pool.reached("a")
        with pytest.raises(Unseated):
            await pool.run(failing({}, calls))
        assert calls == ["a"]

    virtually(scene())


@pytest.mark.parametrize("patient", [False, True])
def test_whoever_waited_long_for_the_only_endpoint_does_not_wait_again(patient: bool) -> None:
    async def scene() -> None:
        pool, times = pool_of(1, patient=patient), list[float]()

        async def call(turn: Turn) -> str:
            times.append(clock())
            await asyncio.sleep(5)
            raise CallFailed(classify(Breakage.CONNECT))

        with pytest.raises(CallFailed):
            await pool.run(call)
        assert len(times) == (4 if patient else 1)

    virtually(scene())


def test_who_waits_in_line_is_told_too_when_the_last_endpoint_fails() -> None:
    async def scene() -> None:
        pool = pool_of(1, limits={"in_flight": FAILURES_IN_A_ROW}, attempts=1)
        calls = [pool.run(failing({"a": 500}, [])) for _ in range(20)]
        failures = await asyncio.gather(*calls, return_exceptions=True)
        # Four seats of those that failed were taken before the fifth failure.
        assert Counter(map(type, failures)) == {CallFailed: 2 * FAILURES_IN_A_ROW - 1, Unseated: 11}
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
