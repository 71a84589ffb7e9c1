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

CLOSED_SPREAD = 1.25
"""Seconds within which people who ask without a pause begin, so that they do not come as one wave for ever."""


class Notes:
    """What happened: begin (seconds since the epoch), milliseconds, and what went wrong, of every request."""

    def __init__(self) -> None:
        self.requests: list[tuple[float, float, str | None]] = []
        self.under_way: dict[object, float] = {}
        self.begin()

    def begin(self) -> None:
        self._cpu, self._wall = time.process_time(), time.time()

    def write(self, file: Path) -> None:
        spent = (time.process_time() - self._cpu) / (time.time() - self._wall)
        told = {
            "began": self._wall,
            "cpu_share": spent,
            "under_way": [*self.under_way.values()],
            "requests": self.requests,
        }
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
        self._every: float = self.environment.parsed_options.every
        first = random.uniform(0, self._every or CLOSED_SPREAD)
        self._due = time.monotonic() + first
        time.sleep(first)  # Locust has made it gevent's.

    def wait_time(self) -> float:
        """Return the seconds until the next question is due; who is late asks at once.

        Locust's own constant_pacing lets everybody ask twice at the beginning.
        """
        now = time.monotonic()
        self._due = max(now, self._due + self._every) if self._every else now
        return self._due - now

    @task
    def ask(self) -> None:
        notes.under_way[self] = time.time()
        with self.client.post("/score", json={"question": "How many customers?"}, catch_response=True) as response:
            if response.status_code == 200 and "answer" not in response.json():
                response.failure("no answer")
        del notes.under_way[self]
