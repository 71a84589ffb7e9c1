"""The chat as a person meets it: the real server, the sample database, a real browser."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import ROOT, Served, copied_home, falls_idle, opened, serve
from tests.browser.line import Line
from tests.ports import kept_port

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIVE = "Which five products earned the most last quarter?"
FOREVER = (
    "SELECT COUNT(*) FROM order_items a JOIN order_items b ON a.quantity <= b.quantity "
    "JOIN orders c ON b.quantity <= c.order_id"
)
"""Within the rules, and far beyond the time that anybody has."""


async def test_the_first_page_says_what_this_is_on_which_database_and_who_answers(
    browser: Browser, offline: Served
) -> None:
    async with opened(browser, offline.url) as page:
        await ChatPage(page).is_ready()
        welcome = await page.locator("#welcome-screen").inner_text()
        assert "Quaestor" in welcome
        assert re.search(r"sample, \d+ tables, [\d,]+ rows", welcome)
        assert "offline analyst answers: it works by rules" in welcome
        assert await page.locator("#starters button").count() >= 3
        assert await page.title() == "Quaestor"
    assert re.search(
        r"serves sample \(\d+ tables, [\d,]+ rows\) at http://localhost:\d+, answered by the offline",
        offline.log.read_text(),
    )


async def test_a_question_gets_words_a_chart_rows_sql_and_next_questions(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask(FIVE)
        await expect(answer.rows).to_have_count(5)
        await expect(answer.chart).to_be_visible()
        words = await answer.words.inner_text()
        assert any(cell in words for cell in await answer.rows.first.locator("td").all_inner_texts())
        assert re.search(r"select\b", await answer.sql(), re.IGNORECASE)
        assert "Tables considered" in await answer.understood()
        await expect(answer.followups).to_have_count(3)
        await expect(answer.receipt).to_have_text(re.compile(r"Answered in [\d.]+ s by the offline analyst"))


async def test_a_click_on_a_next_question_asks_it(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        first = await chat.ask(FIVE)
        offered = await first.followups.first.inner_text()
        await first.followups.first.click()
        second = await chat.answer(1)
        await expect(page.locator("[data-step-type=user_message]").nth(1)).to_have_text(offered.strip())
        await expect(second.rows.first).to_be_visible()


async def test_and_by_store_is_understood_from_the_question_before(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        await chat.ask("What was the revenue last quarter?")
        second = await chat.ask("and by store?")
        assert "store" in (await second.sql()).lower()
        assert "quarter" in (await second.understood()).lower()


async def test_a_starter_asks_its_question(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        await page.locator("#starters button").first.click()
        await expect((await chat.answer()).rows.first).to_be_visible()


async def test_a_models_words_are_seen_while_they_come(browser: Browser, modelled: Served) -> None:
    async with opened(browser, modelled.url) as page:
        line, chat = Line(), ChatPage(page)
        await line.put_into(page)
        await chat.is_ready()
        await expect(page.locator("#welcome-screen")).to_contain_text("writes the SQL and tells the answer")
        line.hold_after("Telling the answer", "stream_token")
        await chat.type(FIVE)
        await expect(page.locator(".qs-stage")).to_contain_text("Telling the answer")
        await expect(chat.stop_button).to_be_visible()
        early = chat.answers.locator("[role=article]")
        await expect(early).to_have_text(re.compile(r"\w"))
        first_words = (await early.inner_text()).strip()
        line.let_go()
        answer = await chat.answer()
        words = await answer.words.inner_text()
        assert words.startswith(first_words)
        assert len(words) > len(first_words)
        await expect(answer.rows).to_have_count(5)
        await expect(answer.chart).to_be_visible()
        await expect(answer.followups).to_have_count(3)


async def test_words_that_come_do_not_push_the_chart_down(browser: Browser, modelled: Served) -> None:
    async with opened(browser, modelled.url) as page:
        line, chat = Line(), ChatPage(page)
        await line.put_into(page)
        await chat.is_ready()
        line.hold_after('"plotly"', "stream_token")
        await chat.type(FIVE)
        await expect(chat.answers.locator("[role=article]")).to_have_text(re.compile(r"\w"))
        stood = await chat.is_still(chat.answers.locator(".js-plotly-plot"))
        line.let_go()
        answer = await chat.answer()
        await expect(answer.followups).to_have_count(3)
        assert await chat.is_still(answer.chart) <= stood


async def test_stop_stops_the_statement_in_the_database(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        await chat.type(FOREVER)
        await expect(page.locator(".qs-stage")).to_contain_text("Running the query")
        await chat.stop_button.click()
        await expect(chat.receipts.first).to_contain_text("Stopped")
        await expect(page.get_by_text("Task manually stopped.")).to_have_count(0)
        await falls_idle(offline)
        await expect((await chat.ask(FIVE)).rows).to_have_count(5)


async def test_stop_reaches_an_edited_question_too(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        await chat.ask(FIVE)
        await chat.edit(FOREVER)
        await expect(page.locator(".qs-stage")).to_contain_text("Running the query")
        await chat.stop_button.click()
        await expect(chat.receipts.last).to_contain_text("Stopped")
        await falls_idle(offline)


async def test_what_cannot_be_answered_is_told_kindly(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        declined = await chat.ask("What was the weather like at the stores yesterday?")
        await expect(declined.root.locator(".qs-declined")).to_be_visible()
        await declined.says("weather")
        refused = await chat.ask("DELETE FROM orders")
        await expect(refused.root.locator(".qs-refused")).to_be_visible()
        await expect(refused.followups).to_have_count(3)
        failed = await chat.ask("SELECT no_such_column FROM orders")
        await expect(failed.root.locator(".qs-refused, .qs-failed")).to_be_visible()
        assert "Traceback" not in await page.locator("body").inner_text()


async def test_values_are_shown_as_text_whatever_they_hold(browser: Browser, offline: Served) -> None:
    tricks = (
        "<img src=x onerror=alert(1)>",
        "![a](https://evil.example/a.png)",
        "[b](javascript:alert(1))",
        "*c* _d_",
        "www.evil.example",
        "```",
    )
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("SELECT " + ", ".join(f"'{trick}' AS c{i}" for i, trick in enumerate(tricks)))
        await expect(answer.rows.first.locator("td")).to_have_text(list(tricks))
        words = (await answer.words.inner_text()).replace("\u2060", "")
        assert all(trick in words for trick in tricks)
        await answer.sql()
        assert await answer.root.locator("a, .message-content img").count() == 0


async def test_many_rows_are_paged(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask("SELECT order_id FROM orders ORDER BY order_id")
        await expect(answer.note).to_have_text("first 1,000 rows")
        first = await answer.rows.first.inner_text()
        await answer.root.get_by_role("button", name="Next rows").click()
        await expect(answer.rows.first).not_to_have_text(first)


async def test_the_phone_shows_all_of_it_without_sideways_scrolling(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url, width=390, height=844) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        await expect(page.locator("#starters button:visible")).to_have_count(4)
        assert await page.locator("#starters").evaluate("e => e.getBoundingClientRect().bottom") <= 844
        answer = await chat.ask(FIVE)
        await expect(answer.chart).to_be_visible()
        await expect(answer.followups).to_have_count(3)
        await chat.is_still(answer.chart)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_a_database_that_is_not_there_is_told_and_tried_again(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    database = tmp_path / "shop.sqlite"
    with serve(tmp_path, QUAESTOR_DATABASE_URL=f"sqlite:///{database}") as served:
        async with opened(browser, served.url) as page:
            await expect(page.locator("#welcome-screen")).to_contain_text("It cannot answer yet")
            chat = ChatPage(page)
            failed = await chat.ask("How many orders are there?")
            await expect(failed.root.locator(".qs-failed")).to_be_visible()
            shutil.copy(built_home / "sample.sqlite", database)
            answer = await chat.ask("How many orders are there?")
            await expect(answer.rows).to_have_count(1)


async def test_a_model_that_was_never_there_is_told_and_no_key_is_shown(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    key = "sk-this-must-stay-hidden"
    with (
        kept_port() as nobodys,
        serve(
            copied_home(built_home, tmp_path), OPENAI_BASE_URL=f"http://127.0.0.1:{nobodys}/v1", OPENAI_API_KEY=key
        ) as served,
    ):
        async with opened(browser, served.url) as page:
            chat = ChatPage(page)
            await chat.is_ready()
            answer = await chat.ask(FIVE)
            await expect(answer.root.locator(".qs-assumed")).to_contain_text("No model answers at the moment")
            await expect(answer.rows).to_have_count(5)
            assert key not in await page.content()
        assert key not in served.log.read_text()
        assert "Traceback" not in served.log.read_text()


async def test_only_people_with_a_password_get_in(browser: Browser, built_home: Path, tmp_path: Path) -> None:
    home = copied_home(built_home, tmp_path)
    with serve(home, QUAESTOR_USERS="ann:plum") as served:
        page = await browser.new_page()
        chat = ChatPage(page)
        await page.goto(served.url)
        await chat.sign_in("ann", "pear")
        await expect(page.get_by_text("The name or the password is not right")).to_be_visible()
        await chat.sign_in("ann", "plum")
        await chat.is_ready()
        await page.close()


async def test_chainlit_run_shows_the_same_chat(browser: Browser, built_home: Path, tmp_path: Path) -> None:
    home = copied_home(built_home, tmp_path)
    strangers = ("https://fonts.", "https://cdn.jsdelivr.net")  # Chainlit's own page asks them; ours does not.
    # With CI set, as in a pipeline or a cloud workspace, `chainlit run` makes up an OPENAI_API_KEY.
    with serve(home, "-m", "chainlit", "run", "app.py", "--headless", CI="true") as served:
        async with opened(browser, served.url, *strangers) as page:
            chat = ChatPage(page)
            await chat.is_ready()
            await expect((await chat.ask(FIVE)).rows).to_have_count(5)


async def test_the_readmes_picture(browser: Browser, offline: Served) -> None:
    async with opened(browser, offline.url, height=1290) as page:
        chat = ChatPage(page)
        await chat.is_ready()
        answer = await chat.ask(FIVE)
        await expect(answer.chart).to_be_visible()
        picture = await page.screenshot()
    assert len(picture) > 20_000, "an empty page"
    if "QUAESTOR_SCREENSHOT" in os.environ:
        (ROOT / "docs" / "screenshot.png").write_bytes(picture)
