"""Several processes keep one limit together through Redis, and go on alone where it is away."""

import asyncio
import json
import logging
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from endpoints import Endpoint
from errors import ModelUnavailable, SettingsInvalid
from llm.pool import Pool, Turn, open_pool
from llm.pool_faults import Breakage, classify
from llm.pool_health import FAILURES_IN_A_ROW
from llm.pool_shared import Ledger, SharedLimit
from tests.redis_server import RedisServer, redis_server
from tests.test_pool_limits import most_in

HOUSE = Path(__file__).resolve().parent.parent


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def one(**limits: float) -> list[Endpoint]:
    return [Endpoint("http://a/v1", "m", SecretStr("sk-hunter2"), name="a", **limits)]  # type: ignore[arg-type]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  what changes it tells nobody
            await asyncio.sleep(0.01)


async def takes(pool: Pool, seconds: float, together: int = 20) -> list[float]:
    """Return when turns were given, to so many who ask again and again."""
    times: list[float] = []
    end = time.monotonic() + seconds

    async def ask() -> None:
        while time.monotonic() < end:
            async with pool.take(10.0) as turn:
                times.append(turn.started)
                await asyncio.sleep(0.001)

    # Whoever is never served would wait for ever, and the tests with them, without a word.
    async with asyncio.timeout(seconds + 60), asyncio.TaskGroup() as people:
        for _ in range(together):
            people.create_task(ask())
    return sorted(moment for moment in times if moment < end)


PROCESS = """
import asyncio, json, sys, time
from pydantic import SecretStr
from endpoints import Endpoint
from llm.pool import open_pool
from tests.test_pool_shared import takes

async def main():
    endpoints = [Endpoint(f"http://{name}/v1", "m") for name in "ab"]
    async with open_pool(endpoints, redis_url=SecretStr(sys.argv[1]), max_requests_per_second=500) as pool:
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(await takes(pool, 2.5)))

asyncio.run(main())
"""


def test_two_processes_keep_one_rate(redis: RedisServer) -> None:
    command = [sys.executable, "-c", PROCESS, redis.url.get_secret_value()]
    both = [
        subprocess.Popen(command, cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        for process in both:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 60)[0], "it does not even start"
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        each = [json.loads(process.communicate(timeout=60)[0]) for process in both]
        assert [process.returncode for process in both] == [0, 0]
    finally:
        for process in both:  # Where one fails, the other waits for its line.
            process.kill()
            process.communicate()
    times = sorted([*each[0], *each[1]])
    assert most_in(times, 1.0) <= 1.02 * 500
    assert len(times) > 0.7 * 2.5 * 500
    assert min(map(len, each)) > 100


async def test_a_limit_per_minute_is_taken_from_one_bucket(redis: RedisServer) -> None:
    async with (
        open_pool(one(requests_per_minute=600), redis_url=redis.url) as first,
        open_pool(one(requests_per_minute=600), redis_url=redis.url) as second,
    ):
        times = await asyncio.gather(takes(first, 1.5, together=3), takes(second, 1.5, together=3))
    assert 20 <= len([*times[0], *times[1]]) <= 1.2 * 10 + 1.5 * 10 + 2


async def test_tokens_are_shared_and_what_was_not_used_comes_back(redis: RedisServer) -> None:
    async with (
        open_pool(one(tokens_per_minute=600), redis_url=redis.url) as first,
        open_pool(one(tokens_per_minute=600), redis_url=redis.url) as second,
    ):
        async with first.take(1_000.0) as turn:
            with pytest.raises(ModelUnavailable):
                async with second.take(10.0, seconds=0.2):
                    pass
            turn.succeeded(tokens=5.0)
        async with asyncio.timeout(10), second.take(10.0, seconds=9.0):
            pass


async def test_a_lease_that_is_not_used_is_given_back(redis: RedisServer) -> None:
    client = Redis.from_url(redis.url.get_secret_value())
    async with open_pool(one(requests_per_minute=600_000), redis_url=redis.url) as pool:
        async with pool.take():
            pass
        [limit] = [pool.seats.members[0].requests]
        assert isinstance(limit, SharedLimit) and limit.stock == pytest.approx(39)
        await until(lambda: limit.stock == 0)
        due = await client.get(limit.key)
    await client.aclose()
    # Forty were leased, and one was used: a ten-thousandth of a second is due.
    assert due is not None and float(due) < time.time() + 0.002


async def test_at_the_end_nothing_goes_on_and_what_was_leased_meanwhile_is_given_back(redis: RedisServer) -> None:
    client = Redis.from_url(redis.url.get_secret_value())
    before = asyncio.all_tasks()
    async with open_pool(one(requests_per_minute=600_000), redis_url=redis.url) as pool:
        await pool.run(nothing)
        [limit] = [pool.seats.members[0].requests]
        assert isinstance(limit, SharedLimit)
        await until(lambda: limit.stock == 0)
        asking = asyncio.create_task(pool.run(nothing))
        await asyncio.sleep(0)  # It has asked for a lease ...
        asking.cancel()  # ... and whoever wanted it goes, and the pool is closed before it comes.
        await asyncio.wait([asking])
    assert asyncio.all_tasks() == before
    due = await client.get(limit.key)
    await client.aclose()
    assert due is not None and float(due) < time.time() + 0.002


async def test_at_the_end_nobody_waits_for_ever(redis: RedisServer) -> None:
    before = asyncio.all_tasks()
    async with asyncio.timeout(20), open_pool(one(), redis_url=redis.url) as pool:
        ledger = pool.seats.lessor
        assert isinstance(ledger, Ledger)
        ledger._start(for_ever())
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def nothing(turn: Turn) -> None:
    pass


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_an_endpoint_that_asks_one_for_rest_is_left_alone_by_all(redis: RedisServer) -> None:
    async with open_pool(one(), redis_url=redis.url) as first, open_pool(one(), redis_url=redis.url) as second:
        async with first.take() as turn:
            turn.failed(classify(429), {"retry-after": "30"})
        await until(lambda: second.states[0].paused > 0)
        assert 20 < second.states[0].paused <= 30


async def test_an_endpoint_that_one_finds_again_is_asked_by_all(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm.pool_health.full_jitter", lambda *_: 30.0)
    async with open_pool(one(), redis_url=redis.url) as first, open_pool(one(), redis_url=redis.url) as second:
        for _ in range(FAILURES_IN_A_ROW):
            async with first.take() as turn:
                turn.failed(classify(Breakage.CONNECT))
        await until(lambda: second.states[0].paused > 20)
        assert first.unreached() == ("a",)
        first.reached("a")
        await until(lambda: not second.states[0].paused)
        for pool in (first, second):
            async with asyncio.timeout(5), pool.take() as turn:
                turn.succeeded()


async def test_who_loses_redis_goes_on_alone_and_comes_back(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "quaestor.pool")
    async with open_pool(one(requests_per_minute=60_000), redis_url=redis.url, max_requests_per_second=900) as pool:
        assert len(await takes(pool, 0.3)) > 50
        redis.stop()
        times = await takes(pool, 1.0)
        # What was leased before it went away is in the same second.
        assert len(times) > 200 and most_in(times, 1.0) <= 1.05 * 900
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "this process keeps the endpoints' limits by itself" in caplog.text
        redis.start()
        await until(lambda: len(caplog.records) == 2)
        assert "Redis answers again" in caplog.text
        assert len(await takes(pool, 0.3)) > 50
    assert "hunter2" not in caplog.text


async def test_a_redis_that_was_never_there_holds_up_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = SecretStr(f"unix://{tmp_path}/nothing?password=hunter2")
    async with open_pool(one(requests_per_minute=600), redis_url=url) as pool, asyncio.timeout(10), pool.take():
        pass
    assert "Redis does not answer" in caplog.text and "hunter2" not in caplog.text


async def test_a_redis_that_says_nothing_holds_up_nobody_for_long(tmp_path: Path) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(say_nothing, tmp_path / "mute")
    url = SecretStr(f"unix://{tmp_path}/mute")
    async with (
        server,
        open_pool(one(requests_per_minute=600), redis_url=url) as pool,
        asyncio.timeout(10),
        pool.take() as turn,
    ):
        assert turn.endpoint.name == "a"


async def test_what_is_raised_where_the_pool_is_used_is_raised_as_it_is(redis: RedisServer) -> None:
    with pytest.raises(ModelUnavailable, match="ours"):
        async with open_pool(one(requests_per_minute=600), redis_url=redis.url) as pool, pool.take():
            raise ModelUnavailable("ours")


async def test_an_address_that_is_none_is_one_sentence_without_the_password() -> None:
    with pytest.raises(SettingsInvalid, match=r"^QUAESTOR_REDIS_URL is no address") as error:
        async with open_pool(one(), redis_url=SecretStr("ftp://:hunter2@localhost")):
            pass
    assert "hunter2" not in str(error.value)


async def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "llm.pool_shared")
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(SettingsInvalid, match="needs the package redis"):
        async with open_pool(one(), redis_url=SecretStr("redis://localhost")):
            pass
