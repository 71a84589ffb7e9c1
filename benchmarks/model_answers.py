"""Answers the prompts of our agents through the offline analyst, and any other chat with an echo."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Literal

from agents import followups, guardrails, sql_writer
from agents.guardrails import RuleGuardrails
from agents.parts import Narrator, Suggester, Writer
from agents.prompts import read_answer_so_far, read_complaint, read_section
from agents.question import Question, Turn
from agents.schema_prompt import read_tables, read_terms, read_values
from benchmarks.model_agent import is_agent, next_step
from benchmarks.model_investigator import Detective, is_investigation
from benchmarks.model_wire import Part, Reply, ToolCall
from errors import QuestionDeclined, QuestionRefused, QuestionUnclear
from tools.catalog import Catalog, Found

QUESTION_LONGEST = 1_000_000
ECHO_LONGEST = 200

Task = Literal["write", "suggest", "judge", "tell", "echo"]

# By the name of the JSON shape that is asked for; where an endpoint takes none, by a word of the prompt.
_TASKS: Mapping[str, tuple[Task, str]] = {
    sql_writer.NAME: ("write", '{"answerable"'),
    followups.NAME: ("suggest", '{"followups"'),
    guardrails.NAME: ("judge", '{"allowed"'),
}

# What a person waits for before the words come: the verdict is passed beside the search, and the SQL after both.
_AFTER: Mapping[str, tuple[Task, ...]] = {"tell": ("judge", "write")}


@dataclass(frozen=True)
class Analyst:
    """Who answers instead of a model, for one database."""

    catalog: Catalog
    writer: Writer
    narrator: Narrator
    suggester: Suggester
    answer_tokens: int = 0
    """Where not 0, a told answer has just so many tokens, and each is the moment at which it leaves."""

    async def answer(self, body: Mapping[str, Any]) -> Reply:
        """Return the reply to the body of a chat request; what is no prompt of ours is echoed."""
        messages = [(str(m.get("role")), _text(m.get("content"))) for m in body["messages"]]
        prompt = next((text for role, text in reversed(messages) if role == "user"), "")
        if calls := _forced_calls(body, prompt):
            return Reply(tool_calls=calls)
        if is_agent(body) and is_investigation(body) and not self.answer_tokens:
            return await Detective(self.catalog, self.writer, self.narrator, self.suggester).next_step(body)
        if is_agent(body):
            return await next_step(body, self.writer, self.catalog, self.answer_tokens)
        task = task_of(body, messages, prompt)
        part = Part(read_section("question", prompt) or "", task, _AFTER.get(task, ()))
        match task:
            case "write":
                return _object(await self._write(messages, prompt), part)
            case "suggest":
                return _object(await self._suggest(prompt), part)
            case "judge":
                return _object(await _judge(prompt), part)
            case "tell" if self.answer_tokens:
                return Reply(stamps=self.answer_tokens, part=part)
            case "tell":
                return Reply(await self._tell(prompt), part=part)
            case "echo" if schema := _schema(body):
                return _object(example_of(schema, prompt))
            case "echo":
                return Reply(f"You said: {prompt[:ECHO_LONGEST]}")

    async def _write(self, messages: Sequence[tuple[str, str]], prompt: str) -> dict[str, Any]:
        today = date.fromisoformat(read_section("today", prompt) or date.today().isoformat())
        question = Question(read_section("question", prompt) or "", today, _turns(messages))
        told = read_section("complaint", prompt)
        try:
            draft = await self.writer.write(question, self._found(prompt), read_complaint(told) if told else None)
        except QuestionDeclined as declined:
            is_unclear = isinstance(declined, QuestionUnclear)
            return {
                "answerable": False,
                "reason": str(declined) if is_unclear else " ".join([str(declined), *declined.suggestions]),
                "sql": "",
                "reading": question.text,
                "readings": list(declined.suggestions) if is_unclear else [],
            }
        return {
            "answerable": True,
            "reason": "",
            "sql": draft.sql,
            "reading": draft.reading,
            "assumptions": list(draft.assumptions),
        }

    async def _suggest(self, prompt: str) -> dict[str, Any]:
        answered = read_answer_so_far(prompt)
        ideas = await self.suggester.suggest(*answered, self._found(prompt)) if answered else []
        return {"followups": [{"question": idea.question, "sql": idea.sql} for idea in ideas]}

    async def _tell(self, prompt: str) -> str:
        answered = read_answer_so_far(prompt)
        pieces: list[str] = []

        async def say(piece: str) -> None:
            pieces.append(piece)

        if answered:
            await self.narrator.narrate(*answered, say)
        return "".join(pieces)

    def _found(self, prompt: str) -> Found:
        tables = read_tables(read_section("tables", prompt) or "", self.catalog)
        terms = read_terms(read_section("glossary", prompt) or "")
        return Found(tables, read_values(read_section("values", prompt) or ""), terms=terms)


def task_of(body: Mapping[str, Any], messages: Sequence[tuple[str, str]], prompt: str) -> Task:
    """Return which of our agents is asking, "echo" where none of them is."""
    name = ((body.get("response_format") or {}).get("json_schema") or {}).get("name")
    system = next((text for role, text in messages if role in ("system", "developer")), "")
    for shape, (task, mark) in _TASKS.items():
        if name == shape or (name is None and mark in system):
            return task
    return "tell" if read_answer_so_far(prompt) else "echo"


async def _judge(prompt: str) -> dict[str, Any]:
    question = Question(read_section("question", prompt) or "", date.today())
    try:
        await RuleGuardrails(QUESTION_LONGEST).judge(question)
    except QuestionRefused as refused:
        return {"allowed": False, "reason": str(refused)}
    return {"allowed": True, "reason": ""}


def _turns(messages: Sequence[tuple[str, str]]) -> tuple[Turn, ...]:
    """Return the earlier turns of a writer's prompt: a question, then the JSON that answered it."""
    turns = []
    for (role, asked), (next_role, answered) in pairwise(messages):
        if role == "user" and next_role == "assistant":
            answer = json.loads(answered)
            turns.append(Turn(read_section("question", asked) or "", answer["reading"], answer["sql"]))
    return tuple(turns)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def _object(value: Any, part: Part | None = None) -> Reply:
    return Reply(json.dumps(value, ensure_ascii=False), part=part)


def _schema(body: Mapping[str, Any]) -> dict[str, Any] | None:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"reply": {"type": "string"}}}
    schema: dict[str, Any] | None = (wanted.get("json_schema") or {}).get("schema")
    return schema


def _forced_calls(body: Mapping[str, Any], prompt: str) -> tuple[ToolCall, ...]:
    """Return the call that `tool_choice` insists on, with arguments of the right shape."""
    choice = body.get("tool_choice")
    named = choice["function"]["name"] if isinstance(choice, dict) else None
    functions = [tool["function"] for tool in body.get("tools") or ()]
    wanted = [f for f in functions if named == f["name"] or choice == "required"]
    return tuple(
        ToolCall(f["name"], json.dumps(example_of(f.get("parameters") or {}, prompt), ensure_ascii=False))
        for f in wanted[:1]
    )


def example_of(schema: Mapping[str, Any], text: str) -> Any:
    """Return a value that fits a JSON schema, its strings being `text` or the first that is allowed."""
    if allowed := schema.get("enum"):
        return allowed[0]
    match schema.get("type", "object"):
        case "object":
            return {name: example_of(part, text) for name, part in (schema.get("properties") or {}).items()}
        case "array":
            return []
        case "string":
            return text
        case "integer" | "number":
            return 0
        case "boolean":
            return True
        case _:
            return None
