"""Splits a query into its steps and runs each one for its rows."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import anyio
import asyncer
from asyncer import asyncify

from errors import AskError, QueryTimedOut
from tools.breakdown_split import Planned, in_one_go, split
from tools.catalog import Catalog
from tools.sql_runner import Rows
from tools.trials import Guard, Runner

log = logging.getLogger("quaestor.breakdown")

ROWS = 8
"""Rows that are fetched of each step."""
EACH = 5.0
"""Seconds for one statement of a step."""
ALL = 20.0
"""Seconds for everything: what is not done by then says so."""


@dataclass(frozen=True)
class Step:
    """One step of a query, run on its own."""

    words: str
    """What it does, in one sentence of plain text."""
    sql: str
    part: str
    """The part of the query that it belongs to, in words; empty for the query itself."""
    rows: Rows | None
    """Its first rows; None where it could not be run."""
    count: int | None
    """How many rows it leaves; None where that is not known."""
    before: int | None
    """How many rows came in; None where it starts anew or puts several steps together, or where that is not known."""
    takes: tuple[int, ...]
    """The numbers of the steps that it goes on from; the first is 1."""
    trouble: str = ""
    """Why it could not be run, or not be counted, in one sentence."""


@dataclass(frozen=True)
class _Run:
    rows: Rows | None = None
    count: int | None = None
    trouble: str = ""


class Breakdown:
    """Tells how a query comes to its rows. Every statement that it runs passes the guard and the runner."""

    def __init__(self, guard: Guard, runner: Runner, catalog: Catalog) -> None:
        self._guard = guard
        self._runner = runner
        self._catalog = catalog

    async def steps(self, sql: str) -> tuple[Step, ...]:
        """Return the query's steps in order; the last one's rows are the query's own.

        Raises SQLRefused where the guard does not let the query through. A step that fails or takes too long says so
        and does not stop the others.
        """
        query = await self._guard.check(sql)
        try:
            plan = await asyncify(split)(query.sql, self._catalog)
        except Exception:
            # A shape that nobody thought of is no reason to show nothing.
            log.exception("a query could not be split")
            plan = (in_one_go(query.sql),)
        until = anyio.current_time() + ALL
        # Side by side: the runner lets as many through as the database may be given, behind what others wait for.
        async with asyncer.create_task_group() as tasks:
            running = [tasks.soonify(self._run)(planned, until) for planned in plan]
            proving = tasks.soonify(self._proves)(plan[-1], until)
        runs = [run.value for run in running]
        if proving.value is not None and not _is_same(proving.value, runs[-1].rows):
            return _told((in_one_go(query.sql),), runs[-1:])
        return _told(plan, runs)

    async def _proves(self, last: Planned, until: float) -> _Run | None:
        """Return what the query gives as sqlglot writes it, where that is to be compared."""
        return await self._run(in_one_go(last.rewritten), until) if last.rewritten else None

    async def _run(self, planned: Planned, until: float) -> _Run:
        rows: Rows | None = None
        try:
            with anyio.fail_after(until - anyio.current_time()):
                rows = await self._rows(planned.sql, ROWS)
                if not rows.truncated:
                    return _Run(rows, len(rows.values))
                if planned.counting is None:
                    return _Run(rows)
                counted = await self._rows(planned.counting, 1)
                return _Run(rows, int(counted.values[0][0]))
        except QueryTimedOut:
            why = "This step takes too long by itself."
        except TimeoutError:
            why = "The time for all steps was over."
        except AskError as error:
            why = str(error)
        return _Run(rows, trouble=f"It was not {'counted' if rows else 'run'}. {why}")

    async def _rows(self, sql: str, limit: int) -> Rows:
        return await self._runner.run(await self._guard.check(sql), limit=limit, timeout=EACH, trial=True)


def _is_same(run: _Run, rows: Rows | None) -> bool:
    return run.rows is not None and rows is not None and run.rows.values == rows.values


def _told(plan: tuple[Planned, ...], runs: list[_Run]) -> tuple[Step, ...]:
    """Put the counts beside one another: what a step leaves comes into those that go on from it."""
    counts: list[int | None] = []
    steps = []
    for planned, run in zip(plan, runs, strict=True):
        before = counts[planned.takes[0]] if len(planned.takes) == 1 else None
        count = before if run.count is None and planned.counting is None else run.count
        counts.append(count)
        takes = tuple(place + 1 for place in planned.takes)
        steps.append(Step(planned.words, planned.sql, planned.part, run.rows, count, before, takes, run.trouble))
    return tuple(steps)
