"""Merges the events of an answer, so that many tokens cost as much as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llm.chat_events import Event
from llm.spending import counted


class Gathered:
    """What came of one answer and waits to be taken.

    Pieces of text, and of the arguments of tool calls, become one event that says as much. Any other event is kept as
    it is, so langchain-openai reads it as it would have read it alone.
    """

    def __init__(self) -> None:
        self.finish: str | None = None
        """The newest finish_reason."""
        self.has_something = False
        """True when what waits is more than the beginning of an answer (a role, say) before its first token."""
        self.pieces = 0
        """How many of the events brought something that the model wrote."""
        self._reported: int | None = None
        self._events: list[Event] = []
        self._texts: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._begun: set[int] = set()
        self._are_calls_regular = True

    @property
    def tokens(self) -> int:
        """How many tokens the model has written: as the endpoint counts, else the pieces that came."""
        return self.pieces if self._reported is None else self._reported

    def add(self, event: Event) -> None:
        delta = _only_delta(event)
        calls = delta.get("tool_calls") if delta else None
        if delta is None or (calls and not self._can_merge(calls)):
            self._keep(event)
            return
        text = delta.get("content") or ""
        self._texts.append(text)
        if text or calls:
            self.pieces += 1
            self.has_something = True
            for call in calls or ():
                self._merge(call)
        elif any(value for key, value in delta.items() if key != "role"):
            self.pieces += 1  # A thought that LangChain leaves out is written and paid for all the same.

    def take(self) -> list[Event]:
        """Return what waits, as few events."""
        self._close()
        events, self._events = self._events, []
        self.has_something = False
        return events

    def _keep(self, event: Event) -> None:
        self._close()
        self._events.append(event)
        if usage := event.get("usage"):
            self._reported = counted(usage.get("completion_tokens"))
        for choice in (event.get("choices") or ())[:1]:
            finish, delta = choice.get("finish_reason"), choice.get("delta") or {}
            said = bool(delta.get("content") or delta.get("tool_calls") or delta.get("function_call"))
            self.pieces += said
            self.finish = finish or self.finish
            # `_begun` does not know this one's calls.
            self._are_calls_regular = self._are_calls_regular and not delta.get("tool_calls")
            self.has_something = self.has_something or said or bool(finish)

    def _can_merge(self, calls: Sequence[Any]) -> bool:
        """Return whether LangChain would put these pieces where we would.

        It would not where a call begins twice at one index: then the rest of the answer's calls are left to it.
        """
        begun = set(self._begun)
        for call in calls:
            index, function = call.get("index"), call.get("function")
            self._are_calls_regular = self._are_calls_regular and (
                type(index) is int
                and isinstance(function, dict)
                and isinstance(function.get("arguments"), str | None)
                and not (index in begun and (call.get("id") or function.get("name")))
            )
            if self._are_calls_regular:
                begun.add(index)
        return self._are_calls_regular

    def _merge(self, piece: dict[str, Any]) -> None:
        index = piece["index"]
        self._begun.add(index)
        if (call := self._calls.get(index)) is None:
            call = self._calls[index] = _Call(piece)
        call.add(piece["function"].get("arguments"))

    def _close(self) -> None:
        if self._texts:
            delta: dict[str, Any] = {"content": "".join(self._texts)}
            if self._calls:
                delta["tool_calls"] = [call.whole() for call in self._calls.values()]
            self._events.append({"choices": [{"index": 0, "delta": delta}]})
            self._texts.clear()
            self._calls.clear()


class _Call:
    """A tool call, or the part of one that came since the last was taken."""

    def __init__(self, first: dict[str, Any]) -> None:
        self._first = first
        self._arguments: list[str] = []

    def add(self, arguments: str | None) -> None:
        if arguments is not None:
            self._arguments.append(arguments)

    def whole(self) -> dict[str, Any]:
        arguments = "".join(self._arguments) if self._arguments else None
        return {**self._first, "function": {**self._first["function"], "arguments": arguments}}


def _only_delta(event: Event) -> dict[str, Any] | None:
    """Return the delta of an event that holds nothing else of interest; None where it may hold more."""
    choices = event.get("choices")
    if not choices or event.get("usage"):
        return None
    choice = choices[0]
    delta = choice.get("delta")
    if choice.get("finish_reason") or choice.get("logprobs") or not isinstance(delta, dict):
        return None
    if delta.get("function_call") or delta.get("id") or delta.get("role") not in (None, "assistant"):
        return None
    return delta if isinstance(delta.get("content"), str | None) else None
