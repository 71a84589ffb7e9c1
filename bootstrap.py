"""Builds an `Asker` from `Settings`, opening and closing every client."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path

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
from tools.schema_catalog import catalog_key
from tools.schema_index import Index
from tools.sql_guard import Guard
from tools.sql_runner import SQLRunner, open_runner
from tools.zero_rows import ZeroRows

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
    database = await _database(settings, begin)
    embedder = _embedder(settings)
    async with AsyncExitStack() as closing:
        closing.enter_context(in_use(database.url, settings.home))
        runner = await _open_runner(settings, database, closing)
        schema = await closing.enter_async_context(_open_schema(settings, database, embedder, progress))
        knowledge = await closing.enter_async_context(_open_knowledge(settings, database, embedder))
        knowing = KnowingSchema(schema, knowledge)
        guard = Guard(schema.catalog.dialect, schema.catalog)
        closing.push_async_callback(guard.aclose)
        analyst = await asyncify(Analyst)(schema.catalog)
        people = await _people(settings, schema.catalog, analyst, closing)
        await _warm_up(schema, guard)
        checks: dict[str, Check] = {"database": await _database_check(runner, guard), "index": schema.probe}
        asker = Asker(
            catalog=schema.catalog,
            guardrails=people.guardrails,
            schema=knowing,
            saved=knowledge,
            writer=DoubtingWriter(people.writer, guard, runner),
            guard=guard,
            runner=runner,
            narrator=people.narrator,
            suggester=people.suggester,
            analyst=people.name,
            investigator=people.investigating(knowing, guard, runner) if people.investigating else None,
            explainer=ZeroRows(guard, runner, schema.catalog),
            freshness=Freshness(guard, runner, schema.catalog),
            breakdown=Breakdown(guard, runner, schema.catalog),
            names_only=people.names_only,
            starters=database.starters or first_questions(analyst, settings.today or date.today()),
            notices=database.notices,
            checks={**checks, **people.checks},
            endpoints=people.endpoints,
            line=Line(settings.questions_at_once, settings.queue_limit),
        )
        yield await extend(asker, settings.extension, closing) if settings.extension else asker


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
    async with _open_schema(settings, database, _embedder(settings), progress, rebuild=rebuild) as schema:
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


def _open_schema(
    settings: Settings,
    database: _Database,
    embedder: Embedder | None,
    progress: Progress | None,
    *,
    rebuild: bool = False,
) -> AbstractAsyncContextManager[Schema]:
    return open_schema(
        database.url,
        home=settings.home,
        embedder=embedder,
        qdrant_url=settings.qdrant_url,
        qdrant_api_key=settings.qdrant_api_key,
        descriptions=database.descriptions,
        progress=progress,
        rebuild=rebuild,
    )


@asynccontextmanager
async def _open_knowledge(
    settings: Settings, database: _Database, embedder: Embedder | None
) -> AsyncIterator[Knowledge]:
    name = await asyncify(catalog_key)(database.url)
    vectors = settings.home / "index" / name / "knowledge.sqlite"
    index = Index(f"{name}-knowledge", vectors, embedder, settings.qdrant_url, settings.qdrant_api_key)
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


async def _people(settings: Settings, catalog: Catalog, analyst: Analyst, closing: AsyncExitStack) -> _People:
    rules, offline = RuleGuardrails(settings.question_limit), KnowingWriter(OfflineWriter(analyst), analyst)
    endpoints = await asyncify(_endpoints)(settings)
    if not endpoints:
        return _People(OFFLINE, rules, offline, OfflineNarrator(analyst.lexicon.naming), OfflineSuggester(analyst))

    # LangChain takes a second to import, so only those who use a model pay for it.
    from agents.fallback import FallbackNarrator, FallbackSuggester, FallbackWriter
    from agents.followups import ModelSuggester
    from agents.guardrails import ModelGuardrails
    from agents.investigator import Investigator as ModelInvestigator
    from agents.narrator import ModelNarrator
    from agents.sql_writer import SQLWriter
    from llm.chat import open_chat_model
    from llm.chat_check import ChatCheck

    model = await closing.enter_async_context(
        open_chat_model(
            endpoints,
            redis_url=settings.redis_url,
            hedging=await asyncify(read_hedging)(settings.config),
            timeout=settings.model_timeout,
        )
    )
    writer = SQLWriter(model, catalog.dialect, settings.context_tokens)
    check = ChatCheck(model)
    people = _People(
        " or ".join(dict.fromkeys(endpoint.model for endpoint in endpoints)),
        ModelGuardrails(rules, model),
        FallbackWriter(writer, offline, OFFLINE),
        FallbackNarrator(ModelNarrator(model), OfflineNarrator(analyst.lexicon.naming), OFFLINE),
        FallbackSuggester(ModelSuggester(model, catalog.dialect), OfflineSuggester(analyst)),
        {"model": check},
        check.endpoints,
        lambda schema, guard, runner: ModelInvestigator(model, schema, guard, runner, catalog.dialect),
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
