"""The endpoints' load: the whole pipeline in this process, asked open loop, before and after two endpoints fail."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
import uvloop

from agents.ask import Asker
from agents.events import Failed, FellBack, Finished, Status, TextChunk
from agents.question import Question
from benchmarks.arrivals import asked, moments, read_questions
from benchmarks.measures import spread, without_collector
from benchmarks.model_server import MODEL
from bootstrap import open_asker
from llm.chat_check import ChatCheck
from settings import Settings

FAULTS = ({"faults": ["error"], "share": 0.5}, {"faults": ["stall-first"], "share": 1.0}, None)
"""What becomes of each endpoint halfway: 500 to half its calls; headers and nothing more; nothing."""
LEAD_SECONDS = 1.0
BETWEEN_SECONDS = 10.0
"""What comes last while all is well still waits for its words when the faults begin: it is counted with neither."""
TIMEOUT = 120.0
WARM_UP_RATE = 10.0
"""Questions a second, each once, before anything is counted: the stand-ins work their replies out meanwhile."""


@dataclass
class Visit:
    """How one question went, in milliseconds since the moment at which it was meant to be asked."""

    question: str
    first_token: float | None = None
    whole: float | None = None
    late: float = 0.0
    """How long after that moment it was really asked."""
    failure: str | None = None
    fell_back: bool = False


def main(
    url: Annotated[list[str], typer.Option(help="Where a stand-in model is; three of them.")],
    rate: Annotated[float, typer.Option()],
    seconds: Annotated[float, typer.Option()],
    hedge: Annotated[bool, typer.Option()],
    home: Annotated[Path, typer.Option()],
    told: Annotated[Path, typer.Option(help="Where to write the figures.")],
) -> None:
    """Ask, and write down what was waited for."""
    config = home / "quaestor.toml"
    tables = [f'[[endpoints]]\nbase_url = "{one}/v1"\nmodel = "{MODEL}"\nname = "{n}"\n' for n, one in enumerate(url)]
    config.write_text(f"hedge = {str(hedge).lower()}\n\n" + "\n".join(tables))
    figures = uvloop.run(_measure(Settings(home=home, config=config), url, rate, seconds))
    told.write_text(json.dumps(figures))


async def _measure(settings: Settings, urls: list[str], rate: float, seconds: float) -> dict[str, Any]:
    chance = random.Random(1)
    questions = read_questions()
    async with open_asker(settings) as asker, aiohttp.ClientSession() as http:
        await _ask_all(asker, _plan(questions, len(questions), len(questions) / WARM_UP_RATE, chance))
        count = round(rate * seconds)
        healthy, faulty = (_plan(questions, count, seconds, chance) for _ in range(2))
        between = _plan(questions, round(rate * BETWEEN_SECONDS), BETWEEN_SECONDS, chance)
        begin = time.monotonic() + LEAD_SECONDS
        spent, wall = time.process_time(), time.monotonic()
        with without_collector():
            async with asyncio.TaskGroup() as tasks:
                before = tasks.create_task(_ask_all(asker, healthy, begin))
                tasks.create_task(_ask_all(asker, between, begin + seconds))
                fails = begin + seconds + BETWEEN_SECONDS
                tasks.create_task(_fail_at(http, urls, fails))
                after = tasks.create_task(_ask_all(asker, faulty, fails))
        check = asker.checks["model"]
        assert isinstance(check, ChatCheck), check
        return {
            "healthy": figures_of(before.result()),
            "faulty": figures_of(after.result()),
            "cpu_share": round((time.process_time() - spent) / (time.monotonic() - wall), 3),
            "endpoints": [asdict(state) for state in check.endpoints()],
        }


def _plan(questions: list[str], count: int, seconds: float, chance: random.Random) -> list[tuple[str, float]]:
    return list(zip(asked(questions, count, chance), moments(count, seconds, chance), strict=True))


async def _ask_all(asker: Asker, plan: list[tuple[str, float]], begin: float | None = None) -> list[Visit]:
    """Ask each question at its moment, whether earlier ones have been answered or not."""
    begin = time.monotonic() if begin is None else begin
    visits = [Visit(text) for text, _ in plan]
    async with asyncio.TaskGroup() as tasks:
        for visit, (_, offset) in zip(visits, plan, strict=True):
            tasks.create_task(_ask(asker, visit, begin + offset))
    return visits


async def _ask(asker: Asker, visit: Visit, intended: float) -> None:
    def since() -> float:
        return 1e3 * (time.monotonic() - intended)

    await asyncio.sleep(max(0.0, intended - time.monotonic()))
    visit.late = max(0.0, since())
    status: Status | None = None
    try:
        async with asyncio.timeout(TIMEOUT), aclosing(asker.ask(Question(visit.question, date.today()))) as events:
            async for event in events:
                match event:
                    case TextChunk() if visit.first_token is None:
                        visit.first_token = since()
                    case FellBack():
                        visit.fell_back = True
                    case Failed(reason=reason):
                        visit.failure = reason
                    case Finished():
                        status, visit.whole = event.status, since()
    except TimeoutError:
        visit.failure = "timeout"
    if status != "answered":
        visit.failure = visit.failure or status or "no answer"


async def _fail_at(http: aiohttp.ClientSession, urls: list[str], moment: float) -> None:
    """Let the endpoints fail from a moment on."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
    for url, faults in zip(urls, FAULTS, strict=True):
        if faults is not None:
            async with http.post(f"{url}/faults", json=faults) as reply:
                reply.raise_for_status()


def figures_of(visits: list[Visit]) -> dict[str, Any]:
    """Return counts, and the spreads in milliseconds of the questions that the model answered.

    One that the offline analyst had to answer is lost: a model was well all the time.
    """
    well = [visit for visit in visits if visit.failure is None and not visit.fell_back]
    failed = Counter(visit.failure for visit in visits if visit.failure is not None)
    return {
        "asked": len(visits),
        "finished": len(well),
        "failed": dict(failed),
        "fell_back": sum(visit.fell_back for visit in visits),
        "first_token_ms": spread(v.first_token for v in well if v.first_token is not None),
        "whole_ms": spread(v.whole for v in well if v.whole is not None),
        "generator_late_ms": spread(v.late for v in visits),
    }


if __name__ == "__main__":
    typer.run(main)
