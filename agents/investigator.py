"""Finds out why with a LangChain agent: it plans, runs several queries, and reports what their rows show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, get_args

from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware
from langchain.agents.middleware.model_call_limit import ModelCallLimitExceededError
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool, tool

from agents.events import QueryDrawn, QueryRan
from agents.parts import Guard, Runner, Schema
from agents.prompts import DATA_RULE, section, write_rows
from agents.question import Question, Say
from agents.schema_prompt import describe_instructions, describe_tables, describe_terms, describe_values
from agents.sql_writer import DIALECT_NAMES, NOTES, time_words
from agents.streaming import TokenSpeaker, speaking
from errors import AskError, ModelMisbehaved
from llm.plain_text import PlainText
from llm.spending import spent_so_far
from tools.catalog import Dialect
from tools.chart import choose_chart
from tools.chart_wishes import Kind, Wish
from tools.sql_guard import SafeQuery
from tools.sql_runner import Rows

PROMPT = """\
You find out why something in a person's {dialect} database is as it is, by asking the database several queries, and
write a short report.

{data_rule}

How:
- Begin with a plan, in one or two sentences: what you will compare, and how you will split it up. Call the first tool
  along with it. Between later calls write nothing.
- find_tables first. Spell values as look_up_values has them. run_sql takes one statement that only reads: SELECT, or
  WITH ... SELECT; `why` says in a few words what the query is to show.
- First make sure that what the question says did happen. Then compare it with the time before, split it by one
  thing after the other (kind, place, product, customer), and by what it consists of: how many there were, and how
  large each was. Go on where the difference is largest. A handful of queries is enough.
- draw_chart draws the rows of a query where a picture says more than the numbers.
- Then the report: the answer first, in three to eight plain sentences, in the question's language. Each claim names the
  query that shows it by its number, like (2). Take every number from the rows. The data shows what changed and where;
  say plainly what it cannot show.
- No table, no list, no link, no SQL in the report: the person sees the queries and their rows.

{notes}
Dates are written as literals. The dates of today and of common time words stand in <today> and <time_words>."""

TABLES_TOKENS = 5_000
INSTRUCTIONS_TOKENS = 1_500
ROWS_FETCHED = 200
WHY_LONGEST = 120

LAST_WORDS = "No more queries: {reason}. Write the report now, from what you have."

Investigated = QueryRan | QueryDrawn
Tell = Callable[[Investigated], Awaitable[None]]


@dataclass(frozen=True)
class Limits:
    """What one investigation may cost; past the first three the model is told to write its report."""

    queries: int = 12
    tokens: int = 20_000
    seconds: float = 120.0
    calls: int = 24
    """Of the model; past these it is stopped."""
    end_seconds: float = 180.0
    """Past these it is stopped, whatever it does."""


@dataclass
class _Case:
    """One investigation under way."""

    question: Question
    tell: Tell
    limits: Limits
    began: float = field(default_factory=time.monotonic)
    found: dict[int, Rows] = field(default_factory=dict)
    """The rows of each query that ran, by its number."""
    tables: dict[str, None] = field(default_factory=dict)
    asked: int = 0

    def used_up(self) -> str | None:
        """Return what is used up, None while nothing is."""
        if self.asked >= self.limits.queries:
            return f"{self.limits.queries} queries have run"
        if spent_so_far() >= self.limits.tokens:
            return f"{self.limits.tokens:,} tokens are written"
        if time.monotonic() - self.began >= self.limits.seconds:
            return f"{self.limits.seconds:.0f} seconds are over"
        return None


_case: ContextVar[_Case] = ContextVar("case")


@contextmanager
def _opened(case: _Case) -> Iterator[_Case]:
    token = _case.set(case)
    try:
        yield case
    finally:
        _case.reset(token)


class Investigator:
    """Investigates with a model; the agent is built once and serves every question."""

    def __init__(
        self,
        model: BaseChatModel,
        schema: Schema,
        guard: Guard,
        runner: Runner,
        dialect: Dialect,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        system = PROMPT.format(dialect=DIALECT_NAMES[dialect], data_rule=DATA_RULE, notes=f"Notes on {NOTES[dialect]}")
        self._agent: Any = create_agent(
            model,
            _tools(schema, guard, runner, dialect),
            system_prompt=system,
            middleware=[ModelCallLimitMiddleware(run_limit=self._limits.calls, exit_behavior="error")],
        )

    async def investigate(self, question: Question, tell: Tell, say: Say) -> tuple[str, ...]:
        """Tell each query and chart, say the report, and return the names of the tables that were read.

        Raises ModelUnavailable or ModelMisbehaved; what was told and said until then stays.
        """
        with _opened(_Case(question, tell, self._limits)) as case:
            await self._run(case, say)
        return tuple(case.tables)

    async def _run(self, case: _Case, say: Say) -> None:
        report = _Report(say)
        try:
            async with asyncio.timeout(self._limits.end_seconds), speaking(report.take) as speaker:
                asked = {"messages": [HumanMessage(_prompt(case.question))]}
                callbacks = [_Turns(speaker, report), speaker]
                config = {"callbacks": callbacks, "recursion_limit": 8 * self._limits.calls}
                async for _ in self._agent.astream(asked, config, stream_mode="messages"):
                    pass  # The speaker says it, and the tools tell the rest.
        except TimeoutError:
            raise _unfinished(f"{self._limits.end_seconds:.0f} seconds") from None
        except ModelCallLimitExceededError:
            raise _unfinished(f"{self._limits.calls} steps") from None
        finally:
            await report.end()
        if not report.has_spoken:
            raise ModelMisbehaved("The model wrote no report. The queries it ran stand below; ask again for one.")


class _Report:
    """Says the model's words as plain text."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._clean = PlainText()
        self.has_spoken = False
        """Whether something was said in the model's last turn."""

    async def take(self, piece: str) -> None:
        await self._pass_on(self._clean.feed(piece))

    async def end(self) -> None:
        await self._pass_on(self._clean.end())

    async def _pass_on(self, text: str) -> None:
        if text:
            self.has_spoken = self.has_spoken or bool(text.strip())
            await self._say(text)


class _Turns(AsyncCallbackHandler):
    """Begins a new paragraph where the model speaks again."""

    run_inline = True

    def __init__(self, speaker: TokenSpeaker, report: _Report) -> None:
        self._speaker = speaker
        self._report = report

    async def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        if self._report.has_spoken:
            await self._speaker.on_llm_new_token("\n\n")
        self._report.has_spoken = False


def _prompt(question: Question) -> str:
    earlier = [section("reading", turn.reading) for turn in question.turns[-1:]]
    return "\n".join(
        [
            section("today", question.today.isoformat()),
            section("time_words", time_words(question.today)),
            *earlier,
            section("question", question.text),
        ]
    )


def _unfinished(after: str) -> ModelMisbehaved:
    return ModelMisbehaved(
        f"The investigation was stopped after {after}, before its report was written. What it found until then stands "
        "below; a narrower question takes less."
    )


def _tools(schema: Schema, guard: Guard, runner: Runner, dialect: Dialect) -> list[BaseTool]:
    """Return the agent's tools; what goes wrong in one is told to the model, which may mend it."""

    @tool
    async def find_tables(question: str) -> str:
        """Return the tables and columns that a question is about, and what its words mean in this database."""
        found = await schema.find(question)
        told = [section("tables", describe_tables(found, question, dialect, TABLES_TOKENS))]
        if found.terms:
            told.append(section("glossary", describe_terms(found.terms)))
        if found.instructions:
            told.append(section("instructions", describe_instructions(found.instructions, INSTRUCTIONS_TOKENS)))
        return "\n".join(told)

    @tool
    async def look_up_values(text: str) -> str:
        """Return which columns hold the values that a text names, as the data spells them."""
        found = await schema.find(text)
        return section("values", describe_values(found.values)) if found.values else "No value is like that."

    @tool
    async def run_sql(sql: str, why: str = "") -> str:
        """Run one query that only reads, and return its number and its rows."""
        return await _run_query(guard, runner, sql, why)

    @tool
    async def draw_chart(query: int, kind: str = "") -> str:
        """Draw the rows of a query, by its number; kind may be bar, line, area, scatter, pie or heatmap."""
        return await _draw_query(query, kind)

    return [find_tables, look_up_values, run_sql, draw_chart]


async def _run_query(guard: Guard, runner: Runner, sql: str, why: str) -> str:
    case = _case.get()
    if reason := case.used_up():
        return LAST_WORDS.format(reason=reason)
    case.asked += 1
    number, why = case.asked, " ".join(why.split())[:WHY_LONGEST]
    try:
        query = await guard.check(sql)
        rows = await runner.run(query, limit=ROWS_FETCHED)
    except AskError as error:
        await case.tell(QueryRan(number, why, sql, None, str(error)))
        return f"Query {number} did not run: {section('complaint', str(error))}"
    _note(case, number, query, rows)
    await case.tell(QueryRan(number, why, query.sql, rows))
    return f"Query {number}:\n{section('rows', write_rows(rows))}"


async def _draw_query(number: int, kind: str) -> str:
    case = _case.get()
    if number not in case.found:
        return f"There is no query {number} with rows."
    wish = Wish(kind) if kind in get_args(Kind) else None  # type: ignore[arg-type]
    chart = choose_chart("", case.found[number], wish, case.question.today)
    if chart is None or chart.kind == "number":
        return "These rows make no chart."
    await case.tell(QueryDrawn(number, chart))
    return f"Drawn, as {chart.kind}."


def _note(case: _Case, number: int, query: SafeQuery, rows: Rows) -> None:
    case.found[number] = rows
    case.tables.update(dict.fromkeys(query.tables))
