"""An endpoint of another provider: Anthropic's own protocol over real HTTP, through LangChain's package for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiohttp import web
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from pydantic import SecretStr

from endpoints import Endpoint
from errors import ModelMisbehaved, ModelUnavailable, SettingsInvalid
from llm.chat import ChatModel, open_chat_model
from llm.chat_endpoint import Ask
from llm.chat_provider import ProviderModel
from llm.chat_wire import Patience
from llm.spending import spending

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

ASKED = [("system", "You write SQL."), ("human", "How many orders are there?")]
SAID = "There are three orders."
KEY = "sk-ant-hunter2"
TOOL = {
    "type": "function",
    "function": {
        "name": "run_sql",
        "description": "Run SQL.",
        "parameters": {"type": "object", "properties": {"sql": {"type": "string"}}, "required": ["sql"]},
    },
}


@dataclass
class Anthropic:
    """Speaks Anthropic's Messages protocol, or fails in a way of its."""

    base_url: str = ""
    stop_reason: str | None = "end_turn"
    blocks: list[dict[str, Any]] = field(default_factory=lambda: [{"type": "text", "text": SAID}])
    usage: dict[str, int] = field(default_factory=lambda: {"input_tokens": 12, "output_tokens": 7})
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    breaks_off: bool = False
    hangs: bool = False
    requests: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append((dict(request.headers), body))
        if self.hangs:
            await asyncio.Event().wait()
        if self.status != 200:
            kind = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}[self.status]
            error = {"type": "error", "error": {"type": kind, "message": f"No: {dict(request.headers)}"}}
            return web.json_response(error, status=self.status, headers=self.headers)
        return await self._stream(request) if body.get("stream") else web.json_response(self._whole())

    def _whole(self) -> dict[str, Any]:
        about = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test", "stop_sequence": None}
        return {**about, "content": self.blocks, "stop_reason": self.stop_reason, "usage": self.usage}

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        begun = {**self._whole(), "content": [], "stop_reason": None, "usage": {"input_tokens": 12, "output_tokens": 1}}
        await self._say(response, "message_start", message=begun)
        for place, block in enumerate(self.blocks):
            await self._say_block(response, place, block)
        if self.breaks_off:
            assert request.transport is not None
            request.transport.abort()
            return response
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        await self._say(response, "message_delta", delta=delta, usage={"output_tokens": self.usage["output_tokens"]})
        await self._say(response, "message_stop")
        return response

    async def _say_block(self, response: web.StreamResponse, place: int, block: dict[str, Any]) -> None:
        is_call = block["type"] == "tool_use"
        empty = {**block, "input": {}} if is_call else {**block, "text": ""}
        await self._say(response, "content_block_start", index=place, content_block=empty)
        pieces = [json.dumps(block["input"])] if is_call else block["text"].split(" ")
        for at, piece in enumerate(pieces):
            said = {"type": "text_delta", "text": piece if not at else f" {piece}"}
            delta = {"type": "input_json_delta", "partial_json": piece} if is_call else said
            await self._say(response, "content_block_delta", index=place, delta=delta)
        await self._say(response, "content_block_stop", index=place)

    async def _say(self, response: web.StreamResponse, name: str, **about: Any) -> None:
        await response.write(f"event: {name}\ndata: {json.dumps({'type': name, **about})}\n\n".encode())


@pytest.fixture
async def anthropic() -> AsyncIterator[Anthropic]:
    server = Anthropic()
    app = web.Application()
    app.router.add_post("/v1/messages", server.messages)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


def at(server: Anthropic) -> Endpoint:
    return Endpoint(server.base_url, "claude-test", SecretStr(KEY), provider="anthropic", name="claude")


@asynccontextmanager
async def opened(server: Anthropic, *others: Endpoint) -> AsyncIterator[ChatModel]:
    async with open_chat_model([at(server), *others], timeout=10, idle=5) as model:
        yield model


async def streamed(model: ChatModel, **more: Any) -> BaseMessage:
    pieces = [piece async for piece in model.astream(ASKED, **more)]
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = whole + piece
    return whole


async def test_it_answers_whole_and_as_a_stream(anthropic: Anthropic) -> None:
    async with opened(anthropic) as model:
        with spending() as spent:
            assert (await model.ainvoke(ASKED)).text == SAID
            assert (await streamed(model)).text == SAID
        [state] = model.pool.states
    assert spent.tokens == 14
    assert (state.successes, state.failures) == (2, 0)
    headers, body = anthropic.requests[0]
    assert KEY in " ".join(headers.values())
    assert body["model"] == "claude-test"
    assert (body["system"], body["messages"][0]["role"]) == ("You write SQL.", "user")


async def test_openais_words_are_not_sent_to_it(anthropic: Anthropic) -> None:
    async with opened(anthropic) as model:
        form = {"type": "json_schema", "json_schema": {"name": "sql", "schema": {"type": "object"}}}
        await model.ainvoke(ASKED, response_format=form)
    assert "response_format" not in anthropic.requests[0][1]
    assert "output_config" not in anthropic.requests[0][1]


@pytest.mark.parametrize("as_stream", [False, True])
async def test_a_tool_is_offered_in_its_words_and_its_call_read_in_ours(anthropic: Anthropic, as_stream: bool) -> None:
    anthropic.stop_reason = "tool_use"
    anthropic.blocks = [{"type": "tool_use", "id": "toolu_1", "name": "run_sql", "input": {"sql": "SELECT 1"}}]
    async with opened(anthropic) as model:
        bound = model.bind_tools([TOOL], tool_choice="run_sql")
        if as_stream:
            [*pieces] = [piece async for piece in bound.astream(ASKED)]
            answer: Any = pieces[0]
            for piece in pieces[1:]:
                answer = answer + piece
        else:
            answer = await bound.ainvoke(ASKED)
    assert isinstance(answer, AIMessage)
    [call] = answer.tool_calls
    assert (call["name"], call["args"]) == ("run_sql", {"sql": "SELECT 1"})
    body = anthropic.requests[0][1]
    assert body["tools"][0]["name"] == "run_sql"
    assert body["tool_choice"]["name"] == "run_sql"


@pytest.mark.parametrize("as_stream", [False, True])
@pytest.mark.parametrize(
    ("reason", "kind", "words"),
    [
        ("max_tokens", ModelMisbehaved, "cut off at its length limit"),
        ("refusal", ModelMisbehaved, "held the answer back"),
        (None, ModelUnavailable, "broke off before its end"),
    ],
)
async def test_an_answer_that_did_not_end_well_is_not_used(
    anthropic: Anthropic, as_stream: bool, reason: str | None, kind: type[Exception], words: str
) -> None:
    anthropic.stop_reason = reason
    async with opened(anthropic) as model:
        with pytest.raises(kind, match=words):
            await (streamed(model) if as_stream else model.ainvoke(ASKED))


async def test_a_stream_that_breaks_off_is_told_and_not_asked_for_again(anthropic: Anthropic) -> None:
    anthropic.breaks_off = True
    said = ""
    async with opened(anthropic) as model:
        with pytest.raises(ModelUnavailable, match="broke off"):
            async for piece in model.astream(ASKED):
                said += piece.text
    assert said and SAID.startswith(said)
    assert len(anthropic.requests) == 1


@pytest.mark.parametrize(("status", "words"), [(401, "refused the key"), (529, "fault of its own")])
async def test_its_faults_are_one_sentence_without_the_key(anthropic: Anthropic, status: int, words: str) -> None:
    anthropic.status = status
    async with opened(anthropic) as model:
        with pytest.raises(ModelUnavailable, match=words) as raised:
            await model.ainvoke(ASKED)
    assert "hunter2" not in str(raised.value)


async def test_where_it_asks_for_rest_another_provider_answers(anthropic: Anthropic, model_server: StandIn) -> None:
    anthropic.status, anthropic.headers = 429, {"Retry-After": "30"}
    async with opened(anthropic, model_server.endpoint()) as model:
        for _ in range(3):
            assert (await streamed(model)).text == "You said: How many orders are there?"
        claude, _ = model.pool.states
    # The package makes no second try of its own, and what the endpoint asked for is kept to.
    assert len(anthropic.requests) == 1
    assert 20 < claude.paused <= 30


async def test_whoever_stops_reading_closes_the_stream_himself() -> None:
    closed_by: list[asyncio.Task[Any] | None] = []

    class Speaking:
        async def astream(self, *args: object, **options: object) -> AsyncIterator[AIMessageChunk]:
            try:
                yield AIMessageChunk(content="There")
                await asyncio.Event().wait()
            finally:
                closed_by.append(asyncio.current_task())

    model = ProviderModel(Endpoint("", "m", provider="any"), cast(Any, Speaking()))
    patience = Patience(asyncio.get_running_loop().time() + 60, 60)
    async with aclosing(model.speak(cast(Any, None), Ask([], None, {}), patience)) as chunks:
        assert (await anext(chunks)).text == "There"
    assert closed_by == [asyncio.current_task()]


async def test_a_count_of_tokens_that_cannot_be_is_not_believed(anthropic: Anthropic) -> None:
    anthropic.usage = {"input_tokens": 12, "output_tokens": 10**12}
    async with opened(anthropic) as model:
        with spending() as spent:
            await model.ainvoke(ASKED)
            await streamed(model)
    assert spent.tokens == 0


async def test_one_that_hangs_is_left_in_time(anthropic: Anthropic) -> None:
    anthropic.hangs = True
    async with open_chat_model([at(anthropic)], timeout=0.5) as model:
        for answering in (model.ainvoke(ASKED), streamed(model)):
            with pytest.raises(ModelUnavailable, match="did not answer in time"):
                await answering


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("mistralai", "needs the package of its provider mistralai: pip install langchain-mistralai."),
        ("nobody", "its provider nobody is none that LangChain knows"),
    ],
)
async def test_a_provider_that_is_not_here_is_one_sentence(provider: str, words: str) -> None:
    endpoint = Endpoint("", "m", SecretStr(KEY), provider=provider)
    with pytest.raises(SettingsInvalid, match=words) as raised:
        async with open_chat_model([endpoint]):
            pass
    assert f"{provider}/m" in str(raised.value)
    assert "hunter2" not in str(raised.value)
