"""The bare loop: one HTTP client that posts the same request again and again and reads the answer, and nothing else.

`raw` is no client at all, but prepared bytes on open sockets: it shows what the stand-in can bear.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

import aiohttp
import typer
import uvloop

from benchmarks.fast_model import MODEL, PATH
from llm.requester_wire import Wire

BODY = b'{"model":"%s","messages":[{"role":"user","content":"Say what is said of #000000042."}]}' % MODEL.encode()
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer none"}


async def with_wire(urls: list[str], in_flight: int, until: float) -> None:
    """Post over the connections that the requester itself uses; each reply's status and body are read."""
    wires = {url: Wire(url, HEADERS, seconds=60) for url in urls}

    async def post(url: str) -> None:
        wire = wires[url]
        while time.monotonic() < until:
            await wire.post(BODY)

    await _side_by_side(post, urls, in_flight)
    for wire in wires.values():
        await wire.close()


async def through_proxy(urls: list[str], in_flight: int, until: float) -> None:
    """Post as the requester does where there is a proxy on the way: the first address is one to all of them."""
    await with_aiohttp(urls, in_flight, until, proxy=urlsplit(urls[0])._replace(path="").geturl())


async def with_aiohttp(urls: list[str], in_flight: int, until: float, proxy: str | None = None) -> None:
    """Post as aiohttp's documentation has it: the client that a requester would have been written with otherwise."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:

        async def post(url: str) -> None:
            while time.monotonic() < until:
                async with session.post(url, data=BODY, proxy=proxy) as response:
                    await response.read()

        await _side_by_side(post, urls, in_flight)


async def raw(urls: list[str], in_flight: int, until: float) -> None:
    """Write prepared bytes to open sockets."""
    loop = asyncio.get_running_loop()

    async def write(url: str) -> None:
        address, end = urlsplit(url), loop.create_future()
        await loop.create_connection(lambda: _Socket(until, end), str(address.hostname), address.port or 80)
        await end

    await _side_by_side(write, urls, in_flight)


class _Socket(asyncio.Protocol):
    """Sends a request as soon as the one before is answered; an answer is whole here when its last bytes have come."""

    def __init__(self, until: float, end: asyncio.Future[None]) -> None:
        self._until, self._end = until, end
        lines = [f"POST {PATH.decode()} HTTP/1.1", "Host: stand-in", f"Content-Length: {len(BODY)}"]
        lines += [f"{name}: {value}" for name, value in HEADERS.items()]
        self._request = "\r\n".join([*lines, "", ""]).encode() + BODY

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are transports without inheriting from it.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not data.endswith(b"}"):
            return
        if time.monotonic() < self._until:
            self._transport.write(self._request)
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._end.set_result(None)


async def _side_by_side(post: Callable[[str], Coroutine[Any, Any, None]], urls: list[str], in_flight: int) -> None:
    await asyncio.gather(*(post(urls[place % len(urls)]) for place in range(in_flight)))


CLIENTS = {"wire": with_wire, "proxied": through_proxy, "aiohttp": with_aiohttp, "raw": raw}


def bare(
    client: Annotated[str, typer.Argument(help=" or ".join(CLIENTS))],
    urls: Annotated[str, typer.Option(help="Comma-separated.")],
    in_flight: Annotated[int, typer.Option(min=1)],
    seconds: Annotated[float, typer.Option(min=0)],
) -> None:
    """Post for so many seconds; the stand-in counts."""
    uvloop.run(CLIENTS[client](urls.split(","), in_flight, time.monotonic() + seconds))


if __name__ == "__main__":
    typer.run(bare)
