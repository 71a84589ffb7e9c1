"""The shapes of the OpenAI protocol that the stand-in model sends."""

from __future__ import annotations

import base64
import json
import re
import time
import zlib
from array import array
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any

DIMENSIONS = 384

_TOKEN = re.compile(r"\s*\S+|\s+\Z")


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: str
    """JSON, as a model would write it."""


@dataclass(frozen=True)
class Part:
    """Which of the calls made for one question a reply belongs to."""

    question: str
    task: str
    after: tuple[str, ...] = ()
    """The tasks of the same question that a person waited for before this one began."""


@dataclass(frozen=True)
class Reply:
    """What the model says."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    stamps: int = 0
    """Where not 0, as many tokens are said instead of the text, each the moment at which it leaves."""
    part: Part | None = None

    @cached_property
    def deltas(self) -> tuple[bytes, ...]:
        """The reply in the pieces in which it is streamed, as JSON: a token each, a tool's name by itself."""
        said = [_delta({"content": token}) for token in tokens_of(self.text)]
        for index, call in enumerate(self.tool_calls):
            said.append(_delta({"tool_calls": [_call(index, ToolCall(call.name, ""))]}))
            for piece in tokens_of(call.arguments):
                said.append(_delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
        return tuple(said)

    @property
    def length(self) -> int:
        """How many tokens it has."""
        return self.stamps or len(self.deltas)


class Stamper:
    """Writes tokens that are the moment at which they leave, in microseconds of the machine's monotonic clock.

    The first one also says, in milliseconds, how long the model itself took for the question until then. A blank
    ends each of them: nothing that cleans or gathers text has to wait for what follows.
    """

    def __init__(self, own_ms: int) -> None:
        self._own = f"m{own_ms} "
        self._last = 0

    def token(self) -> str:
        self._last = max(time.monotonic_ns() // 1_000, self._last + 1)
        own, self._own = self._own, ""
        return f"{own}t{self._last} "


def tokens_of(text: str) -> list[str]:
    """Return the text in words, each with the white space before it."""
    return _TOKEN.findall(text)


def usage(prompt_size: int, completion: int) -> dict[str, int]:
    """Return what is said about a request of `prompt_size` bytes and a reply of `completion` tokens."""
    prompt_tokens = prompt_size // 4 + 1
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": prompt_tokens + completion,
    }


def error_body(message: str, code: str | None = None, kind: str = "invalid_request_error") -> str:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def completion(ident: str, model: str, reply: Reply, finish: str | None, used: dict[str, int]) -> dict[str, Any]:
    """Return an answer that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.tool_calls:
        message["tool_calls"] = [_call(index, call) for index, call in enumerate(reply.tool_calls)]
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    head = {"id": ident, "object": "chat.completion", "created": int(time.time()), "model": model}
    return {**head, "choices": [choice], "usage": used}


class Chunks:
    """Writes the events of one stream; what is the same in each is put together once."""

    def __init__(self, ident: str, model: str) -> None:
        self._head = {"id": ident, "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
        before, after = self.event({"mark": 0}).split(_delta({"mark": 0}))
        self._before, self._after = before, after

    def delta(self, delta: bytes) -> bytes:
        """Return the event of one of `Reply.deltas`."""
        return self._before + delta + self._after

    def token(self, text: str) -> bytes:
        return self.delta(_delta({"content": text}))

    def event(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return self._line({**self._head, "choices": [choice]})

    def no_choices(self, used: dict[str, int] | None = None) -> bytes:
        return self._line({**self._head, "choices": [], **({"usage": used} if used else {})})

    def odd_choices(self) -> bytes:
        return self._line({**self._head, "choices": [1]})

    @staticmethod
    def _line(event: dict[str, Any]) -> bytes:
        return b"data: " + json.dumps(event).encode() + b"\n\n"


def _delta(delta: dict[str, Any]) -> bytes:
    return json.dumps(delta).encode()


def _call(index: int, call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"index": index, "id": f"call_{index}", "type": "function", "function": function}


def embedding(text: str, dimensions: int) -> list[float]:
    """Return a unit vector of the text's words and their trigrams, each hashed to a place: the same on any machine.

    Texts that share words lie near each other, which is all that a test of the way needs.
    """
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.casefold()) or [""]:
        padded = f"#{word}#"
        for feature in (word, *(padded[i : i + 3] for i in range(len(padded) - 2))):
            place = zlib.crc32(feature.encode())
            vector[place % dimensions] += 1.0 if place >> 31 else -1.0
    length = sqrt(sum(x * x for x in vector)) or 1.0
    return [x / length for x in vector]


def embeddings(texts: list[str], model: str, dimensions: int, as_base64: bool) -> dict[str, Any]:
    """Return the reply to an embeddings request."""
    vectors = [embedding(text, dimensions) for text in texts]
    coded = [base64.b64encode(array("f", v).tobytes()).decode() for v in vectors] if as_base64 else vectors
    tokens = sum(len(text) // 4 + 1 for text in texts)
    return {
        "object": "list",
        "model": model,
        "data": [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(coded)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
