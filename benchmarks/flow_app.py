"""The flow as a web service: three guardrails side by side, then a chat node that calls an API.

It is here twice, with the same LangChain nodes. `sync` is how promptflow-serve runs synchronous nodes: each request in
a thread of a fixed pool, each guardrail in a thread beside it. `async` puts the nodes together as `agents/ask.py` does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

import aiohttp
import anyio.to_thread
import httpx
import typer
import uvicorn
from fastapi import FastAPI
from langchain_core.runnables import Runnable, RunnableConfig, RunnableParallel
from pydantic import BaseModel

from agents.together import together
from benchmarks.bench_servers import LOOPBACK
from web.app import settled

T = TypeVar("T")

GUARDRAILS = ("topic", "privacy", "injection")
GUARDRAIL_SECONDS = 0.25

THREADS = 64
"""promptflow-serve's benchmark gives its synchronous server eight worker processes with eight threads each."""
API_TIMEOUT = 60.0


class Asked(BaseModel):
    question: str


class Answered(BaseModel):
    answer: str
    nodes: dict[str, tuple[float, float]]
    """When each node began and ended, in seconds of the server's monotonic clock."""


def _judge(question: str) -> tuple[float, float]:
    began = time.monotonic()
    time.sleep(GUARDRAIL_SECONDS)
    return began, time.monotonic()


async def _judge_async(question: str) -> tuple[float, float]:
    began = time.monotonic()
    await asyncio.sleep(GUARDRAIL_SECONDS)
    return began, time.monotonic()


class Node(Runnable[str, T]):
    """A LangChain runnable of one function, as our agents are (`llm/chat_agent.py`).

    A RunnableLambda would look at its function's signature and set up a trace for each call.
    """

    def __init__(
        self, name: str, call: Callable[[str], T] | None = None, acall: Callable[[str], Awaitable[T]] | None = None
    ) -> None:
        self.name, self._call, self._acall = name, call, acall

    def invoke(self, input: str, config: RunnableConfig | None = None, **_: Any) -> T:
        assert self._call is not None
        return self._call(input)

    async def ainvoke(self, input: str, config: RunnableConfig | None = None, **_: Any) -> T:
        assert self._acall is not None
        return await self._acall(input)


GUARDS = {name: Node(name, _judge, _judge_async) for name in GUARDRAILS}


def sync_app(api_url: str, threads: int = THREADS) -> FastAPI:
    """Return the flow as FastAPI serves a `def`: in a thread of its pool, which holds `threads`."""
    limits = httpx.Limits(max_connections=threads, max_keepalive_connections=threads)
    client = httpx.Client(limits=limits, timeout=API_TIMEOUT)

    def call(question: str) -> str:
        return str(client.post(api_url, json={"question": question}).raise_for_status().json()["answer"])

    guards: RunnableParallel[str] = RunnableParallel(dict(GUARDS))
    chat = Node("chat", call)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = threads
        with client, settled():
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/score")
    def score(asked: Asked) -> Answered:
        nodes: dict[str, Any] = guards.invoke(asked.question)
        began = time.monotonic()
        answer = chat.invoke(asked.question)
        return Answered(answer=answer, nodes={**nodes, "chat": (began, time.monotonic())})

    return app


def async_app(api_url: str) -> FastAPI:
    """Return the flow on the event loop."""
    sessions: list[aiohttp.ClientSession] = []

    async def call(question: str) -> str:
        async with sessions[0].post(api_url, json={"question": question}) as response:
            response.raise_for_status()
            return str((await response.json())["answer"])

    chat = Node("chat", acall=call)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=API_TIMEOUT)
        ) as session:
            sessions.append(session)
            with settled():
                yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/score")
    async def score(asked: Asked) -> Answered:
        async with together() as tasks:
            nodes = {name: tasks.soonify(guard.ainvoke)(asked.question) for name, guard in GUARDS.items()}
        began = time.monotonic()
        answer = await chat.ainvoke(asked.question)
        spans = {name: node.value for name, node in nodes.items()}
        return Answered(answer=answer, nodes={**spans, "chat": (began, time.monotonic())})

    return app


def serve(
    variant: Annotated[str, typer.Argument(help="sync or async")],
    port: Annotated[int, typer.Option()],
    api_url: Annotated[str, typer.Option()],
) -> None:
    """Serve one of the two until it is stopped."""
    app = async_app(api_url) if variant == "async" else sync_app(api_url)
    uvicorn.run(app, host=LOOPBACK, port=port, log_level="warning", loop="uvloop", access_log=False, backlog=4096)


if __name__ == "__main__":
    typer.run(serve)
