"""The stand-in model as a fixture: a real HTTP server in the test's own loop, on a free port.

A test file asks for it with `pytest_plugins = ("tests.model_fixture",)`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic import SecretStr

from agents.parts import Narrator, Suggester, Writer
from agents.question import Complaint, Draft, Followup, Question, Say
from benchmarks.model_answers import Analyst
from benchmarks.model_server import MODEL, ModelServer, Received, serving
from benchmarks.model_wire import Reply, ToolCall
from endpoints import Endpoint
from llm.chat import ChatModel, open_chat_model
from tools.catalog import Catalog, Found
from tools.sql_runner import Rows

KEY = "sk-test-0123456789"


class Nobody:
    """Stands where no analyst is needed; a call is the test's mistake, and the request fails."""

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        raise AssertionError("the test gave the model nobody to write")

    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        raise AssertionError("the test gave the model nobody to narrate")

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        raise AssertionError("the test gave the model nobody to suggest")


@dataclass
class StandIn:
    """A running stand-in. What it does can be changed at any time through `server`."""

    base_url: str
    server: ModelServer

    @property
    def requests(self) -> list[Received]:
        """What came in, oldest first."""
        return list(self.server.received)

    def will_say(self, *replies: str | ToolCall) -> None:
        """Say these next, one for each request; a reply that nobody asked for fails the test."""
        for reply in replies:
            self.server.script.append(Reply(reply) if isinstance(reply, str) else Reply(tool_calls=(reply,)))

    def will_fail(self, fault: str | None) -> None:
        """Meet every request from now on with this fault of benchmarks/model_faults.py, or with none."""
        self.server.faults.faults = (fault,) if fault else ()

    def answers_for(
        self,
        catalog: Catalog,
        *,
        writer: Writer | None = None,
        narrator: Narrator | None = None,
        suggester: Suggester | None = None,
    ) -> None:
        """Answer prompts about this database through these; who is not given fails when asked."""
        nobody = Nobody()
        self.server.analyst = Analyst(catalog, writer or nobody, narrator or nobody, suggester or nobody)

    def speaks(self, *, first_token: float = 0.0, tokens_per_second: float = 0.0) -> None:
        """Take this pace from now on; at 0 tokens a second everything comes at once."""
        self.server.pace = replace(self.server.pace, first_token=first_token, tokens_per_second=tokens_per_second)

    def endpoint(self, model: str = MODEL, **about: Any) -> Endpoint:
        """Return it as an endpoint; `model+fault` asks for a fault."""
        return Endpoint(self.base_url, model, SecretStr(KEY), **about)

    def open(
        self, model: str = MODEL, *, timeout: float = 10.0, idle: float = 5.0
    ) -> AbstractAsyncContextManager[ChatModel]:
        """Return our chat model over this endpoint."""
        return open_chat_model([self.endpoint(model)], timeout=timeout, idle=idle)


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    """Yield a stand-in that says what the test tells it, or answers through the analyst that the test gives it."""
    nobody = Nobody()
    server = ModelServer(Analyst(Catalog("nothing", "sqlite"), nobody, nobody, nobody))
    async with serving(server) as base_url:
        yield StandIn(base_url, server)
    assert not server.script, "the model was not asked for every reply that it was given"


@pytest.fixture
async def model_server() -> AsyncIterator[StandIn]:
    async with stand_in() as running:
        yield running
