"""Translates whatever goes wrong at a chat endpoint into one sentence for a person."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import openai

from errors import ModelMisbehaved, ModelUnavailable, RequestRejected
from llm.chat_json import AFTER_AN_ANSWER

log = logging.getLogger("quaestor.model")


@dataclass(frozen=True)
class Endpoint:
    """What may be said about an endpoint: its address without any credentials, and the model's name."""

    address: str
    model: str

    @classmethod
    def of(cls, base_url: str, model: str) -> Endpoint:
        parts = urlsplit(base_url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return cls(f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else ""), model)


def translate(error: Exception, endpoint: Endpoint) -> ModelUnavailable:
    """Return what to raise instead of a library's exception, whose own text may hold the key or the prompt."""
    if isinstance(error, ModelUnavailable):
        return error
    status = error.status_code if isinstance(error, openai.APIStatusError) else None
    code = error.code if isinstance(error, openai.APIError) else None
    log.warning(
        "the model endpoint %s failed: %s, status %s, code %s", endpoint.address, type(error).__name__, status, code
    )
    if status is not None:
        return _of_status(status, code, endpoint)
    if isinstance(error, openai.APIConnectionError) and not _is_late(error):
        return ModelUnavailable(
            f"The model endpoint {endpoint.address} cannot be reached, or broke off the connection. "
            "Check OPENAI_BASE_URL, and that the endpoint is running."
        )
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return ModelUnavailable(
            f"The model endpoint {endpoint.address} did not answer in time. "
            "Ask again, or allow it more seconds with QUAESTOR_MODEL_TIMEOUT."
        )
    if isinstance(error, openai.LengthFinishReasonError):
        return cut_short()
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return filtered()
    if type(error) is openai.APIError:
        return ModelUnavailable(
            f"The model endpoint {endpoint.address} reported an error instead of an answer. Ask again."
        )
    # What is left comes from reading the reply: HTML, an empty body, a line that is no JSON, no choices.
    return _foreign(endpoint)


def _is_late(error: BaseException) -> bool:
    """Return whether time ran out. The SDK's aiohttp transport also calls a dropped connection a timeout."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, aiohttp.ClientConnectionError):
        cause = cause.__cause__
    return isinstance(error, openai.APITimeoutError) if cause is None else isinstance(cause, TimeoutError)


def _of_status(status: int, code: str | None, endpoint: Endpoint) -> ModelUnavailable:
    where = f"The model endpoint {endpoint.address}"
    if code == "insufficient_quota" or status == 402:
        return ModelUnavailable(f"{where} says that the account's quota is used up: check its plan and billing.")
    if code == "context_length_exceeded":
        return ModelMisbehaved(
            f"The prompt does not fit into the model {endpoint.model}: "
            "lower QUAESTOR_CONTEXT_TOKENS, or start a new chat."
        )
    match status:
        case 401 | 403:
            return ModelUnavailable("The model endpoint refused the key: check OPENAI_API_KEY.")
        case 404:
            return ModelUnavailable(
                f"{where} does not know the model {endpoint.model}: check QUAESTOR_MODEL, "
                "and that OPENAI_BASE_URL is right (it usually ends in /v1)."
            )
        case 400 | 422:
            return RequestRejected(
                f"{where} did not take the request for the model {endpoint.model}: check QUAESTOR_MODEL."
            )
        case 408 | 504:
            return ModelUnavailable(f"{where} did not answer in time. Ask again.")
        case 429:
            return ModelUnavailable(f"{where} has too many requests at the moment. Ask again in a minute.")
        case _ if status >= 500:
            return ModelUnavailable(f"{where} has a fault of its own (HTTP {status}). Ask again in a minute.")
        case _:
            return ModelUnavailable(f"{where} refused the request (HTTP {status}): check OPENAI_BASE_URL.")


def check_finish(reason: str | None, *, is_empty: bool, endpoint: Endpoint) -> None:
    """Return when an answer is whole; `reason` is what the endpoint gave as its finish_reason.

    Raises ModelMisbehaved for any other. A stream without a finish_reason is one that broke off unnoticed.
    """
    if reason == "length":
        raise cut_short()
    if reason == "content_filter":
        raise filtered()
    if not reason and is_empty:
        raise _foreign(endpoint)
    if not reason:
        raise ModelMisbehaved(f"The model's answer broke off before its end. {AFTER_AN_ANSWER}")
    if is_empty:
        raise ModelMisbehaved(f"The model {endpoint.model} answered nothing. {AFTER_AN_ANSWER}")


def _foreign(endpoint: Endpoint) -> ModelMisbehaved:
    return ModelMisbehaved(
        f"What answers at {endpoint.address} does not speak the chat protocol as it should. "
        "Check that OPENAI_BASE_URL names an OpenAI-compatible endpoint (it usually ends in /v1)."
    )


def cut_short() -> ModelMisbehaved:
    return ModelMisbehaved(
        "The model's answer was cut off at its length limit. Ask for less at once, or raise the limit at the endpoint."
    )


def filtered() -> ModelMisbehaved:
    return ModelMisbehaved("The model's provider held the answer back. Put the question in other words.")
