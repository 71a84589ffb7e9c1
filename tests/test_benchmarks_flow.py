"""The flow and its load: guardrails side by side, honest counting, and nothing left running."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bench_servers import LOAD_CORE, RunFailed, run, serving
from benchmarks.flow import VARIANTS, Variant, figures_of
from benchmarks.flow_app import GUARDRAILS
from tests.ports import kept_port

FORKING = """
import http.server, pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[2]).write_text(str(child.pid))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def ask(url: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/score", json.dumps({"question": "why?"}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_guardrails_run_side_by_side_and_the_chat_node_after_them(variant: Variant, tmp_path: Path) -> None:
    with kept_port() as port, kept_port() as api_port:
        api = ["-m", "benchmarks.flow_api", "--port", str(api_port), "--seconds", "0.01"]
        there = ["--port", str(port), "--api-url", f"http://127.0.0.1:{api_port}/chat"]
        app = ["-m", "benchmarks.flow_app", variant, *there]
        with (
            serving(api, port=api_port, core=LOAD_CORE, log=tmp_path / "api.log"),
            serving(app, port=port, core=LOAD_CORE, log=tmp_path / "app.log") as server,
        ):
            answer = ask(server.url)
    assert answer["answer"] == "You asked: why?"
    spans = answer["nodes"]
    assert set(spans) == {*GUARDRAILS, "chat"}
    assert max(spans[name][0] for name in GUARDRAILS) < min(spans[name][1] for name in GUARDRAILS)
    assert spans["chat"][0] >= max(spans[name][1] for name in GUARDRAILS)


def test_only_what_began_or_ended_in_the_time_counted_is_counted() -> None:
    requests = [
        (100.0, 1_250.0, None),  # Began and ended while people were still coming.
        (104.9, 1_300.0, None),  # Began too early, ended in time.
        (106.0, 1_260.0, None),
        (107.0, 1_270.0, None),
        (108.0, 10.0, "HTTPError(503)"),
        (114.0, 1_900.0, None),  # Began in time, ended too late.
    ]
    told = {"began": 100.0, "cpu_share": 0.5, "under_way": [106.5, 115.5], "requests": requests}
    figures = figures_of(told, settling=5.0, seconds=10.0)
    assert (figures["finished"], figures["failed"], figures["unfinished"]) == (5, {"HTTPError(503)": 1}, 1)
    assert figures["per_s"] == 0.3
    assert figures["ms"]["p50"] == 1_270.0
    assert figures["ms"]["max"] == 1_900.0


def test_a_run_without_any_answer_has_no_percentiles() -> None:
    figures = figures_of(
        {"began": 0.0, "cpu_share": 0.1, "under_way": [0.1, 0.2, 0.3], "requests": []}, settling=0.0, seconds=1.0
    )
    assert (figures["ms"], figures["quantiles_ms"], figures["unfinished"]) == (None, [], 3)


@pytest.mark.parametrize("fails", [False, True], ids=["at its end", "when the block fails"])
def test_a_server_is_stopped_with_all_that_it_started(fails: bool, tmp_path: Path) -> None:
    noted = tmp_path / "child"
    try:
        with (
            kept_port() as port,
            serving(["-c", FORKING, str(port), str(noted)], port=port, core=LOAD_CORE, log=tmp_path / "log") as server,
        ):
            started = [server.pid, int(noted.read_text())]
            assert all(is_running(pid) for pid in started)
            if fails:
                raise RunFailed("the load came to nothing")
    except RunFailed:
        assert fails
    deadline = time.monotonic() + 10  # A killed process may need a moment to be gone.
    while any(is_running(pid) for pid in started):
        assert time.monotonic() < deadline, "something was left running"
        time.sleep(0.01)


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        kept_port() as port,
        pytest.raises(RunFailed, match="the port is taken"),
        serving(["-c", "raise SystemExit('the port is taken')"], port=port, core=0, log=tmp_path / "log"),
    ):
        pass


def test_a_run_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="stopped after"):
        run(["-c", "import time; time.sleep(600)"], core=LOAD_CORE, log=tmp_path / "log", seconds=0.5)


def is_running(pid: int) -> bool:
    """Return whether the process computes; one that is dead but not yet fetched by its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
