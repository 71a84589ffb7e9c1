"""Measures questions by their events, and the event loop by how late it wakes, for Prometheus to read."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agents.events import Event, Finished, ReceiptWritten, RowsFound, TextChunk
from beat import beat_after
from llm.pool import EndpointState, Health

STATUSES = ("answered", "declined", "refused", "failed", "stopped")

STAGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
ANSWERS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 30, 60, 120)
LAGS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
"""The upper bounds of the histograms' buckets, in seconds."""

LOOKED_EVERY = 0.5
"""Seconds between two looks at the event loop."""
LOOKS_KEPT = 20
"""The looks of the last ten seconds."""


class Line(Protocol):
    """What people or statements stand in, until it is their turn."""

    in_turn: int

    @property
    def waiting(self) -> int:
        """How many wait."""


class Brake(Protocol):
    """What slows down whoever guesses passwords."""

    wrong: int
    refused: int


# When each of them was made is in nobody's way, but doubles what is read.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """What has been counted since the start, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        questions = Counter("quaestor_questions", "Questions by how they ended.", ["status"], registry=registry)
        # Each status is there from the start: a rate over what does not exist yet is no number.
        self._ended = {status: questions.labels(status) for status in STATUSES}
        self._stage = Histogram(
            "quaestor_stage_seconds", "Seconds of a question's stages.", ["stage"], buckets=STAGES, registry=registry
        )
        self._first_token = Histogram(
            "quaestor_first_token_seconds",
            "Seconds from a question to the first piece of its answer in words.",
            buckets=ANSWERS,
            registry=registry,
        )
        self._answer = Histogram(
            "quaestor_answer_seconds",
            "Seconds from a question to its whole answer, next questions aside; those that were stopped do not count.",
            buckets=ANSWERS,
            registry=registry,
        )
        self._tokens = Counter("quaestor_model_tokens", "Tokens that the model wrote.", registry=registry)
        self._rows = Counter("quaestor_sql_rows", "Rows that answers were made of.", registry=registry)
        self._in_flight = Gauge("quaestor_questions_in_flight", "Questions being answered.", registry=registry)
        self._waiting = Gauge("quaestor_queue_length", "What waits for its turn.", ["line"], registry=registry)
        self._in_turn = Gauge("quaestor_queue_in_turn", "What has its turn.", ["line"], registry=registry)
        self._lag = Histogram(
            "quaestor_event_loop_lag_seconds",
            "How much later than it should the event loop woke, seen twice a second.",
            buckets=LAGS,
            registry=registry,
        )
        lag_max = Gauge(
            "quaestor_event_loop_lag_max_seconds", "The largest such lag of the last 10 seconds.", registry=registry
        )
        self._schema_read = Gauge(
            "quaestor_schema_read_timestamp_seconds",
            "When what the database holds was last looked at, in seconds since 1970.",
            registry=registry,
        )
        self._looks: deque[float] = deque(maxlen=LOOKS_KEPT)
        lag_max.set_function(lambda: max(self._looks, default=0.0))
        self._endpoints = _Endpoints()
        registry.register(self._endpoints)
        ProcessCollector(registry=registry)

    def question(self) -> Watched:
        """Return what measures one question from now on."""
        self._in_flight.inc()
        return Watched(self)

    def schema_was_read(self) -> None:
        """Note that what is known of the database is as it is now."""
        self._schema_read.set_to_current_time()

    def watch_endpoints(self, endpoints: Callable[[], Sequence[EndpointState]]) -> None:
        """Show how each endpoint of the model is, asked anew at each look."""
        self._endpoints.look = endpoints

    def watch_line(self, name: str, line: Line) -> None:
        """Show how many wait in a line and how many have their turn, asked anew at each look."""
        self._waiting.labels(name).set_function(lambda: line.waiting)
        self._in_turn.labels(name).set_function(lambda: line.in_turn)

    def watch_brake(self, brake: Brake) -> None:
        """Show how many passwords were wrong and how many tries too early, asked anew at each look."""
        self._registry.register(_Tries(brake))

    async def watch_loop(self) -> None:
        """Note for ever how late the event loop wakes."""
        clock = asyncio.get_running_loop().time
        while True:
            now = clock()
            rest = beat_after(now, LOOKED_EVERY) - now
            due = time.perf_counter() + rest
            await asyncio.sleep(rest)
            late = max(0.0, time.perf_counter() - due)
            self._looks.append(late)
            self._lag.observe(late)

    def as_text(self, accept: str) -> tuple[bytes, str]:
        """Return everything counted, and its media type, as an HTTP Accept header asks for it."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


class _Endpoints(Collector):
    """The endpoints of the model, as they are when somebody looks."""

    def __init__(self) -> None:
        self.look: Callable[[], Sequence[EndpointState]] = tuple

    def collect(self) -> Iterator[Metric]:
        endpoints = self.look()
        state = GaugeMetricFamily(
            "quaestor_endpoint_state", "1 for the state in which an endpoint is.", labels=["endpoint", "state"]
        )
        in_flight = GaugeMetricFamily(
            "quaestor_endpoint_in_flight", "Requests under way at an endpoint.", labels=["endpoint"]
        )
        latency = GaugeMetricFamily(
            "quaestor_endpoint_latency_seconds",
            "Mean of an endpoint's last calls, up to the first token.",
            labels=["endpoint"],
        )
        requests = CounterMetricFamily(
            "quaestor_endpoint_requests", "Requests to an endpoint by how they ended.", labels=["endpoint", "outcome"]
        )
        for each in endpoints:
            for health in Health:
                state.add_metric([each.name, health], each.health is health)
            in_flight.add_metric([each.name], each.in_flight)
            latency.add_metric([each.name], each.latency)
            outcomes = {
                "answered": each.successes,
                "rate_limited": each.limited,
                "failed": each.failures - each.limited,
            }
            for outcome, count in outcomes.items():
                requests.add_metric([each.name, outcome], count)
        yield from (state, requests, in_flight, latency)


class _Tries(Collector):
    """The tries to log in that failed."""

    def __init__(self, brake: Brake) -> None:
        self._brake = brake

    def collect(self) -> Iterator[Metric]:
        failed = CounterMetricFamily("quaestor_failed_logins", "Tries to log in that failed.", labels=["why"])
        failed.add_metric(["wrong"], self._brake.wrong)
        failed.add_metric(["too_many"], self._brake.refused)
        yield failed


class Watched:
    """One question as its events tell of it.

    Whatever ends the block before the answer is whole has stopped it; what comes after may be left out.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._began = time.perf_counter()
        self._has_words = False
        self._whole: float | None = None
        self._status: str | None = None
        self._tokens = 0
        self._stages: dict[str, float] = {}

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        metrics = self._metrics
        metrics._in_flight.dec()
        if self._status is None:
            failed = kind is not None and issubclass(kind, Exception)
            self._status = "failed" if failed else "stopped"
        if self._status != "stopped":
            metrics._answer.observe(self._seconds() if self._whole is None else self._whole)
        metrics._ended[self._status].inc()
        metrics._tokens.inc(self._tokens)
        for stage, spent in self._stages.items():
            metrics._stage.labels(stage).observe(spent)

    def take(self, event: Event) -> None:
        """Measure by the event."""
        match event:
            case TextChunk():
                if not self._has_words:
                    self._has_words = True
                    self._metrics._first_token.observe(self._seconds())
            case RowsFound(rows):
                self._metrics._rows.inc(len(rows.values))
            case ReceiptWritten(_, seconds, tokens):
                self._whole = self._seconds()
                self._status, self._stages, self._tokens = "answered", seconds, tokens
            case Finished(status, seconds, tokens):
                self._status, self._stages, self._tokens = status, seconds, tokens
            case _:
                pass

    def _seconds(self) -> float:
        return time.perf_counter() - self._began
