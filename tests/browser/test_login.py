"""The login page, to whoever types wrong passwords."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import copied_home, serve
from web.brake import ON_A_NAME

pytestmark = pytest.mark.asyncio(loop_scope="session")

AS_WHILE_DEVELOPING = ("-m", "chainlit", "run", "app.py", "--headless")


@pytest.mark.parametrize("command", [(), AS_WHILE_DEVELOPING], ids=["server.py", "chainlit run"])
async def test_who_typed_too_many_wrong_passwords_is_told_to_wait_and_not_that_the_next_one_is_wrong(
    browser: Browser, built_home: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    with serve(copied_home(built_home, tmp_path), *command, QUAESTOR_USERS="ann:plum") as served:
        page = await browser.new_page()
        await page.goto(served.url)
        statuses: list[int] = []
        while 429 not in statuses:  # Where a busy machine outlasts the first pause, the next one is longer.
            async with page.expect_response(lambda response: response.request.method == "POST") as answered:
                await ChatPage(page).sign_in("ann", "pear")
            statuses.append((await answered.value).status)
        assert statuses.count(401) >= ON_A_NAME
        await expect(
            page.get_by_text("Too many passwords were wrong. Wait a little before you try again.")
        ).to_be_visible()
        await page.close()
