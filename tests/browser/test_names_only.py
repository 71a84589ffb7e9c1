"""A model that is shown names only, as a person sees it on the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from benchmarks.model_command import open_analyst
from benchmarks.model_server import MODEL, ModelServer, serving
from settings import Settings
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import copied_home, opened, serve

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_page_says_that_the_model_saw_names_only_and_tells_the_rows_all_the_same(
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
                await expect(page.locator("body")).to_contain_text("is shown names only, no data")
                await expect(page.get_by_role("button", name="Investigate")).to_have_count(0)
                answer = await chat.ask("How many customers are there by city?")
                await answer.says("Amsterdam has the highest number of customers")
                await expect(answer.receipt).to_contain_text(f"by {MODEL}")
                await expect(answer.receipt).to_contain_text("the model saw names only, no data")
        assert model.received and not any("Amsterdam" in str(received.body) for received in model.received)
