"""Tells the rows in words, as a stream, with a model."""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel

from agents.prompts import DATA_RULE, write_answer_so_far
from agents.question import Draft, Question, Say
from agents.streaming import INTERVAL, speaking
from errors import ModelMisbehaved, ModelUnavailable
from llm.chat_json import AFTER_AN_ANSWER, Messages
from llm.plain_text import PlainText
from tools.sql_runner import Rows

PROMPT = f"""\
You tell a person in words what the rows of a query answer to their question about their database.

{DATA_RULE}

Rules:
- One to four sentences, the answer first. In the question's language.
- Take every number, name and date from <rows>, as it stands there; thousands may be separated, nothing else changed.
  Do not calculate what is not in the rows, do not explain why something is so, do not guess.
- The first line of <rows> says how many rows there are and how many of them you are shown. Say nothing about rows that
  you are not shown; where more_in_database is true, say that the list goes on.
- No rows: say plainly that nothing in the database matches, and what was looked for.
- Plain sentences, nothing in bold. No table, no list, no link, no image, no HTML, no SQL: the person sees the rows and
  the SQL already.
"""


class ModelNarrator:
    """Tells with a model; `interval` is the seconds between two pieces of the answer."""

    def __init__(self, model: BaseChatModel, interval: float = INTERVAL) -> None:
        self._model = model
        self._interval = interval

    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        """See agents.ask.Narrator. Raises ModelUnavailable or ModelMisbehaved; what was said until then stays."""
        clean, unmarked = PlainText(), _Unmarked()
        has_spoken = False

        async def pass_on(text: str) -> None:
            nonlocal has_spoken
            if text:
                has_spoken = True
                await say(text)

        async def say_plainly(piece: str) -> None:
            await pass_on(unmarked.feed(clean.feed(piece)))

        try:
            async with speaking(say_plainly, self._interval) as speaker:
                async for _ in self._model.astream(_prompt(question, draft, rows), {"callbacks": [speaker]}):
                    pass
        except ModelUnavailable:
            await pass_on(unmarked.feed(clean.end()) + unmarked.end())
            raise
        await pass_on(unmarked.feed(clean.end()) + unmarked.end())
        if not has_spoken:
            raise ModelMisbehaved(f"The model said nothing about the rows. {AFTER_AN_ANSWER}")


class _Unmarked:
    """Leaves the marks of bold out: an answer is plain text, and models mark what they find important all the same."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Return what can be said by now; a star at the end may be half of a mark."""
        text = (self._held + text).replace("**", "")
        self._held = "*" if text.endswith("*") else ""
        return text.removesuffix(self._held)

    def end(self) -> str:
        return self._held


def _prompt(question: Question, draft: Draft, rows: Rows) -> Messages:
    return [("system", PROMPT), ("human", "\n".join(write_answer_so_far(question, draft, rows)))]
