"""The load client speaks the chat's socket as a page does, and knows how each question ended."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from benchmarks.chat import Crowd
from benchmarks.measures import Visit
from benchmarks.page import PageGone, Stamps, open_page

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


async def let_in(socket: web.WebSocketResponse) -> None:
    """Do what a Chainlit server does until a page has opened."""
    await socket.send_str('0{"sid":"a","upgrades":[],"pingTimeout":20000,"pingInterval":25000}')
    joined = (await socket.receive_str()).removeprefix("40")
    assert {"sessionId", "clientType", "userEnv"} <= json.loads(joined).keys()
    await socket.send_str('40{"sid":"b"}')
    assert await socket.receive_str() == '42["connection_successful"]'
    await socket.send_str('42["task_end"]')


async def hear_question(socket: web.WebSocketResponse) -> str:
    """Return what is asked, and say that its answer has begun."""
    name, about = json.loads((await socket.receive_str()).removeprefix("42"))
    assert name == "client_message" and about["message"]["type"] == "user_message"
    await socket.send_str(event("task_start"))
    await socket.send_str(
        event("new_message", {"name": "on_message", "type": "run", "parentId": about["message"]["id"]})
    )
    return str(about["message"]["output"])


def event(name: str, about: object = None) -> str:
    return "42" + json.dumps([name, about] if about is not None else [name])


def stamp() -> str:
    return f"t{time.monotonic_ns() // 1_000} "


@asynccontextmanager
async def chat_server(talk: Talk) -> AsyncIterator[str]:
    async def serve(request: web.Request) -> web.WebSocketResponse:
        assert request.query["transport"] == "websocket" and request.query["EIO"] == "4"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await talk(socket)
        return socket

    app = web.Application()
    app.router.add_get("/ws/socket.io/", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def visited(talk: Talk, *questions: str, timeout: float = 5.0) -> list[Visit]:
    """Return how it goes when a person asks these questions of a server that talks like this."""
    async with chat_server(talk) as url, aiohttp.ClientSession() as http:
        crowd = Crowd(url, http, timeout, open_before=0.0)
        await crowd.visit(list(questions) or ["Why?"], time.monotonic())
        return crowd.load.visits


async def test_an_answer_is_read_to_its_end() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        assert await hear_question(socket) == "Why?"
        await socket.send_str(event("stream_start", {"output": "m1250 " + stamp()}))
        await socket.send_str(event("stream_token", {"token": stamp() + stamp()}))
        await socket.send_str(event("task_end"))
        await socket.receive()

    (visit,) = await visited(talk)
    assert visit.failure is None and visit.own == 1250
    assert len(visit.transits) == 3 and all(0 <= transit < 5_000 for transit in visit.transits)
    assert visit.first_token is not None and visit.whole is not None and visit.connect is not None
    assert 0 < visit.first_token <= visit.whole
    assert visit.added == visit.first_token - 1250


async def test_a_question_has_not_ended_while_more_of_it_is_to_come() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        await hear_question(socket)
        await socket.send_str(event("stream_start", {"output": stamp()}))
        await socket.send_str(event("element", {"name": "Next", "props": {"status": "answered", "coming": True}}))
        await socket.send_str(event("task_end"))
        await socket.send_str(event("element", {"name": "Breakdown", "props": {"sql": "SELECT 1"}}))
        await socket.send_str(event("stream_token", {"token": "read on: " + stamp()}))
        await socket.send_str(event("element", {"name": "Next", "props": {"status": "answered", "coming": False}}))
        await socket.receive()

    (visit,) = await visited(talk)
    assert visit.failure is None and len(visit.transits) == 2
    assert visit.may_ask is not None and visit.whole is not None and visit.may_ask < visit.whole


async def test_text_that_is_sent_again_counts_once() -> None:
    words = "m250 " + stamp() + stamp()

    async def talk(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        await hear_question(socket)
        await socket.send_str(event("stream_start", {"output": words}))
        await socket.send_str(event("update_message", {"output": words + stamp()}))
        await socket.send_str(event("task_end"))

    (visit,) = await visited(talk)
    assert len(visit.transits) == 3


async def test_the_end_of_a_greeting_is_not_the_end_of_the_answer() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        for frame in (event("task_start"), event("new_message", {"name": "on_chat_start"}), event("task_end")):
            await socket.send_str(frame)
        await hear_question(socket)
        await socket.send_str(event("stream_start", {"output": stamp()}))
        await socket.send_str(event("task_end"))

    (visit,) = await visited(talk)
    assert visit.failure is None and len(visit.transits) == 1


async def test_pings_and_acknowledgements_are_answered_also_while_nobody_asks() -> None:
    heard: list[str] = []

    async def talk(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        await socket.send_str("2")
        heard.append(await socket.receive_str())
        await socket.send_str('4217["call_fn",{"name":"x"}]')

    async with chat_server(talk) as url, aiohttp.ClientSession() as http, open_page(http, url) as page:
        with pytest.raises(PageGone):
            await page.wait(time.monotonic() + 5)
    assert heard == ["3"]

    async def call(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        await hear_question(socket)
        await socket.send_str('4217["call_fn",{"name":"x"}]')
        heard.append(await socket.receive_str())

    await visited(call)
    assert heard == ["3", "4317[]"]


async def test_who_is_not_let_in_has_no_connection() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_str('0{"sid":"a"}')
        await socket.receive_str()
        await socket.send_str('44{"message":"authentication failed"}')

    (visit,) = await visited(talk)
    assert visit.failure == "no connection"


async def test_a_server_that_is_not_there_is_no_connection() -> None:
    async with aiohttp.ClientSession() as http:
        crowd = Crowd("http://127.0.0.1:1", http, timeout=5, open_before=0)
        await crowd.visit(["Why?", "And who?"], time.monotonic())
    assert [visit.failure for visit in crowd.load.visits] == ["no connection"]


async def test_a_connection_that_ends_in_the_middle_is_broken_off() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        await hear_question(socket)
        await socket.send_str(event("stream_start", {"output": stamp()}))

    (visit,) = await visited(talk)
    assert visit.failure == "broken off"


async def test_an_answer_that_never_ends_is_a_timeout() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        await hear_question(socket)
        await socket.receive()

    (visit,) = await visited(talk, timeout=0.2)
    assert visit.failure == "timeout"


@pytest.mark.parametrize(
    ("told", "failure"),
    [
        (event("stream_start", {"output": "no stamp"}), "no answer"),
        (event("element", {"name": "Next", "props": {"status": "failed"}}), "failed"),
        (event("element", {"name": "Next", "props": {"status": "declined"}}), "declined"),
    ],
)
async def test_an_answer_that_is_none_says_which(told: str, failure: str) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        await hear_question(socket)
        for frame in (told, event("task_end")):
            await socket.send_str(frame)

    (visit,) = await visited(talk)
    assert visit.failure == failure


async def test_a_second_question_is_asked_on_the_same_page() -> None:
    heard: list[str] = []

    async def talk(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        for _ in range(2):
            heard.append(await hear_question(socket))
            for frame in (event("stream_start", {"output": stamp()}), event("task_end")):
                await socket.send_str(frame)

    visits = await visited(talk, "Why?", "And who?")
    assert heard == ["Why?", "And who?"]
    assert [visit.failure for visit in visits] == [None, None]


async def test_people_come_and_go_until_the_time_is_over() -> None:
    asked: list[str] = []

    async def talk(socket: web.WebSocketResponse) -> None:
        await let_in(socket)
        asked.append(await hear_question(socket))
        for frame in (event("stream_start", {"output": stamp()}), event("task_end")):
            await socket.send_str(frame)
        await socket.receive()

    async with chat_server(talk) as url, aiohttp.ClientSession() as http:
        crowd = Crowd(url, http, timeout=5, open_before=0)
        async with asyncio.timeout(30):
            await crowd.come_and_go(3, 1.0, 0.0, ["Why?", "Who?"], seed=1)
    assert len(asked) > 3 and set(asked) == {"Why?", "Who?"}


def test_an_answers_own_numbers_are_no_stamps() -> None:
    visit = Visit("Why?")
    Stamps(visit, time.monotonic()).read(event("stream_token", {"token": "about 1,204 t12 of 2026"}))
    assert not visit.transits and visit.first_token is None
