"""The endpoints' stand-in models: several servers in one process, which works out each reply once for all of them."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import Annotated

import typer
import uvloop

from benchmarks.model_answers import Analyst
from benchmarks.model_command import REPLIES_KEPT, open_analyst
from benchmarks.model_memory import Replies
from benchmarks.model_server import ModelServer, Pace, serving
from settings import read_settings

PACE = Pace(first_token=0.25, tokens_per_second=50)
ANSWER_TOKENS = 100


def main(port: Annotated[list[int], typer.Option(help="Where to listen; one for each server.")]) -> None:
    """Serve a stand-in at each port until it is stopped."""
    uvloop.run(_serve(open_analyst(read_settings(), ANSWER_TOKENS), port))


async def _serve(analyst: Analyst, ports: list[int]) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    replies = Replies(REPLIES_KEPT)
    async with AsyncExitStack() as servers:
        # The last is the one that whoever starts this process waits for.
        for port in ports:
            await servers.enter_async_context(serving(ModelServer(analyst, PACE, replies=replies), port=port))
        await stopped.wait()


if __name__ == "__main__":
    typer.run(main)
