"""The requester's benchmark: its lean stand-in, its bare loops, and what it makes of what was counted."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from benchmarks import requester_peers
from benchmarks.bench_servers import LOOPBACK, RunFailed
from benchmarks.fast_model import PATH, Endpoints, Manner, serving_fast
from benchmarks.peers.openai_client import open_openai
from benchmarks.peers.side_by_side import ANSWER, QUESTION
from benchmarks.report_requester import summary
from benchmarks.report_requester_verdicts import requester_targets
from benchmarks.requester_bare import BODY, CLIENTS
from benchmarks.requester_figures import Saved, counted, rate_off, read_saved, weights_off
from benchmarks.requester_runs import Bench
from tests.ports import kept_port
from tests.requester_figures import FIGURES, our_run

AT_ONCE = Manner()


@asynccontextmanager
async def stand_in(manner: Manner = AT_ONCE, ports: int = 1) -> AsyncIterator[tuple[list[str], Endpoints]]:
    with ExitStack() as keeping:
        places = [keeping.enter_context(kept_port()) for _ in range(ports)]
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
        await post(urls, 4, time.monotonic() + 1.0)  # Of which a busy machine may take most.
    assert all(count > 2 for count in came_in(endpoints))
    assert all(set(tally.statuses) == {200} for tally in endpoints.tallies.values())


async def test_the_openai_client_is_asked_and_its_answer_read() -> None:
    async with stand_in() as (urls, endpoints), open_openai([urls[0].removesuffix("/chat/completions")]) as ask:
        assert await ask(QUESTION) == ANSWER
    assert came_in(endpoints) == [1]


def told_counts(*ports: list[int], statuses: dict[str, int] | None = None) -> dict[str, Any]:
    return {"ports": {str(n): {"ticks": ticks, "statuses": statuses or {}} for n, ticks in enumerate(ports)}}


def test_seconds_are_counted_from_the_first_request_on_at_all_endpoints_together() -> None:
    came_in = counted(told_counts([0, 0, *[1] * 250], [0, 0, 0, *[2] * 120], statuses={"200": 3, "429": 1}))
    assert came_in.ports == (250, 240)
    assert came_in.statuses == {"200": 6, "429": 2}
    assert came_in.by_second(0, 2) == [100 + 198, 100 + 42]
    assert came_in.by_second(1, 5) == [142]  # the half second at the end is none
    assert counted(told_counts([0, 0], [])).ticks == ()


def test_the_fullest_stretch_of_a_second_may_begin_anywhere() -> None:
    ticks = [0] * 300
    ticks[90:110] = [5] * 20
    ticks[0] = ticks[299] = 1
    came_in = counted(told_counts(ticks))
    assert came_in.by_second(0, 3) == [51, 50, 1]
    assert came_in.fullest == 100
    assert counted(told_counts([3, 4])).fullest == 7


@pytest.mark.parametrize(
    ("ports", "off"), [((500, 300, 200), 0.0), ((500, 306, 194), 3.0), ((0, 0, 10), 400.0)], ids=str
)
def test_weights_are_as_far_off_as_their_farthest_endpoint(ports: tuple[int, ...], off: float) -> None:
    assert weights_off(ports, (5, 3, 2)) == pytest.approx(off)


def test_a_rate_is_as_far_off_as_its_farthest_second() -> None:
    assert rate_off([500, 505, 485], 500) == pytest.approx(3.0)
    assert rate_off([500, 520, 495], 500) == pytest.approx(4.0)


def saved_line(line: int, asked: int, answered: int) -> bytes:
    said = {"line": line, "input": f"Say #{asked:09d}.", "response": f"It is #{answered:09d}.", "usage": None}
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def test_answers_that_are_doubled_torn_or_another_lines_are_found() -> None:
    well = [saved_line(1, 1, 1), saved_line(2, 2, 2), saved_line(10, 10, 10)]
    assert read_saved(well, 10) == Saved(lines=3, twice=0, wrong=0)
    ill = [saved_line(2, 2, 2), saved_line(3, 3, 4), saved_line(11, 11, 11), well[2][:-10] + b"\n", well[2][:-1]]
    assert read_saved([*well, *ill], 10) == Saved(lines=3, twice=1, wrong=4)


def test_every_target_of_the_requester_is_held_against_its_own_limit() -> None:
    assert [target.met for target in requester_targets(FIGURES)] == [
        "yes",  # 49,000 in the slowest second
        "yes",
        "yes",  # 51,000 / 61,000 = 0.84
        "no",  # 51,000 / 12,750 = 4 times the faster of the two forms
        "not measured",
        "yes",
        "no",  # 2.1 %
        "yes",
        "yes",
        "yes",  # 110 MiB after 100
        "yes",
        "yes",
        "yes",  # 13,000 / 16,250 = 0.8
    ]
    lossy = {**FIGURES, "ours": [our_run(9_999, 60, lost=1), our_run(52_000, 15, weights_off_percent=2.1)]}
    assert [target.met for target in requester_targets(lossy)][:3] == ["no", "no", "no"]
    assert requester_targets(lossy)[8].met == "no"


def test_a_shorter_run_of_the_requester_meets_no_target() -> None:
    assert {target.met for target in requester_targets({**FIGURES, "kept": 4})} == {"not measured"}
    assert {target.met for target in requester_targets(None)} == {"not measured"}


def test_the_tables_show_ours_between_its_bare_loops_and_beside_others() -> None:
    text = summary(FIGURES)
    assert "| … beside a bare loop of its own client | 51,000/s | 61,000/s | 0.84 times | 0.8 times | yes |" in text
    assert "| **ours**, with limits, weights, checks and saving | 256 | 51,000/s | 20 µs | 31 % | 1 times |" in text
    assert "| openai client as it comes, 3.1 | 16 | 800/s | 1,250 µs | 31 % | 63.8 times |" in text
    assert "LiteLLM's Router: not measured. No index.\n" in text
    assert "| 60 | 50,000/s | 49,000/s | 99 % | 60,000/s | 62,000/s | 0.82 | 0.82 |" in text
    assert "| 1,000/s | 1,000/s | 979 | 1,000 | 1,003 | 2.10% |" in text
    assert "| limited to 500/s | 50.10 % | 30.00 % | 19.90 % | 0.50% |" in text
    assert "| 1,000,000 | 110 MiB |" in text


def test_a_run_of_ours_is_counted_and_every_answer_of_it_is_found_saved(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    whole = bench.memory(300)
    assert (whole["saved"], whole["lost"], whole["twice"], whole["wrong"], whole["failed"]) == (300, 0, 0, 0, 0)
    assert whole["peak_mib"] > 10
    limited = bench.limited(100, 1)
    assert len(limited["by_second"]) == 1
    assert sum(limited["shares_percent"]) == pytest.approx(100, abs=0.1)


def test_a_package_that_cannot_be_installed_is_named_with_what_pip_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unheard-of.txt").write_text("unheard-of==1.0\n")
    monkeypatch.setattr(requester_peers, "BENCH", tmp_path / "made")
    monkeypatch.setattr(requester_peers, "PINS", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(RunFailed, match="unheard-of could not be installed; can PyPI be reached"):
        requester_peers.prepare("unheard-of")


def test_an_environment_with_the_same_pins_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requester_peers, "BENCH", tmp_path)
    (tmp_path / "openai").mkdir()
    (tmp_path / "openai" / "installed.txt").write_bytes((requester_peers.PINS / "openai.txt").read_bytes())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert requester_peers.prepare("openai") == str(tmp_path / "openai" / "bin" / "python")
