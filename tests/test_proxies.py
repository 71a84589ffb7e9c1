"""A proxy that the environment names is on the way to every endpoint, for the chat and for a file of requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from yarl import URL

from endpoints import Endpoint
from errors import SettingsInvalid
from llm.pool_faults import Breakage, CallFailed
from llm.requester import Request, open_requester
from llm.wire import certificates, open_wire
from tests.certificate import make_certificate, tls_with
from tests.raw_endpoint import RawEndpoint, completion, raw_endpoint, reply

ELSEWHERE = "http://models.example:8080/v1"
ASKED = Request({"messages": [{"role": "user", "content": "Which city spent most?"}]})


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RawEndpoint]:
    """A proxy for plain HTTP: it answers what it should send on."""
    async with raw_endpoint() as running:
        monkeypatch.setenv("http_proxy", f"http://ann:secret@127.0.0.1:{running.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        yield running


async def ask(base_url: str, *, seconds: float = 5.0) -> str:
    async with open_requester([Endpoint(base_url, "m")], seconds=seconds, attempts=1) as requester:
        return (await requester.ask(ASKED)).text


async def fault_of(base_url: str, *, seconds: float = 5.0) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await ask(base_url, seconds=seconds)
    return failed.value


def went_through(proxy: RawEndpoint) -> bool:
    [head] = proxy.heads
    told = {line.partition(": ")[0]: line.partition(": ")[2] for line in head.splitlines()[1:]}
    # YW5uOnNlY3JldA== is ann:secret.
    return head.startswith(f"POST {ELSEWHERE}/") and told["Proxy-Authorization"] == "Basic YW5uOnNlY3JldA=="


async def test_a_file_of_requests_goes_through_it(proxy: RawEndpoint) -> None:
    assert await ask(ELSEWHERE) == "well"
    assert went_through(proxy)


@pytest.mark.parametrize("written", ["localhost:port", "http://proxy.example:port", "http://a..b:3128", "http://[::1"])
async def test_one_that_is_no_address_is_a_sentence(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("https_proxy", written)
    for opening in (open_wire(), open_requester([Endpoint("https://models.example/v1", "m")], seconds=1)):
        with pytest.raises(SettingsInvalid, match=r"^HTTPS_PROXY is no address: write it like http://proxy"):
            async with opening:
                pass


async def test_certificates_that_are_not_there_are_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificates.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(SettingsInvalid, match=r"^SSL_CERT_FILE or SSL_CERT_DIR names certificates that cannot be"):
        async with open_wire():
            pass


async def test_the_chat_goes_through_it(proxy: RawEndpoint) -> None:
    async with open_wire() as wire:
        answer, _ = await wire.post_json(URL(f"{ELSEWHERE}/chat/completions"), {}, b"{}")
    assert answer["choices"]
    assert went_through(proxy)


async def test_an_address_that_is_excepted_is_asked_directly(
    proxy: RawEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with raw_endpoint() as endpoint:
        assert await ask(endpoint.base_url) == "well"
    assert not proxy.connections


async def test_what_a_reply_asks_for_is_heard_through_it(proxy: RawEndpoint) -> None:
    proxy.will_say(
        reply({"error": {"message": "slow down"}}, "429 Too Many Requests", Retry_After="0.3", Via="1.1 proxy")
    )
    failed = await fault_of(ELSEWHERE)
    assert failed.fault.status == 429
    assert failed.headers == {"retry-after": "0.3"}


async def test_a_redirect_is_not_followed(proxy: RawEndpoint) -> None:
    proxy.will_say(reply(b"", "307 Temporary Redirect", Location="http://thief.example/v1/chat/completions"))
    assert (await fault_of(ELSEWHERE)).fault.status == 307
    assert went_through(proxy)


async def test_an_answer_that_does_not_come_has_an_end(proxy: RawEndpoint) -> None:
    proxy.will_say(None)
    assert (await fault_of(ELSEWHERE, seconds=0.2)).fault.breakage is Breakage.TIMEOUT


async def test_whoever_is_cancelled_is_cancelled_and_not_late(proxy: RawEndpoint) -> None:
    proxy.will_say(None)
    async with open_requester([Endpoint(ELSEWHERE, "m")], seconds=60) as requester:
        asking = asyncio.ensure_future(requester.ask(Request(ASKED.fields)))
        await proxy.asked.wait()
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        assert (await requester.ask(Request(ASKED.fields))).text == "well"


async def test_a_proxy_that_is_away_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "127.0.0.1:1")
    assert (await fault_of(ELSEWHERE)).fault.breakage is Breakage.CONNECT


async def test_a_proxy_that_wants_another_password_is_told_by_its_status(proxy: RawEndpoint) -> None:
    proxy.will_say(reply(b"Who are you?", "407 Proxy Authentication Required"))
    assert (await fault_of(ELSEWHERE)).fault.status == 407


async def test_the_requests_of_a_file_share_their_connections(proxy: RawEndpoint) -> None:
    async with open_requester([Endpoint(ELSEWHERE, "m")], seconds=5) as requester:
        answers = [await requester.ask(Request(ASKED.fields)) for _ in range(5)]
    assert [answer.text for answer in answers] == ["well"] * 5
    assert proxy.connections == 1


@asynccontextmanager
async def tunnels() -> AsyncIterator[tuple[int, list[str]]]:
    """Yield the port of a proxy for HTTPS, and what it was asked to connect to."""
    asked: list[str] = []
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.partition(" HTTP/")[0])
        host, _, port = asked[-1].removeprefix("CONNECT ").rpartition(":")
        there = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        pumps.update((asyncio.create_task(pump(reader, there[1])), asyncio.create_task(pump(there[0], writer))))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        if pumps:
            await asyncio.wait(pumps, timeout=5)


async def test_https_goes_through_a_tunnel_and_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path)
    async with tunnels() as (port, asked), raw_endpoint(tls_with(certificate)) as endpoint:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        certificates.cache_clear()
        assert (await fault_of(endpoint.base_url)).fault.breakage is Breakage.CERTIFICATE
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        certificates.cache_clear()
        assert await ask(endpoint.base_url) == "well"
    certificates.cache_clear()
    assert asked == [f"CONNECT 127.0.0.1:{endpoint.port}"] * 2
    assert "Proxy-Authorization" not in endpoint.heads[0]


async def test_the_answer_of_a_proxied_endpoint_is_checked_as_any(proxy: RawEndpoint) -> None:
    proxy.will_say(reply(completion("half an", finish=None)))
    assert (await fault_of(ELSEWHERE)).fault.breakage is Breakage.UNFINISHED
