"""Every failure is classified once, and headers are read as their senders write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm.pool_faults import Blame, Breakage, Kind, classify
from llm.pool_headers import NO_HINTS, Hints, read_duration, read_hints

FINAL, TRANSIENT, RATE_LIMITED = Kind.FINAL, Kind.TRANSIENT, Kind.RATE_LIMITED


@pytest.mark.parametrize(
    ("status", "kind", "blame"),
    [
        (400, FINAL, Blame.REQUEST),
        (401, FINAL, Blame.ENDPOINT),
        (402, FINAL, Blame.ENDPOINT),
        (403, FINAL, Blame.EITHER),
        (404, FINAL, Blame.EITHER),
        (408, TRANSIENT, Blame.ENDPOINT),
        (409, TRANSIENT, Blame.ENDPOINT),
        (413, FINAL, Blame.REQUEST),
        (418, FINAL, Blame.REQUEST),
        (422, FINAL, Blame.REQUEST),
        (429, RATE_LIMITED, Blame.ENDPOINT),
        (302, FINAL, Blame.ENDPOINT),
        (500, TRANSIENT, Blame.ENDPOINT),
        (502, TRANSIENT, Blame.ENDPOINT),
        (503, TRANSIENT, Blame.ENDPOINT),
        (504, TRANSIENT, Blame.ENDPOINT),
        (529, TRANSIENT, Blame.ENDPOINT),
        (200, TRANSIENT, Blame.ENDPOINT),
    ],
)
def test_a_status_is_enough(status: int, kind: Kind, blame: Blame) -> None:
    fault = classify(status)
    assert (fault.kind, fault.blame, fault.status) == (kind, blame, status)


@pytest.mark.parametrize(
    ("status", "error", "kind", "blame"),
    [
        (429, {"code": "insufficient_quota"}, FINAL, Blame.ENDPOINT),
        (429, {"type": "insufficient_quota", "code": None}, FINAL, Blame.ENDPOINT),
        (429, {"code": "rate_limit_exceeded", "type": "tokens"}, RATE_LIMITED, Blame.ENDPOINT),
        (400, {"code": "context_length_exceeded"}, FINAL, Blame.REQUEST),
        (400, {"type": "invalid_request_error"}, FINAL, Blame.REQUEST),
        (404, {"code": "model_not_found"}, FINAL, Blame.EITHER),
        (200, {"type": "server_error"}, TRANSIENT, Blame.ENDPOINT),
        (200, {"type": "overloaded_error"}, TRANSIENT, Blame.ENDPOINT),
        (200, {"code": 429}, RATE_LIMITED, Blame.ENDPOINT),
        (200, {"code": "502"}, TRANSIENT, Blame.ENDPOINT),
        (200, {"code": 400}, FINAL, Blame.REQUEST),
        (503, {"code": 400}, TRANSIENT, Blame.ENDPOINT),
    ],
)
def test_an_errors_code_says_more_than_its_status(status: int, error: object, kind: Kind, blame: Blame) -> None:
    for body in ({"error": error}, json.dumps({"error": error}), json.dumps({"error": error}).encode(), error):
        fault = classify(status, body)
        assert (fault.kind, fault.blame) == (kind, blame)


@pytest.mark.parametrize("breakage", list(Breakage))
def test_what_breaks_passes_but_for_a_certificate(breakage: Breakage) -> None:
    fault = classify(breakage)
    assert fault.kind is (FINAL if breakage is Breakage.CERTIFICATE else TRANSIENT)
    assert fault.blame is Blame.ENDPOINT and fault.status is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["error", "code", "type", "x"]), inner),
    max_leaves=8,
)


@given(status=st.integers(100, 599), body=JSON | st.binary() | st.text())
def test_any_body_is_classified_and_never_repeated(status: int, body: object) -> None:
    fault = classify(status, body)
    assert fault.reason in {classify(code).reason for code in range(200, 600)} | {
        "says that the account's quota is used up"
    }


def test_a_body_nested_without_end_is_nothing() -> None:
    assert classify(500, b"[" * 60_000).kind is TRANSIENT


NOW = 1_784_000_000.0
"""Tue, 14 Jul 2026 03:33:20 GMT."""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "20"}, 20),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Tue, 14 Jul 2026 03:33:50 GMT"}, 30),
        ({"retry-after": "Tuesday, 14-Jul-26 03:33:50 GMT"}, 30),
        ({"retry-after": "Tue, 14 Jul 2020 03:33:50 GMT"}, 0),
        ({"retry-after": "Tue, 14 Jul 2099 03:33:50 GMT"}, 3_600),
        ({"retry-after-ms": "120", "retry-after": "1"}, 0.12),
        ({"retry-after": "1e99"}, 3_600),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "nan"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": ""}, 0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-limit-requests": "500",
                "x-ratelimit-reset-requests": "1m0s",
            },
            0.12,
        ),
        ({"x-ratelimit-remaining-requests": "4999", "x-ratelimit-reset-requests": "12ms"}, 0),
        ({"X-RateLimit-Remaining-Tokens": "100", "X-RateLimit-Reset-Tokens": "120ms"}, 0.12),
        (
            {
                "x-ratelimit-remaining-tokens": "100",
                "x-ratelimit-limit-tokens": "30100",
                "x-ratelimit-reset-tokens": "1m0s",
            },
            1.8,
        ),
        ({"x-ratelimit-remaining-tokens": "0"}, 0),
        ({}, 0),
    ],
)
def test_headers_say_how_long_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert read_hints(headers, now=NOW).wait_for(tokens=1_000) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("6m0s", 360),
        ("120ms", 0.12),
        ("1h2m3.5s", 3_600),
        ("1.5s", 1.5),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("1d", 3_600),
        ("8.64s", 8.64),
        ("7", 7),
        ("0s", 0),
        ("s", None),
        ("6 m", None),
        ("6m0", None),
        ("-1s", None),
        ("", None),
    ],
)
def test_durations_are_read_as_go_writes_them(written: str, seconds: float | None) -> None:
    assert read_duration(written) == (None if seconds is None else pytest.approx(seconds))


NAMES = ["retry-after", "retry-after-ms"] + [
    f"x-ratelimit-{part}-{what}" for part in ("remaining", "limit", "reset") for what in ("requests", "tokens")
]


@given(headers=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=30) | st.sampled_from(["0", "1s", "٣"])))
def test_no_header_breaks_the_reading(headers: dict[str, str]) -> None:
    assert 0 <= read_hints(headers).wait_for(10) <= 3_600


def test_headers_that_say_nothing_cost_nothing() -> None:
    assert read_hints({"content-type": "application/json"}) is NO_HINTS
    assert isinstance(NO_HINTS, Hints)
