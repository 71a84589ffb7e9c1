"""What models write is counted for the piece of work that asked them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from endpoints import Endpoint
from errors import ModelUnavailable
from llm.chat import open_chat_model
from llm.spending import counted, spend, spending

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

ASKED = [("human", "Which city spent most?")]
ANSWER = "one two three four five"


async def listen(base_url: str, **kwargs: Any) -> None:
    async with open_chat_model([Endpoint(base_url, "standin")], interval=0.01) as model:
        async for _ in model.astream(ASKED, **kwargs):
            pass


async def test_a_whole_answer_counts_what_the_endpoint_counted(model_server: StandIn) -> None:
    model_server.will_say(ANSWER)
    async with model_server.open() as model:
        with spending() as spent:
            await model.ainvoke(ASKED)
    assert spent.tokens == 5


async def test_a_stream_counts_the_pieces_that_came(model_server: StandIn) -> None:
    model_server.will_say(ANSWER)
    with spending() as spent:
        await listen(model_server.base_url)
    assert spent.tokens == 5


async def test_a_stream_counts_what_the_endpoint_reports_where_it_does(model_server: StandIn) -> None:
    model_server.will_say(ANSWER)
    with spending() as spent:
        await listen(model_server.base_url, stream_usage=True)
    assert spent.tokens == 5
    assert model_server.requests[0].body["stream_options"] == {"include_usage": True}


async def test_a_stream_that_breaks_counts_what_came_until_then(model_server: StandIn) -> None:
    model_server.will_say("one two three four five six")
    model_server.will_fail("error-middle")
    with spending() as spent, pytest.raises(ModelUnavailable):
        await listen(model_server.base_url)
    assert spent.tokens == 3


async def test_tasks_that_a_block_starts_add_to_it_and_other_work_does_not(model_server: StandIn) -> None:
    model_server.will_say(ANSWER, ANSWER, ANSWER)

    async def work(times: int) -> int:
        with spending() as spent:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(times):
                    tasks.create_task(listen(model_server.base_url))
        return spent.tokens

    once, twice = await asyncio.gather(work(1), work(2))
    assert (once, twice) == (5, 10)


def test_what_nobody_counts_is_let_go() -> None:
    spend(3)
    with spending() as spent:
        spend(2)
    spend(4)
    assert spent.tokens == 2


@pytest.mark.parametrize("told", [-5, 10**18, 1.5, True, "many", None, {}])
def test_a_number_of_tokens_that_cannot_be_is_not_believed(told: object) -> None:
    assert counted(told) is None
    assert counted(42) == 42
