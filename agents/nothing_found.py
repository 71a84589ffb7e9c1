"""Tells why an answer is empty, and what to ask instead, from what the data holds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.question import Draft, Followup, Question
from tools.zero_rows import Emptying


def say_why(emptying: Sequence[Emptying]) -> str:
    """Return why the query found nothing, as a paragraph of its own; nothing where that is not known."""
    return "\n\n" + " ".join(str(one) for one in emptying) if emptying else ""


def ask_instead(question: Question, draft: Draft, emptying: Sequence[Emptying]) -> list[Followup]:
    """Return the question again with the values that the data holds, where it names those that it does not hold."""
    followups = []
    for instead in (instead for one in emptying for instead in one.instead):
        for text in (draft.reading, question.text):
            before, found, after = _parted(text, instead.wanted)
            if found:
                followups.append(Followup(f"{before}{instead.value}{after}", instead.sql))
                break
    return followups


def _parted(text: str, words: str) -> tuple[str, str, str]:
    """Return what stands before the words, they themselves, and what stands after; all is before where they do not."""
    found = re.search(re.escape(words), text, re.IGNORECASE)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")
