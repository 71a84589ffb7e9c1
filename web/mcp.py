"""Answers `POST /mcp`: a person's own assistant asks there, in the Model Context Protocol over streamable HTTP.

Nothing is kept between two messages. Both ways to speak it are known: since 2026-07-28 each request says its version;
before, a client said hello first (`initialize`). The `mcp` package is only the tests' client: the version that Chainlit
lets us have does not speak the first, does not notice in its JSON answers that a client has left, and swaps the
process's warning filters around each message.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeGuard

import anyio
import orjson
from fastapi import FastAPI, Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agents.together import together
from web.api import METHODS
from web.desk import Desk
from web.events import HEADERS, body, cancel_when_gone, keep_open, until_the_end
from web.guards import MCP, refusal
from web.mcp_tools import TOOLS, Tell, Tools

MODERN = "2026-07-28"
WITH_HELLO = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Newest first."""

ABOUT = "io.modelcontextprotocol/"
"""Begins the names of what the protocol itself writes into `_meta`."""

INSTRUCTIONS = (
    "Quaestor answers questions about one database in plain words, with the SQL and the rows as evidence. "
    "`ask` answers a question; `tables` tells what there is. Nothing can be changed here."
)

KEPT_MS = 300_000
"""How long a client may keep the list of tools, which changes only with the server."""

NO_JSON, NO_REQUEST, NO_METHOD, NO_PARAMS = -32700, -32600, -32601, -32602
OTHER_HEADER, OTHER_VERSION, CANCELLED = -32020, -32022, -32000

SESSION = "mcp-session-id"

Id = str | int


@dataclass(frozen=True)
class _Call:
    """A request that can be answered."""

    id: Id
    method: str
    params: dict[str, Any]
    session: str
    """What an older client calls itself by, so that another message of it can cancel this one; else empty."""

    @property
    def about(self) -> dict[str, Any]:
        found = self.params.get("_meta")
        return found if isinstance(found, dict) else {}

    @property
    def version(self) -> str | None:
        """The version that the request says it is in; None where the client says hello first."""
        return self.about.get(f"{ABOUT}protocolVersion")


def add_mcp(app: FastAPI, desk: Desk, today: date | None, *, names_only: bool) -> None:
    """Add the address; `names_only` where no model may see what the database holds."""
    door = _Door(
        Tools(desk, today, names_only=names_only), {"name": "quaestor", "title": "Quaestor", "version": app.version}
    )

    @app.api_route(MCP, methods=METHODS, include_in_schema=False)
    @app.api_route(f"{MCP}/", methods=METHODS, include_in_schema=False)
    async def mcp(request: Request) -> Response:
        if request.method != "POST":
            return refusal(405, f"{MCP} takes POST alone.", {"allow": "POST"})
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return refusal(415, "Send one JSON-RPC message with Content-Type: application/json.")
        return await door.answer(await request.body(), request)

    @app.get("/.well-known/{rest:path}", include_in_schema=False)
    async def nothing_known(rest: str) -> Response:
        # After a 401 assistants look there for another way to log in; the chat's page would be no JSON to them.
        return refusal(404, "There is nothing here.")


class _Door:
    """Takes one message after the other."""

    def __init__(self, tools: Tools, server: dict[str, str]) -> None:
        self._tools = tools
        self._server = server
        self._asking: dict[tuple[str, Id], anyio.CancelScope] = {}

    async def answer(self, text: bytes, request: Request) -> Response:
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return _trouble(None, NO_JSON, "The message is no JSON.", status=400)
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return _trouble(None, NO_REQUEST, "Send one JSON-RPC 2.0 message, an object.", status=400)
        params = message.get("params") or {}
        method, number = message.get("method"), message.get("id")
        session = request.headers.get(SESSION, "")
        if "id" not in message or (method is None and ("result" in message or "error" in message)):
            if method == "notifications/cancelled" and isinstance(params, dict):
                self._cancel(session, params.get("requestId"))
            return Response(status_code=202)
        if not _is_id(number):
            return _trouble(None, NO_REQUEST, "The “id” of a request is a text or a whole number.", status=400)
        if not isinstance(method, str) or not isinstance(params, dict):
            return _trouble(
                number, NO_REQUEST, "A request has a “method”, a text, and “params”, an object.", status=400
            )
        call = _Call(number, method, params, session)
        return _mismatch(call, request.headers) or await self._reply(call, request)

    async def _reply(self, call: _Call, request: Request) -> Response:
        modern = call.version is not None
        match call.method:
            case "initialize" if not modern:
                return _result(call, self._hello(call.params), {SESSION: secrets.token_urlsafe(16)})
            case "server/discover" if modern:
                return _result(call, self._discovered())
            case "ping" if not modern:
                return _result(call, {})
            case "tools/list":
                return _result(call, {"tools": TOOLS, **_kept(call)})
            case "tools/call":
                return await self._call_tool(call, request)
            case _:
                # Older clients read a 404 as the end of their session.
                status = 404 if modern else 200
                return _trouble(call.id, NO_METHOD, f"There is no method “{call.method}” here.", status=status)

    def _hello(self, params: dict[str, Any]) -> dict[str, Any]:
        wanted = params.get("protocolVersion")
        version = wanted if wanted in WITH_HELLO else WITH_HELLO[0]
        return {"protocolVersion": version, "serverInfo": self._server, **_capabilities()}

    def _discovered(self) -> dict[str, Any]:
        versions = {"supportedVersions": [MODERN, *WITH_HELLO], "_meta": {f"{ABOUT}serverInfo": self._server}}
        return {**versions, **_capabilities(), "ttlMs": KEPT_MS, "cacheScope": "private"}

    async def _call_tool(self, call: _Call, request: Request) -> Response:
        name = call.params.get("name")
        if not isinstance(name, str) or name not in self._tools:
            return _trouble(
                call.id, NO_PARAMS, f"There is no such tool here: {' and '.join(t['name'] for t in TOOLS)}."
            )
        token = call.about.get("progressToken")
        if _is_id(token) and "text/event-stream" in request.headers.get("accept", ""):
            return _Stream(self, call, token)
        return await self.call_to_the_end(call, request.receive, _say_nothing)

    async def call_to_the_end(self, call: _Call, receive: Receive, tell: Tell) -> Response:
        """Return what the tool says; the client's leaving, or its taking the request back, stops all work."""
        response = _trouble(call.id, CANCELLED, "The request was cancelled.")
        async with together() as tasks:
            tasks.start_soon(cancel_when_gone, receive, tasks.cancel_scope)
            with self._cancellable(call, tasks.cancel_scope):
                said = await self._tools.call(call.params["name"], call.params.get("arguments") or {}, tell)
                response = _result(call, said)
            tasks.cancel_scope.cancel()
        return response

    @contextmanager
    def _cancellable(self, call: _Call, scope: anyio.CancelScope) -> Iterator[None]:
        key = (call.session, call.id)
        if not call.session or key in self._asking:
            yield
            return
        self._asking[key] = scope
        try:
            yield
        finally:
            del self._asking[key]

    def _cancel(self, session: str, number: object) -> None:
        if _is_id(number) and (scope := self._asking.get((session, number))):
            scope.cancel()


class _Stream(Response):
    """Sends how far a call has got, as server-sent events, and then what it says."""

    media_type = "text/event-stream"

    def __init__(self, door: _Door, call: _Call, token: Id) -> None:
        super().__init__()
        self._door = door
        self._call = call
        self._token = token
        self._told = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        send = until_the_end(send)

        async def tell(words: str) -> None:
            self._told += 1
            params = {"progressToken": self._token, "progress": self._told, "message": words}
            await send(_event(_line({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})))

        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        async with together() as tasks:
            tasks.start_soon(keep_open, send)
            response = await self._door.call_to_the_end(self._call, receive, tell)
            await send(_event(bytes(response.body).decode()))
            await send(body("", more=False))
            tasks.cancel_scope.cancel()


def _is_id(value: object) -> TypeGuard[Id]:
    """Whether this can be the id of a request, or a token of its progress: a text or a whole number."""
    return isinstance(value, Id) and not isinstance(value, bool)


def _event(line: str) -> Any:
    return body(f"event: message\ndata: {line}\n\n")


def _mismatch(call: _Call, headers: Headers) -> Response | None:
    """Return why a request cannot be taken as it says it is; what older clients say in headers is not looked at."""
    said = headers.get("mcp-protocol-version")
    if call.version is None and said != MODERN:
        return None
    if call.version != said:
        return _other_header(call, "MCP-Protocol-Version")
    if call.version != MODERN:
        data = {"supported": [MODERN, *WITH_HELLO], "requested": call.version}
        return _trouble(
            call.id, OTHER_VERSION, "This version of the protocol is not known here.", status=400, data=data
        )
    if headers.get("mcp-method") != call.method:
        return _other_header(call, "Mcp-Method")
    if call.method == "tools/call" and _decoded(headers.get("mcp-name", "")) != call.params.get("name"):
        return _other_header(call, "Mcp-Name")
    return None


def _other_header(call: _Call, name: str) -> Response:
    return _trouble(call.id, OTHER_HEADER, f"The header {name} does not say what the message says.", status=400)


def _decoded(value: str) -> str | None:
    """Return a header's text, which may stand there in Base64; None where that cannot be read."""
    if not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except ValueError:
        return None


def _capabilities() -> dict[str, Any]:
    return {"capabilities": {"tools": {}}, "instructions": INSTRUCTIONS}


def _kept(call: _Call) -> dict[str, Any]:
    return {} if call.version is None else {"ttlMs": KEPT_MS, "cacheScope": "private"}


async def _say_nothing(_: str) -> None:
    pass


def _result(call: _Call, result: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    whole = result if call.version is None else {"resultType": "complete", **result}
    return _json({"jsonrpc": "2.0", "id": call.id, "result": whole}, 200, headers)


def _trouble(number: Id | None, code: int, sentence: str, *, status: int = 200, data: Any = None) -> Response:
    error = {"code": code, "message": sentence, **({} if data is None else {"data": data})}
    return _json({"jsonrpc": "2.0", "id": number, "error": error}, status)


def _json(message: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(_line(message), status, headers, "application/json")


def _line(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, allow_nan=False)
