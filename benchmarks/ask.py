"""`python -m benchmarks ask`: how long one question takes, stage by stage, without a model and with the stand-in."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

import typer
from pydantic import SecretStr

from agents.ask import Asker
from agents.events import Finished, TextChunk
from agents.question import Question
from settings import Settings, read_settings


@dataclass
class Times:
    """Milliseconds, one entry per question asked."""

    first_words: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    unanswered: int = 0


def ask(
    rounds: Annotated[int, typer.Option(min=1, max=1_000, help="How often each starter question is asked.")] = 20,
    model_url: Annotated[
        str | None, typer.Option(help="Measure a model too, e.g. the stand-in's http://127.0.0.1:9100/v1.")
    ] = None,
) -> None:
    """Ask the starter questions one after the other; print milliseconds as a Markdown table."""
    settings = read_settings()
    offline = settings.model_copy(update={"openai_api_key": None, "openai_base_url": None})
    asyncio.run(_measure("offline analyst", offline, rounds))
    if model_url:
        model = settings.model_copy(update={"openai_base_url": model_url, "openai_api_key": SecretStr("none")})
        asyncio.run(_measure(f"model at {model_url}", model, rounds))


async def _measure(title: str, settings: Settings, rounds: int) -> None:
    from bootstrap import open_asker

    began = time.perf_counter()
    async with open_asker(settings) as asker:
        opening = time.perf_counter() - began
        today = settings.today or date.today()
        cold = Times()
        await _ask_once(asker, Question(asker.starters[0], today), cold)
        warm = Times()
        for _ in range(rounds):
            for starter in asker.starters:
                await _ask_once(asker, Question(starter, today), warm)
    print(f"\n### {title}: {rounds} rounds of {len(asker.starters)} questions, {warm.unanswered} not answered\n")
    print(
        f"Opening the database, its index and the analyst: {opening:.2f} s. First question: {cold.whole[0]:.0f} ms.\n"
    )
    print("| ms | p50 | p99 |\n|---|---|---|")
    for name, times in [("first words", warm.first_words), ("whole answer", warm.whole), *warm.stages.items()]:
        print(f"| {name} | {statistics.median(times):.1f} | {_percentile(times, 99):.1f} |")


async def _ask_once(asker: Asker, question: Question, times: Times) -> None:
    began, first_words = time.perf_counter(), 0.0
    async with aclosing(asker.ask(question)) as events:
        async for event in events:
            if isinstance(event, TextChunk) and not first_words:
                first_words = time.perf_counter() - began
            if isinstance(event, Finished):
                times.unanswered += event.status != "answered"
                for stage, seconds in event.seconds.items():
                    times.stages[stage].append(seconds * 1e3)
    times.first_words.append(first_words * 1e3)
    times.whole.append((time.perf_counter() - began) * 1e3)


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]
