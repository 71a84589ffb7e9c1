"""Takes links, images and HTML out of a model's words, as they stream.

A page that shows Markdown fetches an image without a click, so one in a model's answer could carry rows away.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping

LINK_GONE = "(link left out)"

LONGEST_HELD = 200
"""Letters of a word that wait until it is known whether an address begins with it."""

# Characters that are not seen: they would hide an address from the search below. The last are half a character.
_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2064\\ufeff\\ud800-\\udfff]"
)

_HARMLESS = re.compile(r"[\w ,.;?()'\"%+\-]*")
"""Of these alone no link, tag or thought is made, but for addresses that begin with www."""


class _Filter:
    """Replaces what matches `wrong`, in text that comes in pieces.

    What matches `undecided` stands at the end and may still become wrong: it waits for the next piece. A text in which
    `sign` finds nothing holds nothing wrong, and only the characters of `tail` at its end may become it.
    """

    def __init__(
        self,
        wrong: re.Pattern[str],
        undecided: re.Pattern[str],
        mended: Mapping[str, str],
        sign: re.Pattern[str],
        tail: str,
    ) -> None:
        self._wrong, self._undecided, self._mended, self._sign, self._tail = wrong, undecided, mended, sign, tail
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        if not self._sign.search(text):
            # So it is with nearly every piece, and the search below tries three patterns at each of its letters.
            cut = max(len(text.rstrip(self._tail)), len(text) - LONGEST_HELD)
            self._held = text[cut:]
            return text[:cut]
        found = self._undecided.search(text)
        cut = found.start() if found else len(text)
        self._held = text[cut:]
        return self._wrong.sub(self._mend, text[:cut])

    def end(self) -> str:
        text, self._held = self._held, ""
        return self._wrong.sub(self._mend, text)

    def _mend(self, found: re.Match[str]) -> str:
        return self._mended[found.lastgroup or ""]


def _marks() -> _Filter:
    # Brackets become parentheses: without them Markdown has no link, image, reference or definition.
    wrong = r"""
          (?P<target>\]\([^)\n]{0,500}\))
        | (?P<open>!?\[)
        | (?P<close>\])
        | (?P<tag><[A-Za-z/!?][^<>\n]{0,200}>)
        | (?P<less><(?=[A-Za-z/!?]))
    """
    undecided = r"(?: ! | \](?:\([^)\n]{0,500})? | <[^<>\n]{0,200} )\Z"
    mended = {"target": ")", "open": "(", "close": ")", "tag": "", "less": "< "}
    return _Filter(
        re.compile(wrong, re.VERBOSE), re.compile(undecided, re.VERBOSE), mended, re.compile(r"[!\[\]<]"), tail=""
    )


def _addresses() -> _Filter:
    # Pages make links even of addresses that nothing marks as such.
    begins = r"(?: [A-Za-z][A-Za-z0-9+.\-]{0,30}:// | www\. | (?:mailto|javascript|data|tel): )"
    wrong = rf"(?P<address> {begins} [^\s<>()]+ )"
    undecided = rf"(?: {begins} [^\s<>()]* | [A-Za-z0-9+.\-]{{1,{LONGEST_HELD}}}(?::/?)? )\Z"
    flags = re.VERBOSE | re.IGNORECASE
    # Letters beyond ASCII may count as one of these where case does not.
    sign = re.compile(r":|[wW]{3}\.|[^\x00-\x7f]")
    tail = string.ascii_letters + string.digits + "+.-"
    return _Filter(re.compile(wrong, flags), re.compile(undecided, flags), {"address": LINK_GONE}, sign, tail)


_THOUGHT_BEGINS, _THOUGHT_ENDS = "<think>", "</think>"


class PlainText:
    """Passes text on piece by piece; what could be the beginning of a link or a tag waits until that is decided.

    Local models think aloud between <think> tags before they answer; that is left out too.
    """

    def __init__(self) -> None:
        self._before = ""
        """What may still be a thought."""
        self._has_begun = False
        # The addresses come second, lest one be put together by what the first leaves out.
        self._marks, self._addresses = _marks(), _addresses()

    def feed(self, piece: str) -> str:
        """Return what may be shown by now, "" where all of it must wait."""
        return self._addresses.feed(self._marks.feed(self._without_thoughts(_UNSEEN.sub("", piece))))

    def end(self) -> str:
        """Return the rest; nothing follows it."""
        rest = "" if self._before.startswith(_THOUGHT_BEGINS) else self._before
        self._before = ""
        return self._addresses.feed(self._marks.feed(rest) + self._marks.end()) + self._addresses.end()

    def _without_thoughts(self, piece: str) -> str:
        if self._has_begun:
            return piece
        self._before = (self._before + piece).lstrip()
        if self._before.startswith(_THOUGHT_BEGINS):
            _, end, answer = self._before.partition(_THOUGHT_ENDS)
            if not end:
                return ""
            self._before = answer.lstrip()
        if not self._before or _THOUGHT_BEGINS.startswith(self._before):
            return ""
        answer, self._before, self._has_begun = self._before, "", True
        return answer


def plain(text: str, limit: int) -> str:
    """Return a model's sentence in one line without links, images and HTML, at most `limit` characters long."""
    cleaned = text[: limit * 10]
    if not _HARMLESS.fullmatch(cleaned) or "www" in cleaned.lower():
        cleaner = PlainText()
        cleaned = cleaner.feed(cleaned) + cleaner.end()
    line = " ".join(cleaned.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
