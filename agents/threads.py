"""Runs a sync-only tool, chain or agent in threads of its own, so that the event loop never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from typing import Any, TypeVar, overload

import anyio
from asyncer import asyncify
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config, set_config_context
from langchain_core.tools import BaseTool, StructuredTool, Tool

from agents.crossing import Crossing, NobodyWaits, Told, cross

Input = TypeVar("Input")
Output = TypeVar("Output")

THREADS = 8
"""Calls of one part that run at the same time; the others wait in line, in the order they came."""


@overload
def offloaded(  # type: ignore[overload-overlap]  # A tool is a Runnable, too, and stays a tool.
    part: BaseTool, threads: int = THREADS
) -> BaseTool: ...


@overload
def offloaded(part: Runnable[Input, Output], threads: int = THREADS) -> Runnable[Input, Output]: ...


def offloaded(part: Runnable[Any, Any], threads: int = THREADS) -> Runnable[Any, Any]:
    """Return the part with an async side: each call runs the part's own `invoke` or `stream` in a thread.

    A tool stays a tool, and one that has an async side already is returned as it is. Async callback handlers hear of
    what happens in the thread on the loop, in order; a thread that is too far ahead of them waits.

    Who is cancelled is freed at once. A thread cannot be stopped: one that streams or calls back ends when it next
    does, any other runs to its end, and its place among the `threads` is taken until then.
    """
    if not isinstance(part, BaseTool):
        return _Offloaded(part, threads)
    if _has_async_side(part):
        return part
    tool = part.model_copy()
    # On the object, not in a subclass: agents read a tool's schema and arguments off its own class and function.
    object.__setattr__(tool, "ainvoke", _Offloaded(part, threads).ainvoke)
    return tool


def _has_async_side(tool: BaseTool) -> bool:
    borrowed = (BaseTool._arun, StructuredTool._arun, Tool._arun)
    return getattr(tool, "coroutine", None) is not None or type(tool)._arun not in borrowed


class _Offloaded(Runnable[Input, Output]):
    def __init__(self, part: Runnable[Input, Output], threads: int) -> None:
        self.name = part.get_name()
        self._part = part
        self._threads = anyio.CapacityLimiter(threads)
        self._starting = anyio.CapacityLimiter(1)
        self._running: set[asyncio.Task[None]] = set()

    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        return self._part.invoke(input, config, **kwargs)

    def stream(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any | None) -> Iterator[Output]:
        return self._part.stream(input, config, **kwargs)

    async def ainvoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        outputs = self._outputs(lambda inner: (self._part.invoke(input, inner, **kwargs),), config)
        async with aclosing(outputs):
            [output] = [output async for output in outputs]
        return output

    async def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any | None
    ) -> AsyncIterator[Output]:
        outputs = self._outputs(lambda inner: self._part.stream(input, inner, **kwargs), config)
        async with aclosing(outputs):
            async for output in outputs:
                yield output

    async def _outputs(
        self, call: Callable[[RunnableConfig], Iterable[Output]], config: RunnableConfig | None
    ) -> AsyncGenerator[Output]:
        """Yield what the call brings forth in its thread, and let the async handlers in `config` hear it."""
        crossing = Crossing[Output]()
        inner = cross(ensure_config(config), crossing)

        def put_all() -> None:
            for output in call(inner):
                crossing.put(output)

        def work() -> None:
            with suppress(NobodyWaits), set_config_context(inner) as context:
                crossing.check()  # It may have waited long in line.
                context.run(put_all)

        async def run() -> None:
            async with self._starting:  # One a turn of the loop: starting many threads at once would hold it up.
                await asyncio.sleep(0)
            await asyncify(work, limiter=self._threads)()

        # Nobody's child: a thread goes on when its caller is cancelled, and keeps its place in the limiter so long.
        task = asyncio.create_task(run(), name=self.get_name())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(crossing.end)
        try:
            async for item in crossing:
                if isinstance(item, Told):
                    await item.pass_on()
                else:
                    yield item
            task.result()
        finally:
            crossing.close()
