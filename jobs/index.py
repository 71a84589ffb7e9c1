"""`python -m jobs index`: reads a database and stores what questions need to find in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from data import DESCRIPTIONS, ensure_sample
from llm.embeddings import open_embedder
from settings import Settings, read_settings
from tools.schema import Progress, Stored, open_schema


def index(
    database_url: Annotated[
        str | None, typer.Option(help="The database to read, e.g. sqlite:///shop.db. [default: the sample database]")
    ] = None,
    rebuild: Annotated[bool, typer.Option(help="Read and embed everything anew, also what has not changed.")] = False,
) -> None:
    """Read a database and bring its index up to date."""
    settings = read_settings()
    if database_url:
        settings = settings.model_copy(update={"database_url": SecretStr(database_url)})
    url, descriptions = _database(settings)
    with _bars() as progress:
        name, stored = asyncio.run(_index(settings, url, descriptions, rebuild, progress))
    print(
        f"{name}: {stored.tables} tables, {stored.columns} columns and {stored.values} values are indexed; "
        f"{stored.embedded} texts were embedded, {stored.removed} entries removed."
    )


async def _index(
    settings: Settings, url: str, descriptions: Path | None, rebuild: bool, progress: Progress
) -> tuple[str, Stored]:
    """Return the database's name and what was stored of it."""
    embedder = open_embedder(
        settings.home / "models",
        model=settings.embedding_model,
        api_key=settings.openai_api_key,
        base_url=settings.openai_base_url,
    )
    async with open_schema(
        url,
        home=settings.home,
        embedder=embedder,
        qdrant_url=settings.qdrant_url,
        qdrant_api_key=settings.qdrant_api_key,
        descriptions=descriptions,
        progress=progress,
        rebuild=rebuild,
    ) as schema:
        return schema.catalog.name, schema.stored


def _database(settings: Settings) -> tuple[str, Path | None]:
    """Return the database's URL and its descriptions, building the sample database where none is set."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value(), settings.descriptions
    sample = settings.home / "sample.sqlite"
    ensure_sample(sample, settings.today or date.today())
    return f"sqlite:///{sample}", DESCRIPTIONS


@contextmanager
def _bars() -> Iterator[Progress]:
    """Show a bar for each stage on stderr, where it does not mix with what the command prints."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Bars(*columns, console=Console(stderr=True)) as bars:
        stages: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], completed=done, total=total)

        yield show
