"""Plays the model of a tool-calling agent: it finds tables, runs the analyst's SQL, then answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from agents.parts import Writer
from agents.prompts import read_section
from agents.question import Question
from benchmarks.model_wire import Part, Reply, ToolCall
from errors import QuestionDeclined
from tools.catalog import Catalog, Found

FIND, RUN = "find_tables", "run_sql"
ROWS_LONGEST = 300


def is_agent(body: Mapping[str, Any]) -> bool:
    """Whether the request offers the two tools and leaves the choice to the model."""
    names = {tool["function"]["name"] for tool in body.get("tools") or ()}
    return {FIND, RUN} <= names and body.get("tool_choice") in (None, "auto")


async def next_step(body: Mapping[str, Any], writer: Writer, catalog: Catalog, answer_tokens: int) -> Reply:
    """Return the next reply: a call of one tool, then of the other, then the answer with the rows' beginning."""
    messages = body["messages"]
    asked = max((i for i, message in enumerate(messages) if message.get("role") == "user"), default=0)
    content = str(messages[asked].get("content"))
    question = read_section("question", content) or content
    came = [str(message.get("content")) for message in messages[asked:] if message.get("role") == "tool"]
    if not came:
        return _call(FIND, {"question": question}, Part(question, FIND))
    if len(came) == 1:
        try:
            draft = await writer.write(Question(question, date.today()), Found(catalog.tables), None)
        except QuestionDeclined as declined:
            return Reply(str(declined), part=Part(question, "answer", (FIND,)))
        return _call(RUN, {"sql": draft.sql}, Part(question, RUN))
    part = Part(question, "answer", (FIND, RUN))
    text = "" if answer_tokens else f"The rows begin with: {came[-1][:ROWS_LONGEST]}"
    return Reply(text, stamps=answer_tokens, part=part)


def _call(name: str, arguments: dict[str, str], part: Part) -> Reply:
    return Reply(tool_calls=(ToolCall(name, json.dumps(arguments, ensure_ascii=False)),), part=part)
