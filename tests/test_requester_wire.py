"""The lean wire reads every form of HTTP/1.1 reply, keeps its connections, and bounds each request in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llm.pool_faults import Breakage, CallFailed
from llm.requester_wire import LARGEST, Wire
from tests.certificate import make_certificate, tls_with
from tests.raw_endpoint import CLOSE, RawEndpoint, raw_endpoint, reply

HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer sk-test"}


@pytest.fixture
async def endpoint() -> AsyncIterator[RawEndpoint]:
    async with raw_endpoint() as running:
        yield running


@asynccontextmanager
async def wire_to(endpoint: RawEndpoint, seconds: float = 10.0) -> AsyncIterator[Wire]:
    wire = Wire(f"{endpoint.base_url}/chat/completions?v=1", HEADERS, seconds=seconds)
    try:
        yield wire
    finally:
        await wire.close()


async def breakage_of(wire: Wire, body: bytes = b"{}") -> Breakage | None:
    with pytest.raises(CallFailed) as failed:
        await wire.post(body)
    return failed.value.fault.breakage


REPLIES = {
    "with its length": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    "in two pieces": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", b"llo"],
    "byte by byte": [bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    "chunked": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", b"2\r\nlo\r\n0\r\n\r\n"],
    "until the end": [b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", CLOSE],
    "of HTTP/1.0": [b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", CLOSE],
    "announced": [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", reply(b"hello")],
}


@pytest.mark.parametrize("pieces", REPLIES.values(), ids=REPLIES)
async def test_a_reply_may_come_in_any_form(endpoint: RawEndpoint, pieces: list[bytes]) -> None:
    endpoint.will_say(pieces, reply(b"next"))
    async with wire_to(endpoint) as wire:
        assert await wire.post(b'{"a": 1}') == (200, None, b"hello")
        assert await wire.post(b"{}") == (200, None, b"next")
    assert endpoint.bodies == [b'{"a": 1}', b"{}"]
    head = endpoint.heads[0]
    assert head.startswith("POST /v1/chat/completions?v=1 HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{endpoint.port}\r\n" in head and "\r\nAuthorization: Bearer sk-test\r\n" in head


async def test_requests_one_after_the_other_share_a_connection(endpoint: RawEndpoint) -> None:
    async with wire_to(endpoint) as wire:
        for _ in range(20):
            await wire.post(b"{}")
        assert endpoint.connections == 1
        await asyncio.gather(*(wire.post(b"{}") for _ in range(5)))
    assert endpoint.connections == 5


async def test_a_connection_that_the_endpoint_closes_is_not_used_again(endpoint: RawEndpoint) -> None:
    endpoint.will_say(reply(b"a", Connection="close"), [reply(b"b"), CLOSE])
    async with wire_to(endpoint) as wire:
        assert (await wire.post(b"{}")).body == b"a"
        assert (await wire.post(b"{}")).body == b"b"
        await asyncio.sleep(0.05)
        assert (await wire.post(b"{}")).status == 200
    assert endpoint.connections == 3


async def test_a_reply_without_a_body_is_not_the_next_requests_too(endpoint: RawEndpoint) -> None:
    endpoint.will_say([b"HTTP/1.1 204 No Content\r\n\r\n"], [CLOSE])
    async with wire_to(endpoint) as wire:
        assert (await wire.post(b"{}")).status == 204
        assert await breakage_of(wire) is Breakage.RESET
    assert endpoint.connections == 1


async def test_what_nobody_asked_for_is_nobodys_answer(endpoint: RawEndpoint) -> None:
    endpoint.will_say(reply(b"mine") + reply(b"whose?"))
    async with wire_to(endpoint) as wire:
        assert (await wire.post(b"{}")).body == b"mine"
        assert (await wire.post(b"{}")).body != b"whose?"
    assert endpoint.connections == 2


async def test_whoever_is_cancelled_leaves_no_reply_to_the_next(endpoint: RawEndpoint) -> None:
    endpoint.will_say(None)
    async with wire_to(endpoint) as wire:
        asking = asyncio.ensure_future(wire.post(b"first"))
        await endpoint.asked.wait()
        asking.cancel()
        await asyncio.wait([asking])
        await endpoint.left.wait()
        assert (await wire.post(b"second")).status == 200
    assert endpoint.connections == 2


async def test_only_the_headers_that_say_how_long_to_wait_are_kept(endpoint: RawEndpoint) -> None:
    endpoint.will_say(reply(b"", "429 Too Many", Retry_After="7", X_RateLimit_Remaining_Requests="0", Server="x"))
    async with wire_to(endpoint) as wire:
        status, headers, _ = await wire.post(b"{}")
        assert (status, headers) == (429, {"retry-after": "7", "x-ratelimit-remaining-requests": "0"})
        assert (await wire.post(b"{}")).headers is None


async def test_an_address_is_quoted_where_it_must_be(endpoint: RawEndpoint) -> None:
    wire = Wire(f"{endpoint.base_url}/caf\u00e9 \u2192/a%20b?x=1&y=\u00fc", HEADERS, seconds=10)
    assert (await wire.post(b"{}")).status == 200
    await wire.close()
    assert endpoint.heads[0].startswith("POST /v1/caf%C3%A9%20%E2%86%92/a%20b?x=1&y=%C3%BC HTTP/1.1\r\n")


async def test_a_redirect_is_a_reply_like_any_other(endpoint: RawEndpoint) -> None:
    endpoint.will_say(reply(b"", "307 Temporary Redirect", Location="http://127.0.0.1:1/"))
    async with wire_to(endpoint) as wire:
        assert (await wire.post(b"{}")).status == 307
    assert len(endpoint.heads) == 1


BREAKAGES = {
    "no HTTP": ([b"SSH-2.0-OpenSSH_9.6\r\n"], Breakage.GARBLED),
    "two lengths": ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"], Breakage.GARBLED),
    "no chunks": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello"], Breakage.GARBLED),
    "another protocol": (
        [b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"],
        Breakage.GARBLED,
    ),
    "nothing": ([CLOSE], Breakage.RESET),
    "half a head": ([b"HTTP/1.1 200 OK\r\nContent-", CLOSE], Breakage.RESET),
    "half a body": ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", CLOSE], Breakage.RESET),
    "half its chunks": ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", CLOSE], Breakage.RESET),
    "too much": (
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"%x\r\n" % (LARGEST + 1), bytes(LARGEST + 1)],
        Breakage.GARBLED,
    ),
}


@pytest.mark.parametrize(("pieces", "breakage"), BREAKAGES.values(), ids=BREAKAGES)
async def test_what_is_no_reply_says_how_it_broke(
    endpoint: RawEndpoint, pieces: list[bytes], breakage: Breakage
) -> None:
    endpoint.will_say(pieces)
    async with wire_to(endpoint) as wire:
        assert await breakage_of(wire) is breakage
        assert (await wire.post(b"{}")).status == 200
    assert endpoint.connections == 2


SLOW = {"nothing": None, "half a head": [b"HTTP/1.1 200 OK\r\n"], "half a body": [reply(b"hello")[:-1]]}


@pytest.mark.parametrize("pieces", SLOW.values(), ids=SLOW)
async def test_a_request_has_a_time_limit_of_its_own(endpoint: RawEndpoint, pieces: list[bytes] | None) -> None:
    endpoint.will_say(pieces)
    async with wire_to(endpoint, seconds=0.2) as wire:
        assert await breakage_of(wire) is Breakage.TIMEOUT
        assert (await wire.post(b"{}")).status == 200


async def test_whoever_still_waits_at_the_end_is_told(endpoint: RawEndpoint) -> None:
    endpoint.will_say(None)
    async with wire_to(endpoint) as wire:
        asking = asyncio.create_task(breakage_of(wire))
        await endpoint.asked.wait()
    assert await asking is Breakage.RESET


async def test_nobody_listening_is_no_connection(endpoint: RawEndpoint) -> None:
    unused = RawEndpoint(port=1)
    async with wire_to(unused) as wire:
        assert await breakage_of(wire) is Breakage.CONNECT


async def test_a_certificate_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path)
    async with raw_endpoint(tls_with(certificate)) as endpoint:
        async with wire_to(endpoint) as wire:
            assert await breakage_of(wire) is Breakage.CERTIFICATE
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with wire_to(endpoint) as wire:
            for _ in range(3):
                assert (await wire.post(b"{}")).status == 200
        assert len(endpoint.heads) == 3
