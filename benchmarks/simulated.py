"""An extension whose parts only wait as long as the model and the database would: what is left is the app itself.

`QUAESTOR_EXTENSION=benchmarks.simulated:simulate` gives answers of 100 tokens, `…:simulate_short` of one. The model's
pace is the stand-in's own default, and the replies are as long as the stand-in's are on average.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from agents.ask import Asker
from agents.question import Complaint, Draft, Followup, Question, Say
from agents.streaming import INTERVAL
from benchmarks.model_speech import Pace
from benchmarks.model_wire import Stamper
from tools.catalog import Found, SavedQuestion
from tools.sql_guard import SafeQuery
from tools.sql_runner import Rows

VERDICT_TOKENS, SQL_TOKENS, FOLLOWUPS_TOKENS = 4, 56, 316
"""How long the stand-in's replies are on benchmarks/questions.txt, half of them longer and half shorter."""

DRAFT = Draft("SELECT name FROM stores", "What are the stores called?")
ROWS = Rows(("name", "revenue"), tuple((f"Store {i}", 100.5 * i) for i in range(1, 8)), truncated=False, seconds=0.002)
IDEAS = [Followup(f"And what of number {i}?", DRAFT.sql) for i in range(1, 7)]


@dataclass(frozen=True)
class Simulated:
    """Plays each of an Asker's parts."""

    pace: Pace
    answer_tokens: int
    run_seconds: float = 0.002

    async def judge(self, question: Question) -> None:
        await asyncio.sleep(self.pace.seconds(VERDICT_TOKENS))

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        await asyncio.sleep(self.pace.seconds(SQL_TOKENS))
        return DRAFT

    async def run(self, query: SafeQuery, **limits: object) -> Rows:
        await asyncio.sleep(self.run_seconds)
        return ROWS

    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        """Say as many stamped tokens as a model would, in as many pieces as they would be gathered to."""
        own = self.pace.seconds(VERDICT_TOKENS) + self.pace.seconds(SQL_TOKENS) + self.pace.first_token
        stamper, said = Stamper(round(1e3 * own)), 0
        await asyncio.sleep(self.pace.first_token)
        began = time.monotonic()
        while said < self.answer_tokens:
            due = int((time.monotonic() - began) * self.pace.tokens_per_second) + 1
            count = min(due, self.answer_tokens) - said
            if count:
                await say("".join([stamper.token() for _ in range(count)]))
                said += count
            if said < self.answer_tokens:
                await asyncio.sleep(INTERVAL)

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        await asyncio.sleep(self.pace.seconds(FOLLOWUPS_TOKENS))
        return IDEAS


class SimulatedSearch:
    """Finds the same at once, whatever is looked for."""

    def __init__(self, found: Found) -> None:
        self._found = found

    async def find(self, question: str) -> Found:
        return self._found


class NothingSaved:
    async def find(self, question: str) -> tuple[SavedQuestion, ...]:
        return ()


class CheckedOnce:
    """Lets the real guard check one query, and passes it from then on."""

    def __init__(self, asker: Asker) -> None:
        self._guard = asker.guard
        self._query: SafeQuery | None = None

    async def check(self, sql: str) -> SafeQuery:
        if self._query is None:
            self._query = await self._guard.check(DRAFT.sql)
        return self._query


def simulate(asker: Asker) -> Asker:
    """Return the Asker with every part simulated, answers of 100 tokens."""
    return simulated(asker, Pace(0.25, 50), answer_tokens=100)


def simulate_short(asker: Asker) -> Asker:
    """Return the Asker with every part simulated, answers of one token."""
    return simulated(asker, Pace(0.25, 50), answer_tokens=1)


def simulated(asker: Asker, pace: Pace, answer_tokens: int) -> Asker:
    found = Found(asker.catalog.tables[:6])
    part = Simulated(pace, answer_tokens)
    return replace(
        asker,
        guardrails=part,
        schema=SimulatedSearch(found),
        saved=NothingSaved(),
        writer=part,
        guard=CheckedOnce(asker),
        runner=part,
        narrator=part,
        suggester=part,
        analyst="simulated",
    )
