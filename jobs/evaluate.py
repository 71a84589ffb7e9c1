"""`python -m jobs evaluate CASES.jsonl`: asks questions whose right SQL is known, and tells how it went."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobs.bars import bars
from jobs.evaluation.baseline import compare_with, keep_baseline
from jobs.evaluation.cases import Case, choose_cases, read_cases
from jobs.evaluation.doubtful import print_drafts
from jobs.evaluation.figures import Sheet
from jobs.evaluation.report import Report
from jobs.evaluation.report_files import write_report
from settings import Settings, read_settings
from tools.wording import clean

CELL = 120
"""Characters of a cell on the terminal."""


def evaluate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="CASES.jsonl...", help='Files of cases: {"id", "question", "gold": [SQL, …]} a line.'),
    ] = None,
    databases: Annotated[
        str | None,
        typer.Option(
            help="Where the databases that cases name lie: a folder of NAME.sqlite, or a URL with {database}."
        ),
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="The database for cases that name none.", show_default="the sample database")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="ID", help="Ask only this case; may be repeated.")] = None,
    database: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Ask only the cases of this database; may be repeated.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="How many questions are asked at the same time.")] = 1,
    folder: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", help="Write evaluation.md, evaluation.html and outcomes.jsonl there."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare with the verdicts in this file; where there is none, write it."),
    ] = None,
    doubtful: Annotated[
        bool, typer.Option("--doubtful", help="Print the answers that people doubted as cases that want gold SQL.")
    ] = False,
) -> None:
    """Ask questions whose right SQL is known; print how it went. Exit code 1: worse than the baseline."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    settings = read_settings(database_url)
    if doubtful:
        print_drafts(settings.doubtful)
        return
    cases = choose_cases(read_cases(files or ()), only or (), database or ())
    report = _compared(_ask(cases, settings, databases, concurrency), baseline)
    if folder:
        write_report(folder, report)
    _print(report)
    if report.compared and report.compared.is_worse:
        raise typer.Exit(1)


def _ask(cases: Sequence[Case], settings: Settings, databases: str | None, at_once: int) -> Report:
    # The index and the agents take a moment to import; `--help` and the other commands need none of them.
    from jobs.evaluation.asking import ask_cases

    asked = count(1)
    with bars() as progress:
        analyst, outcomes = asyncio.run(
            ask_cases(
                cases,
                settings,
                databases,
                at_once=at_once,
                tell=lambda outcome: progress("Asking", next(asked), len(cases)),
            )
        )
    return Report(analyst, settings.today or date.today(), tuple(outcomes))


def _compared(report: Report, baseline: Path | None) -> Report:
    """Return the report with what changed since the baseline, where one is named; where there is none yet, keep it."""
    if baseline is None:
        return report
    if baseline.exists():
        return replace(report, compared=compare_with(baseline, report.outcomes))
    keep_baseline(baseline, report.outcomes)
    return report


def _print(report: Report) -> None:
    console = Console()
    console.print(f"{report.summary}.", markup=False, highlight=False)
    for sheet in report.sheets:
        if sheet.lines:
            console.print()
            console.print(_table(sheet))
    for what, ids in report.changes:
        console.print(f"{len(ids)} {what}{': ' if ids else '.'}{', '.join(ids)}", markup=False, highlight=False)
    if report.compared:
        console.print(report.compared.summary, markup=False, highlight=False)


def _table(sheet: Sheet) -> Table:
    table = Table(title=sheet.title, title_justify="left", caption=sheet.note, caption_justify="left", box=SIMPLE_HEAD)
    table.padding, table.pad_edge = (0, 1, 0, 0), False
    for place, name in enumerate(sheet.head):
        # Figures keep their width: where the terminal is narrow, names are folded and not numbers.
        kept = max(map(len, name.split())) if place else None
        table.add_column(Text(name), justify="right" if place else "left", overflow="fold", min_width=kept)
    for line in sheet.lines:
        table.add_row(*(Text(clean(cell, CELL)) for cell in line))
    return table
