"""The load generators against the real server, with the stand-in model behind it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from benchmarks.api import measure_api
from benchmarks.chat import Plan, measure_chat
from benchmarks.model_command import open_analyst
from benchmarks.model_server import ModelServer, Pace, serving
from tests.asked import offline_settings
from tests.ports import kept_port

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = ["How many customers are there per country?", "Which stores had the most visitors last month?"]
TOKENS = 30


@dataclass(frozen=True)
class Served:
    url: str
    pid: int


@contextmanager
def quaestor(home: Path, log: Path, **settings: str) -> Iterator[Served]:
    """Run server.py until the block is left."""
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith(("QUAESTOR_", "OPENAI_"))}
    with kept_port() as port, log.open("wb") as out:
        surroundings |= {"QUAESTOR_HOME": str(home), "QUAESTOR_PORT": str(port), **settings}
        process = subprocess.Popen([sys.executable, "server.py"], cwd=ROOT, env=surroundings, stdout=out, stderr=out)
        try:
            yield Served(f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


async def healthy(served: Served) -> None:
    async with asyncio.timeout(60), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(served.url + "/healthz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                os.kill(served.pid, 0)  # Raises where the server has ended.
            await asyncio.sleep(0.1)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    analyst = await asyncio.to_thread(open_analyst, offline_settings(tmp_path), TOKENS)
    log = tmp_path / "log"
    async with serving(ModelServer(analyst, Pace(0.05, 200))) as base_url:
        model = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "none", "QUAESTOR_MODEL": "standin"}
        with quaestor(tmp_path, log, **model) as served:
            await healthy(served)
            yield served


async def test_a_handful_of_people_and_programs_are_answered_whole(served: Served) -> None:
    plan = Plan(6, 1.0, 0, even=False, seed=1, pause=0.1, questions=QUESTIONS)
    figures = await measure_chat(plan, served.url, timeout=60, open_before=0.2, server_pid=served.pid)
    assert (figures["finished"], figures["failed"], figures["tokens"]) == (6, {}, 6 * TOKENS)
    for name in ("first_token_ms", "added_ms", "transit_ms", "whole_ms", "connect_ms"):
        assert figures[name]["p50"] > 0, name
    assert figures["model_ms"] > 3 * 50
    assert figures["first_token_ms"]["max"] < figures["whole_ms"]["max"]
    assert figures["cpu_s"] > 0 and figures["rss_mib"] > 50
    json.dumps(figures)

    url = served.url + "/api/ask"
    asked = [(question, 0.1 * i) for i, question in enumerate(QUESTIONS)]
    for stream in (False, True):
        figures = await measure_api(url, asked, stream, timeout=60, server_pid=None)
        assert (figures["finished"], figures["failed"], figures["tokens"]) == (2, {}, 2 * TOKENS)
    assert figures["added_ms"]["p50"] > 0  # of the streamed ones

    declined = await measure_api(url, [("What was the weather like in Vienna?", 0.0)], True, 60, None)
    assert declined["failed"] == {"declined": 1}

    plan = replace(plan, users=2, minutes=0.05, questions=["What was the weather like in Vienna?"])
    figures = await measure_chat(plan, served.url, timeout=60, open_before=0.2, server_pid=served.pid)
    assert figures["failed"].keys() == {"declined"} and figures["asked"] >= 2
    assert figures["memory"][0][1] > 50


@pytest.mark.parametrize("command", [("chat", "--users", "1"), ("api", "--rate", "1", "--seconds", "1")])
async def test_a_server_that_is_not_there_is_one_sentence(command: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks", *command, "--url", "http://127.0.0.1:1"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, complaint = await process.communicate()
    assert process.returncode == 1 and told == b""
    assert complaint.decode().startswith("No") and len(complaint.decode().strip().splitlines()) == 1
