"""`python -m benchmarks api`: questions that come to /api/ask at a rate, open loop, and what each waits for."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
import uvloop

from benchmarks.arrivals import QUESTIONS, asked, moments, read_questions
from benchmarks.measures import Load, Meter, Visit, as_table, without_collector
from benchmarks.page import Stamps
from errors import SettingsInvalid

LEAD_SECONDS = 0.5


async def ask_once(http: aiohttp.ClientSession, url: str, visit: Visit, intended: float, stream: bool) -> None:
    """Ask one question and note how it went; `intended` is in seconds of the monotonic clock."""
    stamps, status = Stamps(visit, intended), None
    headers = {"Accept": "text/event-stream"} if stream else {}
    try:
        async with http.post(url, json={"question": visit.question}, headers=headers) as response:
            visit.connect = 1e3 * (time.monotonic() - intended)
            if response.status != 200:
                visit.failure = f"status {response.status}"
                return
            if not stream:
                stamps.read(text := await response.text())
                status = json.loads(text).get("status")
            else:
                async for event in _events(response):
                    if event.startswith("event: text_chunk"):
                        stamps.read(event)
                    elif event.startswith("event: finished"):
                        status = json.loads(event.partition("data:")[2])["status"]
    except (aiohttp.ClientError, OSError):
        visit.failure = "no connection" if visit.connect is None else "broken off"
        return
    visit.whole = 1e3 * (time.monotonic() - intended)
    if status != "answered":
        visit.failure = status or "no answer"


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """Yield each event of a stream, however it was cut on its way."""
    rest = b""
    async for piece in response.content.iter_any():
        *whole, rest = (rest + piece.replace(b"\r\n", b"\n")).split(b"\n\n")
        for event in whole:
            yield event.decode()


def api(
    url: Annotated[str, typer.Option(help="The endpoint.")] = "http://127.0.0.1:8000/api/ask",
    rate: Annotated[float, typer.Option(help="Questions a second.", min=0.001)] = 10,
    seconds: Annotated[float, typer.Option(help="How long they come.", min=0.001)] = 10,
    stream: Annotated[bool, typer.Option(help="Ask for the events instead of one JSON object.")] = False,
    questions: Annotated[Path, typer.Option(help="A question a line.")] = QUESTIONS,
    even: Annotated[bool, typer.Option(help="Ask evenly instead of by chance (Poisson).")] = False,
    seed: Annotated[int, typer.Option(help="What chance begins with.")] = 1,
    timeout: Annotated[float, typer.Option(help="Seconds that one question may take.", min=1)] = 120,
    server_pid: Annotated[int | None, typer.Option(help="Measure this process and all it started.")] = None,
    model_pid: Annotated[int | None, typer.Option(help="Measure the stand-in model's share of its core.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Ask at /api/ask; print what was waited for as Markdown. Exit code 2 where a question was lost."""
    chance = random.Random(seed)
    count = max(1, round(rate * seconds))
    texts = asked(read_questions(questions), count, chance)
    offsets = moments(count, seconds, None if even else chance)
    figures = uvloop.run(
        measure_api(url, list(zip(texts, offsets, strict=True)), stream, timeout, server_pid, model_pid)
    )
    figures = {"rate": rate, "over": seconds, "stream": stream, **figures}
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=1) + "\n")
    typer.echo(as_table(f"{rate:g} questions a second for {seconds:g} s", figures))
    if figures["failed"]:
        raise typer.Exit(2)


async def measure_api(
    url: str,
    plan: list[tuple[str, float]],
    stream: bool,
    timeout: float,
    server_pid: int | None,
    model_pid: int | None = None,
) -> dict[str, Any]:
    """Return the figures of asking each question at its moment. Raises SettingsInvalid where nothing answers."""
    load = Load()
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    ) as http:
        await _find(http, url)
        meter, begin = Meter(server_pid, model_pid), time.monotonic() + LEAD_SECONDS

        async def one(text: str, intended: float) -> None:
            load.visits.append(visit := Visit(text))
            await asyncio.sleep(max(0, intended - time.monotonic()))
            visit.late = max(0.0, 1e3 * (time.monotonic() - intended))
            try:
                async with asyncio.timeout(timeout):
                    await ask_once(http, url, visit, intended, stream)
            except TimeoutError:
                visit.failure = "timeout"

        with without_collector():
            async with asyncio.TaskGroup() as tasks:
                for text, offset in plan:
                    tasks.create_task(one(text, begin + offset))
        return {**load.figures(), **meter.figures(len(load.visits))}


async def _find(http: aiohttp.ClientSession, url: str) -> None:
    """Raise SettingsInvalid where no such endpoint answers."""
    try:
        async with http.get(url, timeout=aiohttp.ClientTimeout(total=10)) as response:
            found = response.status != 404
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise SettingsInvalid(f"Nothing answers at {url}: start the server, or name another --url.") from error
    if not found:
        raise SettingsInvalid(f"There is no {url} on that server: name another --url.")
