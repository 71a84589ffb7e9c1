"""Keeps a question going while its page is away for a moment, and shows the page what it missed.

Chainlit ends the chat whenever a connection drops, also where the page is back a second later, and tells us nothing
of its return.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any
from weakref import WeakKeyDictionary

import chainlit as cl
import chainlit.socket
from chainlit.chat_context import chat_contexts
from chainlit.config import config
from chainlit.context import init_ws_context
from chainlit.data import get_data_layer
from chainlit.server import sio
from chainlit.session import WebsocketSession, ws_sessions_id
from chainlit.user_session import user_sessions

from beat import rest
from chat.answer import Answer
from chat.connection import let_go
from chat.lean import make_lean

log = logging.getLogger("quaestor.chat")

GRACE = 10.0
"""Seconds that a page may be away before its question is stopped; its tries to come back grow to 5 seconds apart."""

LETTING_GO = 1.0
"""Seconds that a question waits at most until what came after the one before has let go, the database with it."""

MOST_AWAY = 500
"""Pages that are away and still remembered, their rows and charts with them; past it the longest gone is forgotten."""

_answers: WeakKeyDictionary[WebsocketSession, Answer] = WeakKeyDictionary()
"""The last answer of each page."""

_leaving: dict[WebsocketSession, asyncio.Task[None]] = {}
"""The pages that are away."""


async def attend(answer: Answer) -> None:
    """Take this as what the page shows last; who asks on no longer waits for what the answer before might still get."""
    session = cl.context.session
    if not isinstance(session, WebsocketSession):
        return
    before, _answers[session] = _answers.get(session), answer
    if before and before.rest:
        before.rest.cancel()
        # It has a place among the questions in flight, which may be the one that this question needs.
        await asyncio.wait([before.rest], timeout=LETTING_GO)


async def leave() -> None:
    """Take note that the page's connection has ended; where the page said that it was done, end its chat at once."""
    session = cl.context.session
    if not isinstance(session, WebsocketSession):
        return
    _stop_waiting(session)
    session.environ = {}  # It holds the whole connection that has ended; a page that is back brings its own.
    if session.to_clear:
        await _stop(session)
    else:
        _leaving[session] = asyncio.create_task(_see_off(session), name="see off")
        while len(_leaving) > MOST_AWAY:
            await _forget(next(iter(_leaving)))


async def on_disconnection(sid: str, reason: str = "") -> None:
    """Do what Chainlit does, without the timer that it would leave behind for every page that ever was here."""
    session = WebsocketSession.get(sid)
    if session is None:
        return
    init_ws_context(session)
    if config.code.on_chat_end:
        await config.code.on_chat_end()
    await _keep(session)
    if session.to_clear:
        await _forget(session)


async def _see_off(session: WebsocketSession) -> None:
    """Stop what nobody will read, and later forget what Chainlit knows of the page."""
    await rest(GRACE)
    await _stop(session)
    await _keep(session)
    await rest(max(config.project.session_timeout - GRACE, 0))
    await _forget(session)


async def _forget(session: WebsocketSession) -> None:
    """Forget a page for good: its messages, its turns and its session."""
    leaving = _leaving.pop(session, None)
    if leaving is not None and leaving is not asyncio.current_task():
        leaving.cancel()
    await _stop(session)
    _forget_notes(session)
    if WebsocketSession.get_by_id(session.id) is session:
        await session.delete()


async def _stop(session: WebsocketSession) -> None:
    answer = _answers.get(session)
    both = (session.current_task, answer.rest if answer else None)
    under_way = [task for task in both if task is not None and not task.done()]
    for task in under_way:
        task.cancel()
    if under_way:
        await asyncio.wait(under_way)


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


_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
"""What a page names its session, and a conversation; `uuid` makes them."""


async def on_connect(sid: str, environ: dict[str, Any], auth: Any = None) -> bool:
    """Do what Chainlit does; who brings what no page sends is turned away, where its own fails with a traceback.

    Chainlit names a folder after the session and removes it at the end: `../..` or `/srv` would be one, too.
    """
    try:
        if not _ID.fullmatch(auth["sessionId"]) or not _ID.fullmatch(auth.get("threadId") or "none"):
            raise ValueError
        is_in = bool(await chainlit.socket.connect(sid, environ, auth))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        log.warning("a page was turned away: it did not say who it is (%s)", type(error).__name__)
        return False
    if auth.get("threadId") and (session := WebsocketSession.get(sid)) and _has_begun_elsewhere(session):
        log.warning("a page was turned away: its conversation is open with somebody else")
        await session.delete()
        return False
    return is_in


def _has_begun_elsewhere(session: WebsocketSession) -> bool:
    """Tell whether another person has this conversation open, maybe before it is in the history.

    The page names it. Two people at one name would share it, and the one who asks last would own it: whoever sends a
    colleague the address of a conversation that there is not yet would read what they ask there.
    """
    there = {s.user.identifier for s in ws_sessions_id.values() if s.user and s.thread_id == session.thread_id}
    return len(there) > 1


async def on_connection(sid: str) -> None:
    """Do what Chainlit does; a page that is back gets what it missed."""
    session = WebsocketSession.get(sid)
    away = session and _leaving.get(session)
    await chainlit.socket.connection_successful(sid)
    if session is None or _leaving.get(session) is not away:
        return  # It has gone meanwhile, and may neither take over a conversation, its own not either, nor be kept here.
    session.thread_id_to_resume = None  # Each return would resume it again, over what has happened since.
    if session.restored:
        _stop_waiting(session)
    elif before := _before_reload(session):
        _stop_waiting(before)
        _take_over(session, before)
        await before.delete()
    if answer := _answers.get(session):
        await answer.show_again()


sio.on("connect", on_connect)
sio.on("connection_successful", on_connection)
sio.on("disconnect", on_disconnection)
make_lean()
let_go()


def _before_reload(session: WebsocketSession) -> WebsocketSession | None:
    """Return the session in which the same person had this conversation open, where its page is away."""
    if session.user is None or get_data_layer() is None:
        return None  # Without a history there is no conversation to load: the page would go on what it does not show.
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
    if before.current_task is None or before.current_task.done():
        _forget_notes(before)
    else:  # What is still being answered there is noted under the old name until its end.
        before.current_task.add_done_callback(lambda _: _forget_notes(before))


def _forget_notes(session: WebsocketSession) -> None:
    chat_contexts.pop(session.id, None)  # Chainlit would keep the messages for ever.
    user_sessions.pop(session.id, None)
    _answers.pop(session, None)
    # The task's context knows the session: in a ring, both would wait for Python's collector.
    session.current_task = None
