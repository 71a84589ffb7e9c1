"""The stand-in plays the model of a tool-calling agent: LangChain's own agent finds tables, runs SQL and answers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from benchmarks.model_wire import tokens_of
from tests.test_model_answers import DRAFT, QUESTION, Analyst
from tests.test_sql_writer import CATALOG

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)


class Tools:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def find_tables(self, question: str) -> str:
        """Find the tables that a question is about."""
        self.calls.append(("find_tables", question))
        return "customers(id, name, city)"

    def run_sql(self, sql: str) -> str:
        """Run a query."""
        self.calls.append(("run_sql", sql))
        return "Rome 12.50"

    def both(self) -> list[Any]:
        return [self.find_tables, self.run_sql]


@pytest.fixture
def analyst(model_server: StandIn) -> Analyst:
    analyst = Analyst()
    model_server.answers_for(CATALOG, writer=analyst)
    return analyst


async def answered(model_server: StandIn, tools: Tools, *questions: str) -> str:
    async with model_server.open() as chat:
        agent: Any = create_agent(chat, tools.both(), system_prompt="You answer questions.")
        messages: list[Any] = []
        for question in questions:
            messages = (await agent.ainvoke({"messages": [*messages, ("user", question)]}))["messages"]
    return str(messages[-1].content)


async def test_the_agent_finds_tables_then_runs_the_analysts_sql_then_answers(
    model_server: StandIn, analyst: Analyst
) -> None:
    tools = Tools()
    text = await answered(model_server, tools, QUESTION.text)
    assert tools.calls == [("find_tables", QUESTION.text), ("run_sql", DRAFT.sql)]
    assert text == "The rows begin with: Rome 12.50"


async def test_a_second_question_goes_the_same_way(model_server: StandIn, analyst: Analyst) -> None:
    tools = Tools()
    await answered(model_server, tools, "What?", "Who?")
    assert [called for name, called in tools.calls if name == "find_tables"] == ["What?", "Who?"]
    assert len(tools.calls) == 4


async def test_a_question_that_is_declined_is_answered_so(model_server: StandIn, analyst: Analyst) -> None:
    analyst.declines = True
    tools = Tools()
    assert "weather" in await answered(model_server, tools, "Will it rain?")
    assert len(tools.calls) == 1


async def test_the_arguments_are_streamed_in_tokens(model_server: StandIn, analyst: Analyst) -> None:
    # LangChain's own client, which passes on every piece as it came.
    chat = ChatOpenAI(model="any", base_url=model_server.base_url, api_key=SecretStr("none"))
    agent: Any = create_agent(chat, Tools().both())
    pieces = [
        chunk["args"]
        async for message, _ in agent.astream({"messages": [("user", QUESTION.text)]}, stream_mode="messages")
        for chunk in getattr(message, "tool_call_chunks", ())
        if chunk["args"]
    ]
    find = '{"question": "What did they spend?"}'
    run = '{"sql": "SELECT 1 AS one"}'
    assert pieces == [*tokens_of(find), *tokens_of(run)]


async def test_the_answer_is_stamped_with_the_time_of_all_three_calls(model_server: StandIn, analyst: Analyst) -> None:
    model_server.server.analyst = replace(model_server.server.analyst, answer_tokens=3)
    model_server.speaks(first_token=0.02, tokens_per_second=500)
    text = await answered(model_server, Tools(), QUESTION.text)
    # A tool's name is a token, and so is each word of its arguments.
    calls = [
        1 + len(tokens_of('{"question": "What did they spend?"}')),
        1 + len(tokens_of('{"sql": "SELECT 1 AS one"}')),
    ]
    assert re.fullmatch(r"m\d+ (t\d+ ){3}", text)
    assert text.split()[0] == f"m{sum(20 + 2 * length for length in calls) + 20}"
