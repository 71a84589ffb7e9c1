"""The LangChain chat model over all endpoints, whose every fault is a ModelUnavailable."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, Protocol

from asyncer import asyncify
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from openai import DefaultAioHttpClient, Timeout
from pydantic import PrivateAttr, SecretStr

from beat import BEAT
from endpoints import OPENAI_PROTOCOL, Endpoint
from errors import ModelUnavailable, SettingsInvalid, Unseated
from llm.chat_endpoint import Ask, EndpointModel, tokens_in
from llm.chat_faults import sentence, told
from llm.chat_lookout import looking_out
from llm.chat_wire import Interval, Patience
from llm.pool import CallFailed, Pool, Turn, open_pool
from llm.wire import CONNECT_SECONDS, open_wire

INTERVAL = BEAT
"""Seconds between two chunks of a stream. What follows costs by the chunk, not by the token."""

IDLE_SECONDS = 20.0
"""How long a stream that has begun may be silent. Its first token may take the whole call's time: a local server
loads the model then."""

ANSWER_TOKENS = 300
"""About how many tokens an answer is; reserved where an endpoint limits them, and settled when it has come."""


class Answering(Protocol):
    """A model at one endpoint. What the endpoint fails is raised as CallFailed."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""

    async def answer(self, turn: Turn, ask: Ask) -> ChatResult:
        """Return the whole answer."""

    def speak(self, turn: Turn, ask: Ask, patience: Patience) -> AsyncGenerator[ChatGenerationChunk]:
        """Yield the answer's chunks; the first is one that says something."""

    async def check(self) -> None:
        """Return when the endpoint answers, as far as that can be told without an answer that costs something."""


class ChatModel(BaseChatModel):
    """Many endpoints as one chat model: each call takes its turn at one of them, and goes elsewhere where it fails.

    It raises ModelUnavailable where no endpoint answers, and ModelMisbehaved for an answer that cannot be used. It
    works on the event loop alone: `ainvoke` and `astream`.
    """

    _pool: Pool = PrivateAttr()
    _models: Mapping[str, Answering] = PrivateAttr()
    _seconds: float = PrivateAttr()
    _idle: float = PrivateAttr()

    @property
    def pool(self) -> Pool:
        """How each endpoint is."""
        return self._pool

    @property
    def models(self) -> Mapping[str, Answering]:
        """The model at each endpoint, by the endpoint's name."""
        return self._models

    @property
    def _llm_type(self) -> str:
        return "quaestor"

    @property
    def _each(self) -> float:
        """How long one endpoint may take until its answer begins: where there are others, they need time too."""
        return self._seconds if len(self._models) == 1 else self._seconds / 2

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("The pool lives on the event loop: use ainvoke or astream.")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        ask = Ask(messages, stop, kwargs)

        async def call(turn: Turn) -> ChatResult:
            return await self._models[turn.endpoint.name].answer(turn, ask)

        try:
            return await self._pool.run(
                call, tokens=_reserve(ask), kind=_kind(ask), seconds=self._seconds, each=self._each
            )
        except CallFailed as failed:
            # Not `from failed`: a library's text behind it may hold the key, and a traceback would print it.
            raise told(failed) from None
        except Unseated as unseated:
            raise self._told_unseated(unseated) from None

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        ask = Ask(messages, stop, kwargs)
        patience = Patience(asyncio.get_running_loop().time() + self._seconds, self._idle)

        def call(turn: Turn) -> AsyncGenerator[ChatGenerationChunk]:
            return self._models[turn.endpoint.name].speak(turn, ask, patience)

        has_begun = False
        stream = self._pool.stream(call, tokens=_reserve(ask), kind="stream", seconds=self._seconds, each=self._each)
        try:
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    has_begun = True
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        except CallFailed as failed:
            raise told(failed, has_begun=has_begun) from None
        except Unseated as unseated:
            raise self._told_unseated(unseated) from None

    def _told_unseated(self, unseated: Unseated) -> ModelUnavailable:
        """Return what to raise: of the only endpoint, what it failed with, and which setting may be wrong."""
        fault = self._pool.lone_fault()
        return sentence(fault, next(iter(self._models.values())).endpoint) if fault is not None else unseated

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        """Return what callbacks are told of a call; BaseChatModel's own sets Python's warnings anew for each."""
        return {**self.asdict(), "stop": stop, **kwargs}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model with these tools, as ChatOpenAI would be with them."""
        forms = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        if tool_choice:
            names = {form["function"]["name"] for form in forms if "function" in form}
            kwargs["tool_choice"] = _choice(tool_choice, names)
        return self.bind(tools=forms, **kwargs)


# LangChain looks at the signature for every call, and Python works it out anew unless it stands there.
ChatModel._agenerate.__signature__ = inspect.signature(ChatModel._agenerate)  # type: ignore[attr-defined]


def _choice(choice: str | bool | dict[str, Any], names: set[str]) -> str | dict[str, Any]:
    """Return a tool choice in OpenAI's words."""
    if choice is True or choice == "any":
        return "required"
    if isinstance(choice, str) and choice in names:
        return {"type": "function", "function": {"name": choice}}
    assert not isinstance(choice, bool), choice
    return choice


def _kind(ask: Ask) -> str:
    """Return what is asked for: a verdict is written sooner than SQL, so each is late by its own measure."""
    wanted = ask.more.get("response_format")
    return str((wanted.get("json_schema") or {}).get("name", "whole")) if isinstance(wanted, dict) else "whole"


def _reserve(ask: Ask) -> int:
    return tokens_in(ask.messages) + ANSWER_TOKENS


async def _provider_model(endpoint: Endpoint) -> Answering:
    # LangChain's own agents and the provider's package take seconds to import: only who names one pays for it.
    from llm.chat_provider import ProviderModel

    return await asyncify(ProviderModel.at)(endpoint)


@asynccontextmanager
async def open_chat_model(
    endpoints: Sequence[Endpoint],
    *,
    redis_url: SecretStr | None = None,
    hedging: bool = False,
    timeout: float = 60.0,
    idle: float = IDLE_SECONDS,
    interval: float = INTERVAL,
) -> AsyncIterator[ChatModel]:
    """Yield the one chat model over the endpoints, of which there is at least one; its connections close at the end.

    `timeout` is seconds for one whole call, retries included, `idle` for one silence within a stream. A stream's first
    token comes at once, then a chunk for each `interval` seconds; the interval grows while the event loop is late.
    Several processes keep the endpoints' limits together through the Redis, where one is named; for `hedging` see
    docs/endpoints.md. Raises SettingsInvalid for an endpoint without an address or a name of its own, or whose
    provider has no package here.
    """
    names = [endpoint.name for endpoint in endpoints]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SettingsInvalid(f"Two endpoints are called {twice}: give each a name of its own.")
    async with AsyncExitStack() as closing:
        wire = await closing.enter_async_context(open_wire(min(timeout, CONNECT_SECONDS)))
        sdk = await closing.enter_async_context(DefaultAioHttpClient(timeout=Timeout(timeout, connect=CONNECT_SECONDS)))
        gathering = Interval(interval)
        models: dict[str, Answering] = {
            each.name: EndpointModel.at(each, wire, sdk, gathering)
            if each.provider == OPENAI_PROTOCOL
            else await _provider_model(each)
            for each in endpoints
        }
        pool = await closing.enter_async_context(open_pool(endpoints, redis_url=redis_url, hedging=hedging))
        await closing.enter_async_context(looking_out(pool, lambda name: models[name].check()))
        chat = ChatModel()
        chat._pool, chat._models, chat._seconds, chat._idle = pool, models, timeout, idle
        yield chat
