"""`python -m jobs request` over real files and a real endpoint: every line once, in the answers or in the errors."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from endpoints import Endpoint
from errors import SettingsInvalid
from jobs.request import Options
from jobs.request_endpoints import chosen_endpoints
from jobs.sending import LineUnusable, request_of
from settings import Settings
from tests.raw_endpoint import RawEndpoint, completion, raw_endpoint, reply

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-test-0123456789"


def echo(body: dict[str, Any]) -> bytes:
    """Say what was asked, or fail as that asks to."""
    asked = body["messages"][-1]["content"]
    if asked == "too long":
        return reply({"error": {"code": "context_length_exceeded", "message": KEY}}, "400 Bad Request")
    return reply(completion(f"{body['model']} heard: {asked}", "length" if asked == "on and on" else "stop"))


@pytest.fixture
async def endpoint() -> AsyncIterator[RawEndpoint]:
    async with raw_endpoint() as running:
        running.always = echo
        yield running


@dataclass
class Ended:
    code: int
    out: str
    err: str


class Job:
    """The job's command in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests, self.save = folder / "in.jsonl", folder / "in.answers.jsonl"
        self.errors = folder / "errors.jsonl"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "QUAESTOR_"))},
            "PYTHONPATH": str(ROOT),
            "OPENAI_API_KEY": KEY,
            "COLUMNS": "200",
        }

    def write(self, lines: Iterable[object]) -> None:
        self.requests.write_bytes(
            b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines)
        )

    async def start(self, *options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jobs", "request", *options),
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *options: str) -> Ended:
        return await self.end(await self.start(*options))

    async def end(self, process: asyncio.subprocess.Process) -> Ended:
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    def answers(self) -> list[dict[str, Any]]:
        return written(self.save)

    def failed(self) -> list[dict[str, Any]]:
        return written(self.errors)


def written(path: Path) -> list[dict[str, Any]]:
    return sorted(map(orjson.loads, path.read_bytes().splitlines()), key=lambda record: int(record["line"]))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


async def test_an_answer_is_saved_with_what_it_took(job: Job, endpoint: RawEndpoint) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "two"}]
    job.write([{"id": "a", "input": "one"}, {"messages": messages, "temperature": 0.5, "model": "mine"}])
    ended = await job.run("in.jsonl", "--endpoint", f"{endpoint.base_url}=2", "--model", "m")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "2 lines are answered in in.answers.jsonl, none failed.\n"
    first, second = job.answers()
    assert 0 < first.pop("milliseconds") < 60_000 and second.pop("milliseconds")
    about = {"usage": {"total_tokens": 3}, "endpoint": f"127.0.0.1:{endpoint.port}/v1", "attempts": 1}
    assert first == {"line": 1, "id": "a", "input": "one", "response": "m heard: one", **about}
    assert second == {"line": 2, "input": messages, "response": "mine heard: two", **about}
    assert sorted(map(orjson.loads, endpoint.bodies), key=lambda body: str(body["model"])) == [
        {"model": "m", "messages": [{"role": "user", "content": "one"}]},
        {"model": "mine", "messages": messages, "temperature": 0.5},
    ]
    assert all(f"Authorization: Bearer {KEY}" in head for head in endpoint.heads)
    assert job.errors.read_bytes() == b""


async def test_a_failure_goes_to_the_errors_in_words_that_are_ours(job: Job, endpoint: RawEndpoint) -> None:
    job.write([{"input": "one"}, {"id": 7, "input": "too long"}, {"input": "on and on"}])
    ended = await job.run("in.jsonl", "--endpoint", endpoint.base_url, "--model", "m")
    name = f"127.0.0.1:{endpoint.port}/v1"
    assert ended.code == 1
    assert ended.out == "1 line is answered in in.answers.jsonl, 2 failed: see errors.jsonl.\n"
    assert job.failed() == [
        {
            "line": 2,
            "id": 7,
            "input": "too long",
            "error": f"{name} did not take so long a request.",
            "status": 400,
            "attempts": 1,
        },
        {
            "line": 3,
            "input": "on and on",
            "error": f"{name} cut the answer off at its length limit.",
            "status": 200,
            "response": "m heard: on and on",
            "attempts": 1,
        },
    ]
    assert KEY not in job.errors.read_text() + ended.out + ended.err


async def test_a_line_that_holds_no_request_is_told_and_sent_nowhere(job: Job, endpoint: RawEndpoint) -> None:
    job.write([b"no JSON", b"[1]", {"prompt": "x"}, b"", {"input": "well"}])
    ended = await job.run("in.jsonl", "--endpoint", endpoint.base_url)
    assert ended.code == 1 and len(endpoint.heads) == 1
    assert [(failed["line"], failed["input"]) for failed in job.failed()] == [(1, "no JSON"), (2, "[1]"), (3, None)]
    assert [answer["line"] for answer in job.answers()] == [5]


async def test_what_json_itself_cannot_say_is_sent_and_saved_all_the_same(job: Job, endpoint: RawEndpoint) -> None:
    job.write([b'{"input": "half \\ud800"}', b'{"input": "well", "metadata": ' + b"[" * 500 + b"]" * 500 + b"}"])
    endpoint.will_say(reply(completion("heard", nested=[])))
    ended = await job.run("in.jsonl", "--endpoint", endpoint.base_url, "--concurrency", "1")
    assert ended.code == 0 and len(endpoint.bodies) == 2
    assert b'"half \\ud800"' in endpoint.bodies[0] and b"[" * 500 in endpoint.bodies[1]
    assert [line.split(b",")[0] for line in job.save.read_bytes().splitlines()] == [b'{"line":1', b'{"line":2']


async def test_a_line_that_is_nested_without_end_is_told_and_sent_nowhere(job: Job, endpoint: RawEndpoint) -> None:
    # How deep a line may be differs from one Python to the next; this deep none of them goes.
    job.write([b'{"messages": [' + b"[" * 200_000 + b"]" * 200_000 + b"]}", {"input": "well"}])
    ended = await job.run("in.jsonl", "--endpoint", endpoint.base_url)
    assert ended.code == 1 and len(endpoint.heads) == 1
    assert [(failed["line"], failed["error"]) for failed in job.failed()] == [(1, "The line is nested too deeply.")]


def test_what_is_nested_too_deeply_to_be_written_is_no_request() -> None:
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(LineUnusable, match=r"^The line is nested too deeply\.$"):
        request_of({"messages": deep})


async def test_an_answer_that_is_nested_without_end_kills_no_job(job: Job, endpoint: RawEndpoint) -> None:
    job.write([{"input": "one"}, {"input": "two"}])
    whole = orjson.dumps(completion("heard"))
    endpoint.will_say(reply(whole.replace(b'{"total_tokens":3}', b'{"a":' * 1_018 + b"1" + b"}" * 1_018)))
    ended = await job.run("in.jsonl", "--endpoint", endpoint.base_url, "--concurrency", "1", "--model", "m")
    assert ended.code == 0
    assert [answer["response"] for answer in job.answers()] == ["heard", "m heard: two"]


async def test_what_failed_for_a_moment_is_asked_again(job: Job, endpoint: RawEndpoint) -> None:
    endpoint.will_say(reply(b"", "429 Too Many Requests", retry_after_ms="100"))
    endpoint.will_say(reply({"error": {"message": "busy"}}))
    job.write([{"input": "one"}])
    ended = await job.run("in.jsonl", "--endpoint", endpoint.base_url)
    assert ended.code == 0
    [answer] = job.answers()
    assert answer["attempts"] == 3


async def test_every_flag_of_a_file_and_the_number_of_attempts(job: Job, endpoint: RawEndpoint) -> None:
    endpoint.always = [reply(b"", "500 Internal Server Error")]
    job.write([{"input": "one"}])
    options = ("--save_filepath", "saved.jsonl", "--errors_filepath", "failed.jsonl", "--max_attempts", "2")
    ended = await job.run("--requests_filepath", "in.jsonl", "--endpoint", endpoint.base_url, *options)
    assert ended.code == 1 and "saved.jsonl, 1 failed: see failed.jsonl" in ended.out
    [failed] = written(job.folder / "failed.jsonl")
    assert failed["attempts"] == 2 == len(endpoint.heads) and failed["error"].endswith("has a fault of its own.")
    assert (job.folder / "saved.jsonl").read_bytes() == b"" and not job.save.exists()


async def test_the_rate_and_what_is_under_way_are_bounded(job: Job, endpoint: RawEndpoint) -> None:
    job.write({"input": str(place)} for place in range(120))
    began = time.monotonic()
    options = ("--max_requests_per_second", "80", "--concurrency", "3")
    ended = await job.run("in.jsonl", "--endpoint", endpoint.base_url, *options)
    assert ended.code == 0 and len(job.answers()) == 120
    assert time.monotonic() - began > 1.4
    assert endpoint.connections <= 3


async def test_the_configured_endpoints_are_asked_by_their_weights(job: Job, endpoint: RawEndpoint) -> None:
    tables = "".join(
        f'[[endpoints]]\nbase_url = "{endpoint.base_url}"\nmodel = "{model}"\nweight = {weight}\nname = "{model}"\n'
        for model, weight in (("big", 3), ("small", 1))
    )
    (job.folder / "quaestor.toml").write_text(tables)
    job.write({"input": str(place)} for place in range(400))
    ended = await job.run("in.jsonl")
    assert ended.code == 0
    assert Counter(answer["endpoint"] for answer in job.answers()) == {"big": 300, "small": 100}
    assert all(answer["response"].startswith(answer["endpoint"]) for answer in job.answers())


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two processes"])
async def test_a_killed_run_goes_on_with_every_line_once(
    job: Job, endpoint: RawEndpoint, options: tuple[str, ...]
) -> None:
    job.write({"id": place, "input": f"line {place}"} for place in range(1, 4_001))
    options = ("in.jsonl", "--endpoint", endpoint.base_url, "--concurrency", "32", *options)
    process = await job.start(*options)
    while len(endpoint.heads) < 700 or not job.save.stat().st_size:
        endpoint.asked.clear()
        await endpoint.asked.wait()
    process.kill()
    assert (await job.end(process)).code == -signal.SIGKILL
    refused = await job.run(*options)
    assert refused.code == 2 and "--resume" in refused.err
    ended = await job.run(*options, "--resume")
    assert (ended.code, ended.out) == (0, "4,000 lines are answered in in.answers.jsonl, none failed.\n")
    assert [answer["id"] for answer in job.answers()] == list(range(1, 4_001))
    asked = len(endpoint.heads)
    assert (await job.run(*options, "--resume")).code == 0 and len(endpoint.heads) == asked


async def test_ctrl_c_waits_for_what_is_under_way_and_says_how_to_go_on(job: Job, endpoint: RawEndpoint) -> None:
    job.write({"input": f"line {place}"} for place in range(5_000))
    process = await job.start("in.jsonl", "--endpoint", endpoint.base_url, "--concurrency", "8")
    await endpoint.asked.wait()
    process.send_signal(signal.SIGINT)
    ended = await job.end(process)
    assert ended.code == 130 and ended.err.startswith("Stopped: ") and ended.err.endswith("Go on with --resume.\n")
    assert len(job.answers()) == len(endpoint.heads) < 5_000
    ended = await job.run("in.jsonl", "--endpoint", endpoint.base_url, "--resume")
    assert ended.code == 0 and len(endpoint.heads) == len(job.answers()) == 5_000


async def test_where_no_endpoint_can_be_used_no_line_is_used_up(job: Job, endpoint: RawEndpoint) -> None:
    endpoint.always = [reply({"error": {"code": "invalid_api_key", "message": KEY}}, "401 Unauthorized")]
    job.write({"input": f"line {place}"} for place in range(1_000))
    options = ("in.jsonl", "--endpoint", endpoint.base_url, "--concurrency", "4")
    ended = await job.run(*options)
    assert ended.code == 1 and "refused the key" in ended.err and KEY not in ended.err
    assert len(endpoint.heads) <= 4 and job.failed() == []
    endpoint.always = echo
    assert (await job.run(*options, "--resume")).code == 0
    assert len(job.answers()) == 1_000


async def test_a_model_or_a_path_that_is_not_there_uses_no_line_up(job: Job, endpoint: RawEndpoint) -> None:
    endpoint.always = [reply({"detail": "Not Found"}, "404 Not Found")]
    job.write({"input": f"line {place}"} for place in range(1_000))
    options = ("in.jsonl", "--endpoint", endpoint.base_url, "--concurrency", "4")
    ended = await job.run(*options)
    assert ended.code == 1 and "does not know the model or the path. Check --model" in ended.err
    assert len(endpoint.heads) <= 4 and job.failed() == []
    endpoint.will_say(reply(completion("well")))
    assert "1 line is answered" in (await job.run(*options, "--concurrency", "1", "--resume")).out
    assert len(job.failed()) == 999


async def test_an_endpoint_that_is_away_is_waited_for_and_named(job: Job) -> None:
    job.write([{"input": "one"}] * 20)
    process = await job.start("in.jsonl", "--endpoint", "http://127.0.0.1:1/v1")
    assert process.stderr is not None
    said = (await asyncio.wait_for(process.stderr.readline(), 30)).decode()
    assert said == (
        "No model endpoint answers at the moment: 127.0.0.1:1/v1 cannot be reached. "
        "The job goes on as soon as one does.\n"
    )
    process.send_signal(signal.SIGINT)
    assert (await job.end(process)).code == 130


async def test_the_shells_limit_on_open_files_is_raised_or_told(job: Job, endpoint: RawEndpoint) -> None:
    job.write({"input": f"line {place}"} for place in range(300))
    command = f"{sys.executable} -m jobs request in.jsonl --endpoint {endpoint.base_url} --concurrency 300"
    for limit, code in (("-n 200", 2), ("-Sn 200", 0)):
        process = await asyncio.create_subprocess_shell(
            f"ulimit {limit} && exec {command}",
            cwd=job.folder,
            env=job.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        ended = await job.end(process)
        assert ended.code == code, ended
        assert ("too few for --concurrency 300" in ended.err) == (code == 2)
    assert len(job.answers()) == 300


WRONG_USES = {
    "no file": ((), "Name the file with the requests"),
    "no such file": (("none.jsonl",), "none.jsonl cannot be read"),
    "a folder": ((".",), ". is a folder: name a file in it."),
    "an empty name": (("",), ". is a folder: name a file in it."),
    "the same file twice": (("in.jsonl", "--save_filepath", "in.jsonl"), "three different files"),
    "an endpoint that is none": (("in.jsonl", "--endpoint", "localhost=3"), "An --endpoint is written wrongly"),
}


@pytest.mark.parametrize(("options", "said"), WRONG_USES.values(), ids=WRONG_USES)
async def test_wrong_use_is_told_in_a_sentence(job: Job, options: tuple[str, ...], said: str) -> None:
    job.write([{"input": "one"}])
    ended = await job.run(*options)
    assert ended.code == 2 and said in ended.err and ended.err.count("\n") == 1


async def test_without_any_endpoint_it_says_how_to_name_one(job: Job) -> None:
    del job.environment["OPENAI_API_KEY"]
    job.write([{"input": "one"}])
    ended = await job.run("in.jsonl")
    assert ended.code == 2 and "No model endpoint is named: give --endpoint" in ended.err


UNUSABLE = {
    "nothing": {},
    "an input that is no text": {"input": 3},
    "both": {"input": "x", "messages": [{"role": "user", "content": "x"}]},
    "no messages": {"messages": []},
    "messages that are no list": {"messages": "x"},
    "a stream": {"input": "x", "stream": True},
    "several answers": {"input": "x", "n": 2},
    "a model that is no name": {"input": "x", "model": 3},
}


@pytest.mark.parametrize("fields", UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_request_is_said_in_a_sentence(fields: dict[str, Any]) -> None:
    with pytest.raises(LineUnusable, match=r"^The line.*\.$"):
        request_of(fields)


def test_what_a_line_holds_beside_is_passed_on() -> None:
    request = request_of({"id": 3, "input": "x", "n": 1, "seed": 4, "model": "m"})
    assert request.fields == {"messages": [{"role": "user", "content": "x"}], "n": 1, "seed": 4}
    assert request.model == "m"


def settings(tmp_path: Path, **set_: Any) -> Settings:
    return Settings.model_construct(config=tmp_path / "quaestor.toml", model="default", openai_base_url=None, **set_)


def test_an_endpoint_is_an_address_and_its_weight(tmp_path: Path) -> None:
    written = ["http://a:8000/v1=3", "http://b/v1/", "https://c/v1?api-version=2=0.5"]
    chosen = chosen_endpoints(settings(tmp_path, openai_api_key=None), written, None)
    assert [(endpoint.base_url, endpoint.weight, endpoint.name) for endpoint in chosen] == [
        ("http://a:8000/v1", 3.0, "a:8000/v1"),
        ("http://b/v1/", 1.0, "b/v1"),
        ("https://c/v1?api-version=2", 0.5, "c/v1"),
    ]
    assert {endpoint.model for endpoint in chosen} == {"default"}


@pytest.mark.parametrize(
    "written",
    [
        *(["a/v1"], ["ftp://a/v1"], ["http://a/v1=0"], ["http://a/v1=-1"], ["http://a/v1=inf"], ["http://a:x/v1"]),
        *(["http://user:word@a/v1"], ["http://a/v1=1", "http://a/v1=2"], ["=3"], [""]),
        ["http://a..b/v1"],
    ],
)
def test_an_endpoint_that_is_written_wrongly_is_refused(tmp_path: Path, written: list[str]) -> None:
    with pytest.raises(SettingsInvalid):
        chosen_endpoints(settings(tmp_path, openai_api_key=None), written, "m")


@pytest.mark.parametrize("key", ["sk-\u201cquoted\u201d", "sk-a\r\nX-Other: b", "sk-a b"])
def test_a_key_that_cannot_be_one_is_told_without_showing_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"^The key of a/v1 holds characters that no key has: copy it again\.$"):
        chosen_endpoints(settings(tmp_path, openai_api_key=SecretStr(key)), ["http://a/v1"], "m")


def test_the_limits_are_for_all_processes_together() -> None:
    endpoint = Endpoint("http://a/v1", "m", requests_per_minute=600, tokens_per_minute=9_000, in_flight=5)
    whole = Options((endpoint,), concurrency=7, attempts=4, seconds=60, per_second=100, redis_url=None)
    shares = [whole.shared_by(3, place) for place in range(3)]
    assert sum(share.concurrency for share in shares) == 7
    assert sum(share.per_second or 0 for share in shares) == pytest.approx(100)
    for name, most in (("requests_per_minute", 600), ("tokens_per_minute", 9_000), ("in_flight", 5)):
        assert sum(getattr(share.endpoints[0], name) for share in shares) <= most * 1.0001
    assert whole.shared_by(1, 0) == whole
