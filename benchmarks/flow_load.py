"""The flow's load, for Locust: people who each ask every so many seconds, or again as soon as they are answered.

Locust's own percentiles are rounded to 100 ms above a second, so each request is written down here.
"""

from __future__ import annotations

import json
import random
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.user.wait_time import constant_pacing

CLOSED_SPREAD = 1.25
"""Seconds within which people who ask without a pause begin, so that they do not come as one wave for ever."""


class Notes:
    """What happened: begin (seconds since the epoch), milliseconds, and what went wrong, of every request."""

    def __init__(self) -> None:
        self.requests: list[tuple[float, float, str | None]] = []
        self.started = 0
        self.begin()

    def begin(self) -> None:
        self._cpu, self._wall = time.process_time(), time.time()

    def write(self, file: Path) -> None:
        spent = (time.process_time() - self._cpu) / (time.time() - self._wall)
        told = {"began": self._wall, "cpu_share": spent, "started": self.started, "requests": self.requests}
        file.write_text(json.dumps(told))


notes = Notes()


def options(parser: ArgumentParser) -> None:
    parser.add_argument("--record", required=True, help="The file to write the requests to.")
    parser.add_argument("--every", type=float, default=0.0, help="Seconds from a person's question to the next.")


def begin(**_: Any) -> None:
    notes.begin()


def note(start_time: float, response_time: float, exception: Exception | None, **_: Any) -> None:
    notes.requests.append((start_time, response_time, repr(exception) if exception else None))


def end(environment: Environment, **_: Any) -> None:
    assert environment.parsed_options is not None
    notes.write(Path(environment.parsed_options.record))


hooks: Any = events  # Their methods carry no types.
hooks.init_command_line_parser.add_listener(options)
hooks.test_start.add_listener(begin)
hooks.request.add_listener(note)
hooks.quitting.add_listener(end)


class Person(FastHttpUser):
    """Asks the flow."""

    def on_start(self) -> None:
        every = self.environment.parsed_options.every
        self._pace = constant_pacing(every)
        time.sleep(random.uniform(0, every or CLOSED_SPREAD))  # Locust has made it gevent's.

    def wait_time(self) -> float:
        return self._pace(self) if self.environment.parsed_options.every else 0.0

    @task
    def ask(self) -> None:
        notes.started += 1
        with self.client.post("/score", json={"question": "How many customers?"}, catch_response=True) as response:
            if response.status_code == 200 and "answer" not in response.json():
                response.failure("no answer")
