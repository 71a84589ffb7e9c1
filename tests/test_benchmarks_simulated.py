"""The simulated Asker goes the whole way of a question, and only waits where others work."""

from __future__ import annotations

import re
from contextlib import aclosing
from datetime import date
from pathlib import Path

from agents.events import ChartDrawn, Finished, FollowupsSuggested, RowsFound, SQLWritten, TablesFound, TextChunk
from agents.question import Question
from benchmarks.model_speech import Pace
from benchmarks.simulated import simulate, simulate_short, simulated
from bootstrap import open_asker
from tests.asked import offline_settings


async def test_a_simulated_question_has_every_event_and_every_token(tmp_path: Path) -> None:
    async with open_asker(offline_settings(tmp_path)) as asker:
        pretending = simulated(asker, Pace(0.01, 1_000), answer_tokens=200)
        async with aclosing(pretending.ask(Question("Anything?", date(2026, 11, 21)))) as asking:
            events = [event async for event in asking]
    kinds = [type(event) for event in events]
    for kind in (TablesFound, SQLWritten, RowsFound, ChartDrawn, FollowupsSuggested):
        assert kinds.count(kind) == 1, kind
    assert isinstance(events[-1], Finished) and events[-1].status == "answered"
    said = [event.text for event in events if isinstance(event, TextChunk)]
    assert len(re.findall(r"t\d{8,} ", "".join(said))) == 200
    assert 1 < len(said) < 20, "tokens were not gathered"
    assert said[0].startswith("m")


async def test_an_extension_can_name_it(tmp_path: Path) -> None:
    async with open_asker(offline_settings(tmp_path)) as asker:
        assert (simulate(asker).analyst, simulate_short(asker).analyst) == ("simulated", "simulated")
