"""`python -m jobs ask "…"`: asks one question and prints the answer with its evidence."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from agents.events import (
    ChartDrawn,
    Declined,
    Event,
    Failed,
    Finished,
    FollowupsSuggested,
    Refused,
    RowsFound,
    SQLComplained,
    SQLWritten,
    Status,
    TablesFound,
    TextChunk,
    Waiting,
)
from agents.question import Question
from errors import AskError
from settings import Settings, read_settings
from tools.wording import clean

if TYPE_CHECKING:
    from agents.ask import Asker

ROWS_PRINTED = 20


@dataclass
class Answer:
    """One question's answer, as `--json` prints it."""

    question: str
    status: Status = "failed"
    sql: str | None = None
    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    truncated: bool = False
    answer: str = ""
    assumptions: list[str] = field(default_factory=list)
    followups: list[str] = field(default_factory=list)
    chart: dict[str, Any] | None = None
    database: str = ""
    analyst: str = ""

    def take(self, event: Event) -> None:
        """Keep what the event tells."""
        match event:
            case SQLWritten(draft=draft):
                self.sql, self.assumptions = draft.sql, list(draft.assumptions)
            case RowsFound(rows=rows):
                self.columns, self.truncated = list(rows.columns), rows.truncated
                self.rows = [[as_json(value) for value in row] for row in rows.values]
            case ChartDrawn(chart=chart):
                self.chart = asdict(chart)
            case TextChunk(text=text):
                self.answer += text
            case FollowupsSuggested(questions=questions):
                self.followups = list(questions)
            case Declined(reason=reason, suggestions=suggestions):
                self.answer, self.followups = reason, list(suggestions)
            case Refused(reason=reason) | Failed(reason=reason):
                self.answer = f"{self.answer}\n{reason}".strip()
            case Finished(status=status):
                self.status = status
            case Waiting() | TablesFound() | SQLComplained():
                pass  # Told to those who watch; the answer stands without them.


def ask(
    question: Annotated[str, typer.Argument(help="The question, in plain words.")],
    database_url: Annotated[
        str | None, typer.Option(help="The database to ask, e.g. sqlite:///shop.db. [default: the sample database]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask one question; print the answer, the SQL and the rows."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    answer = Answer(question)
    try:
        asyncio.run(_ask(read_settings(database_url), answer))
    except AskError as error:
        answer.answer = str(error)
    if as_json:
        print(json.dumps(asdict(answer), ensure_ascii=False, allow_nan=False))
    else:
        _print(answer)
    if answer.status == "failed":
        raise typer.Exit(1)


async def _ask(settings: Settings, answer: Answer) -> None:
    # The index and the agents take a moment to import; `--help` and the other commands need none of them.
    from bootstrap import open_asker

    async with open_asker(settings) as asker:
        answer.database, answer.analyst = asker.catalog.name, asker.analyst
        await _listen(asker, Question(answer.question, settings.today or date.today()), answer)


async def _listen(asker: Asker, question: Question, answer: Answer) -> None:
    async with aclosing(asker.ask(question)) as events:
        async for event in events:
            answer.take(event)


def as_json(value: Any) -> Any:
    """Return the value as JSON can carry it: decimals as numbers, dates in ISO form, bytes in hexadecimal.

    JSON knows neither NaN nor infinity: they become None.
    """
    match value:
        case float() | Decimal() if not isfinite(value):
            return None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time_of_day():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return value


def _print(answer: Answer) -> None:
    console, complaints = Console(), Console(stderr=True)
    if answer.status == "failed":
        complaints.print(answer.answer, markup=False, highlight=False)
        return
    console.print(answer.answer, markup=False, highlight=False)
    for assumption in answer.assumptions:
        console.print(f"· {assumption}", style="dim", markup=False, highlight=False)
    if answer.status == "answered":
        console.print()
        console.print(Syntax(answer.sql or "", "sql", background_color="default", word_wrap=True))
        console.print(_table(answer))
    if answer.followups:
        console.print("Next: " + "  |  ".join(answer.followups), style="dim", markup=False, highlight=False)


def _table(answer: Answer) -> Table:
    shown = answer.rows[:ROWS_PRINTED]
    hidden = len(answer.rows) - len(shown)
    more = f"{hidden} more rows; --json prints them all" if hidden else None
    table = Table(caption=more)
    for position, name in enumerate(answer.columns):
        is_number = all(isinstance(row[position], int | float | None) for row in shown)
        table.add_column(_cell(name), justify="right" if is_number else "left")
    for row in shown:
        table.add_row(*map(_cell, row))
    return table


def _cell(value: Any) -> Text:
    """Return the value as a terminal may show it: as text, whatever markup or control characters it holds."""
    return Text("" if value is None else clean(str(value)))
