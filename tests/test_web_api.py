"""What a program gets from /api/ask, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.types import Message

from agents.events import Event, TextChunk
from agents.question import TURNS_KEPT
from tests.asked import offline_settings
from web.api import ANSWER
from web.events import EventStream
from web.guards import LONGEST_BODY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web_fixture import Web

pytest_plugins = ("tests.web_fixture",)
pytestmark = pytest.mark.asyncio(loop_scope="module")

DEAREST = "Which product has the highest price?"
OVERFLOW = "SELECT abs(-9223372036854775808) AS n"
"""Within the rules, and more than the database can work out."""
EVENTS = {"accept": "text/event-stream"}


async def sse(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield each event's name and what it tells, as the standard has a browser read them."""
    name, data = "message", ""
    async for line in response.aiter_lines():
        field, _, value = line.partition(":")
        match field, value.removeprefix(" "):
            case "event", text:
                name = text
            case "data", text:
                data += text
            case "", _ if not line:
                if data:
                    yield name, json.loads(data)
                name, data = "message", ""


async def events_of(web: Web, question: str) -> list[tuple[str, dict[str, Any]]]:
    async with web.client.stream("POST", "/api/ask", json={"question": question}, headers=EVENTS) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        return [event async for event in sse(response)]


async def test_the_answer_is_one_object_with_its_evidence(web: Web) -> None:
    response = await web.ask(DEAREST)
    answer = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert answer["status"] == "answered"
    assert answer["answer"].startswith("Tea has the highest price")
    assert answer["sql"].startswith("SELECT")
    assert answer["rows"][0] == ["Tea", 3.5]
    assert answer["tables"] == [{"name": "products", "rows": 2}]
    assert {"judge", "find", "write", "check", "run", "tell"} <= set(answer["seconds"])
    assert (answer["database"], answer["analyst"]) == ("shop", "offline analyst")
    assert (answer["tokens"], answer["truncated"]) == (0, False)


@pytest.mark.parametrize(
    ("question", "status", "http"),
    [
        ("What was the weather yesterday?", "declined", 200),
        ("DELETE FROM products", "refused", 403),
        (OVERFLOW, "failed", 500),
    ],
)
async def test_how_a_question_ended_shows_in_the_http_status(web: Web, question: str, status: str, http: int) -> None:
    response = await web.ask(question)
    answer = response.json()
    assert (answer["status"], response.status_code) == (status, http)
    assert answer["answer"]
    assert (answer.get("detail") == answer["answer"]) is (http != 200)
    assert "retry-after" not in response.headers


async def test_a_declined_question_comes_with_others_instead(web: Web) -> None:
    answer = (await web.ask("How many unicorns are there?")).json()
    assert answer["status"] == "declined"
    assert answer["suggestions"]
    assert answer["followups"] == []


async def test_a_question_follows_the_turns_that_are_sent_with_it(web: Web) -> None:
    first = (await web.ask("How many products are there?")).json()
    turn = {name: first[name] for name in ("question", "reading", "sql")}
    again = (await web.ask("with a price below 3", turns=[turn])).json()
    assert (again["status"], again["rows"]) == ("answered", [[1]])
    assert (await web.ask("with a price below 3")).json()["rows"] != [[1]], "alone it asks for the products"


async def test_the_day_of_the_question_may_be_said(web: Web) -> None:
    sql = "SELECT 1 AS one FROM products"
    assert (await web.ask(sql, today="2020-02-29")).status_code == 200
    assert (await web.ask(sql, today="2021-02-29")).status_code == 422


async def test_the_events_come_in_the_order_in_which_they_happen(web: Web) -> None:
    events = await events_of(web, DEAREST)
    names = [name for name, _ in events]
    told = dict(events)
    assert [name for name in names if name not in ("text_chunk", "followups_suggested", "chart_drawn")] == [
        "tables_found",
        "sql_written",
        "rows_found",
        "receipt_written",
        "finished",
    ]
    assert told["tables_found"] == {"tables": [{"name": "products", "rows": 2}]}
    assert told["sql_written"]["attempt"] == 1
    assert told["rows_found"]["rows"][0] == ["Tea", 3.5]
    assert told["finished"]["status"] == "answered"
    assert names[-3:] == ["receipt_written", "followups_suggested", "finished"]
    assert "text_chunk" not in names[names.index("receipt_written") :]
    words = "".join(about["text"] for name, about in events if name == "text_chunk")
    assert words == (await web.ask(DEAREST)).json()["answer"]


@pytest.mark.parametrize(
    ("question", "name", "status"),
    [
        ("What was the weather yesterday?", "declined", "declined"),
        ("DELETE FROM products", "refused", "refused"),
        (OVERFLOW, "failed", "failed"),
    ],
)
async def test_what_went_wrong_is_an_event_before_the_last(web: Web, question: str, name: str, status: str) -> None:
    (before, about), (last, finished) = (await events_of(web, question))[-2:]
    assert (before, last, finished["status"]) == (name, "finished", status)
    assert about["reason"]


@pytest.mark.parametrize("headers", [EVENTS, {}], ids=["events", "json"])
async def test_the_clients_leaving_stops_the_statement(web: Web, headers: dict[str, str]) -> None:
    from tests.web_fixture import FOREVER

    stopped = await web.counted('quaestor_questions_total{status="stopped"}')
    async with asyncio.timeout(60):
        asking = asyncio.create_task(web.client.post("/api/ask", json={"question": FOREVER}, headers=headers))
        await web.comes_to('quaestor_queue_in_turn{line="database"}', 1)
        assert await web.counted("quaestor_questions_in_flight") == 1
        asking.cancel()
        await web.comes_to('quaestor_questions_total{status="stopped"}', stopped + 1)
        await web.comes_to('quaestor_queue_in_turn{line="database"}', 0)
        assert await web.counted("quaestor_questions_in_flight") == 0
        assert (await web.ask(DEAREST)).json()["status"] == "answered"


async def test_a_quiet_stream_is_kept_open(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.web_fixture import FOREVER

    monkeypatch.setattr("web.events.HEARTBEAT", 0.01)
    async with web.client.stream("POST", "/api/ask", json={"question": FOREVER}, headers=EVENTS) as response:
        async with asyncio.timeout(20):
            async for line in response.aiter_lines():
                if line.startswith(":"):
                    break
    await web.comes_to("quaestor_questions_in_flight", 0)


async def test_nothing_follows_the_end_of_a_stream_whose_comment_was_due_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("web.events.HEARTBEAT", 0.02)
    sent: list[Message] = []

    async def events() -> AsyncGenerator[Event, None]:
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, 0.05)  # Then both are due at once, the end before the comment.
        await asyncio.sleep(0.01)
        yield TextChunk("the end")

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await EventStream(events())({"type": "http"}, receive, send)
    assert [message.get("more_body") for message in sent] == [None, True, False]


JSON = {"content-type": "application/json"}
LONE_SURROGATE = b'{"question": "\\ud800"}'


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"", JSON, "Send a JSON object"),
        (b"{", JSON, "The request is no JSON"),
        (b"[]", JSON, "Send a JSON object"),
        (b"[" * 60_000, JSON, "nested too deep"),
        (b'{"question": "\x00"}', JSON, "The request is no JSON: Invalid control character."),
        (b"\xff", JSON, "cannot be read"),
        (b'"How many?"', JSON, "Send a JSON object"),
        (b"{}", JSON, "holds no “question”"),
        (b'{"question": ""}', JSON, "“question” cannot be used"),
        (b'{"question": null}', JSON, "“question” cannot be used"),
        (b'{"question": 7}', JSON, "“question” cannot be used"),
        (LONE_SURROGATE, JSON, "“question” cannot be used"),
        (b'{"question": "x", "sql": "y"}', JSON, "holds “sql”, which means nothing here"),
        (b'{"question": "x", "today": "tomorrow"}', JSON, "“today” cannot be used"),
        (b'{"question": "x", "today": "9999-12-31"}', JSON, "“today” cannot be used"),
        (b'{"question": "x", "turns": [{"question": "\\ud800", "sql": "y"}]}', JSON,
         "“turns.0.question” cannot be used"),
        (b'{"question": "x", "turns": [{"question": "y"}]}', JSON, "holds no “turns.0.sql”"),
        (json.dumps({"question": "x", "turns": [{"question": "y", "sql": "z"}] * (TURNS_KEPT + 1)}).encode(), JSON,
         "“turns” cannot be used"),
        (b'{"question": "x"}', {"content-type": "text/plain"}, "with Content-Type: application/json"),
        (b"question=x", {"content-type": "application/x-www-form-urlencoded"}, "Content-Type: application/json"),
        (b'{"question": "x"}', {}, "with Content-Type: application/json"),
    ],
)  # fmt: skip
async def test_a_request_that_cannot_be_used_is_told_why_in_one_sentence(
    web: Web, body: bytes, headers: dict[str, str], words: str
) -> None:
    response = await web.client.post("/api/ask", content=body, headers=headers)
    assert response.status_code == 422
    assert set(response.json()) == {"detail"}
    sentence = response.json()["detail"]
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


async def test_a_request_that_is_too_long_is_turned_away(web: Web) -> None:
    def body(length: int) -> bytes:
        return json.dumps({"question": "x" * (length - 16)}).encode()

    async def in_pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * (LONGEST_BODY // 4)

    assert len(body(LONGEST_BODY)) == LONGEST_BODY
    for content, status in ((body(LONGEST_BODY), 403), (body(LONGEST_BODY + 1), 413), (in_pieces(), 413)):
        response = await web.client.post("/api/ask", content=content, headers=JSON)
        assert response.status_code == status
    assert response.json() == {"detail": "The request is longer than 64 KiB."}


async def test_a_page_of_another_origin_may_not_ask(web: Web) -> None:
    for origin, status in (("https://evil.example", 403), ("null", 403), (str(web.client.base_url), 200)):
        response = await web.client.post("/api/ask", json={"question": DEAREST}, headers={"origin": origin})
        assert response.status_code == status
    # What a browser asks first, for a page elsewhere.
    preflight = {"origin": str(web.client.base_url), "access-control-request-method": "POST"}
    response = await web.client.options("/api/ask", headers=preflight)
    assert response.status_code == 405
    assert not any(name.startswith("access-control") for name in response.headers)


async def test_other_methods_and_paths_are_told_that_nothing_is_there(web: Web) -> None:
    assert (await web.client.get("/api/ask")).status_code == 405
    assert (await web.client.get("/api/ask")).headers["allow"] == "POST"
    assert (await web.client.post("/api/answer", json={})).status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_no_page_draws_the_description(web: Web, path: str) -> None:
    assert "/openapi.json describes what there is" in (await web.client.get(path)).json()["detail"]


async def test_the_description_names_what_can_be_asked_and_how_it_can_fail(web: Web) -> None:
    described = (await web.client.get("/openapi.json")).json()
    assert set(described["paths"]) == {"/api/ask", "/api/breakdown", "/healthz", "/readyz", "/metrics"}
    asking = described["paths"]["/api/ask"]["post"]
    assert {"200", "401", "403", "413", "422", "429", "500", "503"} == set(asking["responses"])
    example = described["components"]["schemas"]["Asked"]["example"]
    response = await web.client.post("/api/ask", json=example)
    assert response.status_code == 200
    told = described["components"]["schemas"]["Told"]["properties"]
    assert set(response.json()) == set(told) == set(ANSWER)


async def test_a_database_that_is_away_is_told_with_the_time_to_try_again(tmp_path: Path) -> None:
    from tests.web_fixture import running

    settings = offline_settings(tmp_path / "home", database_url=f"sqlite:///{tmp_path}/none.db")
    async with running(settings) as web:
        for headers in ({}, EVENTS):
            response = await web.client.post("/api/ask", json={"question": DEAREST}, headers=headers)
            assert response.status_code == 503
            assert response.headers["retry-after"] == "5"
            assert "none.db" in response.json()["detail"]


async def test_who_finds_the_line_full_is_told_when_to_come_again(tmp_path: Path) -> None:
    from tests.web_fixture import FOREVER, running, small_shop

    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    async with running(settings.model_copy(update={"questions_at_once": 1, "queue_limit": 0})) as web:
        asking = asyncio.create_task(web.ask(FOREVER))
        await web.comes_to('quaestor_queue_in_turn{line="questions"}', 1)
        response = await web.ask(DEAREST)
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert response.json()["detail"].startswith("Too many questions are being asked right now.")
        asking.cancel()
        await web.comes_to("quaestor_questions_in_flight", 0)
        assert (await web.ask(DEAREST)).status_code == 200


async def test_where_the_model_is_away_the_offline_analyst_answers_and_the_answer_says_so(tmp_path: Path) -> None:
    from tests.web_fixture import running, small_shop

    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    async with running(settings.model_copy(update={"openai_base_url": "http://127.0.0.1:9/v1"})) as web:
        told = (await web.ask(DEAREST)).json()
        assert (told["status"], told["analyst"]) == ("answered", "offline analyst")
        assert (told["fallback"]["analyst"], told["fallback"]["part"]) == ("offline analyst", "question")
        assert "cannot be reached" in told["fallback"]["reason"]
        [fell_back] = [about for name, about in await events_of(web, DEAREST) if name == "fell_back"]
        assert (fell_back["analyst"], fell_back["part"]) == ("offline analyst", "question")


async def test_what_nobody_can_answer_without_the_model_is_told_with_the_time_to_try_again(tmp_path: Path) -> None:
    from tests.web_fixture import running, small_shop

    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    async with running(settings.model_copy(update={"openai_base_url": "http://127.0.0.1:9/v1"})) as web:
        response = await web.ask("What was the weather yesterday?")
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert response.json()["detail"].startswith("No model answers at the moment, and the offline")


async def test_with_a_login_asking_needs_a_name_and_its_password(tmp_path: Path) -> None:
    from tests.web_fixture import running, small_shop

    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    users = type(settings).model_validate({"users": "ann:plum"}).users
    async with running(settings.model_copy(update={"users": users})) as web:
        for name_and_password, status in ((None, 401), (("ann", "pear"), 401), (("ann", "plum"), 200)):
            for path in ("/api/ask", "/metrics"):
                auth = httpx.BasicAuth(*name_and_password) if name_and_password else None
                method, body = ("GET", None) if path == "/metrics" else ("POST", {"question": DEAREST})
                response = await web.client.request(method, path, json=body, auth=auth)
                assert response.status_code == status
                assert ("www-authenticate" in response.headers) is (status == 401)
        assert (await web.client.get("/healthz")).json() == {"status": "ok"}
        assert (await web.client.get("/readyz")).json() == {
            "status": "ready",
            "parts": {"database": {"ok": True}, "index": {"ok": True}, "model": {"ok": True}},
        }
        known = await web.client.get("/readyz", auth=("ann", "plum"))
        assert known.json()["parts"]["model"] == {"ok": True, "reason": "The offline analyst answers."}
