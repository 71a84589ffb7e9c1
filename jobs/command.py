"""Runs a job as a command: shows how far it is, says what was done and where it lies, and ends with its code."""

from __future__ import annotations

from collections.abc import Callable

import typer

from errors import AskError, FileUnusable, SettingsInvalid
from jobs.engine import Engine, Files, Run, run_job
from jobs.lines import Counts
from jobs.progress import progress as show_progress

WRONG_USE, STOPPED = 2, 130
"""Exit codes; 130 is what a shell expects of a command that Ctrl-C has ended."""

Prepare = Callable[[], tuple[Run, Files]]
"""Returns the work and its files; raises SettingsInvalid or FileUnusable where it cannot begin."""


def run_command(
    prepare: Prepare, engine: Engine, workers: int | None, *, progress: bool | None, done: tuple[str, str]
) -> None:
    """Run the job; `done` says of one and of several lines what became of them, such as "line is answered".

    Ends the command with 1 where a line failed or nothing could be used, 2 for wrong use and 130 after Ctrl-C.
    """
    told, files = Counts(), None
    try:
        run, files = prepare()
        with show_progress(progress) as show:

            def tell(counts: Counts) -> None:
                nonlocal told
                told = counts
                show(counts)

            run_job(run, files, engine, workers, tell)
    except KeyboardInterrupt:
        so_far = f": {_said(told, files, done)} Go on with --resume." if files else "."
        typer.echo(f"Stopped{so_far}", err=True)
        raise typer.Exit(STOPPED) from None
    except (SettingsInvalid, FileUnusable) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1 if told.answered or told.failed else WRONG_USE) from None
    except AskError as error:
        has_begun = files and (told.answered or told.failed or told.skipped)
        typer.echo(f"{error} {_said(told, files, done)} Go on with --resume." if has_begun else str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(_said(told, files, done))
    if told.failed:
        raise typer.Exit(1)


def _said(counts: Counts, files: Files | None, done: tuple[str, str]) -> str:
    """Return what was done, and where it is, in a sentence."""
    assert files is not None
    answered = counts.answered + counts.skipped
    said = f"{answered:,} {done[answered != 1]} in {files.save}"
    return f"{said}, {counts.failed:,} failed: see {files.errors}." if counts.failed else f"{said}, none failed."
