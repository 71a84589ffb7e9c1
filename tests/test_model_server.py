"""The stand-in model speaks the OpenAI protocol, at the pace and with the faults that are set."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from benchmarks.model_faults import FaultPicker
from benchmarks.model_wire import ToolCall, embedding, tokens_of

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello you"}]
LOOK_UP: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {
            "type": "object",
            "properties": {"question": {"type": "string"}, "limit": {"type": "integer"}},
            "required": ["question", "limit"],
        },
    },
}


@pytest.fixture
async def client(model_server: StandIn) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="k", base_url=model_server.base_url, max_retries=0, timeout=5) as client:
        yield client


@pytest.fixture
async def http(model_server: StandIn) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(model_server.base_url.removesuffix("v1")) as session:
        yield session


async def test_a_chat_is_echoed(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="any", messages=HELLO)
    assert answer.choices[0].message.content == "You said: Hello you"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "any"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 4


async def test_a_streamed_chat_comes_word_by_word_and_ends_with_its_usage(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="any", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert [word for word in words if word] == ["You", " said:", " Hello", " you"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4


async def test_no_usage_is_streamed_where_nobody_asked_for_it(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="any", messages=HELLO, stream=True)
    assert not any([chunk.usage async for chunk in stream])


async def test_the_words_together_are_the_text() -> None:
    for text in ("One two", "  leading", "trailing \n", "a\n\nb", "", "  "):
        assert "".join(tokens_of(text)) == text


async def test_the_first_token_and_those_after_it_take_their_time(model_server: StandIn, client: AsyncOpenAI) -> None:
    model_server.will_say("one two three four five")
    model_server.speaks(first_token=0.1, tokens_per_second=50)
    began = time.monotonic()
    stream = await client.chat.completions.create(model="any", messages=HELLO, stream=True)
    came = [time.monotonic() - began async for chunk in stream if chunk.choices and chunk.choices[0].delta.content]
    # Lower bounds only: a busy machine may make it slower, and never faster.
    assert came[0] >= 0.1
    assert came[-1] >= 0.1 + 4 / 50


async def test_a_tool_that_is_asked_for_is_called_with_arguments_of_its_shape(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="any", messages=HELLO, tools=[LOOK_UP], tool_choice="required")
    call = (answer.choices[0].message.tool_calls or [])[0]
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "look_up",
        {"question": "Hello you", "limit": 0},
    )
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_a_tool_is_not_called_where_the_choice_is_the_models(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="any", messages=HELLO, tools=[LOOK_UP])
    assert answer.choices[0].message.tool_calls is None


async def test_a_scripted_tool_call_is_streamed_in_pieces(model_server: StandIn, client: AsyncOpenAI) -> None:
    model_server.will_say(ToolCall("look_up", '{"question": "why", "limit": 3}'))
    stream = await client.chat.completions.create(model="any", messages=HELLO, tools=[LOOK_UP], stream=True)
    pieces = [c.choices[0].delta.tool_calls async for c in stream if c.choices and c.choices[0].delta.tool_calls]
    arguments = "".join((calls[0].function.arguments or "") for calls in pieces if calls and calls[0].function)
    assert len(pieces) == 1 + 4 and json.loads(arguments) == {"question": "why", "limit": 3}


async def test_a_header_can_hold_the_reply(client: AsyncOpenAI) -> None:
    told = {"tool_calls": [{"name": "look_up", "arguments": {"limit": 1}}]}
    answer = await client.chat.completions.create(
        model="any", messages=HELLO, extra_headers={"X-Script": json.dumps(told)}
    )
    call = (answer.choices[0].message.tool_calls or [])[0]
    assert call.type == "function" and call.function.arguments == '{"limit": 1}'


async def test_json_of_any_shape_is_answered_in_that_shape(client: AsyncOpenAI) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "tags": {"type": "array"}, "size": {"enum": ["big", "small"]}},
    }
    answer = await client.chat.completions.create(
        model="any",
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}},
    )
    assert json.loads(answer.choices[0].message.content or "") == {"name": "Hello you", "tags": [], "size": "big"}
    answer = await client.chat.completions.create(model="any", messages=HELLO, response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content or "") == {"reply": "Hello you"}


async def test_replies_are_said_in_the_order_they_were_given(model_server: StandIn, client: AsyncOpenAI) -> None:
    model_server.will_say("first", "second")
    said = [await client.chat.completions.create(model="any", messages=HELLO) for _ in range(3)]
    assert [a.choices[0].message.content for a in said] == ["first", "second", "You said: Hello you"]


async def test_the_models_are_listed(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["standin"]


async def test_embeddings_are_the_same_every_time_and_near_for_texts_that_share_words(client: AsyncOpenAI) -> None:
    texts = ["coffee sales by month", "sales of coffee", "employees of the store"]
    # The SDK asks for base64 by itself, so both ways are met here.
    coded = await client.embeddings.create(model="any", input=texts)
    plain = await client.embeddings.create(model="any", input=texts, encoding_format="float")
    assert [pytest.approx(e.embedding, abs=1e-6) for e in coded.data] == [e.embedding for e in plain.data]
    first, second, third = (e.embedding for e in plain.data)
    assert dot(first, first) == pytest.approx(1)
    assert dot(first, second) > dot(first, third) + 0.2
    assert plain.usage.total_tokens > 0


async def test_embeddings_have_as_many_dimensions_as_were_asked_for(client: AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model="any", input="one text", dimensions=64)
    assert len(answer.data[0].embedding) == 64
    assert len(embedding("", 16)) == 16


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "path, body, words",
    [
        ("v1/chat/completions", "no json", "JSON object"),
        ("v1/chat/completions", "[]", "JSON object"),
        ("v1/chat/completions", "{}", "messages"),
        ("v1/embeddings", '{"input": 3}', "input"),
        ("v1/chat/completions", '{"model": "a+nonsense", "messages": [{"role": "user", "content": ""}]}', "no fault"),
    ],
)
async def test_a_bad_request_is_answered_in_openais_shape(
    http: aiohttp.ClientSession, path: str, body: str, words: str
) -> None:
    async with http.post(path, data=body) as answer:
        assert answer.status == 400
        error: dict[str, Any] = (await answer.json(content_type=None))["error"]
    assert words in error["message"] and error["type"] == "invalid_request_error"


async def test_an_unknown_path_is_answered_in_openais_shape(http: aiohttp.ClientSession) -> None:
    async with http.get("v2/nothing") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_url")


async def test_a_rate_limit_says_when_to_come_back_or_does_not(client: AsyncOpenAI) -> None:
    for fault, after in (("rate-limit", None), ("rate-limit-wait", "1")):
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(model=f"any+{fault}", messages=HELLO)
        assert raised.value.response.headers.get("Retry-After") == after


async def test_a_header_asks_for_a_fault(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="any", messages=HELLO, extra_headers={"X-Fault": "refuse"})


async def test_a_share_of_the_requests_meets_the_fault(model_server: StandIn, client: AsyncOpenAI) -> None:
    model_server.server.faults = FaultPicker(("refuse",), share=0.3)
    failed = 0
    for _ in range(60):
        try:
            await client.chat.completions.create(model="any", messages=HELLO)
        except openai.InternalServerError:
            failed += 1
    assert 8 <= failed <= 30


async def test_a_truncated_answer_claims_to_be_whole(model_server: StandIn, client: AsyncOpenAI) -> None:
    model_server.will_say("one two three four")
    answer = await client.chat.completions.create(model="any+truncated", messages=HELLO)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one two", "stop")


async def test_requests_are_kept_for_the_test_to_read(model_server: StandIn, client: AsyncOpenAI) -> None:
    await client.chat.completions.create(model="any", messages=HELLO)
    request = model_server.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.headers["Authorization"] == "Bearer k"
    assert request.body["messages"] == HELLO
    assert not request.broken_off.is_set()


async def test_many_chats_run_side_by_side(model_server: StandIn, client: AsyncOpenAI) -> None:
    model_server.speaks(first_token=0.2)
    asked = (client.chat.completions.create(model="any", messages=HELLO) for _ in range(50))
    answers = await asyncio.gather(*asked)
    assert len({answer.id for answer in answers}) == 50
