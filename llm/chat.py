"""The LangChain chat model over one OpenAI-compatible endpoint, whose every fault is a ModelUnavailable."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from openai import DefaultAioHttpClient, Timeout
from pydantic import PrivateAttr, SecretStr

from errors import SettingsInvalid
from llm.chat_faults import Endpoint, check_finish, translate

OPENAI = "https://api.openai.com/v1"

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 20.0
"""How long a stream that has begun may be silent. Its first token may take the whole call's time: a local server
loads the model then."""

# These refuse any temperature but their own.
_REASONS = re.compile(r"(?:.*/)?(?:o\d|gpt-(?:[5-9]|\d\d))")


@asynccontextmanager
async def open_chat_model(
    model: str,
    *,
    api_key: SecretStr | None = None,
    base_url: str | None = None,
    timeout: float = 60.0,
    idle: float = IDLE_SECONDS,
) -> AsyncIterator[BaseChatModel]:
    """Yield the chat model; its connections close at the end.

    `timeout` is seconds for one whole call, `idle` for one silence within a stream. What it raises while it
    works is a ModelUnavailable or a ModelMisbehaved. Raises SettingsInvalid for a `base_url` that is no address.
    """
    url, basic = _without_credentials(base_url or OPENAI)
    async with DefaultAioHttpClient(timeout=_limits(timeout)) as http:
        chat = _EndpointModel(
            model=model,
            base_url=url,
            # Servers without keys (Ollama, llama.cpp) take any; the SDK insists on one.
            api_key=api_key or SecretStr("none"),
            default_headers={"Authorization": basic} if basic and api_key is None else None,
            http_async_client=http,
            timeout=_limits(timeout),
            max_retries=0,
            temperature=None if _REASONS.match(model) else 0,
            # Nobody reads the usage yet, and some compatible servers refuse `stream_options`.
            stream_usage=False,
            # It starts a task per token on Python 3.11; `_within` below does its work, and the deadline's.
            stream_chunk_timeout=None,
            use_responses_api=False,
        )
        chat._endpoint = Endpoint.of(url, model)
        chat._seconds, chat._idle = timeout, idle
        yield chat


class _EndpointModel(ChatOpenAI):
    """ChatOpenAI that trusts no reply: late, cut short, empty or garbled ones raise, in our own words."""

    _endpoint: Endpoint = PrivateAttr()
    _seconds: float = PrivateAttr()
    _idle: float = PrivateAttr()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        try:
            async with asyncio.timeout(self._seconds):
                result = await super()._agenerate(messages, stop, run_manager, **kwargs)
            first = result.generations[0]
            reason = (first.generation_info or {}).get("finish_reason")
            check_finish(reason, is_empty=_is_empty(first.message), endpoint=self._endpoint)
        except Exception as error:
            # Not `from error`: its text may hold the key, and a traceback would print it.
            raise translate(error, self._endpoint) from None
        return result

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        reason: str | None = None
        is_empty = True
        try:
            arriving = super()._astream(*args, **kwargs)
            async with aclosing(_within(arriving, self._seconds, self._idle)) as chunks:
                async for chunk in chunks:
                    reason = (chunk.generation_info or {}).get("finish_reason") or reason
                    is_empty = is_empty and _is_empty(chunk.message)
                    yield chunk
            check_finish(reason, is_empty=is_empty, endpoint=self._endpoint)
        except Exception as error:
            raise translate(error, self._endpoint) from None


def _is_empty(message: BaseMessage) -> bool:
    has_call = isinstance(message, AIMessage) and (message.tool_calls or message.invalid_tool_calls)
    has_piece = bool(getattr(message, "tool_call_chunks", None))
    return not (message.content or has_call or has_piece)


async def _within(
    chunks: AsyncIterator[ChatGenerationChunk], seconds: float, idle: float
) -> AsyncGenerator[ChatGenerationChunk]:
    """Yield the chunks; raises TimeoutError when they take `seconds` in all, or pause for `idle` in between.

    Comments that keep the connection alive are no chunks, so they do not put the limits off.
    """
    clock = asyncio.get_running_loop()
    end = clock.time() + seconds
    limit = end
    try:
        while True:
            try:
                async with asyncio.timeout_at(limit):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            yield chunk
            limit = min(end, clock.time() + idle)
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


def _limits(timeout: float) -> Timeout:
    return Timeout(timeout, connect=min(timeout, CONNECT_SECONDS))


def _without_credentials(base_url: str) -> tuple[str, str | None]:
    """Return the address without its user and password, and these as a Basic header: HTTP clients log addresses."""
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsInvalid("OPENAI_BASE_URL is no address: write it like http://localhost:11434/v1.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = urlunsplit(parts._replace(netloc=host + (f":{port}" if port else "")))
    if parts.username is None:
        return url, None
    both = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return url, "Basic " + base64.b64encode(both.encode()).decode()
