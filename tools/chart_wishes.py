"""Reads what a person wants of the chart: "as a line", "stacked", "on a log scale", "without a chart"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["bar", "line", "area", "scatter", "pie", "heatmap", "number"]

_NOUN = r"(?:charts?|graphs?|plots?|diagrams?)"
_ONE_NOUN = r"(?:chart|graph|diagram)"
_ASKED = r"(?:(?:please |can you |could you )*(?:show|give|draw|make|create|plot)(?: me)? )?"
_NAMES: tuple[tuple[Kind, str], ...] = (
    ("pie", r"pies?|doughnuts?|donuts?"),
    ("heatmap", r"heat ?maps?"),
    ("scatter", r"scatter(?: ?plots?)?"),
    ("area", r"areas?"),
    ("line", r"lines?"),
    ("bar", r"bars?|columns?"),
)
_HOW = r"(?:(?:stacked|grouped|horizontal|vertical|simple|nice) )?"
_STACKED = re.compile(r"\bstack(?:ed)?\b", re.I)
_UNSTACKED = re.compile(r"\b(?:unstack(?:ed)?|not stacked|grouped|side by side)\b", re.I)
_LOG = re.compile(r"\blog(?:arithmic)?(?: y)?(?:[ -](?:scale|axis))?\b", re.I)
_LINEAR = re.compile(r"\b(?:linear|normal)(?: y)?[ -](?:scale|axis)\b", re.I)
_NONE = re.compile(r"\b(?:(?:without|no|hide|remove) (?:the |a |any )?(?:chart|graph|plot)|(?:as|in) a table)\b", re.I)
_PHRASE = (
    r"[,;]?\s*\b(?:(?:please )?(?:draw|plot|show) (?:it|that|this|them) )?(?:as|in|with|on|into) (?:an? |the )?{how}"
    r"(?:{names})(?: {noun})?\b(?! (?:of|for|by) the)"
)

_OF_A_CHART = re.compile(rf"\b(?:as|into|{_NOUN}|(?:un)?stacked|scale|axis)\b", re.I)
"""What a word like “area” or “lines” after a comma needs beside it, to be no further thing to split by."""

_FILLERS = frozenset(
    "a again an and answer as but can chart change could data diagram display draw for give graph horizontal i in "
    "instead into it just like make me nice now of on one only please plot put render results rows same scale show "
    "simple switch that the them then these this those to turn use values version vertical view want with would y "
    "axis you again charts graphs plots into rather".split()
)
_MEANING = frozenset(
    "pie pies doughnut doughnuts donut donuts heat heatmap heatmaps map maps scatter scatterplot scatterplots area "
    "areas line lines bar bars column "
    "stack stacked unstack unstacked not grouped side by log logarithmic linear normal without no hide remove any "
    "table".split()
)


@dataclass(frozen=True)
class Wish:
    """What is wanted; None where nothing was said about it."""

    kind: Kind | Literal["none"] | None = None
    stacked: bool | None = None
    log: bool | None = None

    def __bool__(self) -> bool:
        return self != Wish()

    def after(self, earlier: Wish) -> Wish:
        """Return both wishes in one; what was said last counts."""
        # On a logarithmic scale a stack's parts could not be compared: of these two the later one counts.
        stacked = self.stacked if self.stacked is not None or self.log else earlier.stacked
        log = self.log if self.log is not None or self.stacked else earlier.log
        return Wish(self.kind or earlier.kind, stacked, log)


def read_wish(text: str) -> Wish:
    """Return what the text wants of the chart."""
    question, tail = _parted(text)
    if tail:
        return read_wish(tail).after(read_wish(question))
    alone = is_wish_alone(text)
    return Wish(_kind(text, alone=alone), *_manner(text, alone=alone))


def is_wish_alone(text: str) -> bool:
    """Return whether the text speaks of the chart alone, so that the rows stay as they are."""
    words = re.findall(r"[^\W_]+", text.lower())
    return (
        bool(words)
        and all(word in _FILLERS or word in _MEANING for word in words)
        and bool(Wish(_kind(text, alone=True), *_manner(text, alone=True)))
    )


def without_wish(text: str) -> str:
    """Return the question without its words on the chart: rules read a question to its last word."""
    names = "|".join(names for _, names in _NAMES)
    text, _ = _parted(text)
    rest = re.sub(_PHRASE.format(how=_HOW, names=names, noun=_NOUN), " ", text, flags=re.I)
    rest = re.sub(rf"[,;]?\s*\b(?:on|with|in) an? {_LOG.pattern}", " ", rest, flags=re.I)
    rest = re.sub(rf"[,;]?\s*{_NONE.pattern}", " ", rest, flags=re.I)
    # "A chart" alone is drawn as the rows suggest; "plots of land" and "the charts with most sales" are rows.
    a_chart = rf"(?:an? |the )?{_HOW}(?:{names}) {_NOUN}|an? {_HOW}{_ONE_NOUN}"
    rest = re.sub(rf"^\s*{_ASKED}(?:{a_chart}) (?:of|showing|with) ", "", rest, flags=re.I)
    rest = re.sub(r"^\s*(?:please )?(?:plot|graph|visuali[sz]e) (?!of\b)(?=\w)", "", rest, flags=re.I)
    rest = re.sub(rf"[,;]?\s+(?:as|in|with) an? {_ONE_NOUN}(?=[\s.?!]*$)", "", rest, flags=re.I)
    rest = re.sub(r"\s+([?.!,])", r"\1", re.sub(r"\s+", " ", rest)).strip()
    return rest or text


def _parted(text: str) -> tuple[str, str]:
    """Return the question, and what stands of the chart alone after its last comma: "revenue by month, stacked"."""
    question, _, tail = text.rstrip(" .?!").rpartition(",")
    if question.strip() and is_wish_alone(tail) and _OF_A_CHART.search(tail):
        return question.strip(), tail.strip()
    return text, ""


def _kind(text: str, *, alone: bool) -> Kind | Literal["none"] | None:
    if _NONE.search(text):
        return "none"
    for kind, names in _NAMES:
        near = rf"(?:{names}) {_NOUN}|(?:as|into) (?:an? |the )?{_HOW}(?:{names})"
        if re.search(rf"\b(?:{names if alone else near})\b", text, re.I):
            return kind
    return None


def _manner(text: str, *, alone: bool) -> tuple[bool | None, bool | None]:
    """Return whether it is to be stacked, and whether its scale is to be logarithmic."""
    is_of_chart = alone or re.search(rf"\b{_NOUN}\b|\b(?:bars?|lines?|areas?|scale|axis)\b", text, re.I)
    if not is_of_chart:
        return None, None
    stacked = False if _UNSTACKED.search(text) else True if _STACKED.search(text) else None
    log = False if _LINEAR.search(text) else True if _LOG.search(text) else None
    return stacked, log
