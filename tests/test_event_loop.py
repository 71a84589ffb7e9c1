"""Nothing on a question's way blocks the event loop: no file, no socket, no sleep, no database."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from blockbuster import BlockBuster, BlockingError, blockbuster_ctx
from pydantic import SecretStr

from agents.ask import Asker
from agents.events import Event, Finished
from agents.offline.analyst import Analyst
from agents.offline.followups import OfflineSuggester
from agents.offline.narrator import OfflineNarrator
from agents.offline.writer import OfflineWriter
from agents.question import Question
from bootstrap import open_asker
from tests.asked import offline_settings

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

TODAY = date(2026, 11, 20)


@pytest.fixture
def detector() -> Iterator[BlockBuster]:
    with blockbuster_ctx() as detector:
        detector.deactivate()  # until the clients are open: opening reads files once, before anybody asks
        yield detector
        detector.deactivate()


@pytest.fixture
async def asker(tmp_path: Path) -> AsyncIterator[Asker]:
    async with open_asker(offline_settings(tmp_path)) as asker:
        yield asker


async def events_of(asker: Asker, text: str) -> list[Event]:
    async with aclosing(asker.ask(Question(text, TODAY))) as events:
        return [event async for event in events]


async def test_the_offline_analyst_does_not_block(asker: Asker, detector: BlockBuster) -> None:
    detector.activate()
    events = await events_of(asker, "How many customers are there?")
    assert isinstance(events[-1], Finished) and events[-1].status == "answered"


async def test_a_model_does_not_block(tmp_path: Path, model_server: StandIn, detector: BlockBuster) -> None:
    settings = offline_settings(tmp_path).model_copy(
        update={"openai_base_url": model_server.base_url, "openai_api_key": SecretStr("none"), "model": "standin"}
    )
    async with open_asker(settings) as asker:
        model_server.answers_for(
            asker.catalog,
            writer=OfflineWriter(Analyst(asker.catalog)),
            narrator=OfflineNarrator(),
            suggester=OfflineSuggester(Analyst(asker.catalog)),
        )
        detector.activate()
        events = await events_of(asker, "How many customers are there?")
        detector.deactivate()
    assert events[-1].status == "answered"  # type: ignore[union-attr]
    assert len(model_server.requests) == 4  # the guardrail, the writer, the narrator, the follow-ups


async def test_the_detector_sees_what_blocks(detector: BlockBuster) -> None:
    detector.activate()
    with pytest.raises(BlockingError):
        time.sleep(0.001)  # noqa: ASYNC251
