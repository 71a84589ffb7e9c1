"""Asks each database the questions of its cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path

import anyio
from pydantic import SecretStr

from agents.together import together
from bootstrap import OFFLINE, open_asker
from errors import SettingsInvalid
from jobs.evaluation.cases import Case
from jobs.evaluation.judging import Judge
from jobs.evaluation.outcome import Outcome
from settings import Settings

Tell = Callable[[Outcome], None]


async def ask_cases(
    cases: Sequence[Case],
    settings: Settings,
    databases: str | None,
    *,
    at_once: int = 1,
    tell: Tell,
) -> tuple[str, list[Outcome]]:
    """Return who answered, and the outcomes in the cases' order by database; each is told as it comes.

    `databases` is a folder of SQLite files named for their databases, or a URL that holds `{database}`. Raises
    AskError where a database cannot be opened.
    """
    outcomes: list[Outcome] = []
    analyst = ""
    for name, group in groupby(sorted(cases, key=lambda case: case.database), key=lambda case: case.database):
        async with open_asker(_settings_of(name, settings, databases)) as asker:
            if name not in ("", asker.catalog.name) and databases is None:
                raise SettingsInvalid(f"The cases ask the database {name}: say where it lies with --databases.")
            analyst = asker.analyst
            judge = Judge(asker, settings.today or date.today(), asks_model=asker.analyst != OFFLINE)
            outcomes += await _ask_some(judge, list(group), at_once, tell)
    return analyst, outcomes


async def _ask_some(judge: Judge, cases: Sequence[Case], at_once: int, tell: Tell) -> list[Outcome]:
    outcomes: dict[str, Outcome] = {}
    turns = anyio.CapacityLimiter(at_once)

    async def ask(case: Case) -> None:
        async with turns:
            outcomes[case.id] = await judge.outcome(case)
        tell(outcomes[case.id])

    async with together() as tasks:
        for case in cases:
            tasks.soonify(ask)(case)
    return [outcomes[case.id] for case in cases]


def _settings_of(name: str, settings: Settings, databases: str | None) -> Settings:
    if not name or databases is None:
        return settings
    url = (
        databases.replace("{database}", name)
        if "{database}" in databases
        else f"sqlite:///{Path(databases).resolve() / name}.sqlite"
    )
    return settings.model_copy(update={"database_url": SecretStr(url)})
