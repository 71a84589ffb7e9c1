"""Vectors of the local model, and of an endpoint over real HTTP."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import fsum, sqrt
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from errors import ModelMisbehaved, ModelUnavailable, SettingsInvalid
from llm.embeddings import EndpointEmbedder, LocalEmbedder, Vector, open_embedder

# The first numbers that the published weights give for QUESTION, computed in float32 with numpy alone.
QUESTION = "Which five products earned the most last quarter?"
REFERENCE = [
    0.0026,
    -0.0362,
    -0.0213,
    -0.0629,
    0.0607,
    0.0862,
    0.0213,
    0.0558,
    -0.0455,
    -0.0149,
    -0.0374,
    -0.0162,
    0.0127,
    -0.0043,
    -0.0378,
    0.033,
    0.0033,
    -0.0328,
    -0.0169,
    -0.1468,
    0.0214,
    -0.0255,
    0.0124,
    0.0015,
    0.1034,
    0.098,
    -0.065,
    -0.0002,
    -0.0387,
    -0.1132,
    -0.0764,
    0.0329,
    0.0647,
    -0.0346,
    -0.0245,
    -0.0533,
    0.0228,
    -0.0244,
    0.0284,
    0.0024,
    -0.0054,
    -0.0997,
    -0.0008,
    -0.038,
    0.0301,
    -0.012,
    0.0178,
    0.0625,
]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> LocalEmbedder:
    return LocalEmbedder(tmp_path_factory.mktemp("models"))


def likeness(one: Vector, other: Vector) -> float:
    return fsum(a * b for a, b in zip(one, other, strict=True))


async def test_texts_of_like_meaning_are_near_and_others_far(local: LocalEmbedder) -> None:
    cat, kitten, invoice = await local.embed(
        ["a cat sits on the mat", "a kitten is sitting on a rug", "unpaid invoices of last quarter"]
    )
    assert likeness(cat, kitten) > 0.6
    assert likeness(cat, invoice) < 0.15


async def test_the_rounded_model_says_what_the_published_one_says(local: LocalEmbedder) -> None:
    [vector] = await local.embed([QUESTION])
    assert len(vector) == 384
    assert likeness(vector, vector) == pytest.approx(1, abs=1e-5)
    first = vector[: len(REFERENCE)]
    assert likeness(first, REFERENCE) / sqrt(likeness(first, first) * likeness(REFERENCE, REFERENCE)) > 0.97


async def test_vectors_come_in_the_order_of_their_texts(local: LocalEmbedder) -> None:
    texts = [f"{'long ' * (count % 7)}text number {count}" for count in range(70)]
    together = await local.embed(texts)
    for position in (0, 33, 69):
        [alone] = await local.embed([texts[position]])
        assert likeness(alone, together[position]) > 0.98


async def test_no_texts_and_empty_and_endless_texts_are_taken(local: LocalEmbedder) -> None:
    assert await local.embed([]) == []
    empty, endless = await local.embed(["", "word " * 20_000])
    assert len(empty) == len(endless) == 384


def test_processes_that_build_the_model_at_once_do_not_harm_each_other(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from llm.embeddings import LocalEmbedder;"
        "print(len(asyncio.run(LocalEmbedder(Path(sys.argv[1])).embed(['x']))[0]))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in processes] == ["384"] * 3
    assert [file.name for file in tmp_path.iterdir()] == ["all-MiniLM-L6-v2-int8.onnx"]


def test_nobody_is_told_of_what_is_embedded(tmp_path: Path) -> None:
    # Where onnxruntime reports, it first writes a number for the machine into its user's home; under CI it never does.
    home, models = tmp_path / "home", tmp_path / "models"
    home.mkdir()
    code = (
        "import asyncio, sys; from pathlib import Path; from llm.embeddings import LocalEmbedder;"
        "asyncio.run(LocalEmbedder(Path(sys.argv[1])).embed(['x']))"
    )
    quiet = ("CI", "PYTEST", "ORT_", "XDG_", "GITHUB_", "TF_BUILD")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(quiet)}
    subprocess.run([sys.executable, "-c", code, str(models)], env={**surroundings, "HOME": str(home)}, check=True)
    assert not list(home.rglob("*"))


async def test_questions_that_come_together_get_the_vectors_they_would_get_alone(local: LocalEmbedder) -> None:
    texts = [f"How many orders were there in {year}?" for year in range(2010, 2050)]
    together = await asyncio.gather(*(local.embed([text]) for text in texts))
    alone = LocalEmbedder(local._file.parent)
    assert [vector for [vector] in together[:3]] == [(await alone.embed([text]))[0] for text in texts[:3]]
    assert len({tuple(vector) for [vector] in together}) == len(texts)


def test_without_the_wheel_there_is_no_local_embedder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("llm.embeddings.WHEEL", "a_wheel_that_nobody_has")
    assert open_embedder(tmp_path) is None
    assert "requirements-embeddings.txt" in caplog.text


def test_a_model_named_is_asked_at_the_endpoint(tmp_path: Path) -> None:
    assert isinstance(open_embedder(tmp_path), LocalEmbedder)
    assert isinstance(open_embedder(tmp_path, model="m", api_key=SecretStr("k")), EndpointEmbedder)
    with pytest.raises(SettingsInvalid, match="OPENAI_BASE_URL is no address"):
        open_embedder(tmp_path, model="m", base_url="nowhere")


@asynccontextmanager
async def endpoint(base_url: str, timeout: float = 20) -> AsyncIterator[EndpointEmbedder]:
    embedder = EndpointEmbedder("m", api_key=SecretStr("secret"), base_url=base_url, timeout=timeout)
    try:
        yield embedder
    finally:
        await embedder.aclose()


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves `/v1/embeddings` with a handler on a free port, and returns the base URL."""
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_post("/v1/embeddings", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        return f"http://127.0.0.1:{runner.addresses[0][1]}/v1"

    yield start
    for runner in runners:
        await runner.cleanup()


def answer_of(texts: list[str]) -> dict[str, object]:
    # Backwards, because an endpoint may answer in any order: the index tells.
    rows = [{"object": "embedding", "index": i, "embedding": [float(len(text)), 1.0]} for i, text in enumerate(texts)]
    return {"object": "list", "model": "m", "data": rows[::-1], "usage": {"prompt_tokens": 1, "total_tokens": 1}}


async def test_an_endpoint_is_asked_in_batches_with_its_key_and_model(serve: Serve) -> None:
    seen: list[tuple[str, str, int]] = []

    async def handler(request: web.Request) -> web.Response:
        asked = await request.json()
        seen.append((request.headers["Authorization"], asked["model"], len(asked["input"])))
        return web.json_response(answer_of(asked["input"]))

    async with endpoint(await serve(handler)) as embedder:
        vectors = await embedder.embed(["x" * count for count in range(1, 301)])
    assert vectors == [[float(count), 1.0] for count in range(1, 301)]
    assert seen == [("Bearer secret", "m", 128), ("Bearer secret", "m", 128), ("Bearer secret", "m", 44)]


async def test_questions_that_come_together_are_one_request_and_one_asked_again_is_none(serve: Serve) -> None:
    seen: list[list[str]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((await request.json())["input"])
        return web.json_response(answer_of(seen[-1]))

    async with endpoint(await serve(handler)) as embedder:
        found = await asyncio.gather(*(embedder.embed([text]) for text in ("a", "bb", "a", "ccc")))
        assert found == [[[1.0, 1.0]], [[2.0, 1.0]], [[1.0, 1.0]], [[3.0, 1.0]]]
        assert await embedder.embed(["bb"]) == [[2.0, 1.0]]
    assert seen == [["a", "bb", "ccc"]]


async def test_a_question_that_is_refused_does_not_harm_those_beside_it(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        texts = (await request.json())["input"]
        return web.json_response({"error": "no"}, status=400) if "bad" in texts else web.json_response(answer_of(texts))

    async with endpoint(await serve(handler)) as embedder:
        asked = (embedder.embed([text]) for text in ("a", "bb", "bad", "dddd"))
        a, bb, bad, dddd = await asyncio.gather(*asked, return_exceptions=True)
    assert (a, bb, dddd) == ([[1.0, 1.0]], [[2.0, 1.0]], [[4.0, 1.0]])
    assert isinstance(bad, ModelUnavailable)


async def test_a_question_that_hangs_does_not_hold_up_the_next(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        texts = (await request.json())["input"]
        if "hangs" in texts:
            await asyncio.Event().wait()
        return web.json_response(answer_of(texts))

    async with endpoint(await serve(handler)) as embedder:
        hanging = asyncio.create_task(embedder.embed(["hangs"]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # its run has begun
        async with asyncio.timeout(15):
            assert await embedder.embed(["a"]) == [[1.0, 1.0]]
        hanging.cancel()


@pytest.mark.parametrize(
    ("response", "error", "says", "times"),
    [
        (lambda: web.json_response({"error": "no key: secret"}, status=401), ModelUnavailable, "OPENAI_API_KEY", 1),
        (lambda: web.json_response({"error": "no"}, status=404), ModelUnavailable, "refused the model m", 1),
        (lambda: web.json_response({"error": "secret is too busy"}, status=500), ModelUnavailable, "HTTP 500", 4),
        (lambda: web.Response(text="<html>hello</html>", content_type="text/html"), ModelMisbehaved, "no vectors", 4),
        (lambda: web.Response(text="{", content_type="application/json"), ModelMisbehaved, "no vectors", 4),
        (lambda: web.json_response({"data": []}), ModelMisbehaved, "vectors", 1),
        (lambda: web.json_response(answer_of(["only one"])), ModelMisbehaved, "too few", 1),
        (lambda: web.json_response({"data": [{"index": 0, "embedding": ["secret"]}]}), ModelMisbehaved, "vectors", 1),
    ],
    ids=["key", "model", "server", "html", "half", "none", "too few", "text"],
)
async def test_an_endpoints_fault_is_said_in_one_sentence_and_only_what_may_pass_is_asked_for_again(
    serve: Serve, response: Callable[[], web.Response], error: type[Exception], says: str, times: int
) -> None:
    asked = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return response()

    async with endpoint(await serve(handler)) as embedder:
        with pytest.raises(error, match=says) as raised:
            await embedder.embed(["one", "two"])
    assert asked == times
    # Not even in what a traceback in the log would print of its cause.
    assert "secret" not in "".join(traceback.format_exception(raised.value))


async def test_an_endpoint_that_asks_for_a_pause_is_given_it(serve: Serve) -> None:
    asked: list[float] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(asyncio.get_running_loop().time())
        if len(asked) == 1:
            return web.json_response({"error": "slow down"}, status=429, headers={"Retry-After": "0.3"})
        return web.json_response(answer_of((await request.json())["input"]))

    async with endpoint(await serve(handler)) as embedder:
        assert await embedder.embed(["one", "two"]) == [[3.0, 1.0], [3.0, 1.0]]
    first, second = asked
    assert second - first >= 0.3


async def test_an_endpoint_that_is_not_there_is_unavailable() -> None:
    async with endpoint("http://127.0.0.1:1/v1") as embedder:
        for _ in range(5):  # Also when it is left alone for a while.
            with pytest.raises(ModelUnavailable, match="does not answer: check OPENAI_BASE_URL"):
                await embedder.embed(["x"])


async def test_an_endpoint_that_never_answers_is_given_up(serve: Serve) -> None:
    gone = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:  # A slow drip, which a timeout between bytes never ends.
                await response.write(b" ")
                await asyncio.sleep(0.05)
        finally:
            gone.set()

    async with endpoint(await serve(handler), timeout=0.5) as embedder:
        with pytest.raises(ModelUnavailable, match="does not answer"):
            await embedder.embed(["x"])
        async with asyncio.timeout(15):
            await gone.wait()
