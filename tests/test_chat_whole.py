"""What our model makes of a whole answer: it sends and returns what langchain-openai's own client does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from errors import ModelMisbehaved, ModelUnavailable
from tests.recorded_endpoint import RecordedEndpoint, recorded_endpoint

HURRIED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCHEMA = {
    "type": "object",
    "properties": {"sql": {"type": "string"}},
    "required": ["sql"],
    "additionalProperties": False,
}
FORM = {"type": "json_schema", "json_schema": {"name": "sql", "strict": True, "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "run_sql", "strict": True, "parameters": SCHEMA}}
CALLED = {"name": "run_sql", "args": {"sql": "SELECT 'ö'"}, "id": "call_1", "type": "tool_call"}
TALK = [
    SystemMessage("You write SQL."),
    HumanMessage("Which city spent most? 東京?", name="anna"),
    AIMessage("", tool_calls=[CALLED]),
    ToolMessage("Rome", tool_call_id="call_1"),
    AIMessage("Rome."),
    HumanMessage([{"type": "text", "text": "And then?"}]),
]


@pytest.fixture
async def endpoint() -> AsyncIterator[RecordedEndpoint]:
    async with recorded_endpoint() as running:
        running.kind = "application/json"
        yield running


async def answer_of(model: BaseChatModel, **kwargs: Any) -> dict[str, Any]:
    """Return the whole message, but the identity drawn by lot and what is said to be nothing."""
    message = await model.ainvoke(TALK, **kwargs)
    assert message.id is not None and message.id.startswith("lc_run")
    whole = message.model_dump(exclude={"id"})
    usage = whole["response_metadata"].pop("token_usage") or {}
    return {**whole, "usage": without_nothing(usage)}


def without_nothing(usage: dict[str, Any]) -> dict[str, Any]:
    said = {name: part for name, part in usage.items() if part is not None}
    return {name: without_nothing(part) if isinstance(part, dict) else part for name, part in said.items()}


WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
ARGUMENTS = st.one_of(st.builds(lambda sql: json.dumps({"sql": sql}), WORDS), st.sampled_from(["", "{}"]))
CALLS = st.lists(
    st.builds(
        lambda ident, arguments: {
            "id": ident,
            "type": "function",
            "function": {"name": "run_sql", "arguments": arguments},
        },
        st.sampled_from(["call_1", "call_2"]),
        ARGUMENTS,
    ),
    min_size=1,
    max_size=3,
)
DETAILS = [
    {},
    {"prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0}, "completion_tokens_details": None},
    {"completion_tokens_details": {"reasoning_tokens": 3}},
]


@st.composite
def completions(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an answer that is whole, with what endpoints leave out and what they add."""
    calls = draw(st.none() | CALLS)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "." + draw(WORDS) if calls is None else draw(st.none() | WORDS),
    }
    message |= {"tool_calls": calls} if calls else draw(st.sampled_from([{}, {"tool_calls": None}, {"tool_calls": []}]))
    message |= draw(st.sampled_from([{}, {"refusal": None}, {"refusal": "No."}, {"reasoning_content": "Hm."}]))
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    choice |= draw(st.sampled_from([{}, {"logprobs": None}, {"stop_reason": None}]))
    count = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12, **draw(st.sampled_from(DETAILS))}
    more: list[dict[str, Any]] = [{}, {"usage": None}, {"usage": count}, {"usage": count, "service_tier": "flex"}]
    head = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m-1"}
    head |= draw(st.sampled_from([{}, {"system_fingerprint": "fp_1"}]))
    return {**head, "choices": [choice], **draw(st.sampled_from(more))}


@HURRIED
@given(
    completion=completions(), asks=st.sampled_from([{}, {"response_format": FORM}, {"tools": [TOOL]}, {"stop": ["."]}])
)
async def test_any_answer_is_what_the_plain_client_returns_and_asks_for(
    endpoint: RecordedEndpoint, completion: dict[str, Any], asks: dict[str, Any]
) -> None:
    if "response_format" in asks:
        completion["choices"][0]["message"].pop("tool_calls", None)
        completion["choices"][0]["message"]["content"] = '{"sql": "SELECT 1"}'
    endpoint.bodies.clear()
    endpoint.pieces = [json.dumps(completion).encode()]
    assert await answer_of(endpoint.ours, **asks) == await answer_of(endpoint.plain, **asks)
    ours, plain = endpoint.bodies
    assert ours.pop("stream", False) is False and plain.pop("stream", False) is False
    assert ours == plain


async def test_half_a_surrogate_pair_reaches_the_endpoint_as_it_is(endpoint: RecordedEndpoint) -> None:
    reply = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Rome"}}]}
    endpoint.pieces = [json.dumps(reply).encode()]
    await endpoint.ours.ainvoke([HumanMessage("half of \ud83d")])
    assert endpoint.bodies[-1]["messages"][-1]["content"] == "half of \ud83d"


async def test_what_is_sent_beside_the_body_is_sent_as_the_plain_client_does(endpoint: RecordedEndpoint) -> None:
    endpoint.pieces = [
        json.dumps(
            {"choices": [{"message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}]}
        ).encode()
    ]
    for model in (endpoint.ours, endpoint.plain):
        await model.ainvoke(TALK, extra_body={"top_k": 3}, extra_headers={"X-Asked": "1"}, extra_query={"v": "2"})
    ours, plain = endpoint.bodies
    assert ours["top_k"] == 3 and ours == plain
    assert [request.headers["X-Asked"] + request.query["v"] for request in endpoint.requests] == ["12", "12"]


@pytest.mark.parametrize("arguments", ['{"sql": "DELETE FROM orders WHERE id = 1', '{"sql": "SELECT \'\\ud800\'"}'])
async def test_a_call_whose_arguments_are_not_whole_is_not_acted_on(endpoint: RecordedEndpoint, arguments: str) -> None:
    function = {"name": "run_sql", "arguments": arguments}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    endpoint.pieces = [json.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode()]
    with pytest.raises(ModelMisbehaved, match="arguments that are not whole"):
        await endpoint.ours.ainvoke(TALK)
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize("reply", ["[]", "null", '"Yes."', '{"choices": null}', '{"choices": [{}]}', "{", "\ufeff"])
async def test_a_reply_that_is_no_completion_is_one_sentence(endpoint: RecordedEndpoint, reply: str) -> None:
    endpoint.pieces = [reply.encode()]
    with pytest.raises(ModelUnavailable, match="does not speak the chat protocol"):
        await endpoint.ours.ainvoke(TALK)
