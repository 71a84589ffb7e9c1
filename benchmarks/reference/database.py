"""What the reference's agent may call: our schema search, and our guard and runner, as two LangChain tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from langchain_core.tools import tool

from agents.prompts import write_rows
from agents.schema_prompt import describe_tables
from bootstrap import open_asker
from errors import AskError
from settings import Settings

if TYPE_CHECKING:
    from agents.ask import Asker

PROMPT = """\
You answer questions about a company's database. First find the tables that the question is about, then run one SELECT
on them, then tell the person in a few sentences what its rows answer."""

TABLES_TOKENS = 6_000

_open: list[Asker] = []


@asynccontextmanager
async def open_tools(settings: Settings) -> AsyncIterator[None]:
    """Open the database and its index for the tools; raises what `bootstrap.open_asker` raises."""
    offline = settings.model_copy(update={"openai_api_key": None, "openai_base_url": None, "extension": None})
    async with open_asker(offline) as asker:
        _open.append(asker)
        try:
            yield
        finally:
            _open.remove(asker)


@tool
async def find_tables(question: str) -> str:
    """Find the tables and columns that a question is about."""
    (asker,) = _open
    found = await asker.schema.find(question)
    return describe_tables(found, question, asker.catalog.dialect, TABLES_TOKENS)


@tool
async def run_sql(sql: str) -> str:
    """Run one SELECT on the database and return its rows."""
    (asker,) = _open
    try:
        query = await asker.guard.check(sql)
        return write_rows(await asker.runner.run(query))
    except AskError as error:
        return f"The query failed: {error}"


tools = [find_tables, run_sql]
