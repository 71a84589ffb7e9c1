"""Stamped answers: every token says when it left, and what the model itself took for the question until then."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agents.guardrails import ModelGuardrails, RuleGuardrails
from agents.narrator import ModelNarrator
from agents.sql_writer import SQLWriter
from benchmarks.model_memory import OwnTime, Replies, what_is_asked
from benchmarks.model_wire import Part, Reply, ToolCall
from chat.markdown import MarkdownStream, as_markdown
from tests.test_model_answers import DRAFT, QUESTION, ROWS, Analyst
from tests.test_sql_writer import CATALOG, FOUND

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)


@pytest.fixture
def stamping(model_server: StandIn) -> StandIn:
    analyst = Analyst()
    model_server.answers_for(CATALOG, writer=analyst, narrator=analyst, suggester=analyst)
    model_server.server.analyst = replace(model_server.server.analyst, answer_tokens=12)
    return model_server


async def told(stamping: StandIn) -> str:
    """Return what our narrator says, written as Markdown piece by piece as the page does."""
    shown, said = MarkdownStream(), ""

    async def say(piece: str) -> None:
        nonlocal said
        said += shown.feed(piece)

    async with stamping.open() as chat:
        await ModelNarrator(chat, interval=0.02).narrate(QUESTION, DRAFT, ROWS, say)
    return said + shown.end()


def stamps_in(text: str) -> list[int]:
    return [int(stamp) for stamp in re.findall(r"t(\d+) ", text)]


async def test_every_stamp_survives_the_narrator_and_the_page(stamping: StandIn) -> None:
    stamping.speaks(tokens_per_second=100)
    before = time.monotonic_ns() // 1_000
    stamps = stamps_in(text := await told(stamping))
    assert len(stamps) == 12 and stamps == sorted(set(stamps))
    assert before <= stamps[0] and stamps[-1] <= time.monotonic_ns() // 1_000
    assert text == as_markdown(text)


async def test_tokens_that_come_at_once_have_stamps_of_their_own(stamping: StandIn) -> None:
    assert len(set(stamps_in(await told(stamping)))) == 12


async def test_an_answer_that_is_not_streamed_is_stamped_too(stamping: StandIn) -> None:
    async with stamping.open() as chat:
        answer = await chat.ainvoke("\n".join(text for _, text in _narrators_prompt()))
    assert len(stamps_in(str(answer.content))) == 12


async def test_the_first_stamp_says_what_the_model_itself_took(stamping: StandIn) -> None:
    stamping.speaks(first_token=0.1, tokens_per_second=200)
    rules = RuleGuardrails(1_000)
    async with stamping.open() as chat:
        await ModelGuardrails(rules, chat).judge(QUESTION)
        await SQLWriter(chat, "sqlite", 16_000).write(QUESTION, FOUND, None)
    earlier = 0.0
    for request in stamping.requests:
        reply = await stamping.server.analyst.answer(request.body)
        earlier += 100 + reply.length * 5
    first = (await told(stamping)).split()[0]
    assert first == f"m{round(earlier + 100)}"


async def test_the_models_time_is_the_same_for_all_who_ask_the_same(stamping: StandIn) -> None:
    stamping.speaks(first_token=0.05)
    texts = await asyncio.gather(*(told(stamping) for _ in range(5)))
    assert {text.split()[0] for text in texts} == {"m50"}


def test_another_apps_calls_for_the_same_question_do_not_count() -> None:
    own = OwnTime()
    for task, seconds in (("judge", 1.0), ("write", 2.0), ("find_tables", 4.0), ("write", 2.0)):
        own.note(Part("why?", task), seconds)
    own.note(Part("who?", "judge"), 8.0)
    assert own.before(Part("why?", "tell", ("judge", "write"))) == 3.0
    assert own.before(Part("never asked", "tell", ("judge", "write"))) == 0.0


class Worker:
    def __init__(self) -> None:
        self.calls = 0
        self.faults = 0

    async def work(self) -> Reply:
        self.calls += 1
        await asyncio.sleep(0)
        if self.faults:
            self.faults -= 1
            raise ValueError("no reply")
        return Reply(str(self.calls))


async def test_a_reply_is_worked_out_once_however_many_ask_together() -> None:
    replies, worker = Replies(10), Worker()
    together = await asyncio.gather(*(replies.get(b"same", worker.work) for _ in range(5)))
    assert worker.calls == 1 and {reply.text for reply in [*together, await replies.get(b"same", worker.work)]} == {"1"}


def test_the_same_is_asked_however_it_is_to_be_sent() -> None:
    body = {"model": "a", "messages": [{"role": "user", "content": "Why?"}], "stream": True}
    assert what_is_asked(body) == what_is_asked({**body, "model": "b", "stream": False})
    assert what_is_asked(body) != what_is_asked({**body, "response_format": {"type": "json_object"}})
    assert what_is_asked(body) != what_is_asked({**body, "messages": [{"role": "user", "content": "Who?"}]})


async def test_the_reply_that_was_used_longest_ago_is_forgotten_first() -> None:
    replies, worker = Replies(2), Worker()
    for body in (b"a", b"b", b"a", b"c", b"a", b"b"):
        await replies.get(body, worker.work)
    assert worker.calls == 4


async def test_a_reply_that_failed_is_tried_again() -> None:
    replies, worker = Replies(2), Worker()
    worker.faults = 1
    with pytest.raises(ValueError, match="no reply"):
        await replies.get(b"a", worker.work)
    assert (await replies.get(b"a", worker.work)).text == "2"


async def test_replies_are_known_in_the_next_run_but_for_the_stamped(tmp_path: Path) -> None:
    file, worker = tmp_path / "replies.jsonl", Worker()
    told = Reply("Rome.", part=Part("why?", "tell", ("judge", "write")))
    called = Reply(tool_calls=(ToolCall("run_sql", '{"sql": "SELECT 1"}'),), part=Part("why?", "run_sql"))
    first = Replies(10, file)
    for body, reply in ((b"tell", told), (b"call", called), (b"stamped", Reply(stamps=3))):

        async def work_out(reply: Reply = reply) -> Reply:
            return reply

        await first.get(body, work_out)
    later = Replies(10, file)
    assert await later.get(b"tell", worker.work) == told
    assert await later.get(b"call", worker.work) == called
    assert worker.calls == 0
    assert await later.get(b"stamped", worker.work) == Reply("1")


async def test_who_asked_first_may_leave_before_the_others_have_their_reply() -> None:
    replies, worker = Replies(2), Worker()
    first = asyncio.create_task(replies.get(b"a", worker.work))
    others = asyncio.create_task(replies.get(b"a", worker.work))
    await asyncio.sleep(0)
    first.cancel()
    assert (await others).text == "1"


def _narrators_prompt() -> list[tuple[str, str]]:
    from agents.prompts import write_answer_so_far

    return [("human", text) for text in write_answer_so_far(QUESTION, DRAFT, ROWS)]
