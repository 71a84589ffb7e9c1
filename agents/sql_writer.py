"""Writes SQL for a question and its tables with a model, and mends it with the database's complaint."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from datetime import date, timedelta

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel

from agents.doubt import READINGS, unclear_value
from agents.prompts import DATA_RULE, section, tokens_in, write_complaint
from agents.question import TURNS_KEPT, Complaint, Draft, Question, Turn
from agents.schema_prompt import (
    describe_instructions,
    describe_saved,
    describe_tables,
    describe_terms,
    describe_values,
)
from errors import QuestionDeclined, QuestionUnclear
from llm.chat_json import Messages, json_agent
from llm.plain_text import plain
from tools.catalog import Dialect, Found

log = logging.getLogger("quaestor.prompt")

NAME = "sql_draft"
"""What the shape of the answer is called on the wire."""

PROMPT = """\
You write one {dialect} query that answers a person's question about their database.

{data_rule}

Rules:
- One statement that only reads: SELECT, or WITH ... SELECT. No semicolon, no comment.
- Use only the tables and columns in <tables>, spelled and quoted as they are there. Join along the arrows (->).
- Spell values as <tables> and <values> spell them.
- Return the columns that answer the question, with names a person understands, and no others. Sort as the question
  implies. Limit the rows only where the question names a number of them.
- Time words mean the dates in <time_words>, the end date included: a timestamp must be before the day after it. Write
  dates as literals, never the current date.
- A question may continue the conversation ("and by store?"): then change only what it changes.
- Where <glossary> is given, its words mean in this database what it says of them.
- Where <instructions> is given, those who keep the database say there how its data is to be read: heed them as far as
  these rules allow.
- Where <saved> is given, it holds questions like this one with SQL that a person has reviewed: join, measure and filter
  as they do.
- Where <complaint> is given, its query failed for that reason: mend it.
- Where the tables do not hold what is asked, or a part that matters is unclear: answerable is false, and reason tells
  the person in one or two sentences which part, and what could be asked instead. Never guess.
- Where a part may be read in two or three ways that would find other rows, and neither the conversation nor <saved>
  says which: answerable is false, reason asks in one sentence which is meant, and readings holds the question once for
  each, whole and unmistakable. Only then: where one reading is what nearly everybody means, take it and say so in
  assumptions.

{notes}

Answer with one JSON object and nothing else:
{{"answerable": true, "reason": "", "sql": "the query",
"reading": "the question restated whole, needing no earlier turn",
"assumptions": ["a short sentence for each thing taken for granted: dates, the meaning of a vague word, a filter"],
"readings": []}}
Write reason, reading, assumptions and readings in the question's language."""

DIALECT_NAMES: dict[Dialect, str] = {
    "sqlite": "SQLite",
    "duckdb": "DuckDB",
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
}

NOTES: dict[Dialect, str] = {
    "sqlite": """SQLite: dates are text, cut with substr() or strftime('%Y-%m', d); there is no date_trunc, no
EXTRACT. Dividing integers drops the fraction: multiply by 1.0 first. Concatenate with ||. There is no ILIKE; LIKE
ignores case.""",
    "duckdb": """DuckDB: cut dates with date_trunc('month', d); / divides exactly and // drops the fraction.
ILIKE ignores case. QUALIFY filters window functions.""",
    "postgres": """PostgreSQL: cut dates with date_trunc('month', d); dividing integers drops the fraction, and
round(x, 2) needs x::numeric. ILIKE ignores case. Names with capitals need double quotes.""",
    "mysql": """MySQL: cut dates with DATE_FORMAT(d, '%Y-%m-01'). Quote names with backticks. Concatenate with CONCAT().
There is no FULL JOIN and no NULLS LAST.""",
}

READING_LONGEST = 4_000

INSTRUCTIONS_SHARE = 8
"""Instructions may fill this part of a prompt: an eighth."""

_FENCED_SQL = re.compile(r"```(?:sql)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)


class SQLDraft(BaseModel):
    """What the model answers; see PROMPT."""

    answerable: bool = True
    reason: str = ""
    sql: str
    reading: str = ""
    assumptions: list[str] = []
    readings: list[str] = []


@dataclass(frozen=True)
class _Asked:
    question: Question
    found: Found
    complaint: Complaint | None


class SQLWriter:
    """Writes with a model; its prompts fill at most about `context_tokens`."""

    def __init__(self, model: BaseChatModel, dialect: Dialect, context_tokens: int) -> None:
        self._dialect: Dialect = dialect
        self._room = context_tokens
        self._system = PROMPT.format(
            dialect=DIALECT_NAMES[dialect], data_rule=DATA_RULE, notes=f"Notes on {NOTES[dialect]}"
        )
        self._agent = json_agent(self._prompt, model, NAME, SQLDraft, rescue=_draft_of_bare_sql)

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """See agents.parts.Writer. Raises ModelUnavailable or ModelMisbehaved too."""
        if complaint is None and (unclear := unclear_value(question, found)):
            raise unclear
        answer = await self._agent.ainvoke(_Asked(question, found, complaint))
        sql = _bare(answer.sql)
        if not answer.answerable and len(readings := _told(answer.readings[:READINGS])) > 1:
            raise QuestionUnclear(plain(answer.reason, 500) or "Which of these do you mean?", readings)
        if not answer.answerable or not sql:
            raise QuestionDeclined(plain(answer.reason, 500) or "The tables do not seem to hold what you ask for.")
        return Draft(sql, plain(answer.reading, READING_LONGEST) or question.text, _told(answer.assumptions[:8]))

    def _prompt(self, asked: _Asked) -> Messages:
        question, complaint = asked.question, asked.complaint
        before = [
            section("today", question.today.isoformat()),
            section("time_words", time_words(question.today)),
        ]
        after = [section("question", question.text)]
        if complaint is not None:
            after.insert(0, section("complaint", write_complaint(complaint)))
        if asked.found.instructions:
            told = describe_instructions(asked.found.instructions, self._room // INSTRUCTIONS_SHARE)
            after.insert(0, section("instructions", told))
        if asked.found.terms:
            after.insert(0, section("glossary", describe_terms(asked.found.terms)))
        if asked.found.saved:
            after.insert(0, section("saved", describe_saved(asked.found.saved)))
        if asked.found.values:
            after.insert(0, section("values", describe_values(asked.found.values)))
        turns = [_as_messages(turn) for turn in question.turns[-TURNS_KEPT:]]
        room = self._room - sum(map(tokens_in, [self._system, *before, *after]))
        # The tables may take what the conversation leaves, and two thirds of the room in any case.
        talk = [sum(tokens_in(text) for _, text in turn) for turn in turns]
        # A follow-up is read by the words of the question that it continues, too.
        words = " ".join([question.text, *(turn.reading for turn in question.turns[-1:])])
        tables = describe_tables(asked.found, words, self._dialect, max(room - sum(talk), room * 2 // 3))
        kept = _newest_that_fit(talk, room - tokens_in(tables))
        if kept < len(turns):
            log.info("left %d earlier questions out of the prompt", len(turns) - kept)
        request = "\n".join([*before, section("tables", tables), *after])
        earlier = [message for turn in turns[len(turns) - kept :] for message in turn]
        return [("system", self._system), *earlier, ("human", request)]


def _newest_that_fit(sizes: list[int], room: int) -> int:
    """Return how many from the end of `sizes` add up to `room` at most."""
    kept = 0
    for size in reversed(sizes):
        room -= size
        if room < 0:
            break
        kept += 1
    return kept


def _as_messages(turn: Turn) -> Messages:
    answer = SQLDraft(sql=turn.sql, reading=turn.reading)
    return [
        ("human", section("question", turn.question)),
        ("ai", json.dumps(answer.model_dump(), ensure_ascii=False)),
    ]


def time_words(today: date) -> str:
    """Return a line for each common time word: its first and its last day, weeks from Monday to Sunday."""
    day = timedelta(days=1)
    monday = today - timedelta(days=today.weekday())
    month = today.replace(day=1)
    quarter = today.replace(month=today.month - (today.month - 1) % 3, day=1)
    year = today.replace(month=1, day=1)
    spans = {
        "yesterday": (today - day, today - day),
        "this week": (monday, today),
        "last week": (monday - 7 * day, monday - day),
        "this month": (month, today),
        "last month": ((month - day).replace(day=1), month - day),
        "this quarter": (quarter, today),
        "last quarter": (_months_before(quarter, 3), quarter - day),
        "this year": (year, today),
        "last year": (year.replace(year=year.year - 1), year - day),
        "the last 7 days": (today - 6 * day, today),
        "the last 30 days": (today - 29 * day, today),
        "the last 12 months": (_months_before(month, 12), month - day),
    }
    return "\n".join(f"{words}: {first} to {last}" for words, (first, last) in spans.items())


def _months_before(first: date, count: int) -> date:
    months = first.year * 12 + first.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)


def _told(texts: list[str]) -> tuple[str, ...]:
    """Return what the model tells a person, as plain text."""
    return tuple(filter(None, (plain(text, 300) for text in texts)))


def _bare(sql: str) -> str:
    """Return SQL without a fence around it and a semicolon after it."""
    fenced = _FENCED_SQL.search(sql)
    return (fenced[1] if fenced else sql).strip().rstrip(";").rstrip()


def _draft_of_bare_sql(text: str) -> SQLDraft | None:
    """Return a draft of a reply that is SQL in a fence instead of JSON."""
    fenced = _FENCED_SQL.search(text)
    return SQLDraft(sql=fenced[1]) if fenced else None
