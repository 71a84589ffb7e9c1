"""A model that goes away and comes back, as a person sees it on the page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from benchmarks.model_command import open_analyst
from benchmarks.model_faults import FaultPicker
from benchmarks.model_server import MODEL, ModelServer, serving
from settings import Settings
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Served, copied_home, opened, serve
from tests.ports import kept_port

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTION = "How many customers are there by city?"


@pytest.fixture
def port() -> Iterator[int]:
    """The model's port, which nobody else may take while it is away."""
    with kept_port() as kept:
        yield kept


async def test_the_page_says_who_answers_while_the_model_is_away(
    browser: Browser, built_home: Path, tmp_path: Path, port: int
) -> None:
    home = copied_home(built_home, tmp_path)
    model = ModelServer(open_analyst(Settings.model_validate({"database_url": f"sqlite:///{home / 'sample.sqlite'}"})))
    async with AsyncExitStack() as running:
        base_url = await running.enter_async_context(serving(model, port=port))
        with serve(home, OPENAI_BASE_URL=base_url, OPENAI_API_KEY="sk-none-of-this", QUAESTOR_MODEL=MODEL) as served:
            async with opened(browser, served.url) as page:
                chat = ChatPage(page)
                await chat.is_ready()
                await running.aclose()
                away = await chat.ask(QUESTION)
                await away.says("Amsterdam has the highest number of customers")
                await expect(away.root.locator(".qs-assumed")).to_contain_text(
                    "No model answers at the moment: the offline analyst does."
                )
                await expect(away.receipt).to_contain_text("by the offline analyst")

                await running.enter_async_context(serving(model, port=port))
                await is_asked_again(served)
                back = await chat.ask(QUESTION)
                await expect(back.receipt).to_contain_text(f"by {MODEL}")
                await expect(back.root.locator(".qs-assumed")).to_have_count(0)

                model.faults = FaultPicker(("reset-middle",), of="streams")
                broken = await chat.ask(QUESTION)
                await broken.says("^Amsterdam has the highest number")
                await expect(broken.root).to_contain_text("The model's answer broke off before its end.")
                await expect(broken.rows.first).to_contain_text("Amsterdam")


async def is_asked_again(served: Served) -> None:
    """Wait until the server has found the model to be there again."""
    state = re.compile(r'quaestor_endpoint_state\{.*state="open"\} 1\.0')
    async with asyncio.timeout(20), httpx.AsyncClient() as client:
        while state.search((await client.get(f"{served.url}/metrics")).text):  # noqa: ASYNC110  # It tells nobody.
            await asyncio.sleep(0.1)
