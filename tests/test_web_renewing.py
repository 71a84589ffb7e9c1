"""A database that changes while the server runs: what is known of it changes with it, and nobody's question breaks."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
import weakref
from collections.abc import Callable
from contextlib import aclosing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from pydantic import SecretStr

from agents.ask import Asker
from agents.events import Finished, SQLWritten
from agents.offline.analyst import Analyst
from agents.offline.followups import OfflineSuggester
from agents.offline.narrator import OfflineNarrator
from agents.question import Complaint, Draft, Question
from benchmarks.model_server import MODEL
from settings import Settings
from tests.asked import offline_settings
from tests.changing_database import REFUNDS, SHOP, Fill
from tests.model_fixture import KEY, StandIn
from tests.web_fixture import Web, running
from tools import schema_catalog
from tools.catalog import Found
from tools.reflection import read_catalog, read_declared
from web import renewing
from web.desk import Desk

pytest_plugins = ("tests.changing_database", "tests.model_fixture")

TODAY = date(2026, 11, 20)


def settings_of(folder: Path, url: str, *, refresh: float = 0) -> Settings:
    settings = offline_settings(folder / "home", today=TODAY, database_url=url)
    return settings.model_copy(update={"schema_refresh": refresh})


async def told(web: Web, question: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await web.ask(question)).json()
    return answer


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happens():  # noqa: ASYNC110  # A database tells nobody that it has been read.
            await asyncio.sleep(0.01)


def tables_of(asker: Asker) -> set[str]:
    return {table.name for table in asker.catalog}


async def now_of(desk: Desk) -> Asker:
    asker = await desk.ready()
    assert asker is not None
    return asker


def asked(desk: Desk) -> Asker:
    assert desk._renewing is not None
    return desk._renewing.asker


def texts_of(model: StandIn) -> list[str]:
    """Return what was embedded, in the order in which it was."""
    return [text for each in model.requests if each.path.endswith("/embeddings") for text in each.body["input"]]


def read_at(web: Web) -> float:
    text = web.desk.metrics.as_text("")[0].decode()
    return float(text.split("\nquaestor_schema_read_timestamp_seconds ")[1].split("\n")[0])


# --- by a name that is not there ------------------------------------------------------------------------------------


async def test_sql_that_names_a_new_table_is_answered_while_the_server_runs(fill: Fill, tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, fill(SHOP))) as web:
        assert (await told(web, "How many refunds are there?"))["status"] == "declined"
        fill(REFUNDS)
        answer = await told(web, "SELECT reason, count(*) AS n FROM refunds GROUP BY reason ORDER BY n")
        assert answer["status"] == "answered", answer
        assert answer["rows"] == [["broken", 1], ["late", 2]]
        assert (await told(web, "How many refunds are there?"))["rows"] == [[3]], "the offline analyst knows it, too"
        assert "refunds" in str((await told(web, "What tables are there?"))["rows"])


async def test_a_question_that_meets_a_renamed_column_is_written_anew(fill: Fill, tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, fill(SHOP))) as web:
        assert (await told(web, "What is the total amount of products?"))["rows"] == [[8]]
        fill("ALTER TABLE products RENAME COLUMN amount TO amount_eur")
        answer = await told(web, "What is the total amount of products?")
        assert answer["status"] == "answered", answer
        assert answer["rows"] == [[8]] and "amount_eur" in answer["sql"]


async def test_whoever_watches_sees_the_complaint_and_then_the_question_written_anew(
    on_sqlite: Fill, tmp_path: Path
) -> None:
    desk = Desk(settings_of(tmp_path, on_sqlite(SHOP)))
    try:
        await desk.ready()
        on_sqlite(REFUNDS)
        async with aclosing(desk.ask(Question("SELECT refund_id FROM refunds", TODAY))) as events:
            names = [type(event).__name__ async for event in events]
    finally:
        await desk.close()
    beginning = ["TablesFound", "SQLWritten", "SQLComplained", "TablesFound", "SQLWritten", "RowsFound"]
    assert names[:6] == beginning
    assert names.count("Finished") == 1


async def test_questions_that_meet_a_new_table_at_once_wait_for_one_reading(
    on_postgres: Fill, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(settings_of(tmp_path, on_postgres(SHOP))) as web:
        await now_of(web.desk)
        on_postgres(REFUNDS)
        with caplog.at_level(logging.INFO, "quaestor.renewing"):
            answers = await asyncio.gather(*(told(web, f"SELECT reason, {n} FROM refunds") for n in range(5)))
    assert [len(answer["rows"]) for answer in answers] == [3] * 5
    assert caplog.text.count("The database has changed") == 1


class Forgetful:
    """Writes SQL for the column as it was called before, once."""

    def __init__(self) -> None:
        self._columns = iter(["amount"])

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        return Draft(f"SELECT sum({next(self._columns, 'amount_eur')}) AS total FROM products", question.text)


async def test_a_models_question_is_written_anew_and_not_mended_for_what_was(
    on_sqlite: Fill, tmp_path: Path, model_server: StandIn
) -> None:
    settings = settings_of(tmp_path, on_sqlite(SHOP)).model_copy(
        update={"openai_base_url": model_server.base_url, "openai_api_key": SecretStr(KEY), "model": MODEL}
    )
    async with running(settings) as web:
        await now_of(web.desk)
        catalog = read_catalog(on_sqlite("ALTER TABLE products RENAME COLUMN amount TO amount_eur"))
        model_server.answers_for(
            catalog, writer=Forgetful(), narrator=OfflineNarrator(), suggester=OfflineSuggester(Analyst(catalog))
        )
        answer = await told(web, "What did we sell?")
        assert (answer["status"], answer["rows"]) == ("answered", [[8]]), answer
        prompts = [message["content"] for each in model_server.requests for message in each.body["messages"]]
        assert any("<tables>" in prompt and "amount_eur" in prompt for prompt in prompts)


async def test_a_name_that_the_database_does_not_hold_is_looked_for_once_a_minute(
    on_sqlite: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def counted(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return declared(*args)

    declared = read_declared
    monkeypatch.setattr(schema_catalog, "read_declared", counted)
    async with running(settings_of(tmp_path, on_sqlite(SHOP))) as web:
        before = await now_of(web.desk)
        for _ in range(3):
            answer = await told(web, "SELECT * FROM nowhere")
            assert answer["status"] == "refused" and "no table nowhere" in answer["answer"]
        await told(web, "DELETE FROM products")
        assert looks == 1
        assert await now_of(web.desk) is before
        on_sqlite(REFUNDS)
        assert (await told(web, "SELECT * FROM refunds"))["status"] == "refused", "it was looked a moment ago"
        monkeypatch.setattr(renewing, "LOOKED_AGAIN", 0.0)
        assert (await told(web, "SELECT * FROM refunds"))["status"] == "answered"


# --- by the clock ---------------------------------------------------------------------------------------------------


async def test_what_is_new_is_known_after_a_while_without_a_question(fill: Fill, tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, fill(SHOP), refresh=0.2)) as web:
        asker = await now_of(web.desk)
        first = read_at(web)
        assert time.time() - 60 < first <= time.time()
        fill(REFUNDS + "ALTER TABLE products ADD COLUMN weight INTEGER; UPDATE products SET weight = 7;")
        await until(lambda: "refunds" in tables_of(asked(web.desk)))
        assert await web.counted("quaestor_schema_read_timestamp_seconds") == read_at(web) > first
        assert await now_of(web.desk) is not asker
        assert (await told(web, "What is the total weight of products?"))["rows"] == [[14]]
        assert (await told(web, "How many refunds are there by reason?"))["status"] == "answered"
        assert (await web.client.get("/readyz")).status_code == 200


async def test_a_value_that_is_new_in_a_file_is_known_by_its_name(on_sqlite: Fill, tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, on_sqlite(SHOP), refresh=0.2)) as web:
        assert (await told(web, "Show me the cocoa"))["status"] == "declined"
        before = await now_of(web.desk)
        on_sqlite("INSERT INTO products VALUES (3, 'Cocoa', 9)")
        await until(lambda: asked(web.desk) is not before)
        assert (await told(web, "Show me the cocoa"))["rows"] == [["Cocoa"]]


async def test_a_database_that_does_not_change_keeps_its_asker(fill: Fill, tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, fill(SHOP), refresh=0.2)) as web:
        before = await now_of(web.desk)
        at = read_at(web)
        await until(lambda: read_at(web) > at)
        assert await now_of(web.desk) is before


async def test_a_csv_stays_as_it_was_read_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("city,amount\nRome,3\nOslo,4\n")
    async with running(settings_of(tmp_path, str(file), refresh=0.2)) as web:
        before = await now_of(web.desk)
        at = read_at(web)
        file.write_text("city,amount,weight\nRome,3,1\nOslo,4,1\nBonn,5,1\n")
        await until(lambda: read_at(web) > at)
        assert await now_of(web.desk) is before
        assert (await told(web, "What is the total amount?"))["rows"] == [[7]]


async def test_a_database_that_is_away_changes_nothing_and_is_logged(
    on_sqlite: Fill, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(settings_of(tmp_path, on_sqlite(SHOP), refresh=0.2)) as web:
        before = await now_of(web.desk)
        away = (tmp_path / "shop.db").rename(tmp_path / "away.db")
        with caplog.at_level(logging.WARNING, "quaestor.renewing"):
            await until(lambda: "stays as it was" in caplog.text)
        assert await now_of(web.desk) is before
        away.rename(tmp_path / "shop.db")
        on_sqlite(REFUNDS)
        await until(lambda: "refunds" in tables_of(asked(web.desk)))
        assert (await told(web, "How many products are there?"))["rows"] == [[2]]


# --- what was replaced ----------------------------------------------------------------------------------------------


async def test_a_question_in_flight_ends_with_what_it_began_with(on_sqlite: Fill, tmp_path: Path) -> None:
    desk = Desk(settings_of(tmp_path, on_sqlite(SHOP), refresh=0.2))
    try:
        before = await now_of(desk)
        worker = before.guard._worker  # type: ignore[attr-defined]
        async with aclosing(desk.ask(Question("SELECT name FROM products", TODAY))) as events:
            while not isinstance(await anext(events), SQLWritten):
                pass
            on_sqlite("INSERT INTO products VALUES (3, 'Cocoa', 9);" + REFUNDS)
            await until(lambda: asked(desk) is not before)
            assert worker._process is not None, "its guard is open yet"
            rest = [event async for event in events]
        assert isinstance(rest[-1], Finished) and rest[-1].status == "answered"
        await until(lambda: worker._process is None)
    finally:
        await desk.close()


async def test_what_was_replaced_leaves_the_memory(on_sqlite: Fill, tmp_path: Path) -> None:
    desk = Desk(settings_of(tmp_path, on_sqlite(SHOP), refresh=0.2))
    try:
        before = await now_of(desk)
        gone = [weakref.ref(each) for each in (before, before.catalog, before.schema, before.writer)]
        del before
        gc.disable()  # What is there after the start, it does not look at: see web/app.py.
        on_sqlite(REFUNDS)
        await until(lambda: not any(each() for each in gone))
        assert tables_of(await now_of(desk)) == {"products", "refunds"}
    finally:
        gc.enable()
        await desk.close()


async def test_only_what_is_new_is_embedded_and_the_model_for_it_stays_open(
    on_sqlite: Fill, tmp_path: Path, model_server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(tmp_path, on_sqlite(SHOP), refresh=0.2).model_copy(
        update={"openai_base_url": model_server.base_url, "openai_api_key": SecretStr(KEY), "embedding_model": "any"}
    )
    desk = Desk(settings)
    try:
        before = await now_of(desk)
        embedded = len(texts_of(model_server))
        on_sqlite(REFUNDS)
        await until(lambda: asked(desk) is not before)
        new = [text for text in texts_of(model_server)[embedded:] if text != "warm up"]
        assert len(new) == 3 and all("refund" in text for text in new)
        await asked(desk).schema.find("who sends things back?")
        assert texts_of(model_server)[-1] == "who sends things back?"
        assert "words alone" not in caplog.text
    finally:
        await desk.close()


async def test_reading_the_database_again_does_not_block_the_event_loop(on_sqlite: Fill, tmp_path: Path) -> None:
    desk = Desk(settings_of(tmp_path, on_sqlite(SHOP)))
    try:
        await desk.ready()
        on_sqlite(REFUNDS)
        with blockbuster_ctx():
            async with aclosing(desk.ask(Question("SELECT reason FROM refunds", TODAY))) as events:
                last = [event async for event in events][-1]
        assert isinstance(last, Finished) and last.status == "answered"
    finally:
        await desk.close()


async def test_a_server_that_stops_while_it_reads_leaves_nothing_open(on_sqlite: Fill, tmp_path: Path) -> None:
    desk = Desk(settings_of(tmp_path, on_sqlite(SHOP)))
    await desk.ready()
    on_sqlite(REFUNDS)
    asking = desk.ask(Question("SELECT reason FROM refunds", TODAY))
    async with aclosing(asking):
        while type(await anext(asking)).__name__ != "SQLComplained":
            pass
    await desk.close()
    assert not [task for task in asyncio.all_tasks() if "schema" in task.get_name()]
