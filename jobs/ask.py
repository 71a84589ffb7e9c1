"""`python -m jobs ask "…"`: asks one question and prints the answer with its evidence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from agents.answer import Answer, values_as_json
from agents.events import FellBack
from agents.question import Mode, Question
from agents.steps import rows_in_words, steps_as_json
from errors import AskError
from settings import Settings, read_settings
from tools.breakdown import Step
from tools.wording import clean, say_time

if TYPE_CHECKING:
    from agents.ask import Asker

ROWS_PRINTED = 20
STEP_ROWS_PRINTED = 3


def ask(
    question: Annotated[str, typer.Argument(help="The question, in plain words.")],
    database_url: Annotated[
        str | None,
        typer.Option(help="The database to ask, e.g. sqlite:///shop.db.", show_default="the sample database"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    investigate: Annotated[
        bool, typer.Option("--investigate", help="Let a model find out why, with several queries.")
    ] = False,
    with_steps: Annotated[bool, typer.Option("--steps", help="Show the query step by step, each step run.")] = False,
) -> None:
    """Ask one question; print the answer, the SQL and the rows."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    answer = Answer(question)
    steps: tuple[Step, ...] = ()
    try:
        asking = _ask(read_settings(database_url), answer, "investigate" if investigate else "ask", with_steps)
        steps = asyncio.run(asking)
    except AskError as error:
        answer.answer = str(error)
    if as_json:
        print(answer.as_text(steps=steps_as_json(steps)) if with_steps else answer.as_text())
    else:
        _print(answer, steps)
    if answer.status == "failed":
        raise typer.Exit(1)


async def _ask(settings: Settings, answer: Answer, mode: Mode, with_steps: bool) -> tuple[Step, ...]:
    """Let the answer take every event; return the steps of its query where they are wanted and there is one."""
    # The index and the agents take a moment to import; `--help` and the other commands need none of them.
    from bootstrap import open_asker

    async with open_asker(settings) as asker:
        answer.database, answer.analyst = asker.catalog.name, asker.analyst
        await _listen(asker, Question(answer.question, settings.today or date.today(), mode=mode), answer)
        if with_steps and answer.sql and answer.status == "answered":
            return await asker.steps(answer.sql)
    return ()


async def _listen(asker: Asker, question: Question, answer: Answer) -> None:
    async with aclosing(asker.ask(question)) as events:
        async for event in events:
            answer.take(event)


def _print(answer: Answer, steps: Sequence[Step]) -> None:
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
    for number, step in enumerate(steps, start=1):
        _print_step(console, number, step)
    for query in answer.queries:
        console.print(f"\n({query['number']}) {query['why']}", markup=False, highlight=False)
        _print_query(console, query["sql"], query["complaint"] or _table(query["columns"], query["rows"]))
    if answer.receipt:
        console.print(_rests_on(answer.receipt), style="dim", markup=False, highlight=False)
    if answer.followups:
        console.print("Next: " + "  |  ".join(answer.followups), style="dim", markup=False, highlight=False)


def _print_step(console: Console, number: int, step: Step) -> None:
    part = f" ({step.part})" if step.part else ""
    counted = " · ".join(filter(None, (rows_in_words(step), step.trouble)))
    console.print(f"\n{number}.{part} {step.words} {counted}", markup=False, highlight=False)
    if step.rows and step.rows.values:
        console.print(_table(list(step.rows.columns), values_as_json(step.rows)[:STEP_ROWS_PRINTED]))


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
    if isinstance(value, float) and abs(value) >= 0.001:
        value = round(value, 6)  # What adding up cents leaves far behind the point is no part of the amount.
    return Text("" if value is None else clean(str(value)))
