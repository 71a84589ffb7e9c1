"""An answer's SQL is edited where it stands, runs as typed SQL does, and is saved under the question that was asked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect

from benchmarks.model_command import open_analyst
from benchmarks.model_server import MODEL, ModelServer, serving
from settings import Settings
from tests.browser.chat_page import Answered, ChatPage
from tests.browser.conftest import Served, copied_home, opened, serve
from tests.browser.test_accessible import faults

pytestmark = pytest.mark.asyncio(loop_scope="session")

CANCELLED = "How many orders were cancelled in 2025?"
NOTE = f"A person has edited the SQL, for the question “{CANCELLED}”."
IS_FOCUSED = "field => field.getRootNode().activeElement === field"


async def edit(answer: Answered) -> Locator:
    """Open the SQL of an answer, and return the field."""
    await answer.root.get_by_role("tab", name="SQL").click()
    await answer.root.get_by_role("button", name="Edit", exact=True).click()
    field = field_of(answer)
    await expect(field).to_be_focused()
    return field


def field_of(answer: Answered) -> Locator:
    return answer.root.get_by_role("textbox", name="SQL to run")


async def test_edited_sql_answers_the_question_that_was_asked_and_says_so(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        first = await chat.ask(CANCELLED)
        field = await edit(first)
        written = await field.input_value()
        assert "'cancelled'" in written
        run = first.root.get_by_role("button", name="Run")
        await expect(run).to_be_disabled()  # It would be no edit.
        await field.fill(written.replace("'cancelled'", "'completed'"))
        await run.click()
        second = await chat.answer(1)
        await expect(page.locator("[data-step-type=user_message]").last).to_have_text(f"Edited SQL{CANCELLED}")
        await expect(page.locator("[data-step-type=user_message]").last).to_be_in_viewport(ratio=1)
        await expect(second.root).to_contain_text(NOTE)
        await expect(second.rows).to_have_count(1)
        await expect(second.premises.first).to_have_text("status is completed")
        assert "status = 'completed'" in await second.sql()
        assert CANCELLED in await second.understood()
        await expect(second.root.get_by_role("button", name="How was this worked out?")).to_be_visible()
        assert (await first.sql()).strip() == written, "the answer before keeps its own"


async def test_the_keyboard_runs_and_leaves_and_what_was_left_is_not_kept(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask(CANCELLED)
        field = await edit(answer)
        written = await field.input_value()
        await field.press("Control+Enter")  # Nothing was changed.
        await expect(field).to_be_focused()
        await field.fill("SELECT 1 AS gone")
        await field.press("Escape")
        await expect(field).to_have_count(0)
        again = answer.root.get_by_role("button", name="Edit", exact=True)
        await expect(again).to_be_focused()
        await again.press("Enter")
        await expect(field).to_have_value(written)
        await field.fill("SELECT 2 AS\nkept")
        await field.press("Control+Enter")
        await expect((await chat.answer(1)).rows).to_have_text("2")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("SELECT nobody\nFROM orders", "nobody"),
        ("DELETE FROM orders", "is not allowed"),
        ("SELCT count(*) FROM orders", "is not allowed"),
        ("SELECT '" + "x" * 4_100 + "'", "at most 4,000 are read"),
        ("how many orders are there", "is not allowed|cannot be read|not valid"),
    ],
    ids=["an unknown column", "a change", "misspelled", "too long", "words"],
)
async def test_sql_that_does_not_run_is_told_in_a_sentence_and_stays_to_be_edited(
    typed: str, sentence: str, browser: Browser, offline: Served
) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        field = await edit(await chat.ask(CANCELLED))
        await field.fill(typed)
        await field.press("Control+Enter")
        failed = await chat.answer(1)
        await failed.says(sentence)
        await expect(field_of(failed)).to_have_value(typed)
        await expect(failed.followups).to_have_count(0)
        await field_of(failed).fill("SELECT COUNT(*) AS orders FROM orders")
        await field_of(failed).press("Control+Enter")
        mended = await chat.answer(2)
        await expect(mended.rows).to_have_count(1)
        await expect(mended.root).to_contain_text(NOTE)


async def test_a_reviewer_saves_edited_sql_under_the_question_and_it_answers_from_then_on(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    knowledge = tmp_path / "knowledge"
    question = "How many orders were cancelled?"
    with serve(copied_home(built_home, tmp_path), QUAESTOR_KNOWLEDGE=str(knowledge)) as served:
        async with opened(browser, served.url) as page:
            chat = ChatPage(page)
            await chat.is_ready()
            for number, status in ((1, "shipped"), (3, "completed")):
                field = await edit(await chat.ask(question))
                await field.fill(f"SELECT COUNT(*) AS orders FROM orders WHERE status = '{status}'")
                await field.press("Control+Enter")
                edited = await chat.answer(number)
                await edited.receipt.get_by_role("button", name="Save as reviewed").click()
                form = edited.root.locator(".qs-save")
                await expect(form.get_by_role("textbox")).to_have_value(question)
                await form.get_by_role("button", name="Save").click()
                await expect(edited.receipt.get_by_role("status")).to_contain_text("Saved as reviewed")
            answer = await chat.ask(question)
            await expect(answer.receipt).to_contain_text("Reviewed SQL")
            assert "'completed'" in await answer.sql(), "what was saved last holds"
    lines = (knowledge / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["question"] for line in lines] == [question] * 2


async def test_words_typed_over_an_edited_question_are_asked_as_words(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        field = await edit(await chat.ask(CANCELLED))
        await field.fill("SELECT 3 AS three")
        await field.press("Control+Enter")
        await chat.answer(1)
        await chat.edit("How many stores are there?")
        await expect(page.get_by_text("A person has edited the SQL")).to_have_count(0)
        answer = await chat.answer(1)
        assert "FROM stores" in await answer.sql()
        await expect(page.get_by_text("Edited SQL")).to_have_count(0)


async def test_what_is_typed_is_kept_while_another_answer_comes(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask(CANCELLED)
        field = await edit(answer)
        await field.fill("SELECT 4 AS half_writ")
        await chat.ask("How many stores are there?")
        await expect(field).to_have_value("SELECT 4 AS half_writ")
        await field.press("End")
        await field.press_sequentially("ten")
        await field.press("Control+Enter")
        await expect((await chat.answer(2)).rows).to_have_text("4")


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_field_can_be_read_and_used_by_everyone_and_shows_all_its_lines(
    theme: str, browser: Browser, offline: Served
) -> None:
    async with opened(browser, offline.url, width=390, height=844) as page:
        await page.emulate_media(reduced_motion="reduce")
        await page.evaluate("theme => localStorage.setItem('vite-ui-theme', theme)", theme)
        await page.reload()
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("Which five products earned the most last quarter?")
        field = await edit(answer)
        assert await field.evaluate("field => field.scrollHeight <= field.clientHeight"), "nothing is scrolled away"
        assert await field.evaluate("field => field.scrollWidth <= field.clientWidth"), "a telephone shows whole lines"
        assert re.search("mono", await field.evaluate("field => getComputedStyle(field).fontFamily"))
        assert await faults(page) == []


async def test_the_next_question_keeps_the_conditions_that_were_edited_also_without_a_model(
    browser: Browser, offline: Served
) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        field = await edit(await chat.ask(CANCELLED))
        await field.fill((await field.input_value()).replace("'cancelled'", "'completed'"))
        await field.press("Control+Enter")
        await chat.answer(1)
        answer = await chat.ask("and by store?")
        await expect(answer.root).to_contain_text(
            "The conditions that a person edited in the SQL before hold here, too."
        )
        sql = await answer.sql()
        assert "'completed'" in sql
        assert "'cancelled'" not in sql
        assert "GROUP BY" in sql
        field = await edit(answer)
        await field.fill("SELECT name, opened_on FROM stores")
        await field.press("Control+Enter")
        await chat.answer(3)
        await (await chat.ask("only online")).says("the rules cannot take it over|A person wrote the SQL before")


async def test_in_the_copilots_widget_escape_leaves_the_field_and_not_the_widget(
    browser: Browser, offline: Served
) -> None:
    async with opened(browser, f"{offline.url}/public/copilot.html", offline.url, width=390, height=844) as page:
        await page.get_by_role("button", name="Ask Quaestor").click()
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask(CANCELLED)
        field = await edit(answer)
        await field.press("Escape")
        await expect(field).to_have_count(0)
        await expect(answer.root.get_by_role("button", name="Edit", exact=True)).to_be_focused()
        field = await edit(answer)
        await field.fill("SELECT 5 AS five")
        await field.press("Control+Enter")
        edited = (await chat.answer(1)).root
        await expect(edited).to_contain_text(NOTE)
        await expect(edited.locator(".qs-rows tbody tr")).to_have_text("5")


async def test_where_the_model_sees_names_only_it_never_sees_edited_sql(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    home = copied_home(built_home, tmp_path)
    model = ModelServer(open_analyst(Settings.model_validate({"database_url": f"sqlite:///{home / 'sample.sqlite'}"})))
    async with serving(model) as base_url:
        names = {"OPENAI_BASE_URL": base_url, "QUAESTOR_MODEL": MODEL, "QUAESTOR_MODEL_SEES": "names"}
        with serve(home, **names) as served:
            async with opened(browser, served.url) as page:
                chat = ChatPage(page)
                await chat.is_ready()
                field = await edit(await chat.ask("How many stores are there?"))
                before = len(model.received)
                await field.fill("SELECT COUNT(*) AS stores FROM stores WHERE city <> 'Zwolle'")
                await field.press("Control+Enter")
                edited = await chat.answer(1)
                await expect(edited.rows).to_have_count(1)
                assert len(model.received) == before, "nobody asks the model"
                await chat.ask("and by city?")
                after = [str(received.body) for received in list(model.received)[before:]]
                assert after and not any("Zwolle" in body for body in after)
                assert any("city <> ?" in body for body in after), "the next question builds on it"
