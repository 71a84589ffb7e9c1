"""Carries out one run of the benchmark: its servers on one core, the model and the load on the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from benchmarks.bench_parts import (
    ANSWER_TOKENS,
    ApiRun,
    App,
    AskRun,
    ChatRun,
    EndpointsRun,
    FlowRun,
    RequesterRun,
    Run,
    TurnsRun,
)
from benchmarks.bench_servers import LOAD_CORE, SERVER_CORE, RunFailed, Server, free_port, run, serving, surroundings
from benchmarks.endpoints import measure_endpoints
from benchmarks.flow import measure_flow
from benchmarks.model_server import MODEL
from benchmarks.model_speech import Pace
from benchmarks.requester import measure_requester

PACE = Pace(first_token=0.25, tokens_per_second=50)
"""How fast the model speaks."""
QUICK_PACE = Pace(first_token=0.05, tokens_per_second=500)
AT_ONCE = Pace()

WARM_UP = ("--users", "3", "--over", "0.3", "--open-before", "0.2", "--seed", "2")
"""Who comes first pays for what is loaded on first use; these do, and are not counted."""
WARM_UP_SECONDS = 150.0

LOST_SOME = 2
"""The exit code of a load whose questions were not all answered: that is a figure, not a failure."""


@dataclass(frozen=True)
class Place:
    """Where the servers keep their files, a folder each, and where their logs stay."""

    folder: Path
    logs: Path
    pace: Pace = PACE

    def home(self, name: str) -> Path:
        home = self.folder / name
        home.mkdir(exist_ok=True)
        return home

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"


def carry_out(one: Run, place: Place) -> dict[str, Any]:
    """Return the figures of one run. Raises RunFailed."""
    match one:
        case ChatRun():
            return _chat(one, place)
        case TurnsRun():
            pair: tuple[App, ...] = ("ours", "reference")
            return {"turns": [{app: _chat(one.of(app), place) for app in pair} for _ in range(one.turns)]}
        case ApiRun():
            return _api(one, place)
        case FlowRun():
            return measure_flow(one.users, one.rate, one.seconds)
        case AskRun():
            return _ask(one, place)
        case EndpointsRun():
            return measure_endpoints(one.rate, one.seconds, hedge=True)
        case RequesterRun():
            return measure_requester(one)
        case _:
            assert_never(one)


def _chat(one: ChatRun, place: Place) -> dict[str, Any]:
    with _app_and_model(one.app, one.tokens, place) as (server, model):
        at = ["-m", "benchmarks", "chat", "--url", server.url]
        log = place.log(f"{one.name}-load")
        run([*at, *WARM_UP], core=LOAD_CORE, log=log, seconds=WARM_UP_SECONDS, well=(0, LOST_SOME))
        length = ["--minutes", str(one.minutes)] if one.minutes else ["--over", str(one.over)]
        load = [*at, "--users", str(one.users), *length, "--timeout", str(one.timeout)]
        return _loaded(load, server, model, log, one.longest)


def _api(one: ApiRun, place: Place) -> dict[str, Any]:
    with _app_and_model("ours", ANSWER_TOKENS, place) as (server, model):
        at = ["-m", "benchmarks", "api", "--url", f"{server.url}/api/ask", "--stream"]
        log = place.log(f"{one.name}-load")
        first = ["--rate", "3", "--seconds", "1", "--seed", "2"]
        run([*at, *first], core=LOAD_CORE, log=log, seconds=WARM_UP_SECONDS, well=(0, LOST_SOME))
        load = [*at, "--rate", str(one.rate), "--seconds", str(one.seconds)]
        return _loaded(load, server, model, log, one.seconds + 180)


def _loaded(load: list[str], server: Server, model: Server, log: Path, seconds: float) -> dict[str, Any]:
    """Run the load beside its servers and return the figures that it wrote."""
    figures, pids = log.with_suffix(".json"), ["--server-pid", str(server.pid), "--model-pid", str(model.pid)]
    figures.unlink(missing_ok=True)
    run(
        [*load, *pids, "--json", str(figures)],
        core=LOAD_CORE,
        log=log,
        seconds=seconds,
        well=(0, LOST_SOME),
    )
    if not figures.exists():
        raise RunFailed(f"The load wrote no figures.\n{log.read_text()[-1500:]}")
    told: dict[str, Any] = json.loads(figures.read_text())
    return told


def _ask(one: AskRun, place: Place) -> dict[str, Any]:
    log = place.log(one.name)
    with _model(0, AT_ONCE, place) as model:
        command = ["-m", "benchmarks", "ask", "--rounds", str(one.rounds), "--model-url", f"{model.url}/v1"]
        run(command, core=SERVER_CORE, log=log, seconds=300, extra=surroundings(place.home("ours")))
    text = log.read_text()
    # A log line may come before the tables.
    return {"markdown": text[text.index("###") :].strip().replace(f" at {model.url}/v1", " (the stand-in)")}


@contextmanager
def _app_and_model(app: App, tokens: int, place: Place) -> Iterator[tuple[Server, Server]]:
    with ExitStack() as servers:
        model = servers.enter_context(_model(tokens, place.pace, place))
        port = free_port()
        extra = {
            **surroundings(place.home(app)),
            "OPENAI_BASE_URL": f"{model.url}/v1",
            "OPENAI_API_KEY": "none",
            "QUAESTOR_MODEL": MODEL,
            "QUAESTOR_PORT": str(port),
        }
        if app == "simulated":
            extra["QUAESTOR_EXTENSION"] = "benchmarks.simulated:simulate"
        if app == "reference":
            command = ["-m", "benchmarks", "reference", "--port", str(port), "--model-url", f"{model.url}/v1"]
        else:
            command = ["server.py"]
        path = "/" if app == "reference" else "/healthz"
        log = place.log(app)
        yield (
            servers.enter_context(serving(command, port=port, core=SERVER_CORE, log=log, path=path, extra=extra)),
            model,
        )


@contextmanager
def _model(tokens: int, pace: Pace, place: Place) -> Iterator[Server]:
    """Serve the stand-in model."""
    port, first_token, rate = free_port(), str(1e3 * pace.first_token), str(pace.tokens_per_second)
    speech = ["--first-token-ms", first_token, "--tokens-per-second", rate, "--answer-tokens", str(tokens)]
    home = place.home("model")
    replies = ["--replies", str(home / "replies.jsonl")]
    command = ["-m", "benchmarks", "model", "--port", str(port), *speech, *replies]
    extra = surroundings(home)
    with serving(command, port=port, core=LOAD_CORE, log=place.log("model"), extra=extra) as server:
        yield server
