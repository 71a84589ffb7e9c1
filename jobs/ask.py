"""`python -m jobs ask "…"`: asks one question and prints the answer with its evidence."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from agents.answer import Answer
from agents.events import FellBack
from agents.question import Mode, Question
from errors import AskError
from settings import Settings, read_settings
from tools.wording import clean, say_time

if TYPE_CHECKING:
    from agents.ask import Asker

ROWS_PRINTED = 20


def ask(
    question: Annotated[str, typer.Argument(help="The question, in plain words.")],
    database_url: Annotated[
        str | None, typer.Option(help="The database to ask, e.g. sqlite:///shop.db. [default: the sample database]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    investigate: Annotated[
        bool, typer.Option("--investigate", help="Let a model find out why, with several queries.")
    ] = False,
) -> None:
    """Ask one question; print the answer, the SQL and the rows."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    answer = Answer(question)
    try:
        asyncio.run(_ask(read_settings(database_url), answer, "investigate" if investigate else "ask"))
    except AskError as error:
        answer.answer = str(error)
    if as_json:
        print(answer.as_text())
    else:
        _print(answer)
    if answer.status == "failed":
        raise typer.Exit(1)


async def _ask(settings: Settings, answer: Answer, mode: Mode) -> None:
    # The index and the agents take a moment to import; `--help` and the other commands need none of them.
    from bootstrap import open_asker

    async with open_asker(settings) as asker:
        answer.database, answer.analyst = asker.catalog.name, asker.analyst
        await _listen(asker, Question(answer.question, settings.today or date.today(), mode=mode), answer)


async def _listen(asker: Asker, question: Question, answer: Answer) -> None:
    async with aclosing(asker.ask(question)) as events:
        async for event in events:
            answer.take(event)


def _print(answer: Answer) -> None:
    console, complaints = Console(), Console(stderr=True)
    if answer.status == "failed":
        complaints.print(answer.answer, markup=False, highlight=False)
        return
    console.print(answer.answer, markup=False, highlight=False)
    if answer.fallback:
        console.print(f"· {FellBack(**answer.fallback).text}", style="dim", markup=False, highlight=False)
    for assumption in answer.assumptions:
        console.print(f"· {assumption}", style="dim", markup=False, highlight=False)
    if answer.sql and answer.status == "answered":
        console.print()
        _print_query(console, answer.sql, _table(answer.columns, answer.rows))
    for query in answer.queries:
        console.print(f"\n({query['number']}) {query['why']}", markup=False, highlight=False)
        _print_query(console, query["sql"], query["complaint"] or _table(query["columns"], query["rows"]))
    if answer.receipt:
        console.print(_rests_on(answer.receipt), style="dim", markup=False, highlight=False)
    if answer.followups:
        console.print("Next: " + "  |  ".join(answer.followups), style="dim", markup=False, highlight=False)


def _print_query(console: Console, sql: str, found: Table | str) -> None:
    console.print(Syntax(sql, "sql", background_color="default", word_wrap=True))
    console.print(found, markup=False, highlight=False)


def _rests_on(receipt: dict[str, Any]) -> str:
    """Return which tables were read, and how new their data is."""
    tables = [f"{t['name']} ({t['rows']:,} rows)" if t["rows"] is not None else t["name"] for t in receipt["tables"]]
    newest = f"; the data goes up to {say_time(receipt['newest'], 'day')}" if receipt["newest"] else ""
    return f"Read from {', '.join(tables)}{newest}." if tables else "Read from no table."


def _table(columns: list[str], rows: list[list[Any]]) -> Table:
    shown = rows[:ROWS_PRINTED]
    hidden = len(rows) - len(shown)
    more = f"{hidden} more rows; --json prints them all" if hidden else None
    table = Table(caption=more)
    for position, name in enumerate(columns):
        is_number = all(isinstance(row[position], int | float | None) for row in shown)
        table.add_column(_cell(name), justify="right" if is_number else "left")
    for row in shown:
        table.add_row(*map(_cell, row))
    return table


def _cell(value: Any) -> Text:
    """Return the value as a terminal may show it: as text, whatever markup or control characters it holds."""
    return Text("" if value is None else clean(str(value)))
