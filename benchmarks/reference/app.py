"""The reference: a plain Chainlit and LangChain app, written as the documentation of both writes one.

Chainlit's own callback handler shows each step, the agent is built once, and every token is streamed as it comes. Only
the tools are ours, so that both apps read the same tables and run the same SQL on the same database.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack

import chainlit as cl
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI

from benchmarks.reference.database import PROMPT, open_tools, tools
from settings import read_settings

# The address and the key come from OPENAI_BASE_URL and OPENAI_API_KEY, as ChatOpenAI reads them.
model = ChatOpenAI(model=os.environ.get("QUAESTOR_MODEL", "gpt-4.1-mini"), temperature=0)
agent = create_agent(model, tools=tools, system_prompt=PROMPT)
closing = AsyncExitStack()


@cl.on_app_startup
async def on_app_startup() -> None:
    await closing.enter_async_context(open_tools(read_settings()))


@cl.on_app_shutdown
async def on_app_shutdown() -> None:
    await closing.aclose()


@cl.on_message
async def on_message(message: cl.Message) -> None:
    answer = cl.Message(content="")
    steps = RunnableConfig(callbacks=[cl.AsyncLangchainCallbackHandler()])
    async for chunk, _ in agent.astream(
        {"messages": [HumanMessage(content=message.content)]}, stream_mode="messages", config=steps
    ):
        if isinstance(chunk, AIMessageChunk) and chunk.text:
            await answer.stream_token(chunk.text)
    await answer.send()
