"""Turns chat messages into questions, and events into messages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import AsyncExitStack, aclosing
from datetime import date
from typing import Any

import chainlit as cl
import chainlit.server
from chainlit.config import config
from chainlit.types import CommandDict, Feedback, ThreadDict

from agents.ask import Asker
from agents.events import ReceiptWritten
from agents.question import TURNS_KEPT, Draft, Question, Turn
from chat.answer import Answer
from chat.doubt import keep_doubt
from chat.download import packed_csv
from chat.editing import Edited, heard_edited, keep_words, whole_question
from chat.elements import greet
from chat.greeting import greeting, log_line
from chat.heard import hear_questions
from chat.login import ask_for_password, ensure_secret
from chat.presence import attend, leave
from chat.ratings import rate_own_only
from chat.reviewing import TOO_OLD, Keeps, Reviewers, save
from chat.steps import steps_shown
from errors import AskError, SettingsInvalid
from logs import hide_secrets
from settings import read_settings
from tools.catalog import SavedQuestion
from web.app import check_exposure, guard_alone, is_loopback
from web.desk import desk_of, incident
from web.guests import guests_of

log = logging.getLogger("quaestor.app")

STARTER_ICONS = ("rank", "trend", "compare", "count")

INVESTIGATE = "Investigate"
"""What a person chooses beside the field they type in, to have a model find out why."""

OFFERED = 3
"""How many starters are offered to who got no answer."""


try:
    # While the module loads: a failure in a startup hook would be logged and swallowed.
    settings = read_settings()
    check_exposure(settings, config.run.host)
    hide_secrets(settings)
    if guests := guests_of(settings):
        ensure_secret(settings.home)
        ask_for_password(guests.know)
except SettingsInvalid as error:
    raise SystemExit(str(error)) from None

# It warns at every visit that chainlit.md is not translated, and of every element that its file cannot be stored.
# There is no translation, and no element of ours has a file. Of a login that has ended it writes a line as well.
NOISE = ("Translated markdown file", "Data Layer: No storage client", "Exception authenticating connection")
logging.getLogger("chainlit").addFilter(lambda record: not record.getMessage().startswith(NOISE))

# Filled in place: Chainlit's CORS rule already holds this list when Chainlit itself has loaded this file.
config.project.allow_origins[:] = settings.allow_origins


desk = desk_of(settings)
hear_questions()
rate_own_only()
chat = chainlit.server.app
if chat.middleware_stack is None and not getattr(chat.state, "is_guarded", False):  # With --watch it serves already.
    chat.state.is_guarded = True
    guard_alone(chat, settings, guests, config.run.host, config.run.root_path)


@cl.on_app_startup
async def on_app_startup() -> None:
    host = "localhost" if config.run.host == "127.0.0.1" else config.run.host
    address = f"http://{host}:{config.run.port}"

    def tell(asker: Asker | None) -> None:
        if asker is None:
            log.error("No question can be answered yet: %s", desk.trouble)
        else:
            print(log_line(asker, address), flush=True)

    await desk.start(tell)
    if desk.begun:
        print(f"Quaestor is at {address}, and cannot answer yet. {desk.begun}", flush=True)


@cl.on_app_shutdown
async def on_app_shutdown() -> None:
    await desk.close()


@cl.set_chat_profiles
async def set_chat_profiles(user: cl.User | None) -> list[cl.ChatProfile]:
    """Return the one profile; the page shows its icon and description until the first question."""
    asker = None if desk.begun else await desk.ready()
    first_page = f"# Quaestor\n\n{greeting(asker, desk.trouble, desk.begun)}"
    return [cl.ChatProfile(name="Quaestor", icon="/public/mark.svg", markdown_description=first_page, default=True)]


@cl.set_starters
async def set_starters(user: cl.User | None) -> list[cl.Starter]:
    asker = None if desk.begun else await desk.ready()
    questions = asker.starters if asker else ()
    icons = (f"/public/starters/{STARTER_ICONS[i % len(STARTER_ICONS)]}.svg" for i in range(len(questions)))
    return [cl.Starter(label=q, message=q, icon=icon) for q, icon in zip(questions, icons, strict=True)]


async def _offer_modes(asker: Asker | None) -> None:
    """Offer what else than a question may be asked, where somebody can do it."""
    if asker and asker.investigator:
        about = "Find out why, with several queries, and get a short report"
        await cl.context.emitter.set_commands(
            [
                CommandDict(
                    id=INVESTIGATE,
                    description=about,
                    icon="search-check",
                    button=True,
                    persistent=False,
                    selected=False,
                )
            ]
        )


@cl.on_chat_start
async def on_chat_start() -> None:
    await _offer_modes(await desk.ready())
    if cl.context.session.client_type == "copilot":  # The widget has no first page to say it on.
        asker = await desk.ready()
        await greet(greeting(asker, desk.trouble), asker.starters if asker else ())


@cl.on_chat_resume
async def on_chat_resume(thread: ThreadDict) -> None:
    """The turns lie in the user session, which Chainlit has restored."""
    await _offer_modes(await desk.ready())


@cl.on_message
async def on_message(message: cl.Message | None) -> None:
    # Chainlit's Stop cancels the session's current task, and does not set it for an edited message.
    cl.context.session.current_task = asyncio.current_task()
    ready = await desk.ready()
    answer = Answer(ready.analyst, ready.starters[:OFFERED]) if ready else Answer("", ())
    await attend(answer)
    await answer.open()
    if message is None:
        await answer.fail("This question is too old to be edited. Please ask it as a new one.")
        return
    edited = await heard_edited(message)
    question = _question(message, edited)
    answer.may_be_edited(message.id, question)
    if _may_save():
        answer.may_be_saved(message.id, question)
    if question.mode == "ask" and edited is None:
        answer.may_be_asked_again(question.text)
    try:
        async with AsyncExitStack() as closing:
            events = await closing.enter_async_context(aclosing(desk.ask(question)))
            async for event in events:
                if isinstance(event, ReceiptWritten):
                    _remember(message.id, question, answer.draft)
                await answer.show(event)
                if isinstance(event, ReceiptWritten):
                    # Chainlit takes the next question when this returns: it need not wait for what else comes.
                    closing.pop_all()
                    answer.go_on(events)
                    return
    except asyncio.CancelledError:
        await answer.close("stopped")
        raise
    except AskError as error:
        await answer.fail(str(error), error.retry_after)
    except Exception:
        await answer.fail(incident("a question could not be answered"))
    finally:
        keep_words(message.id, question, answer.draft)


@cl.action_callback("save_answer")
async def on_save(action: cl.Action) -> dict[str, Any]:
    """Save an answer as reviewed; return the reason under "trouble" where it cannot be."""
    asker = await desk.ready()
    if asker is None or not isinstance(asker.saved, Keeps) or not _may_save():
        return {"trouble": "You may not save answers here: see QUAESTOR_REVIEWERS."}
    # The page names the answer and its question's words; the SQL is what ran here.
    turns: list[dict[str, str]] = cl.user_session.get("turns") or []
    turn = next((turn for turn in turns if turn["id"] == action.payload.get("turn")), None)
    if turn is None:
        return {"trouble": TOO_OLD}
    words, by = str(action.payload.get("question", "")), _user() or ""

    async def saved(kept: Keeps = asker.saved) -> dict[str, Any]:
        today = date.fromisoformat(turn["today"]) if "today" in turn else None
        answer = SavedQuestion(words, turn["sql"], counts_from=today)
        told = await save(kept, answer, by, longest=settings.question_limit, dialect=asker.catalog.dialect)
        return {"told": told}

    return await _or_trouble(saved(), "an answer could not be saved")


@cl.action_callback("break_down")
async def on_break_down(action: cl.Action) -> dict[str, Any]:
    """Return a query's steps for the page under "steps"."""

    async def steps() -> dict[str, Any]:
        return {"steps": steps_shown(await desk.steps(str(action.payload.get("sql", ""))))}

    return await _or_trouble(steps(), "the steps of a query could not be shown")


@cl.action_callback("download_rows")
async def on_download(action: cl.Action) -> dict[str, Any]:
    """Return a query's rows for the page, as `packed_csv` does."""
    written = desk.download(str(action.payload.get("sql", "")), packed_csv)
    return await _or_trouble(written, "the rows of a query could not be written")


async def _or_trouble(told: Awaitable[dict[str, Any]], what: str) -> dict[str, Any]:
    """Return what is told to the page, or under "trouble" a sentence on why there is nothing to tell."""
    try:
        return await told
    except AskError as error:
        return {"trouble": str(error)}
    except Exception:
        return {"trouble": incident(what)}


@cl.on_stop
async def on_stop() -> None:
    """Take back Chainlit's own word about the stop: the answer says it where it happened."""
    for message in cl.chat_context.get()[-2:]:
        if message.content == "Task manually stopped.":
            await message.remove()


@cl.on_feedback
async def on_feedback(feedback: Feedback) -> None:
    """Keep what was doubted; the page has thumbs where there is a history."""
    if asker := await desk.ready():
        await keep_doubt(feedback, settings.doubtful, asker.catalog.name)


@cl.on_chat_end
async def on_chat_end() -> None:
    await leave()


def _may_save() -> bool:
    hosts = {settings.host, config.run.host}  # `chainlit run` has its own.
    is_private = not settings.allow_anonymous and all(map(is_loopback, hosts))
    return Reviewers(settings.reviewers, settings.users is not None, is_private).include(_user())


def _user() -> str | None:
    user = cl.context.session.user
    return user.identifier if user else None


def _question(message: cl.Message, edited: Edited | None) -> Question:
    today, turns = settings.today or date.today(), _turns_before(message.id)
    if edited:
        return Question(edited.sql, today, turns, edited_for=edited.question)
    return Question(message.content, today, turns, "investigate" if message.command == INVESTIGATE else "ask")


def _turns_before(message_id: str) -> tuple[Turn, ...]:
    """Return the turns that this message follows; those from an edited message on, answered or not, are gone."""
    kept: list[dict[str, str]] = cl.user_session.get("turns") or []
    asked: list[str] = cl.user_session.get("asked") or []
    if message_id in asked:
        edited = asked.index(message_id)
        kept = [turn for turn in kept if turn["id"] not in asked[edited:]]
        asked = asked[:edited]
    cl.user_session.set("turns", kept)
    cl.user_session.set("asked", [*asked, message_id])
    return tuple(
        Turn(turn["question"], turn["reading"], turn["sql"], "by_hand" in turn, "trusted" in turn) for turn in kept
    )


def _remember(message_id: str, question: Question, draft: Draft | None) -> None:
    """Keep the answered question for the next ones, as plain values: Chainlit stores them with the history."""
    if draft is None:
        return
    asked = whole_question(question, draft) if question.edited_for else question.text
    reading = question.edited_for or draft.reading
    turn = {"id": message_id, "question": asked, "reading": reading, "sql": draft.sql}
    turn["today"] = question.today.isoformat()
    if draft.by_hand:
        turn["by_hand"] = "yes"
    if draft.trusted:
        turn["trusted"] = "yes"
    cl.user_session.set("turns", [*(cl.user_session.get("turns") or []), turn][-TURNS_KEPT:])
