"""Whether a question could be answered now, part by part, each with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from agents.parts import Check
from agents.question import Question
from errors import IndexUnavailable
from tests.asked import offline_settings
from tests.test_web_api import DEAREST
from tests.web_fixture import running, small_shop
from web import readiness as readiness_module
from web.desk import Desk
from web.readiness import Part, Readiness

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

WELL = Part(True)


@asynccontextmanager
async def looking(folder: Path, **settings: object) -> AsyncIterator[tuple[Desk, Readiness]]:
    """Yield a desk and its readiness, which forgets each outcome at once."""
    url = settings.pop("database_url", None) or small_shop(folder)
    desk = Desk(offline_settings(folder / "home", database_url=str(url)).model_copy(update=settings))
    readiness = Readiness(desk)
    try:
        yield desk, readiness
    finally:
        await readiness.close()
        await desk.close()


@pytest.fixture(autouse=True)
def looked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness_module, "GOOD_FOR", 0.0)
    # A busy machine needs longer to open a database; the one test of what is late says what late is.
    monkeypatch.setattr(readiness_module, "PATIENCE", 60.0)


def counting(parts: dict[str, int], name: str) -> Check:
    async def check() -> None:
        parts[name] = parts.get(name, 0) + 1

    return check


async def with_checks(desk: Desk, **checks: Check) -> None:
    """Put these in the place of what the desk's Asker would look at."""
    asker = await desk.asker()
    assert desk._renewing is not None
    desk._renewing._now.asker = replace(asker, checks={**asker.checks, **checks})


async def test_a_long_file_that_cannot_be_read_is_not_read_again_at_each_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, begun = tmp_path / "sales.csv", list[str]()
    file.write_text("a\n1\n2,3\n")
    monkeypatch.setattr(readiness_module, "QUICK", 0.0)  # So that reading this one is long.
    async with looking(tmp_path, database_url=str(file)) as (desk, readiness):
        monkeypatch.setattr(desk, "_begin", begun.append)
        for _ in range(3):
            outcome = await readiness.look()
            assert "line 3" in outcome.parts["database"].reason
        assert len(begun) == 1
        file.write_text("a\n1\n2\n")
        await desk.asker()
        assert (await readiness.look()).is_ready


async def test_all_is_well_and_the_page_says_who_answers(tmp_path: Path) -> None:
    async with running(offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))) as web:
        response = await web.client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "parts": {
            "database": {"ok": True, "reason": ""},
            "index": {"ok": True, "reason": ""},
            "model": {"ok": True, "reason": "The offline analyst answers."},
        },
    }
    assert response.headers["cache-control"] == "no-store"


async def test_a_database_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    async with running(offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))) as web:
        assert (await web.client.get("/readyz")).status_code == 200
        database = tmp_path / "shop.db"
        database.rename(tmp_path / "elsewhere.db")
        response = await web.client.get("/readyz")
        assert response.status_code == 503
        told = response.json()
        assert told["status"] == "not ready"
        assert told["parts"]["database"]["ok"] is False
        assert "shop.db" in told["parts"]["database"]["reason"]
        assert told["parts"]["index"] == {"ok": True, "reason": ""}
        (tmp_path / "elsewhere.db").rename(database)
        assert (await web.client.get("/readyz")).status_code == 200
        assert (await web.client.get("/healthz")).json() == {"status": "ok"}


async def test_a_database_that_could_not_be_opened_is_tried_again(tmp_path: Path) -> None:
    url = small_shop(tmp_path)
    (tmp_path / "shop.db").rename(tmp_path / "elsewhere.db")
    async with looking(tmp_path, database_url=url) as (desk, readiness):
        await desk.ready()
        outcome = await readiness.look()
        assert not outcome.is_ready
        assert "shop.db" in outcome.parts["database"].reason
        assert outcome.parts["index"] == Part(False, "Not known yet, because of the database.")
        (tmp_path / "elsewhere.db").rename(tmp_path / "shop.db")
        assert (await readiness.look()).is_ready


async def test_what_is_late_is_said_to_be_and_is_not_started_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness_module, "PATIENCE", 0.05)
    started: dict[str, int] = {}
    answers = asyncio.Event()

    async def slow() -> None:
        await counting(started, "index")()
        await answers.wait()

    async with looking(tmp_path) as (desk, readiness):
        await with_checks(desk, index=slow)
        for _ in range(3):
            assert not (await readiness.look()).parts["index"].ok
        assert started == {"index": 1}
        answers.set()
        async with asyncio.timeout(20):
            while not (await readiness.look()).is_ready:
                pass


async def test_a_storm_of_probes_costs_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness_module, "GOOD_FOR", 60.0)
    asked: dict[str, int] = {}
    async with looking(tmp_path) as (desk, readiness):
        await with_checks(desk, index=counting(asked, "index"), database=counting(asked, "database"))
        await asyncio.gather(*(readiness.look() for _ in range(100)))
    assert asked == {"index": 1, "database": 1}


async def test_rows_prove_that_the_database_answers(tmp_path: Path) -> None:
    """A check has to wait in line behind the questions, and would call a busy database absent."""
    asked: dict[str, int] = {}
    async with looking(tmp_path) as (desk, readiness):
        await with_checks(desk, database=counting(asked, "database"))
        async for _ in desk.ask(Question(DEAREST, date(2026, 11, 20))):
            pass
        assert (await readiness.look()).parts["database"] == WELL
        assert not asked
        desk.rows_at = float("-inf")
        assert (await readiness.look()).parts["database"] == WELL
        assert asked == {"database": 1}


async def test_what_nobody_foresaw_is_told_by_the_number_it_is_logged_under(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise RuntimeError("the DSN and its password")

    async def refused() -> None:
        raise IndexUnavailable("The schema index does not answer.")

    async with looking(tmp_path) as (desk, readiness):
        await with_checks(desk, database=broken, index=refused)
        parts = (await readiness.look()).parts
    assert "password" not in parts["database"].reason
    assert parts["database"].reason.split()[-1].rstrip(".") in caplog.text
    assert parts["index"] == Part(False, "The schema index does not answer.")


async def test_a_trouble_of_no_part_is_every_parts(tmp_path: Path) -> None:
    async with looking(tmp_path, openai_base_url="nowhere") as (_, readiness):
        parts = (await readiness.look()).parts
    wrong = "OPENAI_BASE_URL is no address: write it like http://localhost:11434/v1."
    assert parts == dict.fromkeys(("database", "index", "model"), Part(False, wrong))


async def test_the_model_is_asked_whether_it_is_there_without_writing_anything(
    tmp_path: Path, model_server: StandIn
) -> None:
    model = {"openai_base_url": model_server.base_url, "openai_api_key": SecretStr("none"), "model": "standin"}
    async with looking(tmp_path, **model) as (_, readiness):
        assert (await readiness.look()).parts["model"] == Part(True, endpoints={"127.0.0.1/standin": WELL})
    assert not model_server.requests


async def test_a_model_that_does_not_answer_is_named_and_the_server_is_ready_without_it(tmp_path: Path) -> None:
    async with looking(tmp_path, openai_base_url="http://127.0.0.1:9/v1") as (_, readiness):
        outcome = await readiness.look()
    assert outcome.parts["model"].reason.startswith("The model endpoint http://127.0.0.1:9 cannot be reached")
    assert not outcome.parts["model"].ok
    assert outcome.parts["database"] == WELL
    assert outcome.is_ready


async def test_each_endpoint_is_named_with_what_is_wrong_with_it(tmp_path: Path, model_server: StandIn) -> None:
    there = f'[[endpoints]]\nname = "there"\nbase_url = "{model_server.base_url}"\nmodel = "standin"\n'
    away = '[[endpoints]]\nname = "away"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "standin"\n'
    (tmp_path / "quaestor.toml").write_text(there + away)
    async with looking(tmp_path, config=tmp_path / "quaestor.toml") as (desk, readiness):
        outcome = await readiness.look()
        text = desk.metrics.as_text("")[0].decode()
    assert outcome.parts["model"] == Part(True, endpoints={"there": WELL, "away": Part(False, "cannot be reached")})
    assert outcome.as_json()["parts"]["model"]["endpoints"]["away"] == {"ok": False, "reason": "cannot be reached"}
    assert outcome.as_json(with_reasons=False)["parts"]["model"] == {"ok": True}
    assert 'quaestor_endpoint_state{endpoint="there",state="closed"} 1.0' in text
    assert 'quaestor_endpoint_state{endpoint="away",state="open"} 1.0' in text
    assert 'quaestor_endpoint_state{endpoint="away",state="closed"} 0.0' in text
