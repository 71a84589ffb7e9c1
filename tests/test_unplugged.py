"""What people are told while something that answers need is pulled out, and that it works again when it is back."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from agents.answer import Answer
from benchmarks.model_server import Pace
from bootstrap import OFFLINE, open_asker
from tests.asked import offline_settings
from tests.qdrant_server import qdrant_server
from tests.redis_server import redis_server
from tests.test_fallback import DEAREST, Scene, scene, until
from tests.web_fixture import small_shop

PEOPLE = 20
ROWS = [["Tea", 3.5]]


def check_one_sentence(told: str, caplog: pytest.LogCaptureFixture) -> None:
    """Fail where a person would read more than a sentence or two, or anything that is not for people."""
    assert told.endswith(".") and "\n" not in told and len(told) < 300, told
    for never in ("Traceback", "Error", "sqlite:", "Errno", "http://127", "object at"):
        assert never not in told
    assert "Traceback" not in caplog.text


async def many(shop: Scene) -> list[Answer]:
    return await asyncio.gather(*(shop.ask() for _ in range(PEOPLE)))


async def test_the_model_dies_while_twenty_people_ask_and_each_has_an_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(tmp_path, 1) as shop:
        [model] = shop.models
        model.server.pace = Pace(first_token=0.05, tokens_per_second=20)
        # Some have their SQL by now, some wait for it, and one who asked before is told the words.
        asking = asyncio.create_task(many(shop))
        await until(lambda: sum(bool(r.body.get("stream")) for r in model.server.received) >= PEOPLE // 2)
        late = asyncio.create_task(many(shop))
        await until(lambda: model.asked >= 3 * PEOPLE)
        await model.stop()
        answers = [*await asking, *await late]
        assert len(answers) == 2 * PEOPLE
        for answer in answers:
            assert answer.rows == ROWS
            if answer.status == "answered":
                assert answer.answer.startswith("Tea has the highest price")
            else:
                # Half of the words were on the page: they stay, and the sentence follows.
                said, told = answer.answer.split("\n")
                assert said and "Tea has the highest price".startswith(said[:20])
                check_one_sentence(told, caplog)
        assert {answer.analyst for answer in answers} >= {OFFLINE}
        assert {"answered"} <= {answer.status for answer in answers}
        await model.start()
        await until(lambda: shop.asker.endpoints()[0].is_up)
        # One question finds out for all whether it is well; who asks in that moment is answered without it.
        assert (await shop.ask()).analyst == "standin"
        again = await many(shop)
        assert {(answer.status, answer.analyst) for answer in again} == {("answered", "standin")}


async def test_redis_goes_away_and_comes_back_and_nobody_notices(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "quaestor.pool")
    with redis_server() as redis:
        async with scene(tmp_path, 2, "requests_per_minute = 60_000", redis_url=redis.url) as shop:
            for pull in (None, redis.stop, redis.start):
                if pull is not None:
                    await asyncio.to_thread(pull)
                answers = await many(shop)
                assert {(a.status, a.analyst, a.fallback is None) for a in answers} == {("answered", "standin", True)}
            await until(lambda: "Redis answers again" in caplog.text)
    assert [record.levelname for record in caplog.records if "Redis" in record.message] == ["WARNING", "INFO"]
    assert "Traceback" not in caplog.text


async def test_the_database_file_vanishes_and_is_there_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with scene(tmp_path, 1) as shop:
        assert (await shop.ask()).rows == ROWS
        (tmp_path / "shop.db").rename(tmp_path / "elsewhere.db")
        for answer in await many(shop):
            assert answer.status == "failed" and not answer.rows
            assert "shop.db" in answer.answer
            check_one_sentence(answer.answer, caplog)
        (tmp_path / "elsewhere.db").rename(tmp_path / "shop.db")
        assert {(a.status, str(a.rows)) for a in await many(shop)} == {("answered", str(ROWS))}


async def test_qdrant_goes_away_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    async with qdrant_server() as qdrant, open_asker(settings.model_copy(update={"qdrant_url": qdrant.url})) as asker:
        shop = Scene(asker, ())
        assert (await shop.ask()).rows == ROWS
        await qdrant.stop()
        # What was found lately is found still.
        assert (await shop.ask(DEAREST)).rows == ROWS
        for answer in await asyncio.gather(*(shop.ask(f"How many products are there? ({n})") for n in range(PEOPLE))):
            assert answer.status == "failed"
            assert "Qdrant" in answer.answer
            check_one_sentence(answer.answer, caplog)
        await qdrant.start()
        answer = await shop.ask("How many products are there?")
        assert (answer.status, answer.rows) == ("answered", [[2]])
