"""One job over one file runs in this process, in several, or on Ray, and every line is written once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from benchmarks.bench_servers import LOAD_CORE, LOOPBACK, serving
from errors import AskError, FileUnusable, JobStopped, ModelUnavailable, SettingsInvalid
from jobs.__main__ import app
from jobs.engine import Engine, Files, Tell, run_job, together
from jobs.lines import Counts, open_lines
from jobs.lines_writer import open_writer
from tests.ports import kept_port

pytest_plugins = ("tests.ray_cluster",)

LINES = 1_000


def shout(ending: str, files: Files, at_once: int, tell: Tell) -> None:
    """A job: answers in capitals; what says "no" fails, "away" ends the job, and "die" its process."""
    asyncio.run(_shout(ending, files, at_once, tell))


async def _shout(ending: str, files: Files, at_once: int, tell: Tell) -> None:
    async with open_lines(files.requests, files.save, files.errors, resume=files.resume, share=files.share) as lines:
        async for batch in lines.entries():
            for entry in batch:
                match entry.fields["input"]:
                    case "no":
                        lines.failed(entry, "It said no.")
                    case "away":
                        raise ModelUnavailable("The model is away.")
                    case "die":
                        os.kill(os.getpid(), signal.SIGKILL)
                    case text:
                        lines.saved(entry, {"response": text.upper() + ending, "at_once": at_once})
            await lines.room()
            tell(lines.counts)
    tell(lines.counts)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path / "requests.jsonl", tmp_path / "answers.jsonl", tmp_path / "errors.jsonl", resume=False)
    write(files, ["no" if place % 10 == 0 else f"line {place}" for place in range(1, LINES + 1)])
    return files


def write(files: Files, inputs: list[str]) -> None:
    files.requests.write_bytes(b"".join(orjson.dumps({"input": text}) + b"\n" for text in inputs))


def written(path: Path) -> list[dict[str, Any]]:
    return sorted(map(orjson.loads, path.read_bytes().splitlines()), key=lambda record: int(record["line"]))


def check(files: Files, *, at_once: int) -> None:
    answers, errors = written(files.save), written(files.errors)
    assert [a["line"] for a in answers] == [place for place in range(1, LINES + 1) if place % 10]
    assert all(a["response"] == f"LINE {a['line']}!" and a["at_once"] == at_once for a in answers)
    assert [e["line"] for e in errors] == list(range(10, LINES + 1, 10))
    assert {(e["input"], e["error"]) for e in errors} == {("no", "It said no.")}


@pytest.mark.parametrize("workers", [1, 3])
def test_every_line_is_written_once(files: Files, workers: int) -> None:
    told: list[Counts] = []
    run_job(partial(shout, "!"), files, Engine.LOCAL, workers, told.append)
    check(files, at_once=workers)
    assert (told[-1].answered, told[-1].failed) == (900, 100)
    assert told[-1].bytes_read == told[-1].bytes_total == files.requests.stat().st_size


def test_what_one_process_says_ends_the_job(files: Files) -> None:
    write(files, ["a", "b", "away", "c"])
    with pytest.raises(ModelUnavailable, match=r"The model is away\."):
        run_job(partial(shout, "!"), files, Engine.LOCAL, 2, lambda counts: None)


def leave_together(folder: Path, files: Files, at_once: int, tell: Tell) -> None:
    """A job whose first process fails; each of the others, asked to end, waits until all of them are asked."""
    place, others = files.share[0], range(1, at_once)

    def say(what: str) -> None:
        (folder / f"{what} {place}").touch()

    def wait_for(what: str) -> None:
        while not all((folder / f"{what} {other}").exists() for other in others):
            time.sleep(0.01)

    def end(*_: object) -> None:
        say("asked")
        wait_for("asked")
        say("ended")
        sys.exit(0)

    if place == 0:
        wait_for("ready")
        raise ModelUnavailable("The model is away.")
    signal.signal(signal.SIGTERM, end)
    say("ready")
    while True:
        time.sleep(1)


def test_processes_that_are_no_longer_wanted_are_told_so_at_the_same_time(files: Files, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable):
        run_job(partial(leave_together, tmp_path), files, Engine.LOCAL, 3, lambda counts: None)
    assert {path.name for path in tmp_path.glob("ended *")} == {"ended 1", "ended 2"}


def test_a_process_that_is_killed_ends_the_job_with_a_sentence(files: Files) -> None:
    write(files, ["a", "die"])
    with pytest.raises(JobStopped, match="--resume"):
        run_job(partial(shout, "!"), files, Engine.LOCAL, 2, lambda counts: None)


def test_files_are_refused_before_a_process_is_started(files: Files) -> None:
    files.save.write_text("something\n")
    with pytest.raises(FileUnusable, match="already holds lines"):
        run_job(partial(shout, "!"), files, Engine.LOCAL, 2, lambda counts: None)


def test_what_processes_tell_is_added_up() -> None:
    told = together([Counts(5, 1, 2, 7, 4, 50, 100), Counts(3, 0, 1, 1, 2, 100, 100)])
    assert told == Counts(8, 1, 3, 8, 6, 75, 100)


class TestRay:
    """A few jobs alone: each of them takes Ray some seconds to start."""

    def test_every_line_is_written_once_though_a_process_was_killed(self, files: Files, tmp_path: Path) -> None:
        pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")
        told: list[Counts] = []
        run_job(partial(shout_after_a_kill, tmp_path / "killed"), files, Engine.RAY, 2, told.append)
        assert (tmp_path / "killed").exists()
        check(files, at_once=2)
        assert (told[-1].answered, told[-1].failed) == (900, 100)
        assert told[-1].bytes_read == told[-1].bytes_total == files.requests.stat().st_size

    def test_what_the_job_says_is_said(self, files: Files, ray_cluster: str) -> None:
        write(files, ["a", "away"])
        with pytest.raises(AskError, match=r"^The model is away\.$"):
            run_job(partial(shout, "!"), files, Engine.RAY, 2, lambda counts: None)

    @pytest.mark.parametrize("address", ["127.0.0.1:{port}", "ray://127.0.0.1:{port}", "127.0.0.1:port"])
    def test_a_cluster_that_is_not_there_is_one_sentence(
        self, files: Files, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")
        with kept_port() as nobodys, pytest.raises(JobStopped, match="RAY_ADDRESS"):
            monkeypatch.setenv("RAY_ADDRESS", address.format(port=nobodys))
            run_job(partial(shout, "!"), files, Engine.RAY, 2, lambda counts: None)

    def test_the_requester_runs_there_too(
        self, files: Files, tmp_path: Path, ray_cluster: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "QUAESTOR_REDIS_URL"):
            monkeypatch.delenv(name, raising=False)
        named = [str(files.requests), "--save_filepath", str(files.save), "--errors_filepath", str(files.errors)]
        with kept_port() as port:
            stand_in = ["-m", "benchmarks.fast_model", "--ports", str(port), "--failed", "0.02"]
            with serving(stand_in, port=port, core=LOAD_CORE, log=tmp_path / "model.log"):
                there = ["--endpoint", f"http://{LOOPBACK}:{port}/v1", "--engine", "ray", "--workers", "2"]
                run = CliRunner().invoke(app, ["request", *named, *there])
        assert "1,000 lines are answered" in run.stdout and "none failed" in run.stdout, run.output
        assert [answer["line"] for answer in written(files.save)] == list(range(1, LINES + 1))


def shout_after_a_kill(killed: Path, files: Files, at_once: int, tell: Tell) -> None:
    """Like `shout`; the first process that runs it is killed in the middle."""
    if not killed.exists():
        killed.touch()
        files.save.write_bytes(b'{"line":1,"input":"line 1","response":"lost"}\n')
        os.kill(os.getpid(), signal.SIGKILL)
    shout("!", files, at_once, tell)


def test_without_ray_a_sentence_says_how_to_install_it(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(SettingsInvalid, match=r"pip install -r requirements-ray\.txt"):
        run_job(partial(shout, "!"), files, Engine.RAY, 2, lambda counts: None)


def test_what_was_saved_is_written_though_its_loop_was_broken_off(tmp_path: Path) -> None:
    save, errors, loop = tmp_path / "answers.jsonl", tmp_path / "errors.jsonl", asyncio.new_event_loop()
    save.touch()
    errors.touch()
    with open_writer(save, errors, loop) as writer:
        loop.close()
        writer.put_answer(b'{"line":1}\n')
    assert save.read_bytes() == b'{"line":1}\n'
