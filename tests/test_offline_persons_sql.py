"""What is asked next without a model keeps to SQL that a person has edited or reviewed, or nothing is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import date

import pytest
import pytest_asyncio

from agents.answer import Answer
from agents.ask import Asker
from agents.offline.writer import BY_HAND
from agents.question import Question, Turn
from agents.redrawing import EDITED
from bootstrap import open_asker
from tests.asked import offline_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


CANCELLED = "How many orders were cancelled in 2025?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asker]:
    async with open_asker(offline_settings(tmp_path_factory.mktemp("carried"))) as asker:
        yield asker


async def asked(asker: Asker, text: str, *turns: Turn) -> Answer:
    answer = Answer(text)
    async with aclosing(asker.ask(Question(text, date(2026, 11, 21), turns))) as events:
        async for event in events:
            answer.take(event)
    return answer


async def written(asker: Asker) -> str:
    return (await asked(asker, CANCELLED)).sql or ""


@pytest.mark.parametrize(
    ("edit", "note"),
    [({"trusted": True}, "of the reviewed SQL before hold here"), ({"by_hand": True}, "that a person edited")],
    ids=["reviewed", "edited"],
)
async def test_what_is_asked_next_keeps_the_conditions_of_a_persons_sql(
    edit: dict[str, bool], note: str, asker: Asker
) -> None:
    sql = (await written(asker)).replace("'cancelled'", "'completed'")
    first = await asked(asker, "and by store?", Turn(CANCELLED, CANCELLED, sql, **edit))
    assert first.sql and "'completed'" in first.sql and "'cancelled'" not in first.sql
    assert any(note in each for each in first.assumptions)
    reading = f"{CANCELLED} → and by store?"
    later = await asked(asker, "and by month?", Turn("and by store?", reading, first.sql, by_hand=True))
    assert later.sql and "'completed'" in later.sql and "'cancelled'" not in later.sql


async def test_of_reviewed_sql_that_is_more_than_its_words_the_rules_ask_nothing_next(asker: Asker) -> None:
    sql = "SELECT COUNT(DISTINCT customer_id) AS buyers FROM orders WHERE status = 'cancelled'"
    turn = Turn(CANCELLED, CANCELLED, sql, trusted=True)
    assert BY_HAND in (await asked(asker, "and by store?", turn)).answer
    unread = replace(turn, question="How many zorgs?", reading="How many zorgs?")
    assert BY_HAND in (await asked(asker, "and by store?", unread)).answer, "nobody has just said a zorg"
    assert "flurb" in (await asked(asker, "and by flurb?", turn)).answer


async def test_of_reviewed_sql_that_is_the_rules_own_they_ask_on_as_ever(asker: Asker) -> None:
    own = await written(asker)
    turn = Turn(CANCELLED, CANCELLED, f"-- looked through\n{own}")
    plain = await asked(asker, "and by store?", turn)
    reviewed = await asked(asker, "and by store?", replace(turn, trusted=True))
    assert reviewed.sql and reviewed.sql == plain.sql
    assert reviewed.assumptions == plain.assumptions


@pytest.mark.parametrize("edit", [{"trusted": True}, {"by_hand": True}], ids=["reviewed", "edited"])
async def test_a_chart_of_a_persons_sql_says_whose_it_is_once_more(edit: dict[str, bool], asker: Asker) -> None:
    sql = "SELECT status, COUNT(*) AS orders FROM orders WHERE total > 20 GROUP BY status"
    drawn = await asked(asker, "as a pie", Turn(CANCELLED, CANCELLED, sql, **edit))
    assert drawn.sql == sql
    assert drawn.receipt is not None and drawn.receipt["trusted"] == ("trusted" in edit)
    assert (EDITED in drawn.assumptions) == ("by_hand" in edit)


async def test_after_reviewed_sql_that_is_not_the_rules_own_they_propose_nothing(asker: Asker) -> None:
    own = await written(asker)
    for sql, proposed in ((f"-- looked through\n{own}", True), (own.replace("'cancelled'", "'completed'"), False)):
        drawn = await asked(asker, "as a table", Turn(CANCELLED, CANCELLED, sql, trusted=True))
        assert bool(drawn.followups) == proposed
