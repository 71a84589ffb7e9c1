"""The requester's benchmark: its lean stand-in, its bare loops, and what it makes of what was counted."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from benchmarks.bench_servers import LOOPBACK, free_port
from benchmarks.fast_model import PATH, Endpoints, Manner, serving_fast
from benchmarks.requester_bare import BODY, CLIENTS

AT_ONCE = Manner()


@asynccontextmanager
async def stand_in(manner: Manner = AT_ONCE, ports: int = 1) -> AsyncIterator[tuple[list[str], Endpoints]]:
    places = [free_port() for _ in range(ports)]
    async with serving_fast(places, manner) as endpoints:
        yield [f"http://{LOOPBACK}:{port}{PATH.decode()}" for port in places], endpoints


def came_in(endpoints: Endpoints) -> list[int]:
    return [sum(tally.ticks) for tally in endpoints.tallies.values()]


async def test_the_stand_in_repeats_the_number_of_a_request_and_counts_it_where_it_came_in() -> None:
    async with stand_in(ports=2) as (urls, endpoints), aiohttp.ClientSession() as session:
        async with session.post(urls[1], data=BODY) as response:
            completion = await response.json()
        assert completion["choices"][0]["message"]["content"] == "This is the answer to #000000042."
        async with session.get(urls[0].removesuffix(PATH.decode()) + "/counts") as response:
            told = await response.json()
    assert [sum(port["ticks"]) for port in told["ports"].values()] == [0, 1]
    assert came_in(endpoints) == [0, 1]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("", b"[]", 400), ("", b'{"model": "stand-in"}', 400), ("/elsewhere", BODY, 404)],
    ids=["no object", "no messages", "another path"],
)
async def test_the_stand_in_refuses_what_is_no_request_for_a_completion(path: str, body: bytes, status: int) -> None:
    async with (
        stand_in() as (urls, _),
        aiohttp.ClientSession() as session,
        session.post(urls[0] + path, data=body) as response,
    ):
        assert response.status == status
        assert "error" in await response.json()


async def test_the_stand_in_reads_requests_that_come_in_pieces_and_several_at_once() -> None:
    written = b"POST %b HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n%b" % (PATH, len(BODY), BODY)
    async with stand_in() as (_, endpoints):
        reader, writer = await asyncio.open_connection(LOOPBACK, next(iter(endpoints.tallies)))
        for piece in (written[:30], written[30:90], written[90:] + written + written[:10], written[10:]):
            writer.write(piece)
            await writer.drain()
        for _ in range(3):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
            assert json.loads(await reader.readexactly(length))["usage"]["total_tokens"] == 20
        writer.close()
        await writer.wait_closed()
    assert came_in(endpoints) == [3]


async def test_the_stand_in_fails_and_limits_as_often_as_it_is_told_to() -> None:
    async with stand_in(Manner(rate_limited=0.3, failed=0.2)) as (urls, endpoints), aiohttp.ClientSession() as session:
        for _ in range(200):
            async with session.post(urls[0], data=BODY) as response:
                await response.read()
    [tally] = endpoints.tallies.values()
    assert sum(tally.statuses.values()) == 200
    assert 40 < tally.statuses[429] < 80
    assert 20 < tally.statuses[500] < 60


async def test_an_answer_of_the_stand_in_is_never_sooner_than_its_latency() -> None:
    async with stand_in(Manner(latency=0.05)) as (urls, _), aiohttp.ClientSession() as session:
        began = time.monotonic()
        async with session.post(urls[0], data=BODY) as response:
            await response.read()
        assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize("post", CLIENTS.values(), ids=CLIENTS)
async def test_every_bare_loop_asks_all_endpoints_until_its_time_is_over(
    post: Callable[[list[str], int, float], Coroutine[Any, Any, None]],
) -> None:
    async with stand_in(ports=2) as (urls, endpoints):
        await post(urls, 4, time.monotonic() + 0.1)
    assert all(count > 2 for count in came_in(endpoints))
    assert all(set(tally.statuses) == {200} for tally in endpoints.tallies.values())
