"""Tells the first few rows of each group: the best-selling product of each store, the latest order of each customer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from agents.offline.meaning.naming import Naming
from agents.offline.telling.clues import Clues
from agents.offline.telling.nouns import counted_rows
from agents.offline.telling.phrases import listed, number_word, row_name, said
from agents.offline.telling.ranked import Ranked
from tools.columns import Shape, is_first_and_last_name

_NAMED = 5
"""How many groups, or rows of one, a sentence names."""


def firsts_told(
    columns: Sequence[Shape], ranked: Ranked, clues: Clues, words: str, cut: bool, foreign: Naming | None
) -> Iterator[str]:
    """Yield sentences on rows that are the first of each group; `words` are what they rank by.

    `cut` says that there are more rows than these.
    """
    head = _one_label([columns[n] for n in ranked.heads])
    others = [c for c in columns if c.position not in {*ranked.heads, ranked.by}]
    nameless = [c for c in others[:1] if c.role == "id" and c.is_unique]  # an order by its number, not by its channel
    label = _one_label(nameless or [c for c in others if c.role in {"group", "time", "cycle"}] or others[:1])
    measure = columns[ranked.by]
    if head is None or label is None:
        return
    rows: dict[Any, list[int]] = {}
    for n, value in enumerate(head.values):
        rows.setdefault((value, n if ranked.namesakes and ranked.limit == 1 else 0), []).append(n)
    these = "this is the one" if ranked.limit == 1 else f"these are the {number_word(ranked.limit)}"
    what = f"{these} with the {_end(measure, ranked)} {words}"
    known = not cut and not ranked.namesakes
    if cut:
        yield f"There are more rows than fit: these are the first {len(head.values):,}."
    if known:
        groups = f"each of the {counted_rows(len(rows), head, clues, foreign)}" if len(rows) > 1 else row_name(head, 0)
    else:
        groups = f"each {counted_rows(1, head, clues, foreign).removeprefix('1 ')}"
    yield f"For {groups}, {what}."
    named = list(rows.values())[: _NAMED if ranked.limit == 1 else 1]
    left = len(rows) - len(named) if known and ranked.limit == 1 else 0
    more = f"; and {number_word(left)} more" if left else ""
    yield f"{'; '.join(f'{row_name(head, ns[0])}: {_called(label, measure, ns)}' for ns in named)}{more}."
    if known and (tied := sum(len(ns) > 1 for ns in rows.values())) and ranked.limit == 1:
        yield f"In {number_word(tied)} of them several come equal."
    elif known and any(len(ns) < ranked.limit for ns in rows.values()):
        yield "Where there are fewer, all of them are shown."


def _called(label: Shape, measure: Shape, rows: Sequence[int]) -> str:
    what = f"{label.words.lower().removesuffix(' id')} " if label.role == "id" else ""
    names = [f"{what}{row_name(label, n)} ({said(measure, measure.values[n])})" for n in rows[:_NAMED]]
    more = [f"{len(rows) - _NAMED} more"] if len(rows) > _NAMED else []
    return listed([*names, *more])


def _end(measure: Shape, ranked: Ranked) -> str:
    if measure.role == "time":
        return "latest" if ranked.descending else "earliest"
    return "highest" if ranked.descending else "lowest"


def _one_label(shapes: Sequence[Shape]) -> Shape | None:
    """Return the column that names rows; a first and a last name are one."""
    if len(shapes) > 1 and is_first_and_last_name(shapes[0].name, shapes[1].name):
        names = zip(shapes[0].values, shapes[1].values, strict=True)
        whole = tuple(" ".join(str(part) for part in pair if part is not None) or None for pair in names)
        return replace(shapes[0], words="Name", values=whole)
    return shapes[0] if shapes else None
