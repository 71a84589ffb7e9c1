"""Plays the model of an investigation: it asks, splits up and reports by the offline analyst's rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from agents.parts import Narrator, Suggester, Writer
from agents.prompts import read_rows, read_section
from agents.question import Draft, Question
from benchmarks.model_agent import FIND, RUN
from benchmarks.model_wire import Part, Reply, ToolCall
from errors import QuestionDeclined
from tools.catalog import Catalog, Found
from tools.sql_runner import Rows

DRAW = "draw_chart"
QUERIES = 3

PLAN = "I compare first, then split up what I find by one thing after the other."
LIMITS = (
    "The rows show what changed and where; they cannot show why. I am a stand-in that works by rules, and no model."
)

_WHY = re.compile(
    r"why (?:did|do|does|is|are|was|were|has|have) (?:the |our |my )?(?P<what>.+?) "
    r"(?:drop|fall|fell|declin|decreas|shrink|shrunk|sink|sunk|ris|grow|increas|improv|jump|go|gone|so|low|high|down|up|"
    r"less|more|fewer|bad|weak|good|strong|chang)\w*\b.*?(?P<when> (?:in|last|this|since|during) .+)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Call:
    """A tool's call, and what the tool told."""

    name: str
    arguments: Mapping[str, Any]
    told: str

    @property
    def rows(self) -> Rows | None:
        text = read_section("rows", self.told)
        return read_rows(text) if text else None

    @property
    def number(self) -> int:
        found = re.match(r"Query (\d+)", self.told)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Detective:
    """Investigates instead of a model; what it knows it reads from the messages, so that each request stands alone."""

    catalog: Catalog
    writer: Writer
    narrator: Narrator
    suggester: Suggester

    async def next_step(self, body: Mapping[str, Any]) -> Reply:
        """Return the next reply: a call of a tool, or after a few queries the report."""
        messages = body["messages"]
        asked = max(i for i, message in enumerate(messages) if message.get("role") == "user")
        prompt = str(messages[asked].get("content"))
        today = date.fromisoformat(read_section("today", prompt) or date.today().isoformat())
        question = Question(read_section("question", prompt) or prompt, today)
        calls = _calls(messages[asked:])
        if not calls:
            return self._call(question, FIND, {"question": question.text}, PLAN)
        ran = [call for call in calls if call.name == RUN]
        try:
            queries = await self._queries(question, ran)
        except QuestionDeclined as declined:
            return Reply(" ".join([str(declined), *declined.suggestions]), part=Part(question.text, "answer", (FIND,)))
        if len(ran) < len(queries) and all(call.rows for call in ran):
            why, sql = queries[len(ran)]
            return self._call(question, RUN, {"sql": sql, "why": why})
        drawn = any(call.name == DRAW for call in calls)
        if not drawn and ran[0].rows and len(ran[0].rows.values) > 1:
            return self._call(question, DRAW, {"query": ran[0].number})
        return Reply(await self._report(ran, today), part=Part(question.text, "answer", (FIND, RUN)))

    async def _queries(self, question: Question, ran: Sequence[_Call]) -> list[tuple[str, str]]:
        """Return what to ask, each with its SQL; what follows on the first query is known when that has run."""
        first, draft = await self._first(question)
        queries = [(first.text, draft.sql)]
        if ran and ran[0].rows:
            ideas = await self.suggester.suggest(first, draft, ran[0].rows, Found(self.catalog.tables))
            splitting_first = sorted(ideas, key=lambda idea: " by " not in idea.question)
            queries += [(idea.question, idea.sql) for idea in splitting_first]
        return queries[:QUERIES]

    async def _first(self, question: Question) -> tuple[Question, Draft]:
        """Return the question as the rules understand it. Raises QuestionDeclined."""
        declined: QuestionDeclined | None = None
        for text in _in_plain_words(question.text):
            asked = Question(text, question.today)
            try:
                return asked, await self.writer.write(asked, Found(self.catalog.tables), None)
            except QuestionDeclined as reason:
                declined = declined or reason
        assert declined is not None
        raise declined

    async def _report(self, ran: Sequence[_Call], today: date) -> str:
        found = [f"{await self._tell(call, today)} ({call.number})." for call in ran if call.rows]
        return " ".join([*found, LIMITS])

    async def _tell(self, call: _Call, today: date) -> str:
        """Return the first sentence about a query's rows, without its full stop."""
        said: list[str] = []

        async def say(piece: str) -> None:
            said.append(piece)

        why, rows = str(call.arguments.get("why", "")), call.rows
        assert rows is not None
        await self.narrator.narrate(Question(why, today), Draft(str(call.arguments["sql"]), why), rows, say)
        return said[0].strip().rstrip(".")

    def _call(self, question: Question, name: str, arguments: Mapping[str, Any], words: str = "") -> Reply:
        call = ToolCall(name, json.dumps(arguments, ensure_ascii=False))
        return Reply(words, tool_calls=(call,), part=Part(question.text, name))


def is_investigation(body: Mapping[str, Any]) -> bool:
    """Whether the agent that asks may draw charts as well: only the investigator's may."""
    return DRAW in {tool["function"]["name"] for tool in body.get("tools") or ()}


def _in_plain_words(text: str) -> list[str]:
    """Return the question, and what it asks why of: "revenue by month" of "Why did revenue drop in May?"."""
    found = _WHY.match(text.strip().rstrip("?!. "))
    return [text, f"{found['what']} by month", f"{found['what']}{found['when'] or ''}"] if found else [text]


def _calls(messages: Sequence[Mapping[str, Any]]) -> list[_Call]:
    """Return the calls of tools that have been answered; they are made one at a time."""
    told = [str(m.get("content")) for m in messages if m.get("role") == "tool"]
    asked = [call["function"] for m in messages for call in m.get("tool_calls") or ()]
    return [_Call(call["name"], json.loads(call["arguments"]), text) for call, text in zip(asked, told, strict=False)]
