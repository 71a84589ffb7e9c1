"""The shapes of the OpenAI protocol that the stand-in model sends."""

from __future__ import annotations

import base64
import json
import re
import time
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
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
class Reply:
    """What the model says."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


def tokens_of(text: str) -> list[str]:
    """Return the text in words, each with the white space before it."""
    return _TOKEN.findall(text)


def usage(prompt: str, completion: int) -> dict[str, int]:
    prompt_tokens = len(prompt) // 4 + 1
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
        whole = self.event({"content": "\0"}).decode()
        before, after = whole.split(json.dumps("\0"))
        self._before, self._after = before.encode(), after.encode()

    def token(self, text: str) -> bytes:
        return self._before + json.dumps(text).encode() + self._after

    def event(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return self._line({**self._head, "choices": [choice]})

    def tool_calls(self, reply: Reply) -> Iterator[bytes]:
        """Yield each call in three pieces, as models do: its name, then its arguments in halves."""
        for index, call in enumerate(reply.tool_calls):
            half = len(call.arguments) // 2
            yield self.event({"tool_calls": [_call(index, ToolCall(call.name, ""))]})
            for piece in (call.arguments[:half], call.arguments[half:]):
                yield self.event({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def no_choices(self, used: dict[str, int] | None = None) -> bytes:
        return self._line({**self._head, "choices": [], **({"usage": used} if used else {})})

    @staticmethod
    def _line(event: dict[str, Any]) -> bytes:
        return b"data: " + json.dumps(event).encode() + b"\n\n"


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
