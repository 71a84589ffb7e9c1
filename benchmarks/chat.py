"""`python -m benchmarks chat`: people who ask in the chat, open loop, and what they wait for."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import aiohttp
import typer
import uvloop

from benchmarks.arrivals import QUESTIONS, asked, moments, read_questions
from benchmarks.measures import Load, Meter, Visit, as_table, memory_mib, without_collector
from benchmarks.page import Page, PageGone, open_page
from errors import SettingsInvalid

MEMORY_EVERY = 5.0
BETWEEN_SECONDS = 0.2
"""How long a place stays empty where people come and go; a server that is gone is not asked more often than this."""
LEAD_SECONDS = 0.5
"""How long before the first page opens everybody stands ready."""


@dataclass
class Crowd:
    """People who open the chat at `url` and ask."""

    url: str
    http: aiohttp.ClientSession
    timeout: float
    """Seconds from the moment at which a question was meant to be asked to its end."""
    open_before: float
    """Seconds between opening the page and asking."""
    load: Load = field(default_factory=Load)

    async def visit(self, questions: list[str], intended: float, pause: float = 0.0) -> None:
        """Open a page, ask at the intended moment, and each further question `pause` seconds after an answer."""
        await _sleep_until(intended - self.open_before)
        visit = self._came(questions[0])
        opened = time.monotonic()
        async with AsyncExitStack() as closing:
            try:
                async with asyncio.timeout(self.timeout):
                    page = await closing.enter_async_context(open_page(self.http, self.url))
                visit.connect = 1e3 * (time.monotonic() - opened)
            except (PageGone, TimeoutError):
                visit.failure = "no connection"
                return
            await self._ask(page, visit, intended)
            for question in questions[1:]:
                if visit.failure is None:
                    visit = self._came(question)
                    await self._ask(page, visit, time.monotonic() + pause)

    def _came(self, question: str) -> Visit:
        visit = Visit(question)
        self.load.visits.append(visit)
        return visit

    async def _ask(self, page: Page, visit: Visit, intended: float) -> None:
        try:
            if intended > time.monotonic():
                await page.wait(intended)
                visit.late = max(0.0, 1e3 * (time.monotonic() - intended))
            async with asyncio.timeout(self.timeout - (time.monotonic() - intended)):
                await page.ask(visit, intended)
        except TimeoutError:
            visit.failure = "timeout"
        except PageGone:
            visit.failure = "broken off"

    async def come_and_go(self, people: int, seconds: float, pause: float, questions: list[str], seed: int) -> None:
        """Keep so many people on the chat: each asks once or twice and leaves, and another one comes."""
        end = time.monotonic() + seconds

        async def seat(chance: random.Random) -> None:
            await asyncio.sleep(chance.uniform(0, pause + self.open_before))
            while time.monotonic() < end:
                chosen = chance.choices(questions, k=chance.choice((1, 2)))
                await self.visit(chosen, time.monotonic() + self.open_before, chance.uniform(0, 2 * pause))
                await asyncio.sleep(BETWEEN_SECONDS)

        async with asyncio.TaskGroup() as tasks:
            for number in range(people):
                tasks.create_task(seat(random.Random(seed * 1_000_003 + number)))


@asynccontextmanager
async def crowd_at(url: str, timeout: float, open_before: float) -> AsyncIterator[Crowd]:
    """Yield a crowd; raises SettingsInvalid where nobody answers at `url`."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as http:
        crowd = Crowd(url, http, timeout, open_before)
        try:
            async with asyncio.timeout(10), open_page(http, url):
                pass
        except (PageGone, TimeoutError) as error:
            raise SettingsInvalid(f"No chat answers at {url}: start the server, or name another --url.") from error
        yield crowd


async def _sleep_until(moment: float) -> None:
    if (left := moment - time.monotonic()) > 0:
        await asyncio.sleep(left)


def chat(
    url: Annotated[str, typer.Option(help="Where the chat is served.")] = "http://127.0.0.1:8000",
    users: Annotated[int, typer.Option(help="People; with --minutes, so many at a time.", min=1)] = 50,
    over: Annotated[float, typer.Option(help="Seconds within which they ask.", min=0.001)] = 10,
    minutes: Annotated[float, typer.Option(help="Come and go for so long, instead of once.", min=0)] = 0,
    questions: Annotated[Path, typer.Option(help="A question a line.")] = QUESTIONS,
    even: Annotated[bool, typer.Option(help="Ask evenly instead of by chance (Poisson).")] = False,
    seed: Annotated[int, typer.Option(help="What chance begins with.")] = 1,
    open_before: Annotated[float, typer.Option(help="Seconds from opening the page to asking.", min=0)] = 2,
    pause: Annotated[float, typer.Option(help="Seconds on average between two questions of one.", min=0)] = 5,
    timeout: Annotated[float, typer.Option(help="Seconds that one question may take.", min=1)] = 120,
    server_pid: Annotated[int | None, typer.Option(help="Measure this process and all it started.")] = None,
    model_pid: Annotated[int | None, typer.Option(help="Measure the stand-in model's share of its core.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Let people ask in the chat; print what they waited for as Markdown. Exit code 2 where a question was lost."""
    plan = Plan(users, over, minutes, even, seed, pause, read_questions(questions))
    figures = uvloop.run(measure_chat(plan, url, timeout, open_before, server_pid, model_pid))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=1) + "\n")
    title = f"{users} people for {minutes:g} minutes" if minutes else f"{users} people within {over:g} s"
    typer.echo(as_table(title, figures))
    if figures["failed"]:
        raise typer.Exit(2)


@dataclass(frozen=True)
class Plan:
    """Who comes: all within `over` seconds, or so many at a time for `minutes`."""

    users: int
    over: float
    minutes: float
    even: bool
    seed: int
    pause: float
    questions: list[str]


async def measure_chat(
    plan: Plan, url: str, timeout: float, open_before: float, server_pid: int | None, model_pid: int | None = None
) -> dict[str, Any]:
    """Return the figures of a run. Raises SettingsInvalid where no chat answers at `url`."""
    async with crowd_at(url, timeout, open_before) as crowd:
        meter = Meter(server_pid, model_pid)
        with without_collector():
            async with _watching(crowd.load, server_pid if plan.minutes else None):
                if plan.minutes:
                    await crowd.come_and_go(plan.users, 60 * plan.minutes, plan.pause, plan.questions, plan.seed)
                else:
                    await _once(crowd, plan)
        spent = meter.figures(len(crowd.load.visits))
    head = {"users": plan.users, **({"minutes": plan.minutes} if plan.minutes else {"over": plan.over})}
    return {**head, **crowd.load.figures(), **spent, **growth(crowd.load.memory)}


async def _once(crowd: Crowd, plan: Plan) -> None:
    chance = random.Random(plan.seed)
    begin = time.monotonic() + LEAD_SECONDS + crowd.open_before
    texts = asked(plan.questions, plan.users, chance)
    offsets = moments(plan.users, plan.over, None if plan.even else chance)
    async with asyncio.TaskGroup() as tasks:
        for text, offset in zip(texts, offsets, strict=True):
            tasks.create_task(crowd.visit([text], begin + offset))


@asynccontextmanager
async def _watching(load: Load, pid: int | None) -> AsyncIterator[None]:
    """Note the server's memory every few seconds while the block runs."""
    began = time.monotonic()

    async def watch(pid: int) -> None:
        while True:
            load.memory.append((round(time.monotonic() - began, 1), round(memory_mib(pid), 1)))
            await asyncio.sleep(MEMORY_EVERY)

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch(pid)) if pid else None
        yield
        if watching:
            watching.cancel()


def growth(memory: list[tuple[float, float]]) -> dict[str, Any]:
    """Return the memory over time, and how much more it was in the last minute than between minutes 2 and 3."""
    if not memory:
        return {}
    early = [mib for seconds, mib in memory if 120 <= seconds < 180]
    late = [mib for seconds, mib in memory if seconds >= memory[-1][0] - 60]
    grown = round(100 * (median(late) / median(early) - 1), 1) if early else None
    return {"memory": memory, "memory_grown_percent": grown}
