"""Where every model endpoint is down the offline analyst answers and says so; when one is back, it is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents.answer import Answer
from agents.ask import Asker
from agents.events import FellBack
from agents.offline.analyst import Analyst
from agents.offline.followups import OfflineSuggester
from agents.offline.narrator import OfflineNarrator
from agents.offline.writer import OfflineWriter
from agents.question import Question
from benchmarks.model_answers import Analyst as ModelAnalyst
from benchmarks.model_faults import FaultPicker
from benchmarks.model_server import ModelServer, serving
from bootstrap import OFFLINE, open_asker
from errors import SettingsInvalid
from settings import Settings
from tests.asked import offline_settings
from tests.ports import kept_port
from tests.redis_server import redis_server
from tools.reflection import read_catalog

DEAREST = "Which product has the highest price?"
TODAY = date(2026, 11, 20)


class Model:
    """A model over real HTTP that can be stopped, and started again at the same address."""

    def __init__(self, server: ModelServer, port: int) -> None:
        self.server = server
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self._port = port
        self._running = AsyncExitStack()

    async def start(self) -> None:
        await self._running.enter_async_context(serving(self.server, port=self._port))

    async def stop(self) -> None:
        await self._running.aclose()

    @property
    def asked(self) -> int:
        """How many requests came in, the oldest forgotten at a thousand."""
        return len(self.server.received)


@dataclass(frozen=True)
class Scene:
    """Somebody who answers about a small shop, and the models behind."""

    asker: Asker
    models: Sequence[Model]

    async def ask(self, text: str = DEAREST) -> Answer:
        answer = Answer(text, analyst=self.asker.analyst)
        async with aclosing(self.asker.ask(Question(text, TODAY))) as events:
            async for event in events:
                answer.take(event)
        return answer


@asynccontextmanager
async def models_of(shop: str, count: int) -> AsyncIterator[list[Model]]:
    """Yield so many running models that know about the shop."""
    catalog = read_catalog(shop)
    rules = Analyst(catalog)
    analyst = ModelAnalyst(catalog, OfflineWriter(rules), OfflineNarrator(), OfflineSuggester(rules))
    with ExitStack() as keeping:
        models = [Model(ModelServer(analyst), keeping.enter_context(kept_port())) for _ in range(count)]
        try:
            for model in models:
                await model.start()
            yield models
        finally:
            for model in models:
                await model.stop()


@asynccontextmanager
async def scene(folder: Path, count: int, *lines: str, written: str = "", **settings: object) -> AsyncIterator[Scene]:
    """Yield a scene whose quaestor.toml names the models, each with these lines; `written` stands above them."""
    from tests.web_fixture import small_shop  # Here, because a later test file loads it as a plugin.

    shop = small_shop(folder)
    async with models_of(shop, count) as models:
        tables = (
            "\n".join(["[[endpoints]]", f'base_url = "{m.base_url}"', 'model = "standin"', f'name = "{name}"', *lines])
            for name, m in zip("abc", models, strict=False)
        )
        (folder / "quaestor.toml").write_text("\n".join([written, *tables]))
        base = offline_settings(folder / "home", database_url=shop)
        async with open_asker(base.model_copy(update={"config": folder / "quaestor.toml", **settings})) as asker:
            yield Scene(asker, models)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  # What changes it tells nobody.
            await asyncio.sleep(0.01)


async def test_where_every_endpoint_is_down_the_offline_analyst_answers_and_the_answer_says_so(tmp_path: Path) -> None:
    async with scene(tmp_path, 2) as shop:
        by_model = await shop.ask()
        assert (by_model.status, by_model.analyst, by_model.fallback) == ("answered", "standin", None)
        for model in shop.models:
            await model.stop()
        answer = await shop.ask()
        assert (answer.status, answer.analyst) == ("answered", OFFLINE)
        assert answer.rows == by_model.rows
        assert answer.fallback is not None
        assert FellBack(**answer.fallback).text == "No model answers at the moment: the offline analyst does."
        assert "cannot be reached" in answer.fallback["reason"]


async def test_when_the_model_is_back_it_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Long enough that only who looks out for it finds it in time.
    monkeypatch.setattr("llm.pool_health.full_jitter", lambda *_: 300.0)
    async with scene(tmp_path, 1) as shop:
        [model] = shop.models
        await model.stop()
        for _ in range(3):
            assert (await shop.ask()).analyst == OFFLINE
        assert not shop.asker.endpoints()[0].is_up
        await model.start()
        await until(lambda: shop.asker.endpoints()[0].is_up)
        answer = await shop.ask()
        assert (answer.status, answer.analyst, answer.fallback) == ("answered", "standin", None)


async def test_one_endpoint_that_is_down_is_not_noticed(tmp_path: Path) -> None:
    async with scene(tmp_path, 2) as shop:
        await shop.models[0].stop()
        for _ in range(6):
            answer = await shop.ask()
            assert (answer.status, answer.analyst, answer.fallback) == ("answered", "standin", None)


async def test_a_question_waits_once_for_a_model_that_does_not_answer(tmp_path: Path) -> None:
    async with scene(tmp_path, 1, model_timeout=0.5) as shop:
        [model] = shop.models
        model.server.faults.faults = ("hang",)
        answer = await shop.ask()
        assert (answer.status, answer.analyst) == ("answered", OFFLINE)
        # Not again for the SQL, for the words and for the next questions.
        assert model.asked == 1


async def test_what_was_said_stays_where_the_model_breaks_off_and_nobody_else_goes_on(tmp_path: Path) -> None:
    async with scene(tmp_path, 2) as shop:
        for model in shop.models:
            model.server.faults = FaultPicker(("reset-middle",), of="streams")
        answer = await shop.ask()
        streams = [r for model in shop.models for r in model.server.received if r.body.get("stream")]
        assert len(streams) == 1
        assert (answer.status, answer.fallback) == ("failed", None)
        said, told = answer.answer.split("\n")
        assert said and "broke off" in told
        assert answer.rows


async def test_words_that_never_begin_are_the_offline_analysts(tmp_path: Path) -> None:
    async with scene(tmp_path, 1) as shop:
        shop.models[0].server.faults = FaultPicker(("refuse",), of="streams")
        answer = await shop.ask()
        assert (answer.status, answer.analyst) == ("answered", "standin")
        assert answer.fallback is not None
        told = FellBack(**answer.fallback).text
        assert told == "No model answers at the moment: the offline analyst tells the rows."
        assert answer.answer.startswith("Tea has the highest price")


async def test_the_weights_of_the_file_are_kept(tmp_path: Path) -> None:
    async with scene(tmp_path, 2) as shop:
        text = (tmp_path / "quaestor.toml").read_text()
        (tmp_path / "quaestor.toml").write_text(text.replace('name = "a"', 'name = "a"\nweight = 3'))
        config = tmp_path / "quaestor.toml"
        settings = offline_settings(tmp_path / "home2", database_url=f"sqlite:///{tmp_path}/shop.db")
        async with open_asker(settings.model_copy(update={"config": config})) as asker:
            again = Scene(asker, shop.models)
            for _ in range(10):
                await again.ask()
        first, second = (model.asked for model in shop.models)
        assert first + second == 40
        assert first == pytest.approx(30, abs=2)


async def test_what_one_process_finds_to_be_down_another_leaves_alone(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with scene(tmp_path, 1, redis_url=redis.url) as shop:
            [model] = shop.models
            other = offline_settings(tmp_path / "home2", database_url=f"sqlite:///{tmp_path}/shop.db")
            config = {"config": tmp_path / "quaestor.toml", "redis_url": redis.url}
            async with open_asker(other.model_copy(update=config)) as asker:
                model.server.faults.faults = ("rate-limit-wait",)
                asking = asyncio.create_task(shop.ask())
                await until(lambda: asker.endpoints()[0].paused > 0)
                assert (await asking).analyst == OFFLINE
                model.server.faults.faults = ()
                await until(lambda: not asker.endpoints()[0].paused)
                assert (await Scene(asker, shop.models).ask()).analyst == "standin"


async def test_hedging_is_asked_for_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As many calls as there are may be made twice: on a busy machine a tenth is soon used up, and more are late.
    monkeypatch.setattr("llm.pool.HEDGE_SHARE", 1.0)
    async with scene(tmp_path, 2, written="hedge = true") as shop:
        # Twenty calls of a kind tell how late is late: of forty, one of the two endpoints has answered as many.
        for _ in range(40):
            assert (await shop.ask()).analyst == "standin"
        slow, _ = shop.models
        slow.server.faults = FaultPicker(("hang",), of="wholes")
        # Without it, a question waits for half of QUAESTOR_MODEL_TIMEOUT.
        async with asyncio.timeout(20):
            assert (await shop.ask()).analyst == "standin"


async def test_a_redis_address_that_is_none_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="QUAESTOR_REDIS_URL is no address"):
        async with scene(tmp_path, 1, redis_url=SecretStr("nowhere")):
            pass


def test_the_settings_read_the_file_and_the_redis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUAESTOR_CONFIG", str(tmp_path / "q.toml"))
    monkeypatch.setenv("QUAESTOR_REDIS_URL", "redis://:secret@localhost/0")
    settings = Settings()
    assert settings.config == tmp_path / "q.toml"
    assert "secret" not in repr(settings)
