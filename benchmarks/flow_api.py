"""The API that the flow's chat node calls: it answers every request after one second."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
import uvloop
from aiohttp import web

from benchmarks.bench_servers import LOOPBACK


def api(port: Annotated[int, typer.Option()], seconds: Annotated[float, typer.Option()] = 1.0) -> None:
    """Serve it until it is stopped."""

    async def chat(request: web.Request) -> web.Response:
        question = (await request.json())["question"]
        await asyncio.sleep(seconds)
        return web.json_response({"answer": f"You asked: {question}"})

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.add_routes([web.post("/chat", chat), web.get("/", ready)])
    web.run_app(app, host=LOOPBACK, port=port, access_log=None, print=None, loop=uvloop.new_event_loop(), backlog=4096)


if __name__ == "__main__":
    typer.run(api)
