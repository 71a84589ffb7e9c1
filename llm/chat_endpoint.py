"""Asks one OpenAI-compatible endpoint for one answer, whole or as a stream, and trusts no reply."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, BaseMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr, SecretStr
from yarl import URL

from endpoints import Endpoint
from llm.chat_calls import Calls, check_calls
from llm.chat_faults import check_content, endless, failure_of
from llm.chat_gather import Gathered
from llm.chat_wire import Interval, Patience, arriving
from llm.pool_faults import Breakage, CallFailed, classify
from llm.pool_turn import Turn
from llm.spending import counted, spend
from llm.wire import Wire, without_credentials

PATH = "/chat/completions"

LONGEST = 100_000
"""Characters of a streamed answer, some forty pages: what is longer comes from a model that does not find its end."""

# These refuse any temperature but their own.
_REASONS = re.compile(r"(?:.*/)?(?:o\d|gpt-(?:[5-9]|\d\d))")

# What is part of the request and not of its body, or is put into the body as it is.
_EXTRAS = ("extra_headers", "extra_query", "extra_body")

_SENT = re.compile(r"authorization|content-type|accept|user-agent|openai-.*", re.IGNORECASE)
"""Of the headers that the SDK would send, those that say something to an endpoint."""


@dataclass(frozen=True)
class Ask:
    """What a model is asked, in LangChain's terms."""

    messages: list[BaseMessage]
    stop: list[str] | None
    more: dict[str, Any]
    """What else stands in the request, as OpenAI calls it."""


class EndpointModel(ChatOpenAI):
    """ChatOpenAI that trusts no reply: late, cut short, empty or garbled ones are faults.

    It asks for and returns what ChatOpenAI does. But the SDK looks at every part of a request and makes objects of
    every part of a reply, which is most of what a call costs; here the body goes out as it is, and plain JSON is read.
    """

    _endpoint: Endpoint = PrivateAttr()
    _wire: Wire = PrivateAttr()
    _interval: Interval = PrivateAttr()
    _url: URL = PrivateAttr()
    _headers: dict[str, str] = PrivateAttr()

    @classmethod
    def at(cls, endpoint: Endpoint, wire: Wire, sdk: httpx2.AsyncClient, interval: Interval) -> EndpointModel:
        """Return the model at an endpoint; raises SettingsInvalid where that has no address."""
        url, basic = without_credentials(endpoint)
        model = cls(
            model=endpoint.model,
            base_url=url,
            # Servers without keys (Ollama, llama.cpp) take any; the SDK insists on one.
            api_key=endpoint.key or SecretStr("none"),
            default_headers={"Authorization": basic} if basic and endpoint.key is None else None,
            http_async_client=sdk,
            max_retries=0,
            temperature=None if _REASONS.match(endpoint.model) else 0,
            # Some compatible servers refuse `stream_options`; without them, the tokens are counted as they come.
            stream_usage=False,
            # It starts a task per token on Python 3.11; our own limits do its work, and the deadline's.
            stream_chunk_timeout=None,
            use_responses_api=False,
        )
        client = model.root_async_client
        headers = {**client.auth_headers, **client.default_headers}  # Some stand there only to be left out.
        model._endpoint, model._wire, model._interval, model._url = endpoint, wire, interval, URL(url + PATH)
        model._headers = {k: v for k, v in headers.items() if isinstance(v, str) and _SENT.fullmatch(k)}
        return model

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    async def check(self) -> None:
        """Ask for the list of models; raises CallFailed."""
        await self._wire.get(URL(str(self._url).removesuffix(PATH) + "/models"), self._headers)

    async def answer(self, turn: Turn, ask: Ask) -> ChatResult:
        """Return the whole answer; raises CallFailed, or ModelMisbehaved for one that ended and cannot be used."""
        asked = ask.more
        if isinstance(asked.get("response_format"), dict | None):
            payload = self._get_request_payload(ask.messages, stop=ask.stop, **asked)
            url, headers, body = self._request(payload)
            reply, told = await self._wire.post_json(url, headers, body)
            result = self._read(reply, payload)
        else:  # A class: the SDK makes an object of the answer.
            told = None
            try:
                result = await super()._agenerate(ask.messages, ask.stop, None, **asked)
            except Exception as error:
                raise failure_of(error) from None
        first = result.generations[0]
        reason = (first.generation_info or {}).get("finish_reason")
        is_empty = is_nothing(first.message)
        if not reason:
            raise CallFailed(classify(Breakage.GARBLED if is_empty else Breakage.UNFINISHED))
        usage = first.message.usage_metadata if isinstance(first.message, AIMessage) else None
        spend((counted(usage["output_tokens"]) or 0) if usage else 0)
        turn.succeeded(counted(usage["total_tokens"]) if usage else None, told)
        check_content(reason, is_empty=is_empty, model=self.model_name)
        check_calls(first.message)
        return result

    async def speak(self, turn: Turn, ask: Ask, patience: Patience) -> AsyncGenerator[ChatGenerationChunk]:
        """Yield a chunk for each interval of the answer, the first with its first token.

        Raises like `answer`, after what came until then.
        """
        said, calls = Gathered(), Calls()
        before: list[ChatGenerationChunk] = []
        is_empty, length = True, 0
        try:
            async with aclosing(self._chunks(turn, ask, said, patience)) as chunks:
                async for chunk in chunks:
                    calls.add(chunk.message)
                    if is_empty and is_nothing(chunk.message):
                        before.append(chunk)  # As long as nothing was shown, another endpoint may be asked.
                        continue
                    is_empty = False
                    whole = merge_chat_generation_chunks([*before, chunk])
                    before.clear()
                    assert whole is not None
                    length += len(whole.text)
                    if length > LONGEST:
                        raise endless()
                    yield whole
            if not said.finish:
                raise CallFailed(classify(Breakage.GARBLED if is_empty else Breakage.UNFINISHED))
        finally:
            spend(said.tokens)
        turn.succeeded(tokens_in(ask.messages) + said.tokens)
        check_content(said.finish, is_empty=is_empty, model=self.model_name)
        calls.check()

    def _request(self, payload: dict[str, Any]) -> tuple[URL, dict[str, str], bytes]:
        """Return where the request goes, its headers and its body."""
        extra_headers, query, extra = [payload.pop(name, None) for name in _EXTRAS]
        url = self._url.update_query(query) if query else self._url
        headers = {**self._headers, **extra_headers} if extra_headers else self._headers
        whole = {**payload, **extra} if extra else payload
        try:
            return url, headers, orjson.dumps(whole)
        except TypeError:  # half a surrogate pair, or an integer of more than 64 bits
            return url, headers, json.dumps(whole).encode()

    def _read(self, reply: dict[str, Any], payload: dict[str, Any]) -> ChatResult:
        try:
            # What the SDK's objects say of what an endpoint leaves out.
            reply.setdefault("system_fingerprint", None)
            for choice in reply.get("choices") or ():
                choice.setdefault("logprobs", None)
            result = self._create_chat_result(reply)
            kept = result.generations[0].message.additional_kwargs
            kept["refusal"] = reply["choices"][0]["message"].get("refusal")
        except Exception:  # Whatever reading raises: it was no answer of this protocol.
            raise CallFailed(classify(Breakage.GARBLED)) from None
        if "response_format" in payload:
            kept["parsed"] = None
        return result

    async def _chunks(
        self, turn: Turn, ask: Ask, said: Gathered, patience: Patience
    ) -> AsyncGenerator[ChatGenerationChunk]:
        """Yield the answer's chunks, the empty ones too."""
        asked = dict(ask.more)
        if self._should_stream_usage(asked.pop("stream_usage", None), **asked):
            asked["stream_options"] = {"include_usage": True}
        if "response_format" in asked:  # The SDK parses the answer at the end.
            async with aclosing(self._parsed_chunks(said, ask, patience, asked)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        payload = self._get_request_payload(ask.messages, stop=ask.stop, **asked, stream=True)
        reply = await self._wire.post(*self._request(payload))
        kind: type[BaseMessageChunk] = AIMessageChunk
        async with aclosing(arriving(reply, said, self._interval, patience)) as arrivals:
            async for events in arrivals:
                try:
                    read = [self._convert_chunk_to_generation_chunk(event, kind, {}) for event in events]
                    whole = merge_chat_generation_chunks([chunk for chunk in read if chunk])
                except Exception:  # As above.
                    raise CallFailed(classify(Breakage.GARBLED)) from None
                if whole:
                    kind = type(whole.message)
                    yield whole

    async def _parsed_chunks(
        self, said: Gathered, ask: Ask, patience: Patience, asked: dict[str, Any]
    ) -> AsyncGenerator[ChatGenerationChunk]:
        clock, limit = asyncio.get_running_loop().time, patience.end
        chunks = aiter(super()._astream(ask.messages, ask.stop, None, **asked))
        try:
            while True:
                async with asyncio.timeout_at(limit):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                said.finish = (chunk.generation_info or {}).get("finish_reason") or said.finish
                said.pieces += bool(chunk.text)
                yield chunk
                limit = min(patience.end, clock() + patience.idle)
        except Exception as error:
            raise failure_of(error) from None
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()


def is_nothing(message: BaseMessage) -> bool:
    """Return whether a message, or a piece of one, says nothing and calls nothing."""
    has_call = isinstance(message, AIMessage) and (message.tool_calls or message.invalid_tool_calls)
    has_piece = bool(getattr(message, "tool_call_chunks", None))
    return not (message.content or has_call or has_piece)


def tokens_in(messages: list[BaseMessage]) -> int:
    """Return about how many tokens a prompt is: four letters each, as OpenAI's own rule of thumb has it."""
    return sum(len(message.content) for message in messages if isinstance(message.content, str)) // 4 + 1
