"""People who come, ask and go leave nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import kept_port

HOUSE = Path(__file__).resolve().parent.parent

A_VISIT = 5_000
"""Bytes that may be left of a visit, more than what comes and goes by itself; its session and answer are far more."""


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What is left after three hundred visits; see memory_of_visits.py."""
    strange = ("QUAESTOR_", "OPENAI_", "CHAINLIT_", "QDRANT_", "DATABASE_URL")
    home = tmp_path_factory.mktemp("home")
    with kept_port() as port:
        settings = {"QUAESTOR_HOME": str(home), "QUAESTOR_PORT": str(port), "QUAESTOR_TODAY": "2026-11-20"}
        ended = subprocess.run(
            [sys.executable, "-m", "tests.memory_of_visits", "3"],
            cwd=HOUSE,
            env={name: value for name, value in os.environ.items() if not name.startswith(strange)} | settings,
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, object] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_nothing_of_a_page_is_left_when_it_is_gone(visits: dict[str, object]) -> None:
    left = visits["left"]
    assert isinstance(left, dict) and len(left) == 10
    assert left == dict.fromkeys(left, 0)


def test_memory_does_not_grow_with_the_visits(visits: dict[str, object]) -> None:
    held = visits["held"]
    assert isinstance(held, list)
    assert held[2] - held[1] < 100 * A_VISIT, held


def test_only_so_many_pages_that_are_away_are_remembered(visits: dict[str, object]) -> None:
    remembered = visits["remembered"]
    assert isinstance(remembered, dict)
    names = ("away", "sessions", "sockets", "turns", "messages")
    assert {name: remembered[name] for name in names} == dict.fromkeys(names, 10)


def test_next_to_nothing_of_a_visit_waits_for_pythons_collector(visits: dict[str, object]) -> None:
    rings = visits["rings"]
    assert isinstance(rings, list)
    # Functions that call themselves, made anew each time: the json module's, and Chainlit's for a message's words; and
    # what hangs on sqlglot's expressions. No session, connection, task, frame or class is among them.
    small = {f"builtins.{name}" for name in ("cell", "dict", "function", "list", "method", "tuple")}
    assert set(rings) <= small | {"json.encoder.JSONEncoder"}
