"""Takes links, images and HTML out of a model's words, as they stream.

A page that shows Markdown fetches an image without a click, so one in a model's answer could carry rows away.
"""

from __future__ import annotations

import re

LINK_GONE = "(link left out)"

# Brackets become parentheses: without them Markdown has no link, image, reference or definition.
_WRONG = re.compile(
    r"""
      (?P<target>\]\([^)\n]{0,500}\))
    | (?P<open>!?\[)
    | (?P<close>\])
    | (?P<tag><[A-Za-z/!?][^<>\n]{0,200}>)
    | (?P<less><(?=[A-Za-z/!?]))
    | (?P<address>(?:[A-Za-z][A-Za-z0-9+.\-]*://|(?:www\.|(?:mailto|javascript|data|tel):)(?=\S))[^\s<>\[\])]*)
    | (?P<control>[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff])
    """,
    re.VERBOSE | re.IGNORECASE,
)

# What stands at the end and may still become one of the above: it waits for the next piece.
_UNDECIDED = re.compile(
    r"""(?:
      !
    | \](?:\([^)\n]{0,500})?
    | <[^<>\n]{0,200}
    | (?:[A-Za-z][A-Za-z0-9+.\-]*://|www\.|(?:mailto|javascript|data|tel):)[^\s<>\[\])]*
    | [A-Za-z0-9+.\-]{1,200}(?::/?)?
    )\Z""",
    re.VERBOSE | re.IGNORECASE,
)

_THOUGHT_BEGINS, _THOUGHT_ENDS = "<think>", "</think>"


class PlainText:
    """Passes text on piece by piece; what could be the beginning of a link or a tag waits until that is decided.

    Local models think aloud between <think> tags before they answer; that is left out too.
    """

    def __init__(self) -> None:
        self._held = ""
        self._has_begun = False

    def feed(self, piece: str) -> str:
        """Return what may be shown by now, "" where all of it must wait."""
        self._held += piece
        if not self._has_begun and not self._begin():
            return ""
        undecided = _UNDECIDED.search(self._held)
        cut = undecided.start() if undecided else len(self._held)
        ready, self._held = self._held[:cut], self._held[cut:]
        return _WRONG.sub(_mend, ready)

    def end(self) -> str:
        """Return the rest; nothing follows it."""
        ready, self._held = self._held, ""
        return "" if _is_thought(ready) and not self._has_begun else _WRONG.sub(_mend, ready)

    def _begin(self) -> bool:
        """Return whether the answer has begun, dropping the thoughts before it."""
        text = self._held.lstrip()
        if text.startswith(_THOUGHT_BEGINS):
            _, end, answer = text.partition(_THOUGHT_ENDS)
            self._held, self._has_begun = (answer.lstrip() if end else text), bool(end)
        else:
            self._has_begun = bool(text) and not _THOUGHT_BEGINS.startswith(text)
        return self._has_begun


def plain(text: str, limit: int) -> str:
    """Return a model's sentence in one line without links, images and HTML, at most `limit` characters long."""
    cleaner = PlainText()
    line = " ".join((cleaner.feed(text) + cleaner.end()).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _is_thought(text: str) -> bool:
    return text.lstrip().startswith(_THOUGHT_BEGINS)


def _mend(wrong: re.Match[str]) -> str:
    match wrong.lastgroup:
        case "target" | "close":
            return ")"
        case "open":
            return "("
        case "less":
            return "< "
        case "address":
            return LINK_GONE
        case "control":
            return "\n" if wrong[0] == "\x0b" else ""
        case _:
            return ""
