"""The chat's own login over real HTTP, and a page's connection to the chat, both without a browser."""

from __future__ import annotations

import asyncio
import uuid
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import socketio
import uvicorn

from server import configure, listen
from web.guests import Guests

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What Chainlit imports is written for older versions of what that imports.
    import chainlit.server

    from chat.login import ask_for_password


@asynccontextmanager
async def chat_of(guests: Guests) -> AsyncIterator[httpx.AsyncClient]:
    """Serve Chainlit's app as `chainlit run` does, without what starts and ends with it: its end ends the process."""
    ask_for_password(guests.know)
    served = configure(chainlit.server.app)
    served.lifespan = "off"
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(served)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
                yield client
        finally:
            server.should_exit = True
            await serving


class Joined:
    """A page's connection, and what came over it."""

    def __init__(self, socket: socketio.AsyncClient) -> None:
        self.socket = socket
        self.events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        socket.on("*", self._hear)

    async def _hear(self, event: str, *told: Any) -> None:
        self.events.put_nowait((event, told[0] if told else None))

    async def until(self, event: str) -> Any:
        """Return what this event tells, when it comes."""
        async with asyncio.timeout(30):
            while (came := await self.events.get())[0] != event:
                pass
        return came[1]

    async def send(self, words: str, type: str = "user_message", event: str = "client_message") -> str:
        """Send a message as a page does, and return its id."""
        message = {"id": str(uuid.uuid4()), "threadId": "", "name": "User", "type": type, "output": words}
        message["createdAt"] = datetime.now(UTC).isoformat()
        await self.socket.emit(event, {"message": message, "fileReferences": []})
        return message["id"]


@asynccontextmanager
async def joined(
    client: httpx.AsyncClient, session: str | None = None, thread: str = "", *, breaks_off: bool = False
) -> AsyncIterator[Joined]:
    """Join the chat with this client's login; raises socketio's ConnectionError where the server does not let it in.

    Where it breaks off, the page waits for nothing, and its connection ends as that of a telephone in a tunnel.
    """
    page = Joined(socketio.AsyncClient(reconnection=False))
    auth = {"sessionId": session or str(uuid.uuid4()), "clientType": "copilot", "userEnv": "{}"}
    login = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    await page.socket.connect(
        str(client.base_url),
        headers={"Cookie": login},
        auth={**auth, "chatProfile": "", "threadId": thread},
        transports=["websocket"],
        socketio_path="ws/socket.io",
    )
    try:
        await page.socket.emit("connection_successful")
        if not breaks_off:
            await page.until("task_end")
        yield page
    finally:
        if not breaks_off:
            await page.socket.emit("clear_session")
        await page.socket.disconnect()
