"""Makes the elements that stand under an answer or a greeting, and shows them on the page."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, ParamSpec

import chainlit as cl
from asyncer import asyncify
from chainlit.element import Element

from chat.table import table
from tools.chart import Chart, draw
from tools.sql_runner import Rows

P = ParamSpec("P")

FEW_ROWS = 50
"""So many are written and drawn in a millisecond, which is less than a thread costs the others."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
"""As public/theme.json has it."""


def element(name: str, for_id: str, **props: Any) -> cl.CustomElement:
    """Return an element of ours, see public/elements/."""
    return cl.CustomElement(name=name, for_id=for_id, props=props, display="inline")


async def show(shown: Element) -> None:
    # Element.send would write each version to disk, and to the history.
    await cl.context.emitter.send_element(shown.to_dict())


async def write_table(rows: Rows) -> str:
    """Return the page's table as JSON: as one text it passes through Chainlit without a look at every cell."""
    return await _for_rows(rows, _write_table, rows)


async def draw_figure(chart: Chart, rows: Rows, for_id: str) -> Element:
    """Return the chart as an element."""
    figure = _Figure.at(await _for_rows(rows, _draw, chart, rows))
    figure.for_id = for_id
    return figure


class _Figure(Element):
    """A Plotly figure that travels within its own address: no file to store, none to fetch."""

    type = "plotly"

    @classmethod
    def at(cls, address: str) -> _Figure:
        return cls(name="Chart", url=address, mime="application/json")


async def _for_rows(rows: Rows, work: Callable[P, str], *args: P.args, **kwargs: P.kwargs) -> str:
    """Return what work makes of rows: at once of a few, in a thread of many."""
    if len(rows.values) <= FEW_ROWS:
        return work(*args, **kwargs)
    return await asyncify(work)(*args, **kwargs)


def _draw(chart: Chart, rows: Rows) -> str:
    """Return the address of the chart's figure; a hundred thousand points take seconds."""
    figure = draw(chart, rows)
    # The page's font is set here and not in its CSS: Plotly measures texts outside of the page's rules.
    font = {**figure["layout"].get("font", {}), "family": FONT}
    shown = {**figure, "layout": {**figure["layout"], "font": font}, "config": {"displayModeBar": False}}
    return f"data:application/json;base64,{base64.b64encode(json.dumps(shown, default=str).encode()).decode()}"


def _write_table(rows: Rows) -> str:
    return json.dumps(table(rows))


async def greet(words: str, questions: tuple[str, ...]) -> None:
    """Say what this is, and offer questions to begin with."""
    message = cl.Message(words)
    await message.send()
    await show(element("Next", message.id, key=message.id, status="greeting", questions=list(questions)))
