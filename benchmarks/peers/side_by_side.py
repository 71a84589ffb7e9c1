"""Keeps so many questions under way until the time is over. Only what Python brings, and uvloop, is imported here."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

import uvloop

MODEL = "stand-in"
QUESTION = "Say what is said of #000000042."
ANSWER = "This is the answer to #000000042."

Ask = Callable[[str], Awaitable[str | None]]
"""Takes a question and returns the answer."""

Open = Callable[[Sequence[str]], AbstractAsyncContextManager[Ask]]
"""Opens a client of the endpoints at these base URLs."""


def run(clients: dict[str, Open]) -> None:
    """Ask through the client that the command line names; raises AssertionError where it misunderstands an answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=clients)
    parser.add_argument("--urls", required=True, help="Comma-separated base URLs.")
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    told = parser.parse_args()
    uvloop.run(_keep_asking(clients[told.client], told.urls.split(","), told.in_flight, told.seconds))


async def _keep_asking(open_client: Open, urls: Sequence[str], in_flight: int, seconds: float) -> None:
    async with open_client(urls) as ask:
        # Its imports and whatever else it does once are not its pace.
        assert await ask(QUESTION) == ANSWER
        until = time.monotonic() + seconds

        async def keep_asking() -> None:
            while time.monotonic() < until:
                await ask(QUESTION)

        await asyncio.gather(*(keep_asking() for _ in range(in_flight)))
