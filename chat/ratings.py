"""Lets a person rate the answers in their own conversations, and no others: Chainlit asks nobody whose an answer is."""

from __future__ import annotations

from typing import Any

import chainlit.server
from chainlit.data import get_data_layer
from chainlit.data.chainlit_data_layer import ChainlitDataLayer
from chainlit.server import UserParam
from chainlit.session import WebsocketSession
from chainlit.types import DeleteFeedbackRequest, UpdateFeedbackRequest
from chainlit.user import PersistedUser, User
from fastapi import HTTPException, Request

Person = User | PersistedUser | None

_OF_ANSWER = """
SELECT u.identifier FROM "Step" s JOIN "Thread" t ON t.id = s."threadId" LEFT JOIN "User" u ON u.id = t."userId"
WHERE s.id = $1
"""
_OF_RATING = """
SELECT u.identifier FROM "Feedback" f JOIN "Step" s ON s.id = f."stepId"
JOIN "Thread" t ON t.id = s."threadId" LEFT JOIN "User" u ON u.id = t."userId"
WHERE f.id = $1
"""


async def rate(request: Request, update: UpdateFeedbackRequest, current_user: UserParam) -> Any:
    """Do what Chainlit does with a rating; raises HTTPException 404 for that of another's answer, or by their page.

    422 where it holds what no text can.
    """
    _must_be_texts(update.feedback.forId, update.feedback.id, update.feedback.comment)
    session = WebsocketSession.get_by_id(update.sessionId)
    if session is not None and _name(session.user) != _name(current_user):
        raise _nothing()
    await _see_own(_OF_ANSWER, update.feedback.forId, current_user)
    if update.feedback.id:  # One that is there is written over, whichever answer is named beside it.
        await _see_own(_OF_RATING, update.feedback.id, current_user, may_be_new=True)
    return await chainlit.server.update_feedback(request, update, current_user)


async def take_back(request: Request, payload: DeleteFeedbackRequest, current_user: UserParam) -> Any:
    """Do what Chainlit does to take a rating back; raises HTTPException as `rate` does."""
    _must_be_texts(payload.feedbackId)
    await _see_own(_OF_RATING, payload.feedbackId, current_user)
    return await chainlit.server.delete_feedback(request, payload, current_user)


async def _see_own(owner_of: str, id: str, person: Person, *, may_be_new: bool = False) -> None:
    """Raise HTTPException 404 where this is not the person's; without a login, what is nobody's is everybody's."""
    history = get_data_layer()
    if not isinstance(history, ChainlitDataLayer):
        return  # There is nothing to write it to, and Chainlit says so.
    owners = await history.execute_query(owner_of, {"id": id})
    if not owners and may_be_new:
        return
    if not owners or owners[0]["identifier"] != _name(person):
        raise _nothing()


def _must_be_texts(*said: str | None) -> None:
    """Raise HTTPException 422 for what PostgreSQL keeps in no text: asking for it fails with a traceback."""
    try:
        whole = b"".join(text.encode() for text in said if text)
    except UnicodeEncodeError:  # Half of a surrogate pair.
        whole = b"\0"
    if b"\0" in whole:
        raise HTTPException(422, "A rating holds characters that are none.")


def _name(person: Person) -> str | None:
    return person.identifier if person else None


def _nothing() -> HTTPException:
    return HTTPException(404, "There is no such answer in your conversations.")


def rate_own_only() -> None:
    """Answer in Chainlit's place where a rating is sent. For the whole process."""
    app, path = chainlit.server.app, f"{chainlit.server.router.prefix}/feedback"
    routes = app.router.routes
    others = [route for route in routes if getattr(route, "path", "") != path]
    routes.clear()  # In place: the app holds this list. The first that fits a path answers.
    app.put(path)(rate)
    app.delete(path)(take_back)
    routes.extend(others)
