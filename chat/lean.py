"""Takes out of Chainlit what it pays for every message and every event, and what nobody here needs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import chainlit.server
import orjson
from chainlit.server import sio
from engineio.async_socket import AsyncSocket
from engineio.exceptions import QueueEmpty
from engineio.packet import MESSAGE, Packet

_ENCODER = json.JSONEncoder(separators=(",", ":"))


def make_lean() -> None:
    """Let messages be made without a sleep, events go straight to their page, and the page ask nobody else.

    For the whole process.
    """
    # Every Message and every Step sleeps for a millisecond on the event loop, while everybody else waits.
    for name in ("chainlit.message", "chainlit.step"):
        vars(import_module(name))["time"] = SimpleNamespace(sleep=lambda seconds: None)
    sio.emit = _emit
    AsyncSocket.poll = _poll
    chainlit.server.get_html_template = _without_strangers(chainlit.server.get_html_template)


def _without_strangers(page: Callable[[str], str]) -> Callable[[str], str]:
    """Take the links to other people's servers out of Chainlit's page: fonts and formulas that we do not use."""
    strangers = re.compile(r"<link\b[^>]*?https://(?:fonts|cdn)\.[^>]*>")
    return lambda root_path: strangers.sub("", page(root_path))


_emit_to_all = sio.emit


async def _emit(event: str, data: Any, to: str | None = None) -> None:
    """Send an event to one page, as each Chainlit session does.

    socketio's own looks through every value for bytes, which we never send, and starts a task for every receiver.
    """
    if to is None:
        await _emit_to_all(event, data)
    elif page := sio.manager.eio_sid_from_sid(to, "/"):
        await sio.eio.send_packet(page, Packet(MESSAGE, "2" + _encode([event, data])))


def _encode(said: list[Any]) -> str:
    try:
        return orjson.dumps(said).decode()
    except TypeError:  # half a surrogate pair, or an integer of more than 64 bits
        return _ENCODER.encode(said)


async def _poll(socket: AsyncSocket) -> list[Packet]:
    """Wait for packets for a page.

    engineio's own starts a task and a timer for each, against a page that is gone; but that is found by its pongs.
    """
    try:
        packets = [await socket.queue.get()]
    except asyncio.CancelledError:
        raise QueueEmpty from None
    while not socket.queue.empty() and packets[-1] is not None:
        packets.append(socket.queue.get_nowait())
    for _ in packets:
        socket.queue.task_done()
    if packets[-1] is None and len(packets) > 1:
        socket.queue.put_nowait(packets.pop())
    return packets if packets[0] is not None else []
