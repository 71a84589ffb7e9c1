"""`python -m jobs batch QUESTIONS.jsonl`: asks a database every question of a file, and saves the answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from jobs.command import run_command
from jobs.engine import Engine, Files, Run, Tell, files_of
from settings import Settings, read_settings


@dataclass(frozen=True)
class Options:
    """How the questions are asked; other processes, and other machines, get it too."""

    settings: Settings
    concurrency: int
    """Of all processes together."""


def batch(
    questions: Annotated[
        Path, typer.Argument(metavar="QUESTIONS", help='JSON lines: {"input": "…"} or {"question": "…"}, and an "id".')
    ],
    output: Annotated[
        Path | None, typer.Option(help="The answers.", show_default="QUESTIONS with .answers.jsonl")
    ] = None,
    errors_filepath: Annotated[
        Path | None,
        typer.Option("--errors_filepath", help="What failed.", show_default="errors.jsonl beside the answers"),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(help="The database to ask, e.g. sqlite:///shop.db.", show_default="the sample database"),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=500, help="Questions under way at the same time.")] = 16,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes.", show_default="1, on Ray all the cluster's CPUs")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="Where it runs.")] = Engine.LOCAL,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")] = False,
    progress: Annotated[
        bool | None,
        typer.Option("--progress/--no-progress", help="Show how far it is.", show_default="on a terminal"),
    ] = None,
) -> None:
    """Ask every question of a file; save answers, SQL and rows.

    A question that is declined has been dealt with: its answer says why, and its status "declined".

    Exit code: 0 all questions are dealt with, 1 some failed or none could be asked, 2 wrong use, 130 stopped by Ctrl-C.
    """

    def prepare() -> tuple[Run, Files]:
        files = files_of(questions, output, errors_filepath, resume=resume)
        return partial(ask_share, Options(read_settings(database_url), concurrency)), files

    done = ("question is dealt with", "questions are dealt with")
    run_command(prepare, engine, workers, progress=progress, done=done)


def ask_share(options: Options, files: Files, at_once: int, tell: Tell) -> None:
    """Ask the questions of one process; raises AskError where the database or the model cannot be used at all."""
    # The index and the agents take a moment to import; `--help` and the other commands need none of them.
    from jobs.batch_asking import ask_lines

    concurrency = max(1, (options.concurrency + files.share[0]) // at_once)
    asyncio.run(ask_lines(options.settings, concurrency, files, tell))
