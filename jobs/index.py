"""`python -m jobs index`: reads a database and stores what questions need to find in it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from jobs.bars import bars
from settings import Settings, read_settings
from tools.schema import Progress, Stored


def index(
    database_url: Annotated[
        str | None,
        typer.Option(help="The database to read, e.g. sqlite:///shop.db.", show_default="the sample database"),
    ] = None,
    rebuild: Annotated[bool, typer.Option(help="Read and embed everything anew, also what has not changed.")] = False,
) -> None:
    """Read a database and bring its index up to date."""
    settings = read_settings(database_url)
    with bars() as progress:
        name, stored = asyncio.run(_index(settings, rebuild, progress))
    print(
        f"{name}: {stored.tables} tables, {stored.columns} columns and {stored.values} values are indexed; "
        f"{stored.embedded} texts were embedded, {stored.removed} entries removed."
    )


async def _index(settings: Settings, rebuild: bool, progress: Progress) -> tuple[str, Stored]:
    """Return the database's name and what was stored of it."""
    # Imported here, so that `--help` and the other commands need not wait for the index's client.
    from bootstrap import open_index

    async with open_index(settings, progress=progress, rebuild=rebuild) as schema:
        return schema.catalog.name, schema.stored
