"""The copilot: the same chat in somebody else's page, on our origin and on another, with a login and without."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import jwt
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import CHROMIUM_FLAGS, ROOT, Served, copied_home, opened, serve
from tests.browser.test_history import history_url, is_kept
from tests.ports import kept_port

__all__ = ["history_url"]  # A fixture.

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOST_PAGE = ROOT / "public" / "copilot.html"
GUIDE = ROOT / "docs" / "copilot.md"
SECRET = "of thirty-two bytes, as one should be"
OUR_SCRIPT = 'src="/public/copilot.js"'


async def test_the_copilot_answers_like_the_chat(browser: Browser, offline: Served) -> None:
    async with opened(browser, f"{offline.url}/public/copilot.html", offline.url) as page:
        await _ask_in_the_widget(page)


async def test_a_page_on_an_allowed_origin_may_open_the_copilot_also_with_the_guides_content_security_policy(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    host = _HostPage()
    written = re.search(r"    script-src [^`]+?data:\n\n", GUIDE.read_text(encoding="utf-8"))
    assert written is not None
    # What the page needs by itself: its icon, and its script and style, which stand in it.
    host.policy = " ".join(written[0].split()).replace("script-src", "default-src 'none'; script-src 'unsafe-inline'")
    with host.serving() as origin:
        home = copied_home(built_home, tmp_path)
        with serve(home, QUAESTOR_ALLOW_ORIGINS=origin) as served:
            host.quaestor = served.url
            async with opened(browser, origin, served.url) as page:
                await _ask_in_the_widget(page)


async def test_a_page_on_any_other_origin_may_not_and_says_so(browser: Browser, offline: Served) -> None:
    host = _HostPage()
    host.quaestor = offline.url
    with host.serving() as origin:
        page = await browser.new_page()
        async with page.expect_console_message(lambda message: "blocked by CORS policy" in message.text):
            await page.goto(origin)
        await _says(page, f"name {origin} in QUAESTOR_ALLOW_ORIGINS")
        assert await page.locator(".qs-greeting").count() == 0
        await page.close()


async def test_the_guides_own_page_logs_in_whoever_its_server_names(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    home = copied_home(built_home, tmp_path)
    with _guides_page(tmp_path) as (origin, quaestor_port):
        settings = {"QUAESTOR_USERS": "bob:plum", "CHAINLIT_AUTH_SECRET": SECRET, "QUAESTOR_ALLOW_ORIGINS": origin}
        with serve(home, QUAESTOR_PORT=quaestor_port, **settings) as served:
            async with opened(browser, origin, served.url) as page:
                chat = await _open(page, "Ask about the numbers")
                first = await chat.ask("How many orders were there last month?")
                await expect(first.rows).to_have_count(1)
                second = await chat.ask("Which five products earned the most last quarter?")
                await expect(second.chart).to_be_visible()
                await expect(second.receipt).to_contain_text("Answered in")
                question = page.locator("[data-step-type=user_message]").last
                await expect(question).to_be_in_viewport(ratio=1)
                await second.followups.first.click()
                third = await chat.answer(2)
                await expect(third.words).to_contain_text("revenue")
                me = await page.request.get(f"{served.url}/user")
                assert (await me.json())["identifier"] == "ann"


async def test_without_a_history_a_page_that_is_loaded_anew_begins_anew(
    browser: Browser, built_home: Path, tmp_path: Path
) -> None:
    with _hosted(built_home, tmp_path) as (host, origin, served):
        host.token = _token("ann")
        async with opened(browser, origin, served.url) as page:
            await (await _open(page)).ask("Which five products earned the most last quarter?")
            await page.reload()
            chat = await _open(page)
            await expect(chat.answers).to_have_count(1)  # The greeting.
            answer = await chat.ask("and by store?")
            assert "orders" not in await answer.sql()  # It goes on nothing that the page does not show.


async def test_with_a_history_everybody_finds_their_own_conversation_in_the_same_browser(
    browser: Browser, built_home: Path, tmp_path: Path, history_url: str
) -> None:
    with _hosted(built_home, tmp_path, DATABASE_URL=history_url) as (host, origin, served):
        host.token = _token("ann")
        async with opened(browser, origin, served.url) as page:
            asked = await (await _open(page)).ask("Which five products earned the most last quarter?")
            words = await asked.words.inner_text()
            await is_kept(history_url, elements=4)
            await page.reload()
            again = await (await _open(page, greets=False)).answer()
            assert await again.words.inner_text() == words
            host.token = _token("bob")
            await page.reload()
            chat = await _open(page)
            await expect(chat.receipts).to_have_count(0)
            await chat.ask("How many stores are there?")


@pytest.mark.parametrize(
    ("claims", "secret", "sentence"),
    [
        ({"identifier": "ann", "exp": 1}, SECRET, "Your login to Quaestor has expired. Reload this page."),
        ({"identifier": "ann"}, SECRET, "its token has no exp. Tell who looks after the page."),
        ({"exp": 4e9}, SECRET, "its token has no identifier. Tell who looks after the page."),
        ({"identifier": "ann", "exp": 4e9}, SECRET[::-1], "its token is not signed with its CHAINLIT_AUTH_SECRET."),
        (None, SECRET, "This page could not log you in to Quaestor. Log in to the page again, then reload it."),
    ],
    ids=["expired", "endless", "nameless", "another's", "a login page"],
)
async def test_a_token_that_lets_nobody_in_is_told_in_one_sentence(
    browser: Browser, locked: Locked, claims: dict[str, object] | None, secret: str, sentence: str
) -> None:
    host, origin, _ = locked
    host.token = jwt.encode(claims, secret) if claims else "<!doctype html><title>Log in</title>"
    page = await browser.new_page()
    await page.goto(origin)
    await _says(page, sentence)
    await page.close()


async def test_a_page_that_stays_open_stays_logged_in_for_as_long_as_its_server_says(
    browser: Browser, locked: Locked
) -> None:
    host, origin, served = locked
    host.token = first = _token("ann")
    async with opened(browser, origin, served.url) as page:
        await page.clock.install()
        await page.reload()
        await (await _open(page)).ask("How many stores are there?")
        host.token = _token("ann", lasts=600)
        async with page.expect_response(re.compile("/auth/jwt$")) as renewed:
            await page.clock.fast_forward(160_000)
        assert (await (await renewed.value).request.all_headers())["authorization"] != f"Bearer {first}"
        [login] = [cookie for cookie in await page.context.cookies() if cookie["name"] == "access_token"]
        ends = jwt.decode(login["value"], SECRET, algorithms=["HS256"])["exp"]
        assert ends == jwt.decode(host.token, SECRET, algorithms=["HS256"])["exp"]
        assert login["expires"] == pytest.approx(ends, abs=5)


async def test_what_a_page_tells_the_chat_beside_questions_is_not_shown_as_if_quaestor_had_said_it(
    browser: Browser, offline: Served
) -> None:
    async with opened(browser, f"{offline.url}/public/copilot.html", offline.url) as page:
        chat = await _open(page)
        await expect(chat.answers).to_have_count(1)  # The greeting.
        await page.evaluate("sendChainlitMessage({ type: 'system_message', output: 'They look at Canal House.' })")
        await page.evaluate("sendChainlitMessage({ type: 'user_message', output: 'How many stores are there?' })")
        await chat.answer()
        await expect(chat.answers).to_have_count(2)
        await expect(page.get_by_text("They look at Canal House.")).to_have_count(0)


async def test_who_comes_without_a_token_is_sent_to_the_login(browser: Browser, locked: Locked) -> None:
    host, origin, served = locked
    host.token = ""
    page = await browser.new_page()
    await page.goto(origin)
    await _says(page, f"Log in at {served.url} first, then reload this page.")
    await page.close()


async def test_a_page_of_another_site_gets_a_login_of_its_own_where_third_party_cookies_are_refused(
    built_home: Path, tmp_path: Path
) -> None:
    async with async_playwright() as playwright:
        flags = [*CHROMIUM_FLAGS, "--test-third-party-cookie-phaseout"]
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        # To a browser, localhost and 127.0.0.1 are two sites.
        with _hosted(built_home, tmp_path, name="localhost", CHAINLIT_COOKIE_SAMESITE="none") as (host, origin, served):
            host.token = _token("ann")
            async with opened(browser, origin, served.url) as page:
                await (await _open(page)).ask("How many stores are there?")
        await browser.close()


async def test_a_page_of_another_site_says_that_the_browser_keeps_no_login(browser: Browser, locked: Locked) -> None:
    host, origin, _ = locked
    host.token = _token("ann")
    page = await browser.new_page()
    await page.goto(origin.replace("127.0.0.1", "localhost"))
    await _says(page, "Your browser does not keep the login to Quaestor, because it comes from another site.")
    await page.close()


async def test_on_a_telephone_the_copilot_has_the_screens_width(browser: Browser, offline: Served) -> None:
    async with opened(browser, f"{offline.url}/public/copilot.html", offline.url, width=390, height=844) as page:
        chat = await _open(page)
        answer = await chat.ask("Which five products earned the most last quarter?")
        box = await page.locator("#chainlit-copilot-chat").bounding_box()
        assert box is not None and box["width"] > 360
        tab = answer.root.get_by_role("tab", name="Understood")
        await chat.is_still(tab)
        await tab.click()  # All tabs are within reach.
        await expect(tab).to_be_in_viewport(ratio=1)


async def _open(page: Page, button: str = "Ask Quaestor", *, greets: bool = True) -> ChatPage:
    await page.get_by_role("button", name=button).click()
    chat = ChatPage(page)
    if greets:
        await chat.is_ready()
    return chat


async def _ask_in_the_widget(page: Page) -> None:
    chat = await _open(page)
    await expect(chat.answers.first).to_contain_text(re.compile(r"The database is sample, \d+ tables"))
    answer = await chat.ask("Which five products earned the most last quarter?")
    await expect(answer.rows).to_have_count(5)
    await expect(answer.chart).to_be_visible()
    await expect(answer.followups).to_have_count(3)


async def _says(page: Page, sentence: str) -> None:
    await page.get_by_role("button", name="Ask Quaestor").click()
    await expect(page.get_by_role("alert")).to_contain_text(sentence)


def _token(person: str, lasts: int = 300) -> str:
    return jwt.encode({"identifier": person, "exp": int(time.time()) + lasts}, SECRET)


class _HostPage:
    """Serves the demo page from an origin of its own, naming the Quaestor that its chat is of."""

    quaestor = ""
    token = ""
    """What its server hands out; where it is empty, the page does not ask for any."""
    policy = ""
    """Its Content-Security-Policy, where it has one, for a Quaestor at https://quaestor.example.com."""

    @contextmanager
    def serving(self, name: str = "127.0.0.1") -> Iterator[str]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script = f'src="{host.quaestor}/public/copilot.js"' + (' data-token="/token"' if host.token else "")
                answer = host.token if self.path == "/token" else HOST_PAGE.read_text().replace(OUR_SCRIPT, script)
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                if host.policy:
                    policy = host.policy.replace("wss://quaestor.example.com", host.quaestor.replace("http", "ws"))
                    policy = policy.replace("https://quaestor.example.com", host.quaestor)
                    self.send_header("Content-Security-Policy", policy)
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://{name}:{server.server_port}"
            server.shutdown()


Locked = tuple[_HostPage, str, Served]
"""A page, its origin, and a Quaestor with a login that lets the origin in."""


@contextmanager
def _hosted(built_home: Path, folder: Path, name: str = "127.0.0.1", **settings: str) -> Iterator[Locked]:
    host = _HostPage()
    home = copied_home(built_home, folder)
    settings |= {"QUAESTOR_USERS": "bob:plum", "CHAINLIT_AUTH_SECRET": SECRET}
    with host.serving(name) as origin:
        both = f"{origin},{origin.replace('127.0.0.1', 'localhost')}"
        with serve(home, QUAESTOR_ALLOW_ORIGINS=both, **settings) as served:
            host.quaestor = served.url
            yield host, origin, served


@pytest.fixture(scope="module")
def locked(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    with _hosted(built_home, tmp_path_factory.mktemp("locked")) as locked:
        yield locked


@contextmanager
def _guides_page(folder: Path) -> Iterator[tuple[str, str]]:
    """Run the server that the guide shows; yield its origin, and the port where it takes Quaestor to be."""
    code = re.search(r"```python\n(.+?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    (folder / "intranet.py").write_text(code[1], encoding="utf-8")
    with kept_port() as port, kept_port() as quaestor:
        names = {"PORT": str(port), "QUAESTOR": f"http://127.0.0.1:{quaestor}", "CHAINLIT_AUTH_SECRET": SECRET}
        with (folder / "intranet.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "intranet.py"],
                cwd=folder,
                env=os.environ | names,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            origin = f"http://127.0.0.1:{port}"
            with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
                assert client.get(origin).is_success
            yield origin, str(quaestor)
        finally:
            process.terminate()
            process.wait(10)
