"""Tells what a failed call means: whether to try again, whether elsewhere, and whose fault it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from endpoints import Endpoint


class Kind(StrEnum):
    """What to do about a fault."""

    RATE_LIMITED = "rate_limited"
    """The endpoint is well and asks to be left alone for a while."""
    TRANSIENT = "transient"
    """The same call may succeed in a moment, sooner at another endpoint."""
    FINAL = "final"
    """The same call at the same endpoint fails again."""


class Blame(StrEnum):
    """Whose fault a final fault is."""

    ENDPOINT = "endpoint"
    """Its key or its account: every call there fails, so another endpoint is asked and this one rests."""
    REQUEST = "request"
    """The request itself: no endpoint will take it."""
    EITHER = "either"
    """A model or a path that is not there, or not allowed: only another endpoint's answer tells."""


class Breakage(StrEnum):
    """How a call failed without a status."""

    CONNECT = "connect"
    RESET = "reset"
    TIMEOUT = "timeout"
    CERTIFICATE = "certificate"
    GARBLED = "garbled"
    """A reply that is not the protocol: HTML, JSON or events that are not whole, nothing to choose from."""
    UNFINISHED = "unfinished"
    """An answer that ends without saying that it has ended."""


@dataclass(frozen=True)
class Fault:
    """Why a call failed, and what that means."""

    kind: Kind
    reason: str
    """A few words for a log or an errors file; never text of the endpoint's, which may repeat the prompt or the key."""
    blame: Blame = Blame.ENDPOINT
    status: int | None = None
    code: str = ""
    """What the endpoint itself called it, where that is a word of OpenAI's."""
    breakage: Breakage | None = None


class CallFailed(Exception):
    """What a call given to the pool raises when its endpoint failed it; the pool decides what follows.

    `headers` are the reply's, where there was one: they may say how long to wait.
    """

    def __init__(self, fault: Fault, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(fault.reason)
        self.fault = fault
        self.headers = headers
        self.endpoint: Endpoint | None = None
        """Which endpoint it was; its turn says so."""


_BREAKAGES = {
    breakage: Fault(kind, reason, breakage=breakage)
    for breakage, kind, reason in (
        (Breakage.CONNECT, Kind.TRANSIENT, "cannot be reached"),
        (Breakage.RESET, Kind.TRANSIENT, "broke off the connection"),
        (Breakage.TIMEOUT, Kind.TRANSIENT, "did not answer in time"),
        (Breakage.GARBLED, Kind.TRANSIENT, "answered something that is no answer"),
        (Breakage.UNFINISHED, Kind.TRANSIENT, "broke off before its answer's end"),
        (Breakage.CERTIFICATE, Kind.FINAL, "shows a certificate that does not verify"),
    )
}

_QUOTA = "says that the account's quota is used up"

# RFC 9110, and 529 as Anthropic uses it. 401 and 402 are about the account alone; 403 and 404 may be about
# the model that the request names.
_STATUSES = {
    400: (Kind.FINAL, "did not take the request", Blame.REQUEST),
    401: (Kind.FINAL, "refused the key", Blame.ENDPOINT),
    402: (Kind.FINAL, _QUOTA, Blame.ENDPOINT),
    403: (Kind.FINAL, "does not allow the request", Blame.EITHER),
    404: (Kind.FINAL, "does not know the model or the path", Blame.EITHER),
    405: (Kind.FINAL, "does not know the model or the path", Blame.EITHER),
    408: (Kind.TRANSIENT, "did not answer in time", Blame.ENDPOINT),
    409: (Kind.TRANSIENT, "is busy with a conflicting request", Blame.ENDPOINT),
    413: (Kind.FINAL, "did not take so long a request", Blame.REQUEST),
    422: (Kind.FINAL, "did not take the request", Blame.REQUEST),
    425: (Kind.TRANSIENT, "asks for the request again", Blame.ENDPOINT),
    429: (Kind.RATE_LIMITED, "has too many requests at the moment", Blame.ENDPOINT),
    504: (Kind.TRANSIENT, "did not answer in time", Blame.ENDPOINT),
    529: (Kind.TRANSIENT, "is overloaded", Blame.ENDPOINT),
}

# What OpenAI and its imitators write as an error's code or type; it says more than the status does.
_CODES = {
    "insufficient_quota": (Kind.FINAL, _QUOTA, Blame.ENDPOINT),
    "billing_hard_limit_reached": (Kind.FINAL, _QUOTA, Blame.ENDPOINT),
    "billing_not_active": (Kind.FINAL, _QUOTA, Blame.ENDPOINT),
    "invalid_api_key": (Kind.FINAL, "refused the key", Blame.ENDPOINT),
    "authentication_error": (Kind.FINAL, "refused the key", Blame.ENDPOINT),
    "context_length_exceeded": (Kind.FINAL, "did not take so long a request", Blame.REQUEST),
    "model_not_found": (Kind.FINAL, "does not know the model or the path", Blame.EITHER),
    "rate_limit_exceeded": (Kind.RATE_LIMITED, "has too many requests at the moment", Blame.ENDPOINT),
    "rate_limit_error": (Kind.RATE_LIMITED, "has too many requests at the moment", Blame.ENDPOINT),
    "overloaded_error": (Kind.TRANSIENT, "is overloaded", Blame.ENDPOINT),
    "server_error": (Kind.TRANSIENT, "has a fault of its own", Blame.ENDPOINT),
}
_MOST = 65_536
"""Bytes of a body that are read for its code; an error's are few."""


def classify(what: int | Breakage, body: object = None) -> Fault:
    """Return what a failed call means, of its status or of how it broke, and of the reply's body where there is one.

    The body is bytes, text or parsed JSON. A status below 400 is a fault too where the caller says so: a reply
    that succeeds in its status and fails in its body.
    """
    if isinstance(what, Breakage):
        return _BREAKAGES[what]
    codes = _codes_of(body)
    code = next((code for code in codes if code in _CODES), "")
    # A gateway that passes a failure on inside a 200 writes the status as the code.
    if not code and what < 400:
        what = next((int(code) for code in codes if code.isdigit() and 400 <= int(code) < 600), what)
    kind, reason, blame = _CODES.get(code) or _STATUSES.get(what) or _of_class(what)
    return Fault(kind, reason, blame, what, code)


def _of_class(status: int) -> tuple[Kind, str, Blame]:
    if 400 <= status < 500:
        return Kind.FINAL, "refused the request", Blame.REQUEST
    if 300 <= status < 400:
        return Kind.FINAL, "is somewhere else", Blame.ENDPOINT
    if status < 300:
        return Kind.TRANSIENT, "reported an error instead of an answer", Blame.ENDPOINT
    return Kind.TRANSIENT, "has a fault of its own", Blame.ENDPOINT


def _codes_of(body: object) -> list[str]:
    """Return the error's code and type, as OpenAI writes them: `{"error": {"code": …, "type": …}}`."""
    if isinstance(body, str | bytes | bytearray):
        try:
            body = json.loads(body[:_MOST])
        except (ValueError, RecursionError):
            return []
    error: Any = body.get("error", body) if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return []
    return [str(error[part]) for part in ("code", "type") if isinstance(error.get(part), str | int)]
