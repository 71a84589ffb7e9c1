"""What a program gets from /api/breakdown, over real HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.web_fixture import Web

pytest_plugins = ("tests.web_fixture",)
pytestmark = pytest.mark.asyncio(loop_scope="module")

CHEAP = "SELECT name FROM products WHERE price < 3"


async def break_down(web: Web, **asked: object) -> httpx.Response:
    return await web.client.post("/api/breakdown", json=asked)


async def test_the_steps_of_an_answers_sql_end_with_the_answers_rows(web: Web) -> None:
    answer = (await web.ask("Which product has the highest price?")).json()
    response = await break_down(web, sql=answer["sql"])
    assert response.status_code == 200
    steps = response.json()["steps"]
    assert steps[0]["words"] == "Start with all rows of products."
    assert steps[-1]["rows"] == answer["rows"]
    assert steps[-1]["columns"] == answer["columns"]
    assert steps[-1]["sql"] == answer["sql"]


async def test_a_step_is_told_counted_and_shown(web: Web) -> None:
    steps = (await break_down(web, sql=CHEAP)).json()["steps"]
    assert {name: steps[1][name] for name in ("words", "part", "takes", "before", "count", "rows", "trouble")} == {
        "words": "Keep the rows where price is below 3.",
        "part": "",
        "takes": [1],
        "before": 2,
        "count": 1,
        "rows": [["<img src=x>", 2.0]],
        "trouble": "",
    }


async def test_sql_that_may_not_run_is_refused(web: Web) -> None:
    response = await break_down(web, sql="DELETE FROM products")
    assert response.status_code == 403
    assert "SELECT" in response.json()["detail"]


async def test_a_request_without_sql_is_told_what_to_send(web: Web) -> None:
    assert (await break_down(web)).json() == {"detail": "The request holds no “sql”."}
    response = await web.client.post("/api/breakdown", json=[])
    assert response.status_code == 422
    assert '{"sql": ' in response.json()["detail"]
    assert (await web.client.get("/api/breakdown")).status_code == 405


async def test_leaving_stops_the_steps_in_the_database(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.web_fixture import FOREVER

    monkeypatch.setattr("tools.breakdown.EACH", 600.0)
    monkeypatch.setattr("tools.breakdown.ALL", 600.0)
    asking = asyncio.create_task(break_down(web, sql=FOREVER))
    await web.comes_to('quaestor_queue_in_turn{line="database"}', 1)
    asking.cancel()
    await web.comes_to('quaestor_queue_in_turn{line="database"}', 0)
    await web.comes_to('quaestor_queue_in_turn{line="questions"}', 0)
    assert (await web.ask("How many products are there?")).json()["rows"] == [[2]]
