"""A small shop, and everything that answers questions about it: the whole pipeline over any chat model."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.language_models import BaseChatModel

from agents.ask import Asker
from agents.events import Event
from agents.fallback import FallbackNarrator, FallbackSuggester, FallbackWriter
from agents.followups import ModelSuggester
from agents.guardrails import ModelGuardrails, RuleGuardrails
from agents.narrator import ModelNarrator
from agents.offline.analyst import Analyst
from agents.offline.followups import OfflineSuggester
from agents.offline.narrator import OfflineNarrator
from agents.offline.writer import OfflineWriter
from agents.question import Question
from agents.sql_writer import SQLWriter
from bootstrap import OFFLINE
from tools.catalog import Catalog, Found
from tools.reflection import read_catalog
from tools.saved_questions import SavedQuestions
from tools.sql_guard import Guard
from tools.sql_runner import open_runner

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

TODAY = date(2026, 11, 20)
QUESTION = "How many orders are there by city?"
"""The offline analyst knows its answer, and so does the stand-in."""
ROWS = {("Oslo", 2), ("Bergen", 1)}


@dataclass(frozen=True)
class WholeSchema:
    """Finds every table, whatever is asked."""

    catalog: Catalog

    async def find(self, question: str) -> Found:
        return Found(self.catalog.tables)


@dataclass(frozen=True)
class Shop:
    """The shop's database, and those who answer about it without a model."""

    file: Path
    offline: Asker
    analyst: Analyst

    def teach(self, model: StandIn) -> None:
        """Let a stand-in answer about the shop."""
        analyst = self.analyst
        model.answers_for(
            self.offline.catalog,
            writer=OfflineWriter(analyst),
            narrator=OfflineNarrator(),
            suggester=OfflineSuggester(analyst),
        )

    def asker(self, model: BaseChatModel) -> Asker:
        """Return who answers with the model, and without it where it is away, as bootstrap has it."""
        offline, dialect = self.offline, self.offline.catalog.dialect
        return replace(
            offline,
            guardrails=ModelGuardrails(RuleGuardrails(4_000), model),
            writer=FallbackWriter(SQLWriter(model, dialect, 8_000), offline.writer, OFFLINE),
            narrator=FallbackNarrator(ModelNarrator(model), offline.narrator, OFFLINE),
            suggester=FallbackSuggester(ModelSuggester(model, dialect), offline.suggester),
            analyst="standin",
        )


@asynccontextmanager
async def open_shop(folder: Path) -> AsyncIterator[Shop]:
    """Yield a shop whose database is in the folder."""
    file = folder / "shop.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, city TEXT, total REAL)")
        db.executemany("INSERT INTO orders (city, total) VALUES (?, ?)", [("Oslo", 10), ("Bergen", 20), ("Oslo", 5)])
    db.close()
    url = f"sqlite:///{file}"
    catalog = read_catalog(url)
    analyst = Analyst(catalog)
    async with aclosing(Guard(catalog.dialect, catalog)) as guard, aclosing(open_runner(url, row_limit=100)) as runner:
        offline = Asker(
            catalog=catalog,
            guardrails=RuleGuardrails(4_000),
            schema=WholeSchema(catalog),
            saved=SavedQuestions((), None),
            writer=OfflineWriter(analyst),
            guard=guard,
            runner=runner,
            narrator=OfflineNarrator(),
            suggester=OfflineSuggester(analyst),
            analyst=OFFLINE,
        )
        yield Shop(file, offline, analyst)


async def told(asker: Asker, text: str = QUESTION) -> list[Event]:
    """Return every event of one question."""
    async with aclosing(asker.ask(Question(text, TODAY))) as events:
        return [event async for event in events]
