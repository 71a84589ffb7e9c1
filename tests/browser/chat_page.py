"""What a person does on the chat's page, and what they see there."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import Locator, Page, expect


class ChatPage:
    """The chat, in a page of its own or in the copilot's widget."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.answers = page.locator(".ai-message")
        self.receipts = page.locator(".qs-receipt")
        self.stop_button = page.locator("#stop-button")

    async def is_ready(self) -> None:
        """Wait for the greeting: what is typed before it can be lost."""
        await self._page.locator("#starters button:enabled, .qs-greeting button:enabled").first.wait_for()

    async def sign_in(self, name: str, password: str) -> None:
        await self._page.locator("#email").fill(name)
        await self._page.locator("#password").fill(password)
        await self._page.get_by_role("button", name="Sign In").click()

    async def type(self, question: str) -> None:
        """Ask, and return at once."""
        await self._page.locator("#chat-input").fill(question)
        await self._page.locator("#chat-submit").click()

    async def ask(self, question: str) -> Answered:
        """Ask, and return when the answer stands."""
        before = await self.receipts.count()
        await self.type(question)
        return await self.answer(before)

    async def edit(self, question: str) -> None:
        """Change the conversation's last question, and return at once."""
        asked = self._page.locator("[data-step-type=user_message]").last
        await self.is_still(asked)  # The pencil is there for as long as the pointer is over the question.
        await asked.hover()
        await asked.locator(".edit-message").click()
        await self._page.locator("#edit-chat-input").fill(question)
        await self._page.locator(".confirm-edit").click()

    async def is_still(self, what: Locator) -> float:
        """Wait until something keeps its place, and return how far below the top of the window that is.

        The page scrolls a question to its top smoothly; a click on what moves meanwhile can carry the page elsewhere.
        """
        seen: list[float] = []
        async with asyncio.timeout(20):
            while len(seen) < 5 or len(set(seen[-5:])) > 1:
                box = await what.bounding_box()
                assert box is not None, "it is not on the page"
                seen.append(box["y"])
                await asyncio.sleep(0.1)
        return seen[-1]

    async def answer(self, number: int = 0) -> Answered:
        """Return an answer when it stands: 0 is the conversation's first.

        Its rows, its chart and its next questions may be drawn a moment later: each part is loaded by itself. All of
        them are built anew when the question ends, and a click right then is lost, so its end is waited for.
        """
        await self.receipts.nth(number).wait_for()
        await expect(self.stop_button).to_have_count(0)
        return Answered(self._page, self.answers.filter(has=self._page.locator(".qs-receipt")).nth(number))


class Answered:
    """One answer."""

    def __init__(self, page: Page, root: Locator) -> None:
        self._page = page
        self.root = root
        self.words = root.locator("[role=article]").first
        self.chart = root.locator(".js-plotly-plot")
        self.rows = root.locator(".qs-rows tbody tr")
        self.note = root.locator(".qs-count")
        self.followups = root.locator(".qs-next button")
        self.receipt = root.locator(".qs-receipt")
        self.premises = root.locator(".qs-premise")

    async def sql(self) -> str:
        await self._open("SQL")
        return await self.root.locator("code.language-sql").inner_text()

    async def understood(self) -> str:
        await self._open("Understood")
        return await self.root.locator(".qs-understood").inner_text()

    async def _open(self, tab: str) -> None:
        await self.root.get_by_role("tab", name=tab).click()

    async def says(self, pattern: str) -> None:
        await expect(self.words).to_have_text(re.compile(pattern))
