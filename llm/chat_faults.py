"""Says in one sentence, to a person, what went wrong at a chat endpoint."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

import aiohttp

from endpoints import Endpoint
from errors import ModelMisbehaved, ModelUnavailable, RequestRejected
from llm.chat_json import AFTER_AN_ANSWER
from llm.pool_faults import Breakage, CallFailed, Fault, Kind, classify
from llm.wire import breakage_of

log = logging.getLogger("quaestor.model")


def told(failed: CallFailed, *, has_begun: bool = False) -> ModelUnavailable:
    """Return what to raise instead of an endpoint's failure, which may have been its last of several.

    `has_begun` says that a part of the answer is there already, so that no setting can be what is wrong.
    """
    endpoint, fault = failed.endpoint, failed.fault
    assert endpoint is not None, "the failure left the pool without its endpoint"
    log.warning("the model endpoint %s %s (status %s)", endpoint.name, fault.reason, fault.status)
    return _broken_off(fault, endpoint) if has_begun else sentence(fault, endpoint)


def _broken_off(fault: Fault, endpoint: Endpoint) -> ModelUnavailable:
    if fault.breakage is None:
        where = f"The model endpoint {address_of(endpoint)}"
        return ModelUnavailable(f"{where} reported an error in the middle of its answer. Ask again.")
    if fault.breakage is Breakage.TIMEOUT:
        return ModelUnavailable(
            "The model did not come to the end of its answer in time. "
            "Ask again, or allow it more seconds with QUAESTOR_MODEL_TIMEOUT."
        )
    return ModelUnavailable(f"The model's answer broke off before its end. {AFTER_AN_ANSWER}")


def sentence(fault: Fault, endpoint: Endpoint) -> ModelUnavailable:
    """Return the sentence about a fault, with what to look at where a setting may be wrong."""
    where, settings = f"The model endpoint {address_of(endpoint)}", endpoint.settings
    if fault.breakage is not None:
        return _of_breakage(fault.breakage, where, endpoint)
    if fault.code == "context_length_exceeded" or fault.status == 413:
        return ModelMisbehaved(
            f"The prompt does not fit into the model {endpoint.model}: "
            "lower QUAESTOR_CONTEXT_TOKENS, or start a new chat."
        )
    if fault.status in (401, 403) or fault.code in ("invalid_api_key", "authentication_error"):
        return ModelUnavailable(f"The model endpoint refused the key: check {settings.key}.")
    if fault.kind is Kind.RATE_LIMITED:
        return ModelUnavailable(f"{where} {fault.reason}. Ask again in a minute.")
    if fault.status in (402, 429):
        return ModelUnavailable(f"{where} {fault.reason}: check its plan and billing.")
    if fault.status in (404, 405) or fault.code == "model_not_found":
        return ModelUnavailable(
            f"{where} does not know the model {endpoint.model}: check {settings.model}, "
            f"and that {settings.base_url} is right (it usually ends in /v1)."
        )
    return _of_status(fault.status, where, endpoint)


def _of_status(status: int | None, where: str, endpoint: Endpoint) -> ModelUnavailable:
    match status:
        case 400 | 422:
            return RequestRejected(
                f"{where} did not take the request for the model {endpoint.model}: check {endpoint.settings.model}."
            )
        case 408 | 504:
            return ModelUnavailable(f"{where} did not answer in time. Ask again.")
        case int() if status >= 500:
            return ModelUnavailable(f"{where} has a fault of its own (HTTP {status}). Ask again in a minute.")
        case int() if status < 300:
            return ModelUnavailable(f"{where} reported an error instead of an answer. Ask again.")
        case _:
            return ModelUnavailable(f"{where} refused the request (HTTP {status}): check {endpoint.settings.base_url}.")


def _of_breakage(breakage: Breakage, where: str, endpoint: Endpoint) -> ModelUnavailable:
    check = endpoint.settings.base_url
    match breakage:
        case Breakage.CONNECT | Breakage.RESET:
            return ModelUnavailable(
                f"{where} cannot be reached, or broke off the connection. "
                f"Check {check}, and that the endpoint is running."
            )
        case Breakage.CERTIFICATE:
            return ModelUnavailable(f"{where} shows a certificate that does not verify: check {check}.")
        case Breakage.TIMEOUT:
            return ModelUnavailable(
                f"{where} did not answer in time. Ask again, or allow it more seconds with QUAESTOR_MODEL_TIMEOUT."
            )
        case Breakage.UNFINISHED:
            return ModelUnavailable(f"The model's answer broke off before its end. {AFTER_AN_ANSWER}")
        case Breakage.GARBLED:
            return ModelUnavailable(
                f"What answers at {address_of(endpoint)} does not speak the chat protocol as it should. "
                f"Check that {check} names an OpenAI-compatible endpoint (it usually ends in /v1)."
            )


def failure_of(error: Exception) -> CallFailed | ModelMisbehaved:
    """Return what to raise instead of an SDK's exception, whose own text may hold the key or the prompt.

    Every provider's SDK has exceptions of its own. What they share is told apart: a status with headers and a body,
    and else what their causes are, or are called.
    """
    if isinstance(error, CallFailed | ModelMisbehaved):
        return error
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        headers = getattr(getattr(error, "response", None), "headers", None)
        return CallFailed(classify(status, getattr(error, "body", None)), headers)
    causes = _causes(error)
    # First, because the openai client's aiohttp transport calls a dropped connection a timeout too.
    if broken := next((cause for cause in causes if isinstance(cause, aiohttp.ClientError)), None):
        return CallFailed(classify(breakage_of(broken)))
    names = " ".join(type(cause).__name__ for cause in causes)
    if "LengthFinishReason" in names:
        return _cut_short()
    if "ContentFilter" in names:
        return _held_back()
    if "Timeout" in names:
        return CallFailed(classify(Breakage.TIMEOUT))
    if "Connect" in names:
        return CallFailed(classify(Breakage.CONNECT))
    if "Protocol" in names or "ReadError" in names:
        return CallFailed(classify(Breakage.RESET))
    if (body := getattr(error, "body", None)) is not None:
        return CallFailed(classify(200, body))
    # What is left comes from reading the reply.
    return CallFailed(classify(Breakage.GARBLED))


def _causes(error: BaseException) -> list[BaseException]:
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 10:
        causes.append(cause)
        cause = cause.__cause__
    return causes


def address_of(endpoint: Endpoint) -> str:
    """Return what may be said of where an endpoint is: its address without any credentials, or a provider's model."""
    if not endpoint.base_url:
        return endpoint.name
    parts = urlsplit(endpoint.base_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def check_content(reason: str | None, *, is_empty: bool, model: str) -> None:
    """Return where an answer that has ended may be used; `reason` is what it gave as its finish_reason.

    Raises ModelMisbehaved otherwise: the fault is the question's or the model's, so another endpoint would not help.
    """
    if reason in ("length", "max_tokens", "MAX_TOKENS"):
        raise _cut_short()
    if reason in ("content_filter", "refusal", "SAFETY"):
        raise _held_back()
    if is_empty:
        raise ModelMisbehaved(f"The model {model} answered nothing. {AFTER_AN_ANSWER}")


def _cut_short() -> ModelMisbehaved:
    return ModelMisbehaved(
        "The model's answer was cut off at its length limit. Ask for less at once, or raise the limit at the endpoint."
    )


def endless() -> ModelMisbehaved:
    """Return what to raise of an answer that goes on and on."""
    return ModelMisbehaved(f"The model did not find the end of its answer. {AFTER_AN_ANSWER}")


def _held_back() -> ModelMisbehaved:
    return ModelMisbehaved("The model's provider held the answer back. Put the question in other words.")
