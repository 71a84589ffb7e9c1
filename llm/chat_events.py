"""Splits a chat endpoint's event stream into its events, wherever the network has cut it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson

Event = dict[str, Any]
"""One `chat.completion.chunk`, as the endpoint wrote it."""

LINE_LARGEST = 8 * 2**20
"""Bytes; a longer line is no event."""


class Events:
    """The events of one stream, read as its standard says:
    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._is_first = True
        self.has_ended = False
        """True after [DONE]: nothing that follows counts."""

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Yield the events that this piece makes whole.

        Raises ValueError where the stream holds what is no JSON object, or no UTF-8.
        """
        block = self._rest + piece
        cut = block.rfind(b"\n") + 1
        if b"\r" in piece:
            # A \r at the very end may be the first half of a line's end.
            cut = max(cut, block.rfind(b"\r", 0, -1) + 1)
        self._rest = block[cut:]
        if len(self._rest) > LINE_LARGEST:
            raise ValueError("a line without an end")
        if cut:
            yield from self._read(block[:cut])

    def end(self) -> Iterator[Event]:
        """Yield the event that only lacks its last line's end: some servers leave it out."""
        yield from self._read(self._rest + b"\n\n")

    def _read(self, lines: bytes) -> Iterator[Event]:
        if self._is_first:
            self._is_first = False
            lines = lines.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in lines:
            lines = lines.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        for line in lines.split(b"\n")[:-1]:
            if line.startswith(b"data:"):
                self._lines.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line and self._lines and not self.has_ended:
                whole = b"\n".join(self._lines)
                self._lines.clear()
                if whole.startswith(b"[DONE]"):
                    self.has_ended = True
                elif whole:
                    yield _event(whole)


def _event(text: bytes) -> Event:
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError:
        event = json.loads(text.decode())  # It takes what some servers write for JSON: NaN, or half a surrogate pair.
    if not isinstance(event, dict):
        raise ValueError("an event that is no JSON object")
    return event
