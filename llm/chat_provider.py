"""Asks a model through LangChain's package for its provider, and trusts its replies no more than an endpoint's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks
from langchain_core.runnables import Runnable

from endpoints import Endpoint
from errors import SettingsInvalid
from llm.chat_calls import Calls, check_calls
from llm.chat_endpoint import Ask, is_nothing
from llm.chat_faults import check_content, failure_of
from llm.chat_wire import Patience
from llm.pool_faults import Breakage, CallFailed, classify
from llm.pool_turn import Turn
from llm.spending import counted, spend

# OpenAI's words, which other providers have others for. The prompts ask for JSON by themselves.
_NOT_SENT = ("response_format", "stream_usage", "stream_options", "tools", "tool_choice")

_FINISHES = ("finish_reason", "stop_reason", "stopReason", "done_reason")
"""What the providers' packages call the reason for which an answer ended, in a message's `response_metadata`."""

# Not the outer run's, which hears each chunk already.
_ALONE: Any = {"callbacks": []}


class ProviderModel:
    """A provider's chat model; see llm.chat.Answering."""

    def __init__(self, endpoint: Endpoint, model: BaseChatModel) -> None:
        self._endpoint = endpoint
        self._model = model

    @classmethod
    def at(cls, endpoint: Endpoint) -> ProviderModel:
        """Return the model of the endpoint's provider. Importing the package blocks for a second.

        Raises SettingsInvalid where the package is not installed, or does not take what the endpoint says.
        """
        where = f"The endpoint {endpoint.name} of QUAESTOR_CONFIG"
        given: dict[str, Any] = {"base_url": endpoint.base_url, "api_key": endpoint.key}
        try:
            model = init_chat_model(
                endpoint.model,
                model_provider=endpoint.provider,
                max_retries=0,
                **{name: value for name, value in given.items() if value},
            )
        except ImportError as error:
            package = re.search(r"pip install (?:-U )?([\w-]+)", str(error))
            needed = f": pip install {package[1]}" if package else ""
            raise SettingsInvalid(f"{where} needs the package of its provider {endpoint.provider}{needed}.") from None
        except Exception as error:
            # Not `from error`: a package's complaint about a setting may hold the key.
            known = "is none that LangChain knows" if "Unsupported" in str(error) else "does not take its settings"
            raise SettingsInvalid(
                f"{where}: its provider {endpoint.provider} {known}. Look at its provider, model, key and base_url."
            ) from None
        return cls(endpoint, model)

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    async def check(self) -> None:
        """Return at once: providers share no question that costs nothing."""

    async def answer(self, turn: Turn, ask: Ask) -> ChatResult:
        """Return the whole answer; raises CallFailed, or ModelMisbehaved for one that ended and cannot be used."""
        runnable, options = self._prepared(ask)
        try:
            message = await runnable.ainvoke(ask.messages, _ALONE, stop=ask.stop, **options)
        except Exception as error:
            raise failure_of(error) from None
        reason, is_empty = _finish(message), is_nothing(message)
        if not reason:
            raise CallFailed(classify(Breakage.GARBLED if is_empty else Breakage.UNFINISHED))
        usage = message.usage_metadata
        spend((counted(usage["output_tokens"]) or 0) if usage else 0)
        turn.succeeded(counted(usage["total_tokens"]) if usage else None)
        check_content(reason, is_empty=is_empty, model=self._endpoint.model)
        check_calls(message)
        return ChatResult(generations=[ChatGeneration(message=message, generation_info={"finish_reason": reason})])

    async def speak(self, turn: Turn, ask: Ask, patience: Patience) -> AsyncGenerator[ChatGenerationChunk]:
        """Yield the answer's chunks as they come, the first with its first token; raises like `answer`."""
        calls, told = Calls(), _Told()
        before: list[ChatGenerationChunk] = []
        is_empty = True
        try:
            async with aclosing(self._arriving(ask, patience)) as messages:
                async for message in messages:
                    calls.add(message)
                    told.add(message)
                    before.append(ChatGenerationChunk(message=message))
                    if is_empty and is_nothing(message):
                        continue  # As long as nothing was shown, another endpoint may be asked.
                    is_empty = False
                    whole = merge_chat_generation_chunks(before)
                    before = []
                    assert whole is not None
                    yield whole
            if not told.finish:
                raise CallFailed(classify(Breakage.GARBLED if is_empty else Breakage.UNFINISHED))
        finally:
            spend(told.tokens)
        turn.succeeded(told.total or None)
        check_content(told.finish, is_empty=is_empty, model=self._endpoint.model)
        calls.check()

    async def _arriving(self, ask: Ask, patience: Patience) -> AsyncGenerator[AIMessageChunk]:
        """Yield what the provider sends, within the patience; raises CallFailed or ModelMisbehaved."""
        clock, limit = asyncio.get_running_loop().time, patience.end
        runnable, options = self._prepared(ask)
        chunks = runnable.astream(ask.messages, _ALONE, stop=ask.stop, **options)
        try:
            while True:
                async with asyncio.timeout_at(limit):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                if isinstance(chunk, AIMessageChunk):
                    yield chunk
                limit = min(patience.end, clock() + patience.idle)
        except Exception as error:
            raise failure_of(error) from None
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    def _prepared(self, ask: Ask) -> tuple[Runnable[LanguageModelInput, AIMessage], dict[str, Any]]:
        """Return the model with the tools that are asked for, and what else is asked for."""
        options = {name: value for name, value in ask.more.items() if name not in _NOT_SENT}
        if not (tools := ask.more.get("tools")):
            return self._model, options
        choice = ask.more.get("tool_choice")
        return self._model.bind_tools(tools, **({"tool_choice": _choice(choice)} if choice else {})), options


class _Told:
    """What a stream tells of itself, beside its words."""

    def __init__(self) -> None:
        self.finish: str | None = None
        self.tokens = self.total = 0

    def add(self, message: AIMessageChunk) -> None:
        self.finish = _finish(message) or self.finish
        usage: UsageMetadata | None = message.usage_metadata
        if usage:
            self.tokens += counted(usage["output_tokens"]) or 0
            self.total += counted(usage["total_tokens"]) or 0


def _finish(message: BaseMessage) -> str | None:
    return next((str(reason) for name in _FINISHES if (reason := message.response_metadata.get(name))), None)


def _choice(choice: str | dict[str, Any]) -> str:
    """Return a tool choice of OpenAI's in LangChain's words, which every package takes."""
    if isinstance(choice, dict):
        return str(choice["function"]["name"])
    return "any" if choice == "required" else choice
