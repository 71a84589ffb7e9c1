"""Lets all of a page's connection go when it ends: engineio ties it into rings that only Python's collector unties.

The collector looks at what has lived for seconds only once in some thousand visits; until then each would keep its
socket, its headers, its page's session and, by that, the page's last answer with its rows and its chart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from chainlit.server import sio
from engineio.async_drivers.asgi import WebSocket, translate_request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def let_go() -> None:
    """Let connections end without leaving rings. For the whole process."""
    sio.eio._async = {**sio.eio._async, "translate_request": _translate, "websocket": _Socket}


class _Socket(WebSocket):  # type: ignore[misc]  # engineio has no types.
    """engineio's, which raises at the end; there the traceback holds a frame, that a task, and that the error."""

    async def wait(self) -> str | bytes | None:
        """Return what the page sends next, None where it is gone."""
        event = await self.asgi_receive()
        text: str | None = event.get("text")
        return event.get("bytes") if text is None else text


async def _translate(scope: Scope, receive: Receive, send: Send) -> dict[str, Any]:
    """Return the request as WSGI (PEP 3333) describes one, as far as a WebSocket's is asked for.

    engineio's own makes a class for the body of each request, also where there is none; a class is a ring by itself.
    """
    if scope["type"] != "websocket":
        translated: dict[str, Any] = await translate_request(scope, receive, send)
        return translated
    if (await receive())["type"] != "websocket.connect":
        return {}
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": scope["path"],
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "asgi.receive": receive,
        "asgi.send": send,
        "asgi.scope": scope,
    }
    for name, text in scope["headers"]:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        told = text.decode("latin-1")
        environ[key] = f"{environ[key]},{told}" if key in environ else told
    environ["wsgi.url_scheme"] = environ.get("HTTP_X_FORWARDED_PROTO", "http")
    return environ
