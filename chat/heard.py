"""Lets what a person asks become a question, and nothing else that a page may send."""

from __future__ import annotations

from typing import Any

import chainlit.socket
from chainlit.server import sio
from chainlit.session import WebsocketSession


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


def hear_questions() -> None:
    """Hear questions alone. For the whole process."""
    sio.on("client_message", on_client_message)
