"""Asks many model endpoints for one whole answer each time, thousands of times a second: the pool over a lean wire."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import orjson
from pydantic import SecretStr

from endpoints import Endpoint
from llm.pool import CallFailed, Pool, Turn, open_pool
from llm.requester_reply import Answer, read_answer
from llm.requester_wire import Wire
from llm.wire_proxies import check_proxies, proxy_of

if TYPE_CHECKING:
    from llm.requester_proxied import ProxiedWire

BYTES_PER_TOKEN = 4
ANSWER_TOKENS = 256
"""What an answer is taken to need where the request sets no limit; settled when it is here."""


@dataclass(slots=True)
class Request:
    """One request and how it goes, which whoever sent it may look at meanwhile."""

    fields: Mapping[str, Any]
    """The request's JSON but for its model: messages, temperature, and whatever else the endpoint takes. Not empty."""
    model: str | None = None
    """The model to ask instead of each endpoint's own."""
    attempts: int = 0
    endpoint: str = ""
    """The name of the endpoint that was asked last."""
    seconds: float = 0.0
    """What the last attempt took."""
    said: str | None = None
    """What the model said, where that cannot stand as an answer."""
    is_under_way: bool = False
    """Whether an endpoint has it, so that its answer may be paid for."""
    written: bytes = field(init=False)
    """The fields as JSON, once for all attempts: each endpoint calls the model by a name of its own."""

    def __post_init__(self) -> None:
        """Raises RecursionError where the fields are nested too deeply to be written."""
        try:
            self.written = orjson.dumps(self.fields)
        except TypeError:  # half a surrogate pair, an integer of more than 64 bits, or nested deeply
            self.written = json.dumps(self.fields).encode()


class Requester:
    """Asks through a pool; `open_requester` makes one. It belongs to the event loop in which it was made."""

    def __init__(self, pool: Pool, endpoints: Iterable[Endpoint], *, seconds: float) -> None:
        """Ask the pool's endpoints; `seconds` are for one attempt at one of them."""
        self.pool = pool
        self._doors = {endpoint.name: _Door(endpoint, seconds) for endpoint in endpoints}
        self.retries = 0
        """Attempts so far that were not a request's first."""
        self._has_token_limits = any(endpoint.tokens_per_minute for endpoint in endpoints)

    def ask(self, request: Request) -> Awaitable[Answer]:
        """Return the answer; what fails in a way that may pass is asked again, elsewhere first.

        Raises the last attempt's CallFailed, or ModelUnavailable where no endpoint can be used at all.
        """
        tokens = _estimate(request) if self._has_token_limits else 0.0
        return self.pool.run(partial(self._call, request), tokens=tokens)

    async def _call(self, request: Request, turn: Turn) -> Answer:
        name = turn.member.endpoint.name
        door = self._doors[name]
        if request.attempts:
            self.retries += 1
        request.attempts += 1
        request.endpoint = name
        request.is_under_way = True
        try:
            reply = await door.wire.post(door.body(request))
        finally:
            request.is_under_way = False
            request.seconds = time.monotonic() - turn.started
        answer = read_answer(reply)
        turn.succeeded(answer.tokens, reply.headers)
        if answer.fault is not None:
            request.said = answer.text
            raise CallFailed(answer.fault)
        return answer

    async def close(self) -> None:
        for door in self._doors.values():
            await door.wire.close()


class _Door:
    """The way into one endpoint: its connections, and the beginning of what is sent there."""

    __slots__ = ("_opening", "wire")

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "quaestor"}
        if endpoint.key is not None:
            headers["Authorization"] = f"Bearer {endpoint.key.get_secret_value()}"
        self.wire = _wire(_address(endpoint.base_url), headers, seconds)
        self._opening = _opening(endpoint.model)

    def body(self, request: Request) -> bytes:
        return (self._opening if request.model is None else _opening(request.model)) + request.written[1:]


def _wire(url: str, headers: dict[str, str], seconds: float) -> Wire | ProxiedWire:
    # The lean one knows no proxy, and does three times as many requests a second.
    if (proxy := proxy_of(url)) is None:
        return Wire(url, headers, seconds=seconds)
    from llm.requester_proxied import ProxiedWire  # aiohttp takes 11 MiB

    return ProxiedWire(url, headers, proxy=proxy, seconds=seconds)


def _opening(model: str) -> bytes:
    return b'{"model":' + orjson.dumps(model) + b","


def _address(base_url: str) -> str:
    parts = urlsplit(base_url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/chat/completions", fragment=""))


def _estimate(request: Request) -> float:
    """Return about how many tokens the request and its answer take."""
    limit = request.fields.get("max_completion_tokens") or request.fields.get("max_tokens")
    return len(request.written) / BYTES_PER_TOKEN + (limit if isinstance(limit, int) else ANSWER_TOKENS)


@asynccontextmanager
async def open_requester(
    endpoints: Iterable[Endpoint],
    *,
    seconds: float,
    attempts: int = 4,
    max_requests_per_second: float | None = None,
    redis_url: SecretStr | None = None,
) -> AsyncIterator[Requester]:
    """Yield a requester that waits until an endpoint is well again rather than fail; `seconds` are for one attempt.

    Raises SettingsInvalid where the environment names a proxy that is none.
    """
    endpoints = tuple(endpoints)
    check_proxies()
    async with open_pool(
        endpoints,
        redis_url=redis_url,
        max_requests_per_second=max_requests_per_second,
        attempts=attempts,
        patient=True,
    ) as pool:
        requester = Requester(pool, endpoints, seconds=seconds)
        try:
            yield requester
        finally:
            await requester.close()
