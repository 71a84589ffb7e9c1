"""`python -m jobs index`: reads a database and stores what questions need to find in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from settings import Settings, read_settings
from tools.schema import Progress, Stored


def index(
    database_url: Annotated[
        str | None, typer.Option(help="The database to read, e.g. sqlite:///shop.db. [default: the sample database]")
    ] = None,
    rebuild: Annotated[bool, typer.Option(help="Read and embed everything anew, also what has not changed.")] = False,
) -> None:
    """Read a database and bring its index up to date."""
    settings = read_settings(database_url)
    with _bars() as progress:
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
