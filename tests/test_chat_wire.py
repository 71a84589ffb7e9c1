"""What our model makes of a stream: the same as langchain-openai's own client, in fewer chunks, and no later."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from resource import RUSAGE_THREAD, getrusage
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk

from endpoints import Endpoint
from errors import ModelMisbehaved, ModelUnavailable
from llm.chat import ChatModel, open_chat_model
from llm.chat_events import Events
from llm.chat_wire import INTERVAL_LONGEST, Interval
from tests.recorded_endpoint import RecordedEndpoint, recorded_endpoint

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

ASKED = [("human", "Which city spent most?")]
RECORDED = {f.stem: f.read_bytes() for f in sorted((Path(__file__).parent / "corpus" / "streams").glob("*.sse"))}
HURRIED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
async def endpoint() -> AsyncIterator[RecordedEndpoint]:
    async with recorded_endpoint(interval=0.002) as running:
        yield running


async def sum_of(model: BaseChatModel, **kwargs: Any) -> dict[str, Any]:
    """Return all that a stream adds up to, but the identity that LangChain draws by lot.

    Ours refuses in the end what it has passed on of calls whose arguments are not whole, and only those.
    """
    whole: AIMessageChunk | None = None
    refused = False
    try:
        async for chunk in model.astream(ASKED, **kwargs):
            assert isinstance(chunk, AIMessageChunk)
            whole = chunk if whole is None else whole + chunk
    except ModelMisbehaved as misbehaved:
        assert "arguments that are not whole" in str(misbehaved)
        refused = True
    if isinstance(model, ChatModel):
        calls = whole.tool_call_chunks if whole is not None else []
        assert refused is not all(are_whole(call["args"]) for call in calls)
    assert whole is not None and whole.id is not None and whole.id.startswith("lc_run")
    return whole.model_dump(exclude={"id", "chunk_position"})


def are_whole(arguments: str | None) -> bool:
    if not arguments or arguments.isspace():
        return True
    try:
        return isinstance(json.loads(arguments), dict)
    except ValueError:
        return False


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """Return the stream in pieces; the places may be any numbers."""
    at = sorted({0, len(stream), *(place % len(stream) for place in places)})
    return [stream[begin:end] for begin, end in pairwise(at)]


PLACES = st.lists(st.integers(0, 2**20), max_size=40)
PAUSES = st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.003]), max_size=8)


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_stream_says_what_the_plain_client_reads(endpoint: RecordedEndpoint, name: str) -> None:
    stream = RECORDED[name]
    endpoint.pieces = [stream]
    expected = await sum_of(endpoint.plain)
    assert await sum_of(endpoint.ours) == expected
    # In pieces that cut letters, lines and calls wherever they like.
    endpoint.pieces = cut(stream, list(range(0, len(stream), 7)))
    assert await sum_of(endpoint.ours) == expected


def text(delta: str) -> dict[str, Any]:
    return {"content": delta}


def call(index: int, arguments: str | None, ident: str | None = None, name: str | None = None) -> dict[str, Any]:
    head = {"id": ident, "type": "function"} if ident else {}
    function = {**({"name": name} if name else {}), **({} if arguments is None else {"arguments": arguments})}
    return {"tool_calls": [{"index": index, **head, "function": function}]}


WORDS = st.text(st.characters(codec="utf-8"), max_size=6)
DELTAS = st.one_of(
    st.builds(text, WORDS),
    st.builds(text, WORDS),
    st.builds(text, WORDS.filter(bool)).map(lambda delta: {"role": "assistant", **delta}),
    st.builds(lambda thought: {"content": None, "reasoning_content": thought}, WORDS),
    st.builds(call, st.integers(0, 2), WORDS),
    st.builds(call, st.integers(0, 2), st.sampled_from(["{}", " ", '{"sql": "SELECT 1"}'])),
    st.builds(lambda index, *more: call(index, more[0], f"call_{index}", more[1]),
              st.integers(0, 2), st.none() | WORDS, st.sampled_from(["f", "g"])),
    st.builds(lambda one, two: {"tool_calls": [*one["tool_calls"], *two["tool_calls"]]},
              st.builds(call, st.just(0), WORDS), st.builds(call, st.just(1), WORDS)),
    st.builds(lambda words: {"function_call": {"name": None, "arguments": words}}, WORDS),
)  # fmt: skip
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Draw a stream that ends well; a call may be named in several pieces, or never.

    Two calls at one index are left out: what LangChain's own sum makes of them depends on which pieces it adds first.
    """
    end, space = draw(st.sampled_from([b"\n", b"\r\n"])), draw(st.sampled_from([b"", b" "]))
    only_ascii = draw(st.booleans())
    head = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}

    def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return written({**head, "choices": [choice], **more})

    def written(of: dict[str, Any]) -> bytes:
        return b"data:" + space + json.dumps(of, ensure_ascii=only_ascii).encode() + end + end

    counted: list[dict[str, Any]] = [{}, {}, {}, {"usage": None}, {"usage": USAGE}]
    events = [event(delta, **draw(st.sampled_from(counted))) for delta in draw(st.lists(DELTAS, max_size=16))]
    for place in draw(st.lists(st.integers(0, len(events)), max_size=3)):
        events.insert(place, draw(st.sampled_from([b": wait", b"event: chunk"])) + end)
    first = [event({"role": "assistant", "content": draw(st.sampled_from(["", None]))})] * draw(st.booleans())
    last = [event({"content": "."}), event({}, "stop", **draw(st.sampled_from(counted)))]
    apart = [written({**head, "choices": [], "usage": USAGE})] * draw(st.booleans())
    return b"".join([*first, *events, *last, *apart, b"data: [DONE]", end, end])


@HURRIED
@given(stream=streams(), places=PLACES, pauses=PAUSES)
async def test_any_stream_says_what_the_plain_client_reads(
    endpoint: RecordedEndpoint, stream: bytes, places: list[int], pauses: list[float]
) -> None:
    endpoint.pieces, endpoint.pauses = [stream], ()
    expected = await sum_of(endpoint.plain)
    endpoint.pieces, endpoint.pauses = cut(stream, places), pauses
    assert await sum_of(endpoint.ours) == expected


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"model": "m", "choices": [choice]}).encode()


HELLO, WORLD, STOP, DONE = event(text("Hello")), event(text(" wörld")), event({}, "stop"), b"data: [DONE]"
MULTI_LINE = HELLO.replace(b', "choices"', b',\ndata: "choices"')

ODD_STREAMS = {
    "no line end after the last event": b"\n\n".join([HELLO, WORLD, STOP]),
    "no [DONE]": b"\n\n".join([HELLO, WORLD, STOP, b""]),
    "carriage returns only": b"\r\r".join([HELLO, WORLD, STOP, DONE, b""]),
    "a byte order mark": b"\xef\xbb\xbf" + b"\n\n".join([HELLO, WORLD, STOP, DONE, b""]),
    "an event over two lines": b"\n\n".join([MULTI_LINE, WORLD, STOP, DONE, b""]),
    "an event over two lines that end with two letters": b"\r\n\r\n".join(
        [MULTI_LINE.replace(b"\n", b"\r\n"), WORLD, STOP, DONE, b""]
    ),
    "a ping without data": b"\n\n".join([b"event: ping", HELLO, b"event: ping\ndata:", WORLD, STOP, DONE, b""]),
    "rubbish after [DONE]": b"\n\n".join([HELLO, WORLD, STOP, DONE, b"data: rubbish", b""]),
}


@pytest.mark.parametrize("stream", ODD_STREAMS.values(), ids=ODD_STREAMS.keys())
@pytest.mark.parametrize("size", [1, 5, 10_000])
async def test_an_odd_stream_is_read_as_it_is_meant(endpoint: RecordedEndpoint, stream: bytes, size: int) -> None:
    endpoint.pieces = cut(stream, list(range(0, len(stream), size)))
    assert (await sum_of(endpoint.ours))["content"] == "Hello wörld"


@pytest.mark.parametrize("stream", ODD_STREAMS.values(), ids=ODD_STREAMS.keys())
def test_events_are_the_same_wherever_they_are_cut(stream: bytes) -> None:
    def read(pieces: list[bytes]) -> list[Any]:
        events = Events()
        return [*(event for piece in pieces for event in events.feed(piece)), *events.end()]

    assert len(read([stream])) == 3
    assert read([bytes([byte]) for byte in stream]) == read([stream])


async def test_a_packed_stream_is_unpacked(endpoint: RecordedEndpoint) -> None:
    endpoint.headers = {"Content-Encoding": "gzip"}
    endpoint.pieces = cut(gzip.compress(RECORDED["openai-text"]), [30, 90, 400])
    assert (await sum_of(endpoint.ours))["content"].startswith("Rome spent most: 1204.50 €")


BROKEN_STREAMS = {
    "no JSON": (b"data: {nonsense", ModelUnavailable, "broke off before its end"),
    "no object": (b"data: [1]", ModelUnavailable, "broke off before its end"),
    "no UTF-8": (b"data: \xff", ModelUnavailable, "broke off before its end"),
    "an error": (b'data: {"error": {"message": "out of memory: sk-test"}}', ModelUnavailable, "reported an error"),
    "an error by name": (b'event: error\ndata: {"error": "sk-test"}', ModelUnavailable, "reported an error"),
}


@pytest.mark.parametrize("wrong, kind, words", BROKEN_STREAMS.values(), ids=BROKEN_STREAMS.keys())
async def test_what_came_before_a_fault_is_said_and_the_fault_is_told(
    endpoint: RecordedEndpoint, wrong: bytes, kind: type[Exception], words: str
) -> None:
    endpoint.pieces = [b"\n\n".join([HELLO, WORLD, wrong, STOP, DONE, b""])]
    said: list[str] = []
    with pytest.raises(kind, match=words) as raised:
        async for chunk in endpoint.ours.astream(ASKED):
            said.append(str(chunk.text))
    assert "".join(said) == "Hello wörld"
    assert "sk-test" not in str(raised.value)


async def test_chunks_come_by_the_interval_and_not_by_the_token(model_server: StandIn) -> None:
    model_server.will_say("word " * 200)
    model_server.speaks(tokens_per_second=200)
    async with open_chat_model([model_server.endpoint()], interval=0.1) as model:
        said = [text for chunk in [chunk async for chunk in model.astream(ASKED)] if (text := str(chunk.text))]
    assert "".join(said) == "word " * 200
    # A second's worth: eleven where the machine is idle, fewer where it is not.
    assert 3 <= len(said) <= 14


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a socket wait for so many bytes")
async def test_the_loop_wakes_once_for_each_chunk(model_server: StandIn) -> None:
    model_server.will_say("word " * 100)
    model_server.speaks(tokens_per_second=50)

    async def stream() -> tuple[int, int]:
        async with open_chat_model([model_server.endpoint()], interval=0.1) as model:
            stream = model.astream(ASKED)
            await anext(stream)
            before = getrusage(RUSAGE_THREAD).ru_nvcsw
            chunks = [chunk async for chunk in stream]
            return getrusage(RUSAGE_THREAD).ru_nvcsw - before, len(chunks)

    def on_uvloop() -> tuple[int, int]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(stream())

    wakings, chunks = await asyncio.to_thread(on_uvloop)
    assert chunks > 10
    assert wakings < 1.6 * chunks


async def test_the_first_token_does_not_wait_and_what_comes_during_a_rest_is_one_chunk(model_server: StandIn) -> None:
    model_server.will_say("one two three four")
    model_server.speaks(tokens_per_second=20)
    async with asyncio.timeout(20), open_chat_model([model_server.endpoint()], interval=2) as model:
        said = [text for chunk in [chunk async for chunk in model.astream(ASKED)] if (text := str(chunk.text))]
    assert said == ["one", " two three four"]


async def test_what_is_no_token_does_not_count_as_the_first(endpoint: RecordedEndpoint) -> None:
    prompt = b'data: {"choices": [], "prompt_filter_results": []}'
    role = event({"role": "assistant", "content": ""})
    endpoint.pieces = [b"\n\n".join(events) + b"\n\n" for events in ([prompt], [role], [HELLO], [WORLD], [STOP, DONE])]
    endpoint.pauses = [0.01] * 5
    async with asyncio.timeout(20), open_chat_model([Endpoint(endpoint.base_url, "m")], interval=600) as model:
        assert str((await anext(model.astream(ASKED))).text) == "Hello"


async def test_leaving_a_stream_while_it_rests_closes_the_request(model_server: StandIn) -> None:
    model_server.will_say("word " * 500)
    model_server.speaks(tokens_per_second=20)
    async with asyncio.timeout(20), open_chat_model([model_server.endpoint()], interval=600) as model:
        heard = asyncio.Event()

        async def listen() -> None:
            async for _ in model.astream(ASKED):
                heard.set()

        resting = asyncio.create_task(listen())
        await heard.wait()
        resting.cancel()
        await asyncio.wait([resting])
        await model_server.requests[0].broken_off.wait()


async def test_a_connection_serves_one_stream_after_the_other(endpoint: RecordedEndpoint) -> None:
    endpoint.pieces = [RECORDED["openai-text"]]
    for _ in range(3):
        await sum_of(endpoint.ours)
    assert len(endpoint.connections) == 1


async def test_an_endpoint_that_never_hangs_up_after_its_answer_holds_nobody_up(endpoint: RecordedEndpoint) -> None:
    endpoint.pieces, endpoint.stays_open = [RECORDED["openai-text"]], True
    async with asyncio.timeout(5):
        assert (await sum_of(endpoint.ours))["content"].startswith("Rome")


def test_the_interval_grows_while_the_loop_is_late_and_comes_back() -> None:
    interval = Interval(0.1)
    assert interval.seconds == 0.1
    for _ in range(100):
        interval.woke(0.08)
    assert interval.seconds == pytest.approx(0.4, rel=0.01)
    for _ in range(100):
        interval.woke(30.0)
    assert interval.seconds == INTERVAL_LONGEST
    for _ in range(200):
        interval.woke(-0.001)
    assert interval.seconds == 0.1


def test_streams_that_began_at_any_moment_are_read_at_the_same_ticks() -> None:
    interval = Interval(0.25)
    moments = [1000.0 + step / 64 for step in range(64)]
    ticks = [interval.tick_after(moment) for moment in moments]
    assert set(ticks) == {1000.25, 1000.5, 1000.75, 1001.0, 1001.25}
    assert all(0.125 <= tick - moment < 0.375 for tick, moment in zip(ticks, moments, strict=True))
    assert interval.tick_after(1000.25 + 0.01) == 1000.5


async def test_a_stream_whose_answer_is_parsed_goes_the_sdks_way(model_server: StandIn) -> None:
    model_server.will_say('{"sunny": true}')
    form = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": {"type": "object"}}}
    async with model_server.open() as model:
        assert (await sum_of(model, response_format=form))["content"] == '{"sunny": true}'
