"""The copilot: the same chat in somebody else's page, on our origin and on another."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import ROOT, Served, copied_home, opened, serve

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOST_PAGE = ROOT / "public" / "copilot.html"


async def test_the_copilot_answers_like_the_chat(browser: Browser, offline: Served) -> None:
    async with opened(browser, f"{offline.url}/public/copilot.html", offline.url) as page:
        await _ask_in_the_widget(page)


async def test_a_page_on_an_allowed_origin_may_open_the_copilot(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    server_of_the_page = _HostPage()
    with server_of_the_page.serving() as origin:
        home = copied_home(built_home, tmp_path)
        with serve(home, QUAESTOR_ALLOW_ORIGINS=origin) as served:
            server_of_the_page.quaestor = served.url
            async with opened(browser, origin, served.url) as page:
                await _ask_in_the_widget(page)


async def test_a_page_on_any_other_origin_may_not(browser: Browser, offline: Served) -> None:
    server_of_the_page = _HostPage()
    server_of_the_page.quaestor = offline.url
    with server_of_the_page.serving() as origin:
        page = await browser.new_page()
        async with page.expect_console_message(lambda message: "blocked by CORS policy" in message.text):
            await page.goto(origin)
        assert await page.locator(".qs-greeting").count() == 0
        await page.close()


async def _ask_in_the_widget(page: Page) -> None:
    await page.get_by_role("button", name="Ask Quaestor").click()
    chat = ChatPage(page)
    await chat.is_ready()
    await expect(chat.answers.first).to_contain_text(re.compile(r"The database is sample, \d+ tables"))
    answer = await chat.ask("Which five products earned the most last quarter?")
    await expect(answer.rows).to_have_count(5)
    await expect(answer.chart).to_be_visible()
    await expect(answer.followups).to_have_count(3)


class _HostPage:
    """Serves the demo page from an origin of its own, naming the Quaestor that its widget talks to."""

    quaestor = ""

    @contextmanager
    def serving(self) -> Iterator[str]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = HOST_PAGE.read_text().replace('data-server=""', f'data-server="{host.quaestor}"')
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
