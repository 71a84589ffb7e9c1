"""What a load run says: percentiles, failures by their kind, and what a server and its children spent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.chat import growth
from benchmarks.measures import Load, Meter, Visit, as_table, cpu_seconds, memory_mib, percentile, spread


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        (range(1, 101), 0.5, 50),
        (range(1, 101), 0.99, 99),
        (range(1, 101), 0.999, 100),
        (range(1, 1_001), 0.999, 999),
        (range(1, 4), 0.5, 2),
        ([7], 0.5, 7),
        ([7], 0.999, 7),
        (range(1, 11), 1.0, 10),
    ],
)
def test_a_percentile_is_a_value_that_was_seen(values: range, share: float, expected: float) -> None:
    assert percentile(list(values), share) == expected


def test_nothing_has_no_spread() -> None:
    assert spread([]) is None
    assert spread([3, 1, 2]) == {"p50": 2, "p99": 3, "p999": 3, "max": 3}


def visit(first_token: float, own: float | None = 100.0, failure: str | None = None) -> Visit:
    return Visit("Why?", failure, 5.0, 0.1, first_token, own, first_token + 50, array("d", [1.0, 2.0]))


def test_the_figures_count_failures_and_measure_answers_only() -> None:
    load = Load([visit(120), visit(140), visit(9_000, failure="failed"), Visit("Who?", "timeout")])
    figures = load.figures()
    assert (figures["asked"], figures["finished"], figures["failed"]) == (4, 2, {"failed": 1, "timeout": 1})
    assert figures["first_token_ms"]["max"] == 140
    assert figures["added_ms"]["p50"] == 20 and figures["added_ms"]["max"] == 40
    assert figures["tokens"] == 4 and figures["transit_ms"]["max"] == 2
    assert figures["whole_ms"]["max"] == 190 and figures["model_ms"] == 100


def test_a_run_without_answers_has_figures_too() -> None:
    figures = {"users": 1, **Load([Visit("Why?", "no connection")]).figures()}
    assert figures["finished"] == 0 and figures["first_token_ms"] is None
    assert json.loads(json.dumps(figures)) == figures
    assert "no connection" in as_table("one", figures)


def test_the_table_has_a_row_for_each_spread() -> None:
    table = as_table("two people", {"users": 2, **Load([visit(120), visit(140)]).figures()})
    assert "| first token | 120 | 140 | 140 | 140 |" in table.splitlines()
    assert "- finished: 2" in table.splitlines()


BURN = "import time\nwhile time.process_time() < 0.4: pass\n"


@contextmanager
def parent_of(children: str) -> Iterator[int]:
    """Run a Python process that runs these lines, says so, and then waits to be told to end."""
    program = f"import subprocess, sys\nburn = {BURN!r}\n{children}\nprint('ready', flush=True)\nsys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.stdin.close()


def test_what_children_compute_counts_once_they_have_ended_too() -> None:
    with parent_of("subprocess.run([sys.executable, '-c', burn], check=True)") as pid:
        assert cpu_seconds(pid) > 0.3


def test_what_a_child_computes_counts_while_it_runs() -> None:
    child = """
import atexit
busy = burn + "print(1, flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE)
atexit.register(child.kill)
child.stdout.readline()"""
    with parent_of(child) as pid:
        assert cpu_seconds(pid) > 0.3
        assert memory_mib(pid) > 5


def test_a_process_that_has_ended_spends_nothing_more() -> None:
    with parent_of("") as pid:
        pass
    assert cpu_seconds(pid) == 0.0 and memory_mib(pid) == 0.0


def test_the_meter_counts_from_now_on() -> None:
    meter = Meter(os.getpid())
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    figures = meter.figures(questions=2)
    assert 0.15 < figures["cpu_s"] < 5 and figures["cpu_per_question_ms"] == pytest.approx(500 * figures["cpu_s"], 0.1)
    assert figures["generator_cpu_share"] > 0 and figures["rss_mib"] > 10


def test_memory_is_held_against_what_it_was_after_two_minutes() -> None:
    memory = [(float(second), 100.0 if second < 120 else 200.0) for second in range(0, 600, 5)]
    assert growth(memory)["memory_grown_percent"] == 0.0
    memory += [(float(second), 230.0) for second in range(600, 665, 5)]
    assert growth(memory)["memory_grown_percent"] == 15.0
    assert growth(memory[:10])["memory_grown_percent"] is None
    assert growth([]) == {}
