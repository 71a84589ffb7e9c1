"""While a stream rests nothing of it is lost, and nobody waits for it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractContextManager, aclosing

import aiohttp
import pytest
from langchain_core.messages import AIMessageChunk

from endpoints import Endpoint
from errors import ModelUnavailable
from llm import chat_wire
from llm.chat import ChatModel, open_chat_model
from tests.raw_endpoint import CLOSE, RawEndpoint, raw_endpoint

ASKED = [("human", "Which city spent most?")]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"
END = b"0\r\n\r\n"


def event(delta: dict[str, str], finish: str | None = None) -> bytes:
    return (
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"
    )


def chunk(*events: bytes) -> bytes:
    whole = b"".join(events)
    return b"%x\r\n%b\r\n" % (len(whole), whole)


HELLO, WORLD, STOP = event({"content": "Hello"}), event({"content": " world"}), event({}, "stop")


def asked(model: ChatModel) -> AsyncGenerator[AIMessageChunk, None]:
    stream = model.astream(ASKED)
    assert isinstance(stream, AsyncGenerator)
    return stream


@pytest.fixture
async def endpoint() -> AsyncIterator[RawEndpoint]:
    async with raw_endpoint() as running:
        yield running


@pytest.fixture
def resting(monkeypatch: pytest.MonkeyPatch) -> list[aiohttp.ClientResponse]:
    """Return the replies that have rested, in their order."""
    replies: list[aiohttp.ClientResponse] = []
    unheard = chat_wire._unheard

    def rest(reply: aiohttp.ClientResponse) -> AbstractContextManager[bool]:
        replies.append(reply)
        return unheard(reply)

    monkeypatch.setattr(chat_wire, "_unheard", rest)
    return replies


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a stream that rests is not read at all")


@pytest.mark.parametrize("is_whole", [True, False], ids=["after all was said", "before its end"])
async def test_what_came_before_the_connection_broke_is_said(
    endpoint: RawEndpoint, resting: list[aiohttp.ClientResponse], is_whole: bool
) -> None:
    go_on = asyncio.Event()
    endpoint.will_say([HEAD, chunk(HELLO), go_on, chunk(WORLD, *([STOP, DONE] if is_whole else [])), CLOSE])
    said: list[str] = []
    async with asyncio.timeout(20), open_chat_model([Endpoint(endpoint.base_url, "m")]) as model:
        try:
            async for piece in model.astream(ASKED):
                said.append(piece.text)
                if not go_on.is_set():
                    go_on.set()
                    with pytest.raises(aiohttp.ClientPayloadError):
                        await resting[0].content.wait_eof()
        except ModelUnavailable as broken:
            assert not is_whole and "broke off before its end" in str(broken)
        else:
            assert is_whole
    assert "".join(said) == "Hello world"


async def test_who_gets_the_connection_of_a_stream_that_ended_while_it_rested_is_heard_at_once(
    endpoint: RawEndpoint, resting: list[aiohttp.ClientResponse], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_wire, "ENOUGH", 4_096)
    go_on, never = asyncio.Event(), asyncio.Event()
    filling = b": wait\n" * 1_000
    endpoint.will_say([HEAD, chunk(HELLO), go_on, chunk(filling, STOP, DONE) + END], [HEAD + chunk(WORLD), never])
    async with asyncio.timeout(20), open_chat_model([Endpoint(endpoint.base_url, "m")]) as model:
        async with aclosing(asked(model)) as stream, aclosing(asked(model)) as next_stream:
            assert (await anext(stream)).text == "Hello"
            go_on.set()
            await resting[0].content.wait_eof()
            assert (await anext(next_stream)).text == " world"
            assert endpoint.connections == 1
        never.set()
