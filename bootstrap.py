"""Builds an `Asker` from `Settings`, opening and closing every client."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asyncer import asyncify

from agents.ask import Asker
from agents.doubt import DoubtingWriter
from agents.extension import extend
from agents.guardrails import RuleGuardrails
from agents.knowing import KnowingSchema
from agents.names_only import NamesOnlyGuardrails, NamesOnlySuggester, NamesOnlyWriter
from agents.offline.analyst import Analyst
from agents.offline.followups import OfflineSuggester
from agents.offline.knowing import KnowingWriter
from agents.offline.narrator import OfflineNarrator
from agents.offline.starting import first_questions
from agents.offline.writer import OfflineWriter
from agents.parts import Check, Endpoints, Guardrails, Investigator, Narrator, Suggester, Writer
from agents.together import together
from data import DESCRIPTIONS, STARTERS, ensure_sample
from endpoints import OPENAI, Endpoint, read_endpoints, read_hedging
from errors import SettingsInvalid
from llm.embeddings import Embedder, open_embedder
from settings import Settings
from tools.breakdown import Breakdown
from tools.catalog import Catalog
from tools.connections.address import names_files
from tools.files import files_notices, files_url, in_use
from tools.freshness import Freshness
from tools.knowledge import Knowledge, open_knowledge
from tools.line import Line
from tools.schema import Progress, Schema, open_schema
from tools.schema_catalog import Reading, catalog_key, is_as_declared, load_catalog
from tools.schema_index import Index
from tools.sql_guard import Guard
from tools.sql_runner import SQLRunner, open_runner
from tools.zero_rows import ZeroRows

if TYPE_CHECKING:
    from llm.chat import ChatModel
    from llm.chat_check import ChatCheck

log = logging.getLogger("quaestor.bootstrap")

OFFLINE = "offline analyst"

CHECK_SECONDS = 2.0
"""How long the database may take to show that it answers."""


@asynccontextmanager
async def open_asker(
    settings: Settings, *, progress: Progress | None = None, begin: Callable[[str], None] = log.info
) -> AsyncIterator[Asker]:
    """Open the database, its index and whoever answers; close them all at the end.

    `begin` is told in a sentence what takes a while: files that are read. Raises DatabaseUnavailable,
    IndexUnavailable or SettingsInvalid, each with a sentence for a person.
    """
    async with open_ground(settings, begin=begin) as ground:
        reading = await ground.read(progress=progress)
        async with ground.open_asker(reading.catalog, progress=progress) as asker:
            yield asker


@asynccontextmanager
async def open_ground(settings: Settings, *, begin: Callable[[str], None] = log.info) -> AsyncIterator[Ground]:
    """Open what does not depend on what the database holds; raises like `open_asker`."""
    database = await _database(settings, begin)
    folder = settings.home / "index" / await asyncify(catalog_key)(database.url)
    embedder = _embedder(settings)
    async with AsyncExitStack() as closing:
        if embedder:
            closing.push_async_callback(embedder.aclose)
        closing.enter_context(in_use(database.url, settings.home))
        runner = await _open_runner(settings, database, closing)
        knowledge = await closing.enter_async_context(_open_knowledge(settings, folder, embedder))
        model = await _open_model(settings, closing)
        line = Line(settings.questions_at_once, settings.queue_limit)
        yield Ground(settings, database, folder, embedder, runner, knowledge, model, line)


@dataclass(frozen=True)
class Ground:
    """What an Asker stands on: it stays open while what the database holds changes, and the Asker with it."""

    settings: Settings
    database: _Database
    folder: Path
    """Where what is known of the database is kept."""
    embedder: Embedder | None
    runner: SQLRunner
    knowledge: Knowledge
    model: _Model | None
    line: Line

    async def read(self, before: Reading | None = None, *, progress: Progress | None = None) -> Reading:
        """Return what the database holds now: `before` itself where nothing tells of a change.

        Raises DatabaseUnavailable or SettingsInvalid.
        """
        descriptions = self.database.descriptions
        return await asyncify(load_catalog)(
            self.database.url, self.folder, descriptions=descriptions, before=before, progress=progress
        )

    async def is_as_declared(self, catalog: Catalog) -> bool:
        """Return whether the database has the very tables and columns of the catalog; raises like `read`."""
        return await asyncify(is_as_declared)(catalog, self.database.url)

    @asynccontextmanager
    async def open_asker(self, catalog: Catalog, *, progress: Progress | None = None) -> AsyncIterator[Asker]:
        """Open all that depends on what the database holds; raises IndexUnavailable or SettingsInvalid."""
        settings, runner = self.settings, self.runner
        async with AsyncExitStack() as closing:
            schema = await self._open_schema(catalog, progress)
            closing.push_async_callback(schema.aclose)
            guard = Guard(catalog.dialect, catalog)
            closing.push_async_callback(guard.aclose)
            knowing = KnowingSchema(schema, self.knowledge)
            analyst = await asyncify(Analyst)(catalog)
            starters = self.database.starters or await asyncify(first_questions)(
                analyst, settings.today or date.today()
            )
            people = _people(settings, catalog, analyst, self.model)
            await _warm_up(schema, guard)
            checks: dict[str, Check] = {"database": await _database_check(runner, guard), "index": schema.probe}
            asker = Asker(
                catalog=catalog,
                guardrails=people.guardrails,
                schema=knowing,
                saved=self.knowledge,
                writer=DoubtingWriter(people.writer, guard, runner),
                guard=guard,
                runner=runner,
                narrator=people.narrator,
                suggester=people.suggester,
                analyst=people.name,
                investigator=people.investigating(knowing, guard, runner) if people.investigating else None,
                explainer=ZeroRows(guard, runner, catalog),
                freshness=Freshness(guard, runner, catalog),
                breakdown=Breakdown(guard, runner, catalog),
                names_only=people.names_only,
                starters=starters,
                notices=self.database.notices,
                checks={**checks, **people.checks},
                endpoints=people.endpoints,
                line=self.line,
            )
            yield await extend(asker, settings.extension, closing) if settings.extension else asker

    async def _open_schema(self, catalog: Catalog, progress: Progress | None) -> Schema:
        settings = self.settings
        lent = _Lent(self.embedder) if self.embedder else None
        return await Schema.open(
            catalog, self.folder, lent, settings.qdrant_url, settings.qdrant_api_key, progress=progress
        )


class _Lent:
    """An embedder that outlasts whom it is lent to."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self.embed = embedder.embed

    async def aclose(self) -> None:
        """Leave it open."""


async def _open_runner(settings: Settings, database: _Database, closing: AsyncExitStack) -> SQLRunner:
    runner = open_runner(
        database.url,
        row_limit=settings.row_limit,
        timeout=settings.query_timeout,
        threads=settings.statements_at_once,
    )
    closing.push_async_callback(runner.aclose)
    await runner.probe()
    return runner


async def _warm_up(schema: Schema, guard: Guard) -> None:
    """Load the embedding model and start the guard's process now, so that the first person does not wait for them."""
    async with together() as tasks:
        tasks.soonify(schema.find)("warm up")
        tasks.soonify(guard.check)("SELECT 1")


async def _database_check(runner: SQLRunner, guard: Guard) -> Check:
    return partial(runner.run, await guard.check("SELECT 1"), limit=1, timeout=CHECK_SECONDS)


@asynccontextmanager
async def open_index(
    settings: Settings, *, progress: Progress | None = None, rebuild: bool = False
) -> AsyncIterator[Schema]:
    """Open only the database's index, brought up to date; raises like `open_asker`."""
    database = await _database(settings)
    async with open_schema(
        database.url,
        home=settings.home,
        embedder=_embedder(settings),
        qdrant_url=settings.qdrant_url,
        qdrant_api_key=settings.qdrant_api_key,
        descriptions=database.descriptions,
        progress=progress,
        rebuild=rebuild,
    ) as schema:
        yield schema


@dataclass(frozen=True)
class _Database:
    url: str
    descriptions: Path | None = None
    starters: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


async def _database(settings: Settings, begin: Callable[[str], None] = log.info) -> _Database:
    """Return the database to ask: of files one that holds them, and the sample database where none is set."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        if not names_files(url):
            return _Database(url, settings.descriptions)
        made = await files_url(url, settings.home, begin)
        return _Database(made, settings.descriptions, notices=await files_notices(url, settings.home))
    sample = settings.home / "sample.sqlite"
    await asyncify(ensure_sample)(sample, settings.today or date.today())
    return _Database(f"sqlite:///{sample}", DESCRIPTIONS, STARTERS)


@asynccontextmanager
async def _open_knowledge(settings: Settings, folder: Path, embedder: Embedder | None) -> AsyncIterator[Knowledge]:
    name, vectors = f"{folder.name}-knowledge", folder / "knowledge.sqlite"
    index = Index(name, vectors, embedder, settings.qdrant_url, settings.qdrant_api_key)
    async with open_knowledge(settings.knowledge, index if embedder else None) as knowledge:
        yield knowledge


def _embedder(settings: Settings) -> Embedder | None:
    if settings.embedding_model and settings.model_sees == "names":
        raise SettingsInvalid(
            "QUAESTOR_EMBEDDING_MODEL sends values of the database to its endpoint, which QUAESTOR_MODEL_SEES=names "
            "forbids: take one of the two settings back."
        )
    return open_embedder(
        settings.home / "models",
        model=settings.embedding_model,
        api_key=settings.openai_api_key,
        base_url=settings.openai_base_url,
    )


@dataclass(frozen=True)
class _People:
    """Who answers."""

    name: str
    guardrails: Guardrails
    writer: Writer
    narrator: Narrator
    suggester: Suggester
    checks: Mapping[str, Check] = field(default_factory=dict)
    endpoints: Endpoints = tuple
    investigating: Callable[[KnowingSchema, Guard, SQLRunner], Investigator] | None = None
    names_only: bool = False


@dataclass(frozen=True)
class _Model:
    """The model of all endpoints."""

    names: str
    chat: ChatModel
    check: ChatCheck


async def _open_model(settings: Settings, closing: AsyncExitStack) -> _Model | None:
    endpoints = await asyncify(_endpoints)(settings)
    if not endpoints:
        return None

    # LangChain takes a second to import, so only those who use a model pay for it.
    from llm.chat import open_chat_model
    from llm.chat_check import ChatCheck

    chat = await closing.enter_async_context(
        open_chat_model(
            endpoints,
            redis_url=settings.redis_url,
            hedging=await asyncify(read_hedging)(settings.config),
            timeout=settings.model_timeout,
        )
    )
    return _Model(" or ".join(dict.fromkeys(endpoint.model for endpoint in endpoints)), chat, ChatCheck(chat))


def _people(settings: Settings, catalog: Catalog, analyst: Analyst, model: _Model | None) -> _People:
    rules, offline = RuleGuardrails(settings.question_limit), KnowingWriter(OfflineWriter(analyst), analyst)
    if model is None:
        return _People(OFFLINE, rules, offline, OfflineNarrator(analyst.lexicon.naming), OfflineSuggester(analyst))

    # As above: they bring LangChain.
    from agents.fallback import FallbackNarrator, FallbackSuggester, FallbackWriter
    from agents.followups import ModelSuggester
    from agents.guardrails import ModelGuardrails
    from agents.investigator import Investigator as ModelInvestigator
    from agents.narrator import ModelNarrator
    from agents.sql_writer import SQLWriter

    chat = model.chat
    writer = SQLWriter(chat, catalog.dialect, settings.context_tokens)
    people = _People(
        model.names,
        ModelGuardrails(rules, chat),
        FallbackWriter(writer, offline, OFFLINE),
        FallbackNarrator(ModelNarrator(chat), OfflineNarrator(analyst.lexicon.naming), OFFLINE),
        FallbackSuggester(ModelSuggester(chat, catalog.dialect), OfflineSuggester(analyst)),
        {"model": model.check},
        model.check.endpoints,
        lambda schema, guard, runner: ModelInvestigator(chat, schema, guard, runner, catalog.dialect),
    )
    if settings.model_sees == "all":
        return people
    # Whoever needs rows to do their work has no model: they are told by rules, and nobody finds out why.
    return replace(
        people,
        guardrails=NamesOnlyGuardrails(people.guardrails, catalog),
        writer=FallbackWriter(NamesOnlyWriter(writer, catalog), offline, OFFLINE),
        narrator=OfflineNarrator(analyst.lexicon.naming),
        suggester=NamesOnlySuggester(OfflineSuggester(analyst), catalog),
        investigating=None,
        names_only=True,
    )


def _endpoints(settings: Settings) -> tuple[Endpoint, ...]:
    """Return the model endpoints of the configuration, or the one of the environment; none without either."""
    default = Endpoint(settings.openai_base_url or OPENAI, settings.model, settings.openai_api_key)
    return read_endpoints(settings.config, default if settings.has_openai else None)
