"""Reads one whole answer from a reply, or says what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from llm.pool_faults import Blame, Breakage, CallFailed, Fault, Kind, classify
from llm.requester_wire import Reply
from llm.spending import counted

# What an endpoint that is well says of an answer that is none: nobody else would say otherwise.
_CUT_OFF = Fault(Kind.FINAL, "cut the answer off at its length limit", Blame.REQUEST, 200)
_HELD_BACK = Fault(Kind.FINAL, "held the answer back with its content filter", Blame.REQUEST, 200)
_REFUSED = Fault(Kind.FINAL, "has a model that refused to answer", Blame.REQUEST, 200)


@dataclass(slots=True)
class Answer:
    """What the model said."""

    text: str
    usage: dict[str, Any] | None
    """The tokens it took, as the endpoint tells them."""
    tool_calls: list[dict[str, Any]] | None = None
    """As the endpoint wrote them; each one's arguments are whole JSON."""
    fault: Fault | None = None
    """Why it cannot stand as it is, though the endpoint has done its work."""

    @property
    def tokens(self) -> int | None:
        """How many tokens it took in all; None where the endpoint does not say, or what cannot be."""
        return counted(self.usage.get("total_tokens")) if self.usage is not None else None


def read_answer(reply: Reply) -> Answer:
    """Return the first choice's answer.

    Raises CallFailed for a status that is no success, an error inside a success, and whatever is no whole answer.
    """
    status, headers, raw = reply
    if status != 200:
        raise CallFailed(classify(status, raw), headers)
    try:
        body = orjson.loads(raw)
        if body.get("error"):
            raise CallFailed(classify(status, body), headers)
        choice = body["choices"][0]
        message = choice["message"]
        text, calls, finish = message.get("content"), message.get("tool_calls"), choice.get("finish_reason")
        usage = body.get("usage")
    except (ValueError, TypeError, LookupError, AttributeError):
        raise _garbled(reply) from None
    if not isinstance(usage, dict):
        usage = None
    if finish == "stop" and type(text) is str and not calls:
        return Answer(text, usage)
    if finish == "error" or choice.get("error"):
        # As OpenRouter says it, where the endpoint behind it fails.
        raise CallFailed(classify(status, choice), headers)
    return _unusual(reply, message, finish, usage)


def _unusual(reply: Reply, message: dict[str, Any], finish: object, usage: dict[str, Any] | None) -> Answer:
    """Return what an answer says that is more than text which has ended; raises CallFailed for what is none."""
    text, calls, refusal = message.get("content"), message.get("tool_calls"), message.get("refusal")
    said = next((said for said in (text, refusal) if isinstance(said, str) and said), "")
    if finish == "length":
        return Answer(said, usage, fault=_CUT_OFF)
    if finish == "content_filter":
        return Answer(said, usage, fault=_HELD_BACK)
    if not finish:
        raise CallFailed(classify(Breakage.UNFINISHED), reply.headers)
    if calls:
        if not isinstance(calls, list) or not all(map(_is_whole, calls)):
            raise _garbled(reply)
        return Answer(said, usage, calls)
    if isinstance(text, str) and (text or finish != "tool_calls"):
        return Answer(text, usage)
    if said:
        return Answer(said, usage, fault=_REFUSED)
    raise _garbled(reply)


def _is_whole(call: object) -> bool:
    """Return whether the tool's name is there, and its arguments are a JSON object."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return False
    try:
        return isinstance(orjson.loads(function["arguments"]), dict)
    except (ValueError, TypeError, KeyError):
        return False


def _garbled(reply: Reply) -> CallFailed:
    return CallFailed(classify(Breakage.GARBLED), reply.headers)
