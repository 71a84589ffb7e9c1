"""Looks at the endpoints that come at the same time do not mix up what they found."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from endpoints import Endpoint
from errors import ModelUnavailable
from llm import chat_check
from llm.chat import ChatModel
from llm.chat_check import ChatCheck
from llm.pool import Breakage, CallFailed, Pool, classify


class At:
    """A model at an endpoint that is there, or away; it answers each look when it is let."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.is_there = True
        self.looks: asyncio.Queue[asyncio.Event] | None = None
        """Where looks wait to be let; None lets all."""

    async def check(self) -> None:
        if self.looks is not None:
            let = asyncio.Event()
            self.looks.put_nowait(let)
            await let.wait()
        if not self.is_there:
            raise CallFailed(classify(Breakage.CONNECT))


class Model:
    def __init__(self, *names: str) -> None:
        endpoints = [Endpoint(f"http://{name}/v1", "m", name=name) for name in names]
        self.pool = Pool(endpoints)
        self.models = {endpoint.name: At(endpoint) for endpoint in endpoints}


async def test_a_look_at_some_of_them_tells_of_all_where_another_found_the_rest_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Model("one", "other")
    check = ChatCheck(cast(ChatModel, cast(Any, model)))
    one, other = model.models.values()
    other.is_there = False
    await check()  # The one is there, and need not be asked for a while.
    other.looks = asyncio.Queue()
    first = asyncio.create_task(check())
    first_may_end = await other.looks.get()
    one.is_there = False
    monkeypatch.setattr(chat_check, "GOOD_FOR", 0.0)
    second = asyncio.create_task(check())
    (await other.looks.get()).set()
    for look in (second, first):
        with pytest.raises(ModelUnavailable, match=r"one cannot be reached; other cannot be reached\."):
            await look
        first_may_end.set()
