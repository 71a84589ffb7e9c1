"""The chat model over several real endpoints: who is asked, where a call goes on, and what is left as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from errors import ModelUnavailable, SettingsInvalid
from llm.chat import ChatModel, open_chat_model

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

ASKED = [("human", "Good morning, how are you today?")]
SAID = "You said: Good morning, how are you today?"


@pytest.fixture
async def two() -> AsyncIterator[tuple[StandIn, StandIn]]:
    from tests.model_fixture import stand_in  # Here, because other test files load it as a plugin.

    async with AsyncExitStack() as running:
        yield (await running.enter_async_context(stand_in()), await running.enter_async_context(stand_in()))


async def streamed(model: ChatModel) -> str:
    return "".join([piece.text async for piece in model.astream(ASKED)])


async def test_weights_are_kept_over_whole_answers_and_streams(two: tuple[StandIn, StandIn]) -> None:
    first, second = two
    endpoints = [first.endpoint(name="a", weight=3), second.endpoint(name="b")]
    async with open_chat_model(endpoints) as model:
        for _ in range(20):
            assert (await model.ainvoke(ASKED)).text == SAID
            assert await streamed(model) == SAID
    assert (len(first.requests), len(second.requests)) == (30, 10)


@pytest.mark.parametrize("fault", ["error", "refuse", "rate-limit", "reset", "html", "error-object", "empty-choices"])
async def test_what_fails_before_its_first_token_is_answered_elsewhere(
    two: tuple[StandIn, StandIn], fault: str
) -> None:
    first, second = two
    first.will_fail(fault)
    async with open_chat_model([first.endpoint(name="a", weight=100), second.endpoint(name="b")]) as model:
        assert await streamed(model) == SAID
        assert (await model.ainvoke(ASKED)).text == SAID
        failing, well = model.pool.states
    assert failing.failures >= 1 and failing.reason
    assert (well.successes, well.failures) == (2, 0)


@pytest.mark.parametrize("fault", ["reset-middle", "error-middle", "malformed", "stall"])
async def test_nothing_is_asked_for_again_after_a_token_was_shown(two: tuple[StandIn, StandIn], fault: str) -> None:
    first, second = two
    first.will_fail(fault)
    said = ""
    async with open_chat_model(
        [first.endpoint(name="a", weight=100), second.endpoint(name="b")], timeout=10, idle=0.5
    ) as model:
        with pytest.raises(ModelUnavailable, match=r"broke off|did not come to the end|in the middle of its answer"):
            async for piece in model.astream(ASKED):
                said += piece.text
    assert said and SAID.startswith(said)
    assert (len(first.requests), len(second.requests)) == (1, 0)


async def test_a_late_first_token_is_asked_for_elsewhere_and_the_loser_is_broken_off(
    two: tuple[StandIn, StandIn],
) -> None:
    first, second = two
    async with open_chat_model([first.endpoint(name="a"), second.endpoint(name="b")], hedging=True) as model:
        for _ in range(50):
            assert await streamed(model) == SAID
        first.will_fail("hang")
        before = len(second.requests)
        async with asyncio.timeout(10):
            for _ in range(2):
                assert await streamed(model) == SAID
            assert len(second.requests) == before + 2
            await first.requests[-1].broken_off.wait()


async def test_no_more_are_under_way_at_an_endpoint_than_it_may_be_given(two: tuple[StandIn, StandIn]) -> None:
    first, second = two
    first.speaks(first_token=0.2)
    second.speaks(first_token=0.2)
    most = [0, 0]
    async with open_chat_model(
        [first.endpoint(name="a", in_flight=2), second.endpoint(name="b", in_flight=1)]
    ) as model:
        asking = [asyncio.create_task(streamed(model)) for _ in range(9)]
        while not all(task.done() for task in asking):
            most = [max(before, now.in_flight) for before, now in zip(most, model.pool.states, strict=True)]
            await asyncio.sleep(0.01)
        assert [await task for task in asking] == [SAID] * 9
    assert most == [2, 1]


async def test_two_models_at_one_address_are_told_apart_by_their_names(two: tuple[StandIn, StandIn]) -> None:
    first, _ = two
    async with open_chat_model([first.endpoint("standin"), first.endpoint("other")]) as model:
        for _ in range(4):
            await model.ainvoke(ASKED)
    assert sorted(request.body["model"] for request in first.requests) == ["other", "other", "standin", "standin"]
    with pytest.raises(SettingsInvalid, match=r"Two endpoints are called 127.0.0.1/standin"):
        async with open_chat_model([first.endpoint(), first.endpoint()]):
            pass
