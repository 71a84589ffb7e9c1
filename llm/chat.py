"""The LangChain chat model over one OpenAI-compatible endpoint, whose every fault is a ModelUnavailable."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx2
import openai
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, BaseMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks
from langchain_openai import ChatOpenAI
from openai import DefaultAioHttpClient, Timeout
from pydantic import PrivateAttr, SecretStr

from errors import SettingsInvalid
from llm.chat_faults import Endpoint, check_finish, translate
from llm.chat_gather import Gathered
from llm.chat_wire import Interval, Patience, arriving
from llm.spending import spend

OPENAI = "https://api.openai.com/v1"
PATH = "/chat/completions"

INTERVAL = 0.15
"""Seconds between two chunks of a stream. What follows costs by the chunk, not by the token."""

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 20.0
"""How long a stream that has begun may be silent. Its first token may take the whole call's time: a local server
loads the model then."""

# What is not part of the body, and what the SDK's `post` calls it.
_OPTIONS = {"extra_headers": "headers", "extra_query": "params", "extra_body": "extra_json", "timeout": "timeout"}

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
    interval: float = INTERVAL,
) -> AsyncIterator[BaseChatModel]:
    """Yield the chat model; its connections close at the end.

    `timeout` is seconds for one whole call, `idle` for one silence within a stream. A stream's first token comes at
    once, then a chunk for each `interval` seconds; the interval grows while the event loop is late. What the model
    raises while it works is a ModelUnavailable or a ModelMisbehaved. Raises SettingsInvalid for a `base_url` that is no
    address.
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
            # Some compatible servers refuse `stream_options`; without them, the tokens are counted as they come.
            stream_usage=False,
            # It starts a task per token on Python 3.11; our own limits do its work, and the deadline's.
            stream_chunk_timeout=None,
            use_responses_api=False,
        )
        chat._endpoint, chat._http = Endpoint.of(url, model), http
        chat._seconds, chat._idle, chat._interval = timeout, idle, Interval(interval)
        yield chat


class _EndpointModel(ChatOpenAI):
    """ChatOpenAI that trusts no reply: late, cut short, empty or garbled ones raise, in our own words.

    It asks for and returns what ChatOpenAI does. But the SDK looks at every part of a request and makes objects of
    every part of a reply, which is most of what a call costs; here the body goes out as it is, and plain JSON is read.
    """

    _endpoint: Endpoint = PrivateAttr()
    _seconds: float = PrivateAttr()
    _idle: float = PrivateAttr()
    _interval: Interval = PrivateAttr()
    _http: httpx2.AsyncClient = PrivateAttr()
    _address: tuple[str, dict[str, str]] | None = PrivateAttr(None)
    """Where every request goes, and its headers."""

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        try:
            async with asyncio.timeout(self._seconds):
                if isinstance(kwargs.get("response_format"), dict | None):
                    result = await self._complete(self._get_request_payload(messages, stop=stop, **kwargs))
                else:  # A class: the SDK makes an object of the answer.
                    result = await super()._agenerate(messages, stop, run_manager, **kwargs)
            first = result.generations[0]
            spend(_written(first.message))
            reason = (first.generation_info or {}).get("finish_reason")
            check_finish(reason, is_empty=_is_empty(first.message), endpoint=self._endpoint)
        except Exception as error:
            # Not `from error`: its text may hold the key, and a traceback would print it.
            raise translate(error, self._endpoint) from None
        return result

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        stream_usage: bool | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        if self._should_stream_usage(stream_usage, **kwargs):
            kwargs["stream_options"] = {"include_usage": True}
        said = Gathered()
        is_empty = True
        try:
            if "response_format" in kwargs:  # The SDK parses the answer at the end.
                arriving = self._parsed_chunks(said, messages, stop, **kwargs)
            else:
                payload = self._get_request_payload(messages, stop=stop, **kwargs, stream=True)
                arriving = self._chunks(said, payload)
            async with aclosing(arriving) as chunks:
                async for chunk in chunks:
                    is_empty = is_empty and _is_empty(chunk.message)
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
            check_finish(said.finish, is_empty=is_empty, endpoint=self._endpoint)
        except Exception as error:
            raise translate(error, self._endpoint) from None
        finally:
            spend(said.tokens)

    async def _complete(self, payload: dict[str, Any]) -> ChatResult:
        reply = json.loads((await self._post(payload, stream=False)).content)
        # What the SDK's objects say of what an endpoint leaves out.
        reply.setdefault("system_fingerprint", None)
        for choice in reply.get("choices") or ():
            choice.setdefault("logprobs", None)
        result = self._create_chat_result(reply)
        kept = result.generations[0].message.additional_kwargs
        kept["refusal"] = reply["choices"][0]["message"].get("refusal")
        if "response_format" in payload:
            kept["parsed"] = None
        return result

    async def _chunks(self, said: Gathered, payload: dict[str, Any]) -> AsyncGenerator[ChatGenerationChunk]:
        """Yield a chunk for each interval of the answer."""
        patience = Patience(asyncio.get_running_loop().time() + self._seconds, self._idle)
        async with asyncio.timeout_at(patience.end):
            response = await self._post(payload, stream=True)
        kind: type[BaseMessageChunk] = AIMessageChunk
        async with aclosing(arriving(response, said, self._interval, patience)) as arrivals:
            async for events in arrivals:
                read = [self._convert_chunk_to_generation_chunk(event, kind, {}) for event in events]
                if chunk := merge_chat_generation_chunks([chunk for chunk in read if chunk]):
                    kind = type(chunk.message)
                    yield chunk

    async def _parsed_chunks(self, said: Gathered, *args: Any, **kwargs: Any) -> AsyncGenerator[ChatGenerationChunk]:
        async with aclosing(_within(super()._astream(*args, **kwargs), self._seconds, self._idle)) as chunks:
            async for chunk in chunks:
                said.finish = (chunk.generation_info or {}).get("finish_reason") or said.finish
                said.pieces += bool(chunk.text)
                yield chunk

    async def _post(self, payload: dict[str, Any], *, stream: bool) -> httpx2.Response:
        """Send the request; raises an openai.APIError for a reply that is no success."""
        client = self.root_async_client
        if options := {ours: payload.pop(name) for name, ours in _OPTIONS.items() if name in payload}:
            asked: Any = {"body": payload, "options": options, "stream": stream}
            return cast("httpx2.Response", await client.post(PATH, cast_to=httpx2.Response, **asked))
        # What the SDK does for a call without options, without its half a millisecond.
        if self._address is None:
            headers = {**client.auth_headers, **client.default_headers}  # Some stand there only to be left out.
            told = {name: value for name, value in headers.items() if isinstance(value, str)}
            self._address = str(client.base_url).rstrip("/") + PATH, told
        url, headers = self._address
        request = self._http.build_request("POST", url, headers=headers, content=json.dumps(payload).encode())
        try:
            reply = await self._http.send(request, stream=stream)
        except httpx2.TimeoutException as error:
            raise openai.APITimeoutError(request=request) from error
        except httpx2.RequestError as error:
            raise openai.APIConnectionError(request=request) from error
        if reply.is_success:
            return reply
        await reply.aread()
        raise client._make_status_error_from_response(reply)


def _is_empty(message: BaseMessage) -> bool:
    has_call = isinstance(message, AIMessage) and (message.tool_calls or message.invalid_tool_calls)
    has_piece = bool(getattr(message, "tool_call_chunks", None))
    return not (message.content or has_call or has_piece)


def _written(message: BaseMessage) -> int:
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    return usage["output_tokens"] if usage else 0


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
