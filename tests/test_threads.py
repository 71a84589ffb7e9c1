"""Sync-only tools, chains and agents run in threads, and nothing of them blocks the loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from blockbuster import blockbuster_ctx
from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda, RunnableParallel
from langchain_core.tools import BaseTool, StructuredTool, ToolException, tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agents.crossing import AHEAD
from agents.streaming import speaking
from agents.threads import offloaded
from benchmarks.model_wire import ToolCall

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

SECONDS = 0.5
"""How long a tool sleeps."""
GAP = 0.02
"""Seconds that the loop may be away at most."""


@tool
def slow_sum(a: int, b: int) -> int:
    """Add two numbers, slowly."""
    time.sleep(SECONDS)
    return a + b


async def soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await event.wait()


class Pieces:
    """Keeps what was said, and tells when something was."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.came = asyncio.Event()
        self.thread = 0

    async def say(self, piece: str) -> None:
        self.thread = threading.get_ident()
        self.said.append(piece)
        self.came.set()


@pytest.fixture
async def pieces() -> Pieces:
    return Pieces()


def sync_model(model_server: StandIn) -> ChatOpenAI:
    """Return LangChain's own client, of which only the sync side is used: it blocks its thread on a socket."""
    return ChatOpenAI(
        model="standin", base_url=model_server.base_url, api_key=SecretStr("none"), streaming=True, max_retries=0
    )


async def longest_gap(work: asyncio.Task[Any]) -> float:
    """Return the longest time in seconds that the loop was away while the work went on."""
    longest, last = 0.0, time.perf_counter()
    while not work.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


async def forty_at_once(part: BaseTool) -> tuple[float, float]:
    """Call it forty times; return the loop's longest gap and the seconds it took."""
    began = time.perf_counter()
    calls = asyncio.ensure_future(asyncio.gather(*(part.ainvoke({"a": n, "b": 1}) for n in range(40))))
    gap = await longest_gap(calls)
    assert await calls == [n + 1 for n in range(40)]
    return gap, time.perf_counter() - began


@pytest.mark.alone
async def test_forty_sleeping_tools_leave_the_loop_no_gap_over_20_ms() -> None:
    part = offloaded(slow_sum, threads=40)
    gaps = []
    for _ in range(5):  # A core that is busy elsewhere makes gaps, too, but not five times in a row.
        gap, seconds = await forty_at_once(part)
        assert seconds < 40 * SECONDS / 4  # at once, and not in the few threads of the default executor
        gaps.append(gap)
        if gap <= GAP:
            return
    raise AssertionError(f"the loop was away for {gaps} seconds")


async def test_the_gaps_of_a_blocked_loop_are_seen() -> None:
    @tool
    async def careless(a: int, b: int) -> int:
        """Add two numbers, blocking."""
        time.sleep(1.5 * GAP)  # noqa: ASYNC251
        return a + b

    gap, _ = await forty_at_once(careless)
    assert gap > GAP


async def test_nothing_of_a_call_sleeps_or_waits_on_the_loop(pieces: Pieces) -> None:
    with blockbuster_ctx():
        assert await offloaded(slow_sum).ainvoke({"a": 1, "b": 2}) == 3


async def test_more_calls_than_threads_wait_in_line() -> None:
    running = most = 0
    lock, three = threading.Lock(), threading.Barrier(3)

    def count(n: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        three.wait(10)
        time.sleep(0.01)  # in which a fourth would come
        with lock:
            running -= 1
        return n

    part: Runnable[int, int] = offloaded(RunnableLambda(count), threads=3)
    assert await part.abatch(list(range(12))) == list(range(12))
    assert most == 3


async def test_a_sync_chain_streams_while_its_thread_still_runs(pieces: Pieces) -> None:
    may_end = threading.Event()

    def words(_: str) -> Iterator[str]:
        yield "first"
        may_end.wait(10)
        yield "last"

    outputs = offloaded(RunnableLambda(words)).astream("?")
    assert await anext(outputs) == "first"
    may_end.set()
    assert [output async for output in outputs] == ["last"]


async def test_a_sync_models_tokens_reach_the_speaker_on_the_loop_before_the_end(
    model_server: StandIn, pieces: Pieces
) -> None:
    model_server.will_say("one two three four five six")
    model_server.speaks(tokens_per_second=50)

    def prompt(text: str) -> list[BaseMessage]:
        return [HumanMessage(text)]

    chain = offloaded(RunnableLambda(prompt) | sync_model(model_server))
    async with speaking(pieces.say, 0.0) as speaker:
        call = asyncio.create_task(chain.ainvoke("?", {"callbacks": [speaker]}))
        await soon(pieces.came)
        assert not call.done()
        answer = await call
    assert pieces.said == answer.text.replace(" ", "| ").split("|")
    assert pieces.thread == threading.get_ident()


async def test_what_an_async_handler_raises_ends_the_call_as_itself(model_server: StandIn) -> None:
    async def say(piece: str) -> None:
        raise ConnectionError("the page is gone")

    model_server.will_say("word " * 1_000)
    model_server.speaks(tokens_per_second=50)
    with pytest.raises(ConnectionError, match="the page is gone"):
        async with speaking(say) as speaker:
            await offloaded(sync_model(model_server)).ainvoke("?", {"callbacks": [speaker]})
    await soon(model_server.requests[0].broken_off)  # and the thread has let go of the model


async def test_the_threads_of_a_parallel_chain_speak_too(pieces: Pieces, model_server: StandIn) -> None:
    model_server.will_say("same", "same")
    both = RunnableParallel(a=sync_model(model_server), b=sync_model(model_server))
    async with speaking(pieces.say, 0.0) as speaker:
        await offloaded(both).ainvoke("?", {"callbacks": [speaker]})
    assert "".join(pieces.said) == "samesame"
    assert pieces.thread == threading.get_ident()


async def test_a_thread_does_not_run_far_ahead_of_a_slow_listener() -> None:
    made: list[int] = []
    is_ahead = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tokens(_: str) -> Iterator[int]:
        for n in range(10 * AHEAD):
            made.append(n)
            if n == AHEAD:
                loop.call_soon_threadsafe(is_ahead.set)
            yield n

    outputs = offloaded(RunnableLambda(tokens)).astream("?")
    await anext(outputs)
    await soon(is_ahead)
    await asyncio.sleep(0.05)  # in which a thread that nothing holds makes them all
    assert len(made) <= AHEAD + 2
    assert len([output async for output in outputs]) == 10 * AHEAD - 1


class Steps(AsyncCallbackHandler):
    """Hears what happens, and on which thread."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.threads: set[int] = set()

    async def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        self._hear("chain starts")

    async def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
        self._hear("tool starts")

    async def on_tool_end(self, *args: Any, **kwargs: Any) -> None:
        self._hear("tool ends")
        raise ValueError("logged, since raise_error is not set")

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        self.threads.add(threading.get_ident())


async def test_any_async_handler_hears_the_thread_in_order_on_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps()
    await offloaded(slow_sum).ainvoke({"a": 1, "b": 2}, {"callbacks": [steps]})
    assert steps.heard == ["tool starts", "tool ends"]
    assert steps.threads == {threading.get_ident()}
    assert "Steps failed: ValueError" in caplog.text


async def test_a_call_without_a_config_inside_a_tool_is_heard_on_the_loop(
    model_server: StandIn, pieces: Pieces
) -> None:
    @tool
    def summary(text: str) -> str:
        """Sum a text up."""
        return sync_model(model_server).invoke(text).text

    def arguments(text: str) -> dict[str, str]:
        return {"text": text}

    model_server.will_say("short")
    async with speaking(pieces.say, 0.0) as speaker:
        whole = RunnableLambda(arguments) | offloaded(summary)
        assert await whole.ainvoke("long", {"callbacks": [speaker]}) == "short"
    assert pieces.said == ["short"]
    assert pieces.thread == threading.get_ident()


async def test_an_agent_calls_a_sync_tool_and_speaks(model_server: StandIn, pieces: Pieces) -> None:
    model_server.will_say(ToolCall("slow_sum", '{"a": 40, "b": 2}'), "It is 42.")
    async with model_server.open() as model:
        agent = create_agent(model, [offloaded(slow_sum)])
        async with speaking(pieces.say, 0.0) as speaker:
            config: RunnableConfig = {"callbacks": [speaker]}
            asked = {"messages": [HumanMessage("40 + 2?")]}
            call = asyncio.create_task(_read(agent.astream(asked, config, stream_mode="messages")))  # type: ignore[call-overload]
            gap = await longest_gap(call)
            await call
    assert "".join(pieces.said) == "It is 42."
    assert model_server.requests[1].body["messages"][-1]["content"] == "42"
    assert gap < SECONDS / 2
    [schema] = model_server.requests[0].body["tools"]
    assert schema["function"]["description"] == "Add two numbers, slowly."
    assert set(schema["function"]["parameters"]["properties"]) == {"a", "b"}


async def _read(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


async def test_a_whole_sync_agent_runs_in_a_thread_and_speaks(model_server: StandIn, pieces: Pieces) -> None:
    model_server.will_say(ToolCall("slow_sum", '{"a": 40, "b": 2}'), "It is 42.")
    agent: Runnable[Any, Any] = create_agent(sync_model(model_server), [slow_sum])
    async with speaking(pieces.say, 0.0) as speaker:
        answer = await offloaded(agent).ainvoke({"messages": [HumanMessage("40 + 2?")]}, {"callbacks": [speaker]})
    assert answer["messages"][-1].text == "".join(pieces.said) == "It is 42."
    assert pieces.thread == threading.get_ident()


class Doubling(BaseTool):
    """A tool that is a class of its own."""

    name: str = "double"
    description: str = "Double a number."

    def _run(self, n: int) -> int:
        return 2 * n


class Halving(Doubling):
    async def _arun(self, n: int) -> int:
        return n // 2


async def test_a_tool_that_is_a_class_is_offloaded_and_stays_one() -> None:
    part = offloaded(Doubling())
    assert isinstance(part, Doubling)
    assert await part.ainvoke({"n": 21}) == 42
    assert part.invoke({"n": 21}) == 42


async def test_a_tool_with_an_async_side_is_returned_as_it_is() -> None:
    async def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    asynchronous = StructuredTool.from_function(coroutine=add)
    assert offloaded(asynchronous) is asynchronous
    assert offloaded(halving := Halving()) is halving


async def test_a_tools_error_surfaces_as_itself() -> None:
    @tool
    def broken(n: int) -> int:
        """Fail."""
        raise ToolException("no such number")

    with pytest.raises(ToolException, match="no such number"):
        await offloaded(broken).ainvoke({"n": 1})
    broken.handle_tool_error = True
    assert await offloaded(broken).ainvoke({"n": 1}) == "no such number"


async def test_a_chains_error_follows_what_it_said() -> None:
    def words(_: str) -> Iterator[str]:
        yield "one"
        raise LookupError("lost the thread")

    outputs = offloaded(RunnableLambda(words)).astream("?")
    assert await anext(outputs) == "one"
    with pytest.raises(LookupError, match="lost the thread"):
        await anext(outputs)


async def test_context_variables_reach_the_thread() -> None:
    person = contextvars.ContextVar("person", default="nobody")
    person.set("Ada")
    part: Runnable[str, str] = offloaded(RunnableLambda(lambda _: person.get()))
    assert await part.ainvoke("?") == "Ada"


async def test_who_is_cancelled_is_freed_at_once_and_the_thread_keeps_its_place() -> None:
    began, may_end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    ended: list[int] = []

    def wait(n: int) -> int:
        loop.call_soon_threadsafe(began.set)
        may_end.wait(10)
        ended.append(n)
        return n

    part: Runnable[int, int] = offloaded(RunnableLambda(wait), threads=1)
    first = asyncio.create_task(part.ainvoke(1))
    await soon(began)
    gone = asyncio.create_task(part.ainvoke(2))  # it waits in line
    last = asyncio.create_task(part.ainvoke(3))
    for task in (first, gone):
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended == [] and not last.done()
    may_end.set()
    async with asyncio.timeout(10):
        assert await last == 3
    assert ended == [1, 3]


async def test_a_thread_that_streams_ends_soon_after_its_reader() -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def words(_: str) -> Iterator[str]:
        try:
            while True:
                yield "word"
        finally:
            loop.call_soon_threadsafe(ended.set)

    outputs = offloaded(RunnableLambda(words)).astream("?")
    await anext(outputs)
    await outputs.aclose()  # type: ignore[attr-defined]
    await soon(ended)
