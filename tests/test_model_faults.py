"""The stand-in model fails in the ways that it is told to, on the wire."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from benchmarks.model_faults import FAULTS, FaultPicker
from benchmarks.model_server import serving
from benchmarks.model_wire import ToolCall
from tests.certificate import make_certificate, tls_with

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

ASKED = {"model": "any", "messages": [{"role": "user", "content": "Good morning, how are you?"}]}
STATUSES = {
    "error": 500,
    "refuse": 503,
    "rate-limit": 429,
    "rate-limit-wait": 429,
    "rate-limit-date": 429,
    "quota": 429,
    "bad-key": 401,
    "no-model": 404,
    "too-long": 400,
    "redirect": 307,
}


@pytest.fixture
async def http(model_server: StandIn) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(model_server.base_url.removesuffix("v1")) as session:
        yield session


def posting(http: aiohttp.ClientSession, fault: str, **more: Any) -> Any:
    return http.post("/v1/chat/completions", json={**ASKED, **more}, headers={"X-Fault": fault}, allow_redirects=False)


# One is a stream's alone.
@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"error-middle"}))
async def test_no_fault_is_a_whole_answer(http: aiohttp.ClientSession, model_server: StandIn, fault: str) -> None:
    if fault == "wrong-arguments":
        model_server.will_say(ToolCall("look_up", '{"question": "why not"}'))
    more = {"response_format": {"type": "json_object"}} if fault == "no-response-format" else {}
    try:
        async with asyncio.timeout(0.5), posting(http, fault, **more) as reply:
            told = await reply.json(content_type=None)
            choice = told["choices"][0]
            said, calls = choice["message"]["content"], choice["message"].get("tool_calls", ())
            for call in calls:
                json.loads(call["function"]["arguments"])
            assert said != "You said: Good morning, how are you?" or choice["finish_reason"] != "stop"
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError, RecursionError):
        return


@pytest.mark.parametrize("fault, status", STATUSES.items())
async def test_a_refusal_has_its_status(http: aiohttp.ClientSession, fault: str, status: int) -> None:
    async with posting(http, fault) as reply:
        assert reply.status == status


async def test_a_date_to_come_back_at_lies_ahead(http: aiohttp.ClientSession) -> None:
    async with posting(http, "rate-limit-date") as reply:
        ahead = parsedate_to_datetime(reply.headers["Retry-After"]) - datetime.now(UTC)
    assert 0 < ahead.total_seconds() <= 2


async def test_a_redirection_leads_to_the_same_server_under_another_name(http: aiohttp.ClientSession) -> None:
    async with posting(http, "redirect") as reply:
        assert reply.headers["Location"] == str(reply.url.with_host("localhost"))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_arguments_of_a_call_are_cut_and_said_to_be_whole(
    http: aiohttp.ClientSession, model_server: StandIn, stream: bool
) -> None:
    model_server.will_say(ToolCall("look_up", '{"question": "why not"}'))
    async with posting(http, "wrong-arguments", stream=stream) as reply:
        text = (await reply.read()).decode()
    if stream:
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
        deltas = [event["choices"][0]["delta"] for event in events]
        arguments = "".join(d["tool_calls"][0]["function"]["arguments"] for d in deltas if "tool_calls" in d)
        finish = events[-1]["choices"][0]["finish_reason"]
    else:
        choice = json.loads(text)["choices"][0]
        arguments, finish = choice["message"]["tool_calls"][0]["function"]["arguments"], choice["finish_reason"]
    assert (arguments, finish) == ('{"question"', "tool_calls")


@pytest.mark.parametrize("fault, said", [("slow-headers", b"HTTP/1.1"), ("no-http", b"SSH-2.0")])
async def test_what_is_no_proper_http_is_said_as_it_is(model_server: StandIn, fault: str, said: bytes) -> None:
    host, _, port = model_server.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(ASKED).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Fault: {fault}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    first = await reader.read(len(said))
    rest = await reader.readexactly(len(said) - len(first))
    writer.close()
    await writer.wait_closed()
    assert first + rest == said
    # A byte at a time where it is slow.
    assert (len(first) == 1) == (fault == "slow-headers")


@pytest.mark.parametrize("of, met", [("all", [500, 500]), ("streams", [200, 500]), ("wholes", [500, 200])])
async def test_a_fault_may_meet_streams_alone_or_whole_answers_alone(
    http: aiohttp.ClientSession, model_server: StandIn, of: Any, met: list[int]
) -> None:
    model_server.server.faults = FaultPicker(("error",), of=of)
    statuses = []
    for stream in (False, True):
        async with http.post("/v1/chat/completions", json={**ASKED, "stream": stream}) as reply:
            statuses.append(reply.status)
    assert statuses == met


async def test_a_certificate_of_ones_own_is_taken_by_who_trusts_it_and_by_nobody_else(
    model_server: StandIn, tmp_path: Path
) -> None:
    file = make_certificate(tmp_path)
    async with serving(model_server.server, tls=tls_with(file)) as base_url, aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.get(f"{base_url}/models")
        async with http.get(f"{base_url}/models", ssl=ssl.create_default_context(cafile=str(file))) as reply:
            assert reply.status == 200


async def test_faults_can_be_set_while_it_runs(http: aiohttp.ClientSession) -> None:
    statuses = []
    for faults in (["error"], []):
        async with http.post("/faults", json={"faults": faults}) as reply:
            assert reply.status == 204
        async with http.post("/v1/chat/completions", json=ASKED) as reply:
            statuses.append(reply.status)
    assert statuses == [500, 200]
