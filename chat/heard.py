"""Lets what a person asks become a question, and nothing else that a page may send."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import chainlit.socket
from chainlit.chat_context import chat_contexts
from chainlit.server import sio
from chainlit.session import WebsocketSession

log = logging.getLogger("quaestor.chat")


async def on_client_message(sid: str, payload: Any) -> None:
    """Do what Chainlit does with a question; anything else is taken off the page and is nowhere kept.

    A host page may send a `system_message`, such as what it shows just now. Chainlit would ask that, name the
    conversation after it, and show it as if we had said it. Words of a page that nobody asked go into no prompt either.
    """
    match payload:
        case {"message": {"type": "user_message", "output": str()}}:
            await chainlit.socket.message(sid, payload)
        case {"message": {"id": str(id)}} if session := WebsocketSession.get(sid):
            await session.emit("delete_message", {"id": id})


async def on_edit_message(sid: str, payload: Any) -> None:
    """Do what Chainlit does with a question that is changed; one that is forgotten, as after a restart, is asked."""
    id, session = payload["message"]["id"], WebsocketSession.get(sid)
    is_known = session and any(message.id == id for message in chat_contexts.get(session.id, ()))
    await (chainlit.socket.edit_message if is_known else on_client_message)(sid, payload)


def _in_a_line(event: str, hear: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return what hears the event, and logs a line of what no page sends, where its own fails with a traceback."""

    async def heard(sid: str, *told: Any) -> Any:
        try:
            return await hear(sid, *told)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("a page sent a %s that no page sends (%s)", event, type(error).__name__)

    return heard


def hear_questions() -> None:
    """Hear questions alone. For the whole process."""
    sio.on("client_message", on_client_message)
    sio.on("edit_message", on_edit_message)
    events = sio.handlers["/"]
    for event in events.keys() - {"connect", "disconnect"}:  # Who comes and goes is presence.py's.
        events[event] = _in_a_line(event, events[event])
