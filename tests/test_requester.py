"""The requester takes for an answer only what is one, and asks again, elsewhere or not at all as each fault demands."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from benchmarks.model_faults import FAULTS
from benchmarks.model_wire import ToolCall
from endpoints import Endpoint
from llm.pool_faults import CallFailed, Kind
from llm.requester import Request, Requester, open_requester
from llm.requester_reply import Answer, read_answer
from llm.requester_wire import Reply
from tests.raw_endpoint import RawEndpoint, completion, raw_endpoint, reply

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

ASKED = {"messages": [{"role": "user", "content": "Which city spent most?"}]}


@pytest.fixture
async def raw() -> AsyncIterator[RawEndpoint]:
    async with raw_endpoint() as running:
        yield running


def endpoint_of(raw: RawEndpoint, name: str = "", **about: Any) -> Endpoint:
    return Endpoint(raw.base_url, "m", name=name, **about)


async def ask_once(endpoint: Endpoint, fields: dict[str, Any] = ASKED, *, seconds: float = 5.0) -> Answer:
    async with open_requester([endpoint], seconds=seconds, attempts=1) as requester:
        return await requester.ask(Request(fields))


# What stands in the errors file, behind the endpoint's name; None is an answer.
SEEN: dict[str, str | None] = {
    "error": "has a fault of its own",
    "refuse": "has a fault of its own",
    "rate-limit": "has too many requests at the moment",
    "rate-limit-wait": "has too many requests at the moment",
    "rate-limit-date": "has too many requests at the moment",
    "quota": "says that the account's quota is used up",
    "bad-key": "refused the key",
    "no-model": "does not know the model or the path",
    "no-response-format": "did not take the request",
    "too-long": "did not take so long a request",
    "error-object": "has a fault of its own",
    "html": "answered something that is no answer",
    "redirect": "is somewhere else",
    "empty-body": "answered something that is no answer",
    "empty-choices": "answered something that is no answer",
    "odd-shape": "answered something that is no answer",
    "deep": "answered something that is no answer",
    "hang": "did not answer in time",
    "slow-headers": "did not answer in time",
    "no-http": "answered something that is no answer",
    "reset": "broke off the connection",
    "reset-middle": "broke off the connection",
    "malformed": "answered something that is no answer",
    "no-text": "answered something that is no answer",
    "wrong-arguments": "answered something that is no answer",
    "truncated": None,  # It says that it is all of it: nobody can tell.
    "no-finish": "broke off before its answer's end",
    "length": "cut the answer off at its length limit",
    "error-middle": None,  # A whole answer has no middle.
    "filtered": "held the answer back with its content filter",
    "stall": "did not answer in time",
    "stall-first": "did not answer in time",
    "flood": "answered something that is no answer",
}

WITHIN_AN_ANSWER = {
    *("empty-choices", "odd-shape", "malformed", "no-text", "reset-middle", "stall", "stall-first", "flood"),
    *("truncated", "no-finish", "length", "filtered", "error-middle"),
}


def test_every_fault_has_its_row() -> None:
    assert list(SEEN) == list(FAULTS)


@pytest.mark.parametrize("fault", SEEN)
async def test_a_fault_is_told_in_a_few_words(model_server: StandIn, fault: str) -> None:
    if fault == "wrong-arguments":
        model_server.will_say(ToolCall("draw", '{"kind": "bar"}'))
    elif fault in WITHIN_AN_ANSWER:
        model_server.will_say("The city that spent most is Lyon.")
    asking = ask_once(
        model_server.endpoint(f"standin+{fault}", name="it"),
        {**ASKED, "response_format": {"type": "json_object"}} if fault == "no-response-format" else ASKED,
        seconds=0.3 if SEEN[fault] == "did not answer in time" else 20.0,
    )
    if SEEN[fault] is None:
        assert (await asking).text.startswith("The city that")
        return
    with pytest.raises(CallFailed) as failed:
        await asking
    assert failed.value.fault.reason == SEEN[fault]
    assert failed.value.endpoint is not None and failed.value.endpoint.name == "it"


async def test_what_is_sent_is_the_lines_own_with_the_endpoints_model_and_key(model_server: StandIn) -> None:
    model_server.will_say("Lyon.")
    fields = {**ASKED, "temperature": 0.5, "stop": ["\n"], "seed": 3}
    answer = await ask_once(model_server.endpoint("standin"), fields)
    [received] = model_server.requests
    assert received.path == "/v1/chat/completions"
    assert received.body == {"model": "standin", **fields}
    assert received.headers["Authorization"] == "Bearer sk-test-0123456789"
    assert received.headers["Content-Type"] == "application/json"
    assert answer.text == "Lyon." and answer.usage is not None and answer.tokens == answer.usage["total_tokens"]


async def test_a_line_may_name_its_own_model(raw: RawEndpoint) -> None:
    async with open_requester([endpoint_of(raw)], seconds=5) as requester:
        await requester.ask(Request(ASKED, "mine"))
        await requester.ask(Request(ASKED))
    assert [orjson.loads(body)["model"] for body in raw.bodies] == ["mine", "m"]


async def test_tool_calls_are_kept_as_they_came(model_server: StandIn) -> None:
    model_server.will_say(ToolCall("draw", '{"kind": "bar"}'))
    answer = await ask_once(model_server.endpoint())
    assert answer.text == "" and answer.tool_calls is not None
    assert answer.tool_calls[0]["function"] == {"name": "draw", "arguments": '{"kind": "bar"}'}


NO_ANSWERS: dict[str, object] = {
    "a list": [],
    "null": None,
    "an error": {"error": {"message": "No."}},
    "an error in words": {"error": "No."},
    "no choices": {"choices": []},
    "an error beside the message": {"choices": [{**completion("x")["choices"][0], "finish_reason": "error"}]},
    "no message": {"choices": [{"finish_reason": "stop"}]},
    "no text": completion(None),
    "parts": completion([{"type": "text", "text": "x"}]),
    "no finish": completion("x", None),
    "no calls": completion("", "tool_calls", tool_calls=[]),
    "calls that are none": completion("", "tool_calls", tool_calls=[{"function": {"name": "f"}}]),
    "arguments of no object": completion(
        "", "tool_calls", tool_calls=[{"function": {"name": "f", "arguments": "[1]"}}]
    ),
    "calls that are no list": completion("", "tool_calls", tool_calls={"function": {}}),
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_success_that_holds_no_answer_is_none(body: object) -> None:
    with pytest.raises(CallFailed) as failed:
        read_answer(Reply(200, None, orjson.dumps(body)))
    assert failed.value.fault.kind is Kind.TRANSIENT


def test_an_error_of_null_is_no_error() -> None:
    whole = {**completion("well"), "error": None}
    assert read_answer(Reply(200, None, orjson.dumps(whole))).text == "well"


def test_a_refusal_keeps_what_it_says() -> None:
    answer = read_answer(Reply(200, None, orjson.dumps(completion(None, "stop", refusal="I will not."))))
    assert answer.text == "I will not." and answer.fault is not None and answer.fault.kind is Kind.FINAL


async def test_half_an_answer_stays_with_its_request(raw: RawEndpoint) -> None:
    raw.will_say(reply(completion("The city that", "length")))
    async with open_requester([endpoint_of(raw)], seconds=5) as requester:
        request = Request(ASKED)
        with pytest.raises(CallFailed, match="length limit"):
            await requester.ask(request)
    assert request.said == "The city that" and request.attempts == 1


async def test_what_fails_is_asked_elsewhere_and_counted() -> None:
    async with raw_endpoint() as failing, raw_endpoint() as well:
        failing.always = [reply({"error": {"message": "No."}}, "500 Internal Server Error")]
        endpoints = [endpoint_of(failing, "failing", weight=1000), endpoint_of(well, "well")]
        async with open_requester(endpoints, seconds=5) as requester:
            request = Request(ASKED)
            answer = await requester.ask(request)
    assert answer.text == "well"
    assert (request.attempts, request.endpoint) == (2, "well")


async def test_no_more_attempts_than_allowed(raw: RawEndpoint) -> None:
    raw.always = [reply(b"", "503 Service Unavailable")]
    async with open_requester([endpoint_of(raw)], seconds=5, attempts=2) as requester:
        request = Request(ASKED)
        with pytest.raises(CallFailed, match="a fault of its own"):
            await requester.ask(request)
    assert request.attempts == len(raw.heads) == 2


async def test_retry_after_is_waited_for(raw: RawEndpoint) -> None:
    raw.will_say(reply(b"", "429 Too Many Requests", retry_after_ms="300"))
    async with open_requester([endpoint_of(raw)], seconds=5) as requester:
        began = time.monotonic()
        assert (await requester.ask(Request(ASKED))).text == "well"
    assert time.monotonic() - began >= 0.3


async def test_an_endpoint_that_is_at_its_limit_is_left_alone_while_another_answers() -> None:
    async with raw_endpoint() as full, raw_endpoint() as well:
        full.always = [reply(b"", "429 Too Many Requests", Retry_After="60")]
        async with open_requester([endpoint_of(full, "full"), endpoint_of(well, "well")], seconds=5) as requester:
            answers = [await requester.ask(Request(ASKED)) for _ in range(20)]
    assert len(full.heads) == 1 and {answer.text for answer in answers} == {"well"}


async def test_weights_are_kept() -> None:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(raw_endpoint()) for _ in range(3)]
        endpoints = [
            endpoint_of(server, str(place), weight=weight)
            for place, (server, weight) in enumerate(zip(servers, (5, 3, 2), strict=True))
        ]
        requester = await stack.enter_async_context(open_requester(endpoints, seconds=5))
        asked_of = await _asked_of(requester, 3_000)
    assert sum(asked_of.values()) == 3_000
    for name, share in (("0", 0.5), ("1", 0.3), ("2", 0.2)):
        assert abs(asked_of[name] / 3_000 - share) < 0.02 * share


async def _asked_of(requester: Requester, count: int) -> Counter[str]:
    """Return how many of so many requests each endpoint answered, 64 at a time."""
    asked_of: Counter[str] = Counter()
    left = iter(range(count))

    async def keep_asking() -> None:
        for _ in left:
            request = Request(ASKED)
            await requester.ask(request)
            asked_of[request.endpoint] += 1

    await asyncio.gather(*(keep_asking() for _ in range(64)))
    return asked_of


async def test_tokens_are_reserved_and_settled_by_what_the_answer_says(raw: RawEndpoint) -> None:
    raw.always = [reply({**completion("well"), "usage": {"total_tokens": 10}})]
    async with open_requester([endpoint_of(raw, tokens_per_minute=6_000)], seconds=5) as requester:
        began = time.monotonic()
        for _ in range(30):  # An estimate of 256 tokens each would be more than a minute's.
            await requester.ask(Request(ASKED))
        assert time.monotonic() - began < 20
