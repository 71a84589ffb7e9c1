"""Lets the offline analyst answer where no model can be reached, and tells so, once a question."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from agents.events import FellBack
from agents.parts import Narrator, Suggester, Writer
from agents.question import Complaint, Draft, Followup, Question, Say
from errors import ModelMisbehaved, ModelUnavailable, QuestionDeclined
from tools.catalog import Found
from tools.sql_runner import Rows

log = logging.getLogger("quaestor.fallback")

Tell = Callable[[FellBack], Awaitable[None]]


class _Course:
    """One question's course: whether it has left the model for the offline analyst."""

    def __init__(self, tell: Tell) -> None:
        self.is_offline = False
        self.reason = ""
        """Why the model was away when this question last asked it."""
        self._tell = tell

    async def leave(self, fell_back: FellBack) -> None:
        """Tell who goes on; the offline analyst has the whole question from here on where it wrote the SQL."""
        log.warning("the %s goes on: %s", fell_back.analyst, fell_back.reason)
        self.is_offline = True
        await self._tell(fell_back)


_course: ContextVar[_Course | None] = ContextVar("course", default=None)


@contextmanager
def falling_back(tell: Tell) -> Iterator[None]:
    """Let whoever works on one question, in this block, tell that somebody else has taken over."""
    token = _course.set(_Course(tell))
    try:
        yield
    finally:
        _course.reset(token)


async def _tell_nobody(_: FellBack) -> None:
    pass


def _course_now() -> _Course:
    return _course.get() or _Course(_tell_nobody)


def is_away(error: ModelUnavailable) -> bool:
    """Return whether no model could be reached at all; one that answers badly is not away."""
    return not isinstance(error, ModelMisbehaved)


def missed(error: ModelUnavailable) -> None:
    """Remember that a part did without the model: nobody waits a second time for one that is away."""
    if is_away(error):
        _course_now().reason = str(error)


class FallbackWriter:
    """Writes with the model, or where that is away with the offline analyst."""

    def __init__(self, model: Writer, offline: Writer, analyst: str) -> None:
        self._model = model
        self._offline = offline
        self._analyst = analyst

    async def write(self, question: Question, found: Found, complaint: Complaint | None) -> Draft:
        """See agents.parts.Writer.

        Raises ModelUnavailable where the model is away and the offline analyst declines.
        """
        course = _course_now()
        if course.is_offline:
            return await self._offline.write(question, found, complaint)
        if not (reason := course.reason):
            try:
                return await self._model.write(question, found, complaint)
            except ModelUnavailable as error:
                if not is_away(error):
                    raise
                reason = str(error)
        try:
            # What the database complained of was the model's SQL: this is a first draft.
            draft = await self._offline.write(question, found, None)
        except QuestionDeclined as declined:
            log.warning("nobody can answer: %s", reason)
            raise ModelUnavailable(
                f"No model answers at the moment, and the {self._analyst} cannot answer this question "
                f"without one: {declined}"
            ) from None
        await course.leave(FellBack(self._analyst, "question", reason))
        return draft


class FallbackNarrator:
    """Tells with the model, or where that is away with the offline analyst; never half with each."""

    def __init__(self, model: Narrator, offline: Narrator, analyst: str) -> None:
        self._model = model
        self._offline = offline
        self._analyst = analyst

    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        """See agents.parts.Narrator. Raises ModelUnavailable where the model breaks off after it has begun."""
        course = _course_now()
        has_spoken = False

        async def heard(text: str) -> None:
            nonlocal has_spoken
            has_spoken = True
            await say(text)

        if not course.is_offline:
            if not (reason := course.reason):
                try:
                    return await self._model.narrate(question, draft, rows, heard)
                except ModelUnavailable as error:
                    if has_spoken or not is_away(error):
                        raise
                    reason = str(error)
            await course.leave(FellBack(self._analyst, "words", reason))
        await self._offline.narrate(question, draft, rows, say)


class FallbackSuggester:
    """Proposes with the model, or where that is away with the offline analyst."""

    def __init__(self, model: Suggester, offline: Suggester) -> None:
        self._model = model
        self._offline = offline

    async def suggest(self, question: Question, draft: Draft, rows: Rows, found: Found) -> list[Followup]:
        """See agents.parts.Suggester."""
        course = _course_now()
        if not course.is_offline and not course.reason:
            try:
                return await self._model.suggest(question, draft, rows, found)
            except ModelUnavailable as error:
                if not is_away(error):
                    raise
        return await self._offline.suggest(question, draft, rows, found)
