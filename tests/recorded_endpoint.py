"""A chat endpoint over real HTTP that says the bytes it is given, and both clients that may ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from openai import DefaultAioHttpClient
from pydantic import SecretStr

from endpoints import Endpoint
from llm.chat import open_chat_model

KEY = SecretStr("sk-test")


class RecordedEndpoint:
    """Says `pieces` to every request, each in a write of its own, then ends."""

    def __init__(self, ours: BaseChatModel, plain: BaseChatModel, base_url: str) -> None:
        self.ours = ours
        self.plain = plain
        """langchain-openai's own client."""
        self.base_url = base_url
        self.pieces: Sequence[bytes] = ()
        self.pauses: Sequence[float] = ()
        """Seconds after each piece; 0, which holds after the last too, lets the reader run."""
        self.headers: dict[str, str] = {}
        self.kind = "text/event-stream"
        self.bodies: list[dict[str, Any]] = []
        self.requests: list[web.Request] = []
        self.connections: set[str] = set()
        self.stays_open = False
        """Whether it never ends what it has said."""

    async def say(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.json())
        assert request.transport is not None
        self.connections.add(str(request.transport.get_extra_info("peername")))
        response = web.StreamResponse(headers={"Content-Type": self.kind, **self.headers})
        await response.prepare(request)
        for at, piece in enumerate(self.pieces):
            await response.write(piece)
            await asyncio.sleep(self.pauses[at] if at < len(self.pauses) else 0)
        if self.stays_open:
            await asyncio.Event().wait()
        await response.write_eof()
        return response


@asynccontextmanager
async def recorded_endpoint(interval: float = 0.0) -> AsyncIterator[RecordedEndpoint]:
    """Yield an endpoint; our model gathers for `interval` seconds."""
    app = web.Application(client_max_size=2**24)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    said: list[RecordedEndpoint] = []

    async def chat(request: web.Request) -> web.StreamResponse:
        return await said[0].say(request)

    app.router.add_post("/v1/chat/completions", chat)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        async with (
            open_chat_model([Endpoint(base_url, "standin", KEY)], interval=interval) as ours,
            DefaultAioHttpClient() as http,
        ):
            plain = ChatOpenAI(
                model="standin",
                base_url=base_url,
                api_key=KEY,
                http_async_client=http,
                temperature=0,
                max_retries=0,
                stream_usage=False,
                use_responses_api=False,
            )
            said.append(RecordedEndpoint(ours, plain, base_url))
            yield said[0]
    finally:
        await runner.cleanup()
