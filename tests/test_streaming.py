"""How a model's tokens become pieces of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from langchain_core.callbacks import AsyncCallbackManager
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from agents.streaming import speaking

LONG = 3_600.0
"""An interval that ends in no test: what is said before it has ended was not waited for."""


class Listener:
    """Keeps the pieces, and tells when one has come."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.came = asyncio.Event()

    async def say(self, piece: str) -> None:
        self.pieces.append(piece)
        self.came.set()


@pytest.fixture
def listener() -> Listener:
    return Listener()


async def test_the_first_token_goes_out_at_once_and_the_rest_in_one_piece_at_the_end(listener: Listener) -> None:
    async with speaking(listener.say, LONG) as speaker:
        await speaker.on_llm_new_token("The")
        await listener.came.wait()
        for token in (" answer", " is", " 42", "."):
            await speaker.on_llm_new_token(token)
    assert listener.pieces == ["The", " answer is 42."]


async def test_tokens_that_came_within_an_interval_go_out_when_it_ends_though_no_other_follows(
    listener: Listener,
) -> None:
    async with asyncio.timeout(10), speaking(listener.say, 0.02) as speaker:
        await speaker.on_llm_new_token("a")
        await listener.came.wait()
        listener.came.clear()
        await speaker.on_llm_new_token("b")
        await speaker.on_llm_new_token("c")
        await listener.came.wait()  # inside the block: neither a token nor the end has pushed it out
        assert listener.pieces == ["a", "bc"]


async def test_a_fault_leaves_what_was_said_and_passes_on_as_itself(listener: Listener) -> None:
    with pytest.raises(ValueError, match="broken"):
        async with speaking(listener.say, LONG) as speaker:
            await speaker.on_llm_new_token("one")
            await speaker.on_llm_new_token(" two")
            raise ValueError("broken")
    assert "".join(listener.pieces) == "one two"


async def test_a_listener_that_fails_stops_the_block_with_its_own_fault() -> None:
    async def say(piece: str) -> None:
        raise ConnectionError("the page is gone")

    with pytest.raises(ConnectionError, match="the page is gone"):
        async with asyncio.timeout(10), speaking(say, LONG) as speaker:
            await speaker.on_llm_new_token("hello")
            await asyncio.Event().wait()


async def test_a_cancelled_block_ends_and_says_nothing_more(listener: Listener) -> None:
    async def speak() -> None:
        async with speaking(listener.say, LONG) as speaker:
            await speaker.on_llm_new_token("one")
            await listener.came.wait()
            await speaker.on_llm_new_token("two")
            waiting.set()
            await asyncio.Event().wait()

    waiting = asyncio.Event()
    task = asyncio.create_task(speak())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert listener.pieces == ["one"]


async def test_a_slow_listener_gets_larger_pieces_in_order() -> None:
    heard: list[str] = []

    async def say(piece: str) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        heard.append(piece)

    async def feed() -> None:
        while words:
            await speaker.on_llm_new_token(words.pop())
            await asyncio.sleep(0)

    words = [f"{i} " for i in range(500, 0, -1)]
    whole = "".join(reversed(words))
    async with asyncio.timeout(10), speaking(say, 0.0) as speaker:
        await asyncio.gather(feed(), feed())  # two models that speak at the same time
    assert "".join(heard) == whole
    assert 1 < len(heard) < 500


async def test_tokens_that_come_an_interval_apart_cost_no_task(listener: Listener) -> None:
    async with speaking(listener.say, 0.0) as speaker:
        for token in ("one", " two", " three"):
            before = asyncio.all_tasks()
            await speaker.on_llm_new_token(token)
            assert asyncio.all_tasks() == before
            assert listener.pieces[-1] == token
    assert listener.pieces == ["one", " two", " three"]


async def test_many_tokens_within_an_interval_cost_one_task(listener: Listener) -> None:
    before = asyncio.all_tasks()
    async with speaking(listener.say, LONG) as speaker:
        for token in "abcdefgh":
            await speaker.on_llm_new_token(token)
        assert len(asyncio.all_tasks() - before) == 1
    assert listener.pieces == ["a", "bcdefgh"]


async def test_a_piece_that_waits_for_its_interval_is_said_at_once_when_the_block_ends(listener: Listener) -> None:
    async with asyncio.timeout(10):
        async with speaking(listener.say, LONG) as speaker:
            await speaker.on_llm_new_token("one")
            await speaker.on_llm_new_token(" two")
            for _ in range(5):
                await asyncio.sleep(0)  # until a task waits with it
    assert listener.pieces == ["one", " two"]


async def test_what_a_listener_fails_with_leaves_the_block_though_the_model_made_something_else_of_it() -> None:
    async def say(piece: str) -> None:
        raise ConnectionError("the page is gone")

    with pytest.raises(ConnectionError, match="the page is gone"):
        async with asyncio.timeout(10), speaking(say, LONG) as speaker:
            try:
                await speaker.on_llm_new_token("hello")
            except ConnectionError:
                raise RuntimeError("the model does not answer") from None


async def test_a_listener_that_fails_is_told_nothing_more() -> None:
    heard: list[str] = []

    async def say(piece: str) -> None:
        heard.append(piece)
        raise ConnectionError("the page is gone")

    with pytest.raises(ConnectionError):
        async with asyncio.timeout(10), speaking(say, LONG) as speaker:
            for token in ("one", "two"):
                with pytest.raises(ConnectionError):
                    await speaker.on_llm_new_token(token)
    assert heard == ["one"]


async def test_a_listener_that_fails_later_ends_a_block_that_waits() -> None:
    async def say(piece: str) -> None:
        if piece == "two":
            raise ConnectionError("the page is gone")

    with pytest.raises(ConnectionError, match="the page is gone"):
        async with asyncio.timeout(10), speaking(say, 0.01) as speaker:
            await speaker.on_llm_new_token("one")
            await speaker.on_llm_new_token("two")
            await asyncio.Event().wait()


async def test_nothing_is_said_where_nothing_came(listener: Listener) -> None:
    async with speaking(listener.say) as speaker:
        await speaker.on_llm_new_token("")
    assert listener.pieces == []


async def test_a_langchain_model_speaks_through_it(listener: Listener) -> None:
    answers: AsyncIterator[AIMessage] = iter([AIMessage("Rome sold most.")])  # type: ignore[assignment]
    model = GenericFakeChatModel(messages=answers)
    async with speaking(listener.say, LONG) as speaker:
        async for _ in model.astream("?", {"callbacks": [speaker]}):
            pass
    assert "".join(listener.pieces) == "Rome sold most."


async def test_langchain_calls_it_without_a_task_for_each_token(listener: Listener) -> None:
    async with speaking(listener.say) as speaker:
        assert speaker.run_inline
        assert AsyncCallbackManager.configure([speaker]).handlers == [speaker]
