"""`python -m benchmarks model`: serves the stand-in model until it is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from agents.offline.analyst import Analyst as OfflineAnalyst
from agents.offline.followups import OfflineSuggester
from agents.offline.knowing import KnowingWriter
from agents.offline.narrator import OfflineNarrator
from agents.offline.writer import OfflineWriter
from benchmarks.model_answers import Analyst
from benchmarks.model_faults import FAULTS, FaultPicker
from benchmarks.model_memory import Replies
from benchmarks.model_server import MODEL, ModelServer, Pace, serving
from data import DESCRIPTIONS, ensure_sample
from errors import SettingsInvalid
from settings import Settings, read_settings
from tools.reflection import read_catalog

REPLIES_KEPT = 8_192


def open_analyst(settings: Settings, answer_tokens: int = 0) -> Analyst:
    """Return the offline analyst for the settings' database, or the sample's. It blocks for a second or so.

    Raises DatabaseUnavailable or SettingsInvalid.
    """
    if settings.database_url is None:
        sample = settings.home / "sample.sqlite"
        ensure_sample(sample, settings.today or date.today())
        catalog = read_catalog(f"sqlite:///{sample}", descriptions=DESCRIPTIONS)
    else:
        catalog = read_catalog(settings.database_url.get_secret_value(), descriptions=settings.descriptions)
    rules = OfflineAnalyst(catalog)
    return Analyst(
        catalog,
        KnowingWriter(OfflineWriter(rules), rules),
        OfflineNarrator(rules.lexicon.naming),
        OfflineSuggester(rules),
        answer_tokens,
    )


def model(
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes a free port.", min=0, max=65_535)] = 9100,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    first_token_ms: Annotated[float, typer.Option(help="Milliseconds to the first token.", min=0)] = 250,
    tokens_per_second: Annotated[float, typer.Option(help="0 sends all of them at once.", min=0)] = 50,
    fault: Annotated[list[str] | None, typer.Option(help="Repeatable: " + ", ".join(FAULTS) + ".")] = None,
    fault_share: Annotated[float, typer.Option(help="How many requests meet a fault.", min=0, max=1)] = 1.0,
    answer_tokens: Annotated[
        int, typer.Option(help="Tokens of every told answer, each stamped with the moment it leaves; 0 tells.", min=0)
    ] = 0,
    replies: Annotated[
        Path | None, typer.Option(help="Keeps replies for the next run, which then costs the machine less.")
    ] = None,
    database_url: Annotated[str | None, typer.Option(help="The database that its SQL is for.")] = None,
) -> None:
    """Serve an OpenAI-compatible model that answers through the offline analyst."""
    if unknown := next((name for name in fault or () if name not in FAULTS), None):
        raise typer.BadParameter(f"{unknown} is none of: {', '.join(FAULTS)}", param_hint="--fault")
    server = ModelServer(
        open_analyst(read_settings(database_url), answer_tokens),
        Pace(first_token_ms / 1000, tokens_per_second),
        FaultPicker(tuple(fault or ()), fault_share),
        replies=Replies(REPLIES_KEPT, replies),
    )
    try:
        uvloop.run(_serve(server, host, port))
    except OSError as error:
        raise SettingsInvalid(
            f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}. Choose another --port."
        ) from error


async def _serve(server: ModelServer, host: str, port: int) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with serving(server, host=host, port=port) as base_url:
        typer.echo(f"OPENAI_BASE_URL={base_url} QUAESTOR_MODEL={MODEL}")
        await stopped.wait()
