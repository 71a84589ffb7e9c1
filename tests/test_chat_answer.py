"""What an answer puts on the page, and that its work does not keep other people's pages waiting."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from agents.events import ChartDrawn, RowsFound, SQLWritten, TextChunk
from agents.question import Draft
from tools.chart import Chart
from tools.sql_runner import Rows

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What Chainlit imports is written for older versions of what that imports.
    from chainlit.context import init_http_context

    import chat.answer
    from chat.answer import Answer

ROWS = Rows(("month", "revenue"), tuple((f"2026-{n:02}", n) for n in range(1, 13)), False, 0.0)
CHART = Chart("line", "Revenue by month", "month", ("revenue",))


@pytest.mark.parametrize("name", ["draw", "table"])
async def test_large_results_are_drawn_and_written_beside_the_event_loop(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = getattr(chat.answer, name)
    threads: list[threading.Thread] = []

    def noting(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return real(*arguments)

    monkeypatch.setattr(chat.answer, name, noting)
    init_http_context()
    answer = Answer("offline analyst", ())
    for event in (RowsFound(ROWS), ChartDrawn(CHART)):
        await answer.show(event)
    assert threads
    assert threading.main_thread() not in threads


async def test_an_assumption_that_the_words_hold_is_not_repeated() -> None:
    init_http_context()
    answer = Answer("offline analyst", ())
    await answer.show(SQLWritten(Draft("SELECT 1", "x", ("May is *this* May.", "All years count.")), 1))
    await answer.show(TextChunk("No rows match. May is *this*"))
    await answer.show(TextChunk(" May."))
    await answer.close("answered")
    [ending] = [element for element in answer._shown.values() if "status" in element.props]  # type: ignore[attr-defined]
    assert ending.props["assumptions"] == ["All years count."]  # type: ignore[attr-defined]
