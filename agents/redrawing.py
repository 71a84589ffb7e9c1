"""Knows a follow-up that wants another chart of the same rows: "as a line", "stacked", "log scale"."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

from agents.question import Draft, Question
from agents.typed_sql import looks_like_sql
from tools.chart import Chart
from tools.chart_wishes import Wish, is_wish_alone, read_wish

EDITED = "A person has edited this SQL, or conditions that it keeps."
"""The rows are those of the answer before, which said so, too."""

_NAMES = {
    "bar": "a bar chart",
    "line": "a line chart",
    "area": "an area chart",
    "scatter": "a scatter plot",
    "pie": "a pie chart",
    "heatmap": "a heat map",
}


@dataclass(frozen=True)
class Redrawing:
    """An earlier question whose answer is to be drawn otherwise."""

    question: Question
    """The one that the rows answer, with the turns before it."""
    draft: Draft
    wish: Wish
    """All that was wished for since."""


def read_redrawing(question: Question) -> Redrawing | None:
    """Return what is to be drawn again, or None where the question asks for something else."""
    if not question.turns or question.edited_for is not None or not is_wish_alone(question.text):
        return None
    wishes = list(takewhile(is_wish_alone, (turn.question for turn in reversed(question.turns))))
    if len(wishes) == len(question.turns):
        return None  # What they speak of has been forgotten.
    *before, asked = question.turns[: len(question.turns) - len(wishes)]
    wish = Wish()
    for text in (asked.question, *reversed(wishes), question.text):
        wish = read_wish(text).after(wish)
    last = question.turns[-1]
    told = (EDITED,) if last.by_hand and not looks_like_sql(last.reading) else ()
    draft = Draft(last.sql, last.reading, told, trusted=last.trusted, words=told, by_hand=last.by_hand)
    return Redrawing(Question(asked.question, question.today, tuple(before)), draft, wish)


def say_redrawn(wish: Wish, chart: Chart | None) -> str:
    """Return a sentence on the chart that was drawn, and on what was wished for and cannot be."""
    if wish.kind == "none":
        return "The same rows, without a chart."
    if chart is None:
        return "These rows make no chart that could be read: the table says more."
    if chart.kind == "number":
        return "A single number makes no chart."
    drawn = f"{_NAMES[chart.kind]}"
    if wish.kind not in (None, chart.kind):
        return f"These rows do not suit {_NAMES[wish.kind]}, so here they are as {drawn}."
    if chart.is_stacked and chart.kind == "bar":
        drawn = "a stacked bar chart"
    said = f"The same rows as {drawn}"
    if chart.is_log:
        said += " on a logarithmic scale"
    if wish.stacked and not chart.is_stacked:
        return f"{said}: there is nothing to stack."
    if wish.log and not chart.is_log:
        return f"{said}; its scale cannot be logarithmic" + (
            "." if chart.kind in ("pie", "heatmap", "area") else ", because not all values are above zero."
        )
    return f"{said}."
