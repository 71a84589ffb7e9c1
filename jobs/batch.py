"""`python -m jobs batch QUESTIONS.jsonl`: asks a database every question of a file, and saves the answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from errors import AskError, FileUnusable, SettingsInvalid
from jobs.engine import Engine, Files, Tell, run_job
from jobs.lines import Counts
from jobs.progress import progress as show_progress
from settings import Settings, read_settings

WRONG_USE, STOPPED = 2, 130
"""Exit codes; 130 is what a shell expects of a command that Ctrl-C has ended."""


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
    """Ask a database every question of a file, and save the answers with their SQL and rows as JSON lines.

    A question that is declined has been dealt with: its answer says why, and its status "declined".

    Exit code: 0 all questions are dealt with, 1 some failed or none could be asked, 2 wrong use, 130 stopped by Ctrl-C.
    """
    output = output or questions.with_suffix(".answers.jsonl")
    files = Files(questions, output, errors_filepath or output.with_name("errors.jsonl"), resume)
    told = Counts()
    try:
        options = Options(read_settings(database_url), concurrency)
        with show_progress(progress) as show:

            def tell(counts: Counts) -> None:
                nonlocal told
                told = counts
                show(counts)

            run_job(partial(ask_share, options), files, engine, workers, tell)
    except KeyboardInterrupt:
        typer.echo(f"Stopped: {_done(told, files)} Go on with --resume.", err=True)
        raise typer.Exit(STOPPED) from None
    except (SettingsInvalid, FileUnusable) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1 if told.answered or told.failed else WRONG_USE) from None
    except AskError as error:
        has_begun = told.answered or told.failed or told.skipped
        typer.echo(f"{error} {_done(told, files)} Go on with --resume." if has_begun else str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(_done(told, files))
    if told.failed:
        raise typer.Exit(1)


def ask_share(options: Options, files: Files, at_once: int, tell: Tell) -> None:
    """Ask the questions of one process; raises AskError where the database or the model cannot be used at all."""
    # The index and the agents take a moment to import; `--help` and the other commands need none of them.
    from jobs.batch_asking import ask_lines

    concurrency = max(1, (options.concurrency + files.share[0]) // at_once)
    asyncio.run(ask_lines(options.settings, concurrency, files, tell))


def _done(counts: Counts, files: Files) -> str:
    """Return what was done, and where it is, in a sentence."""
    answered = counts.answered + counts.skipped
    said = f"{answered:,} {'question is' if answered == 1 else 'questions are'} dealt with in {files.save}"
    return f"{said}, {counts.failed:,} failed: see {files.errors}." if counts.failed else f"{said}, none failed."
