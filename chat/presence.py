"""Keeps a question going while its page is away for a moment, and shows the page what it missed.

Chainlit ends the chat whenever a connection drops, also where the page is back a second later, and tells us nothing
of its return.
"""

from __future__ import annotations

import asyncio
import logging
from weakref import WeakKeyDictionary

import chainlit as cl
import chainlit.socket
from chainlit.chat_context import chat_contexts
from chainlit.config import config
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.user_session import user_sessions

from chat.answer import Answer
from chat.lean import make_lean

log = logging.getLogger("quaestor.chat")

GRACE = 10.0
"""Seconds that a page may be away before its question is stopped; its tries to come back grow to 5 seconds apart."""

_answers: WeakKeyDictionary[WebsocketSession, Answer] = WeakKeyDictionary()
"""The last answer of each page."""

_leaving: dict[WebsocketSession, asyncio.Task[None]] = {}
"""The pages that are away."""


def attend(answer: Answer) -> None:
    """Take this as what the page shows last."""
    if isinstance(cl.context.session, WebsocketSession):
        _answers[cl.context.session] = answer


async def leave() -> None:
    """Take note that the page's connection has ended; where the page said that it was done, end its chat at once."""
    session = cl.context.session
    if not isinstance(session, WebsocketSession):
        return
    _stop_waiting(session)
    if session.to_clear:
        await _stop(session)
        chat_contexts.pop(session.id, None)
    else:
        _leaving[session] = asyncio.create_task(_see_off(session), name="see off")


async def _see_off(session: WebsocketSession) -> None:
    """Stop what nobody will read, and later forget the messages, which Chainlit would keep for ever."""
    await asyncio.sleep(GRACE)
    await _stop(session)
    await _keep(session)
    await asyncio.sleep(max(config.project.session_timeout - GRACE, 0))
    chat_contexts.pop(session.id, None)
    del _leaving[session]


async def _stop(session: WebsocketSession) -> None:
    if session.current_task is not None and not session.current_task.done():
        session.current_task.cancel()
        await asyncio.wait([session.current_task])


async def _keep(session: WebsocketSession) -> None:
    """Keep in the history, where there is one, what was answered since the connection ended."""
    if session.has_first_interaction:
        try:
            await chainlit.socket.persist_user_session(session.thread_id, session.to_persistable())
        except Exception:
            log.exception("a conversation could not be kept in the history")


def _stop_waiting(session: WebsocketSession) -> None:
    if waiting := _leaving.pop(session, None):
        waiting.cancel()


async def on_connection(sid: str) -> None:
    """Do what Chainlit does; a page that is back gets what it missed."""
    await chainlit.socket.connection_successful(sid)
    session = WebsocketSession.get(sid)
    if session is None:
        return
    session.thread_id_to_resume = None  # Each return would resume it again, over what has happened since.
    if session.restored:
        _stop_waiting(session)
    elif before := _before_reload(session):
        _stop_waiting(before)
        _take_over(session, before)
    if answer := _answers.get(session):
        await answer.show_again()


sio.on("connection_successful", on_connection)
make_lean()


def _before_reload(session: WebsocketSession) -> WebsocketSession | None:
    """Return the session in which the same person had this conversation open, where its page is away."""
    if session.user is None:
        return None  # Without a login there is no history to load a conversation from.
    same = (s for s in _leaving if s.user and s.user.identifier == session.user.identifier)
    return next((s for s in same if s.thread_id == session.thread_id), None)


def _take_over(session: WebsocketSession, before: WebsocketSession) -> None:
    """Lead what the session before still does to this one: a page that is loaded anew has a session of its own."""
    before.emit = lambda event, data: session.emit(event, data)
    session.current_task = before.current_task
    if before.id in user_sessions:
        user_sessions[session.id] = user_sessions[before.id]
    if answer := _answers.pop(before, None):
        _answers[session] = answer
    chat_contexts.pop(before.id, None)
