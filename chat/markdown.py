"""Writes plain text as Markdown that shows it letter for letter, whole or as it streams."""

from __future__ import annotations

import re

_LINE_END = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_INDENT = re.compile(r"(?m)^[^\S\n]+")  # Four spaces would make code of a line.
_MARKUP = re.compile(
    r"[\\`*\[\]<>~|&]"  # code, emphasis, links, HTML, tables, entities
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis, but not snake_case
    r"|:(?=[^\W\d]|:)"  # Chainlit's page reads :name as a directive
)
_LINE_START = re.compile(r"(?m)^(\d*)([#+=.)-])")  # headings, lists, rules
_ADDRESS = re.compile(r"(?i)(?<=www)\.|(?<=:/)/|@")
_UNDECIDED = "_:\r"
"""How these are written depends on what follows; everything else depends on what stands before it at most."""


_STARTING = re.compile(r"\s*\d*")
"""A line of which it is not yet known whether it begins with a mark."""
_CONTEXT = 8
"""How many characters before a piece decide how it is written, once its line has begun."""

_PLAIN = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029\\`*\[\]<>~|&_:/@]*")
"""What is written as it stands within a line, but for a dot after "www"."""


def as_markdown(text: str) -> str:
    """Return Markdown that shows the text as it is: no link, image or markup can come out of it."""
    lines = _INDENT.sub("", _LINE_END.sub("\n", text))
    escaped = _LINE_START.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", lines))
    # A word joiner keeps GitHub's Markdown from making a link of a bare address.
    return _ADDRESS.sub("\u2060\\g<0>", escaped)


class MarkdownStream:
    """Writes text that comes in pieces as `as_markdown` writes it whole."""

    def __init__(self) -> None:
        self._line = ""
        """The last line as far as it has been written."""
        self._waiting = ""

    def feed(self, piece: str) -> str:
        """Return what can be written by now."""
        text = self._waiting + piece
        decided = text.rstrip(_UNDECIDED)
        self._waiting = text[len(decided) :]
        return self._write(decided)

    def end(self) -> str:
        """Return the rest."""
        rest, self._waiting = self._waiting, ""
        return self._write(rest)

    def _write(self, text: str) -> str:
        if self._is_plain(text):
            self._line = self._line[-_CONTEXT:] + text
            return text
        before = self._line if _STARTING.fullmatch(self._line) else "x" + self._line[-_CONTEXT:]
        written = as_markdown(before + text)[len(as_markdown(before)) :]
        self._line = _LINE_END.sub("\n", before + text).rpartition("\n")[2]
        return written

    def _is_plain(self, text: str) -> bool:
        """Return whether the text, like most, is written as it stands."""
        if not _PLAIN.fullmatch(text) or _STARTING.fullmatch(self._line):
            return False
        return "." not in text or "www" not in (self._line[-_CONTEXT:] + text).lower()
