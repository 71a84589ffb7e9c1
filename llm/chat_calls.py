"""Sees that the arguments of tool calls are whole JSON: LangChain mends what was cut off, and calls it valid."""

from __future__ import annotations

import json

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

from errors import ModelMisbehaved
from llm.chat_json import AFTER_AN_ANSWER


class Calls:
    """The tool calls of one streamed answer, as they add up."""

    def __init__(self) -> None:
        self._sum: AIMessageChunk | None = None

    def add(self, piece: BaseMessage) -> None:
        if isinstance(piece, AIMessageChunk) and piece.tool_call_chunks:
            calls = AIMessageChunk(content="", tool_call_chunks=piece.tool_call_chunks)
            self._sum = calls if self._sum is None else self._sum + calls

    def check(self) -> None:
        """Return where all of them may be acted on; raises ModelMisbehaved otherwise."""
        for call in self._sum.tool_call_chunks if self._sum is not None else ():
            _check(call["args"])


def check_calls(message: BaseMessage) -> None:
    """Return where the calls of a whole answer may be acted on; raises ModelMisbehaved otherwise."""
    if isinstance(message, AIMessage):
        for call in message.invalid_tool_calls:
            _check(call["args"])
        for sound in message.tool_calls:
            _check(json.dumps(sound["args"]))


def _check(arguments: str | None) -> None:
    # A tool that takes no arguments is called with none by some models.
    if not arguments or not arguments.strip():
        return
    try:
        told = json.loads(arguments)
        json.dumps(told, ensure_ascii=False).encode()  # Half a surrogate pair could not be shown to anybody.
        is_whole = isinstance(told, dict)
    except (ValueError, RecursionError):
        is_whole = False
    if not is_whole:
        raise ModelMisbehaved(f"The model called a tool with arguments that are not whole. {AFTER_AN_ANSWER}")
