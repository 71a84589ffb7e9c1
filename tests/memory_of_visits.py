"""Serves the real chat to people who come, ask and go, and prints what is left of them; run by test_memory.py."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
import tracemalloc
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import aiohttp
import uvicorn
import uvloop

from benchmarks.measures import Visit
from benchmarks.page import open_page
from server import build_app, configure, listen
from settings import read_settings

HUNDRED = 100
AT_ONCE = 5

Come = Callable[[aiohttp.ClientSession, str], Awaitable[None]]


def left_behind() -> dict[str, int]:
    """Return how many entries each of the places has in which a page leaves something."""
    from chainlit.chat_context import chat_contexts
    from chainlit.server import sio
    from chainlit.session import ws_sessions_id, ws_sessions_sid
    from chainlit.user_session import user_sessions

    import chat.presence as presence

    gc.collect()
    places = {
        "messages": chat_contexts,
        "turns": user_sessions,
        "sessions": ws_sessions_id,
        "sockets": ws_sessions_sid,
        "answers": presence._answers,
        "away": presence._leaving,
        "connections": sio.eio.sockets,
        "environments": sio.environ,
    }
    counts = {name: len(place) for name, place in places.items()}
    tasks = asyncio.all_tasks()
    ours = sum(task.get_name() in ("see off", "ask", "show", "rest") for task in tasks)
    # engineio's task for the next ping outlives its connection by an interval.
    return counts | {"tasks": ours, "pings": sum("_send_ping" in repr(task) for task in tasks)}


async def visit(http: aiohttp.ClientSession, url: str) -> None:
    """Come, ask and go."""
    async with open_page(http, url) as page:
        asked = Visit("How many customers are there?")
        await page.ask(asked, time.monotonic())
        _was_answered(asked)


async def visit_in_haste(http: aiohttp.ClientSession, url: str) -> None:
    """Come, ask twice and go, each time before the next questions are there."""
    async with open_page(http, url) as page:
        for _ in range(2):
            asked = Visit("How many customers are there?")
            asking = asyncio.create_task(page.ask(asked, time.monotonic()))
            while asked.may_ask is None and not asking.done():  # noqa: ASYNC110  # It tells nobody.
                await asyncio.sleep(0.002)
            if asking.done():
                raise SystemExit("the next questions came after all")
            asking.cancel()
            await asyncio.wait([asking])
            _was_answered(asked)


def _was_answered(asked: Visit) -> None:
    if asked.failure not in (None, "no answer"):  # No token bears a stamp: no stand-in model wrote it.
        raise SystemExit(f"the question was not answered: {asked.failure}")


@contextmanager
def never_suggesting() -> Iterator[None]:
    """Let the next questions be tried for ever."""

    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    with patch("agents.followups._Trial.passes", never):
        yield


async def a_hundred(http: aiohttp.ClientSession, url: str) -> int:
    """Let a hundred people come and go; return the bytes that Python holds when they are forgotten."""
    await come_and_go(http, url, HUNDRED)
    return tracemalloc.get_traced_memory()[0]


async def come_and_go(http: aiohttp.ClientSession, url: str, people: int, come: Come = visit) -> None:
    """Let people come and go, and wait until they are forgotten."""
    for _ in range(people // AT_ONCE):
        await asyncio.gather(*(come(http, url) for _ in range(AT_ONCE)))
    for _ in range(100):
        if not any(left_behind().values()):
            break
        await asyncio.sleep(0.1)


async def kinds_in_rings(http: aiohttp.ClientSession, url: str) -> list[str]:
    """Return the types, as module.name, of what some people left that only Python's collector can take away.

    sqlglot's are left out: each of its expressions knows the one above it.
    """
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    await come_and_go(http, url, 4 * AT_ONCE)
    with never_suggesting():
        await come_and_go(http, url, 4 * AT_ONCE, visit_in_haste)
    gc.collect()
    gc.set_debug(0)
    kinds = {f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage}
    gc.garbage.clear()
    return sorted(kind for kind in kinds if not kind.startswith("sqlglot."))


async def main(hundreds: int) -> None:
    settings = read_settings()
    app = build_app(settings)
    from chainlit.config import config
    from chainlit.server import sio

    import chat.presence as presence

    sio.eio.ping_interval = 1
    presence.GRACE, config.project.session_timeout = 0.2, 1
    listening = listen(settings.host, settings.port)
    server = uvicorn.Server(configure(app))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    url = f"http://{settings.host}:{settings.port}"
    async with aiohttp.ClientSession() as http:
        await visit(http, url)
        tracemalloc.start()
        held = [await a_hundred(http, url) for _ in range(hundreds)]
        with never_suggesting():
            await come_and_go(http, url, 4 * AT_ONCE, visit_in_haste)
        left = left_behind()
        rings = await kinds_in_rings(http, url)
        presence.GRACE, config.project.session_timeout, presence.MOST_AWAY = 600, 600, 10
        for _ in range(15):
            await visit(http, url)
        for _ in range(100):  # The last ones may still be on their way out.
            if left_behind()["sessions"] <= presence.MOST_AWAY:
                break
            await asyncio.sleep(0.1)
    print(json.dumps({"left": left, "held": held, "rings": rings, "remembered": left_behind()}))
    server.should_exit = True
    await serving


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # What Chainlit imports is written for older versions of what that imports.
    uvloop.run(main(int(sys.argv[1])))  # As the server: asyncio keeps the contexts of timers that were taken back.
