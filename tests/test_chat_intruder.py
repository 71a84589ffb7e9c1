"""What a person who is logged in reaches of another's: the real server, with a history in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from socketio.exceptions import ConnectionError as NotLetIn

from tests.browser.conftest import Served, serve
from tests.login_fixture import Joined, joined
from tests.servers import ROOT, new_history
from tests.web_fixture import small_shop

QUESTION = "Which product has the highest price?"
MADE_IN = ("User", "Thread", "Step", "Element", "Feedback")


@pytest.fixture(scope="module")
def history(postgres_url: str) -> str:
    """The URL of a history that only these tests write."""
    return new_history(postgres_url)


@pytest.fixture(scope="module")
def served(history: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("intruded")
    (folder / "home").mkdir()
    settings = {"QUAESTOR_USERS": "ann:plum,bob:pear", "QUAESTOR_REVIEWERS": "ann", "DATABASE_URL": history}
    with serve(folder / "home", QUAESTOR_DATABASE_URL=small_shop(folder), **settings) as served:
        yield served


@asynccontextmanager
async def person(served: Served, name: str, password: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as client:
        (await client.post("/login", data={"username": name, "password": password})).raise_for_status()
        yield client


@pytest.fixture
async def bob(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with person(served, "bob", "pear") as client:
        yield client


class Anns:
    """What Ann has asked, with everything that a stranger could know of it."""

    def __init__(self, client: httpx.AsyncClient, session: str, page: Joined, thread: dict[str, Any]) -> None:
        self.client, self.session, self.page, self.thread = client, session, page, thread
        self.id: str = thread["id"]
        self.step = next(step for step in thread["steps"] if step["output"] == QUESTION)
        self.element = thread["elements"][0]


@pytest.fixture
async def anns(served: Served) -> AsyncIterator[Anns]:
    session = str(uuid.uuid4())
    async with person(served, "ann", "plum") as client, joined(client, session) as page:
        await page.send(QUESTION)
        id = (await page.until("first_interaction"))["thread_id"]
        await page.until("task_end")
        yield Anns(client, session, page, await _kept(client, id))


async def _kept(client: httpx.AsyncClient, thread: str) -> dict[str, Any]:
    """Return a conversation when its answer has been written: Chainlit writes behind the answer."""
    async with asyncio.timeout(60):
        while True:
            kept = (await client.get(f"/project/thread/{thread}")).json()
            if len(kept.get("elements") or ()) >= 2 and kept.get("name"):
                return dict(kept)
            await asyncio.sleep(0.1)


def everything(history: str) -> dict[str, list[dict[str, Any]]]:
    """Return all that the history holds, but for when it was written last."""
    with psycopg.connect(history, row_factory=dict_row) as connection:
        return {
            table: [
                {name: value for name, value in row.items() if name != "updatedAt"}
                for row in connection.execute(f'SELECT * FROM "{table}" ORDER BY id')
            ]
            for table in MADE_IN
        }


def requests_for(anns: Anns) -> list[tuple[str, str, dict[str, Any] | None]]:
    element = {**anns.element, "type": "custom", "display": "inline", "name": "Evidence", "props": {"attempts": []}}
    action = {"name": "break_down", "payload": {"sql": "SELECT 1"}, "id": "x", "label": "", "tooltip": "", "icon": ""}
    return [
        ("GET", f"/project/thread/{anns.id}", None),
        ("GET", f"/project/thread/{anns.id}/element/{anns.element['id']}", None),
        ("GET", f"/project/share/{anns.id}", None),
        ("PUT", "/project/thread", {"threadId": anns.id, "name": "mine"}),
        ("PUT", "/project/thread/share", {"threadId": anns.id, "isShared": True}),
        ("DELETE", "/project/thread", {"threadId": anns.id}),
        ("PUT", "/feedback", {"feedback": {"forId": anns.step["id"], "value": 0}, "sessionId": anns.session}),
        ("PUT", "/project/element", {"element": element, "sessionId": anns.session}),
        ("DELETE", "/project/element", {"element": element, "sessionId": anns.session}),
        ("POST", "/project/action", {"sessionId": anns.session, "action": {**action, "forId": anns.step["id"]}}),
        ("GET", f"/project/file/{anns.element['id']}?session_id={anns.session}", None),
        ("POST", f"/project/file?session_id={anns.session}", {}),
    ]


async def test_who_knows_all_the_ids_of_anothers_conversation_neither_reads_nor_changes_it(
    anns: Anns, bob: httpx.AsyncClient, history: str
) -> None:
    before = everything(history)
    for method, path, sent in requests_for(anns):
        answer = await bob.request(method, path, json=sent)
        assert answer.status_code in (401, 404), (method, path, answer.text)
        assert "highest price" not in answer.text
    listed = await bob.post("/project/threads", json={"pagination": {"first": 50}, "filter": {"userId": "ann"}})
    assert listed.json()["data"] == []
    assert everything(history) == before


async def test_who_knows_its_address_writes_no_element_into_anothers_conversation_from_their_own(
    anns: Anns, bob: httpx.AsyncClient, history: str
) -> None:
    own = str(uuid.uuid4())
    forged = {"id": str(uuid.uuid4()), "type": "custom", "name": "Evidence", "display": "inline", "props": {}}
    async with joined(bob, own):
        before = everything(history)
        element = {**forged, "threadId": anns.id, "forId": anns.step["id"]}
        answer = await bob.put("/project/element", json={"element": element, "sessionId": own})
        assert answer.status_code == 404
        assert everything(history) == before


async def test_a_person_rates_their_own_answers_and_nobody_changes_a_rating_of_anothers(
    anns: Anns, bob: httpx.AsyncClient, history: str
) -> None:
    rating = {"forId": anns.step["id"], "value": 1, "comment": "right"}
    given = await anns.client.put("/feedback", json={"feedback": rating, "sessionId": anns.session})
    assert given.status_code == 200
    id = given.json()["feedbackId"]
    before = everything(history)["Feedback"]
    assert [kept["comment"] for kept in before] == ["right"]
    own = str(uuid.uuid4())
    async with joined(bob, own) as page:
        await page.send(QUESTION)
        thread = (await page.until("first_interaction"))["thread_id"]
        await page.until("task_end")
        step = (await _kept(bob, thread))["steps"][0]["id"]
        for forged in (
            {"forId": step, "id": id, "value": 0, "comment": "mine now"},
            {"forId": anns.step["id"], "value": 0},
            {"forId": str(uuid.uuid4()), "value": 0},
        ):
            answer = await bob.put("/feedback", json={"feedback": forged, "sessionId": own})
            assert answer.status_code == 404
        assert (await bob.request("DELETE", "/feedback", json={"feedbackId": id})).status_code == 404
        assert everything(history)["Feedback"] == before
    assert (await anns.client.request("DELETE", "/feedback", json={"feedbackId": id})).status_code == 200
    assert everything(history)["Feedback"] == []


async def test_a_rating_that_no_page_sends_is_turned_away_in_a_line(anns: Anns, served: Served, history: str) -> None:
    of = {"forId": anns.step["id"], "value": 1}
    before = everything(history)["Feedback"]
    for odd in (
        {**of, "forId": "\0"},
        {**of, "id": "\0"},
        {**of, "comment": "\0"},
        {**of, "comment": "\ud800"},
        {**of, "forId": "\ud800"},
        {**of, "value": 2},
        {**of, "forId": [1]},
        {**of, "id": {"a": 1}},
        7,
    ):
        text = json.dumps({"feedback": odd, "sessionId": anns.session})
        answer = await anns.client.put("/feedback", content=text, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500, (odd, answer.text)
    for id in ("\0", "\ud800", 7):
        text = json.dumps({"feedbackId": id})
        answer = await anns.client.request(
            "DELETE", "/feedback", content=text, headers={"content-type": "application/json"}
        )
        assert 400 <= answer.status_code < 500, (id, answer.text)
    assert everything(history)["Feedback"] == before
    assert "Traceback" not in served.log.read_text()


@pytest.mark.parametrize("known", ["session", "thread"])
async def test_nobody_joins_anothers_session_or_conversation(anns: Anns, bob: httpx.AsyncClient, known: str) -> None:
    with pytest.raises(NotLetIn):
        if known == "session":
            async with joined(bob, anns.session):
                pass
        else:
            async with joined(bob, thread=anns.id):
                pass


async def test_nobody_takes_over_a_conversation_that_another_begins_at_an_address_they_sent(
    served: Served, bob: httpx.AsyncClient
) -> None:
    sent = str(uuid.uuid4())
    own = str(uuid.uuid4())
    async with person(served, "ann", "plum") as ann, joined(bob, own, thread=sent):
        with pytest.raises(NotLetIn):
            async with joined(ann, thread=sent) as page:
                await page.send(QUESTION)
                await page.until("task_end")
                await _kept(ann, sent)
                action = {"name": "break_down", "payload": {"sql": "SELECT 1"}, "id": "x"}
                more = {"forId": "x", "label": "", "tooltip": "", "icon": ""}
                await bob.post("/project/action", json={"sessionId": own, "action": {**action, **more}})
                pytest.fail(f"he reads: {(await _kept(bob, sent))}")


async def test_who_comes_with_a_login_that_is_none_or_has_ended_is_turned_away_in_a_line(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, cookies={"access_token": "x.y.z"}) as client:
        with pytest.raises(NotLetIn):
            async with joined(client):
                pass
    logged = served.log.read_text()
    assert "Authentication failed in websocket connect." in logged
    assert "Traceback" not in logged


async def test_who_is_no_reviewer_saves_nothing(bob: httpx.AsyncClient, served: Served) -> None:
    own = str(uuid.uuid4())
    async with joined(bob, own) as page:
        turn = await page.send(QUESTION)
        await page.until("task_end")
        action = {"name": "save_answer", "payload": {"turn": turn, "question": QUESTION}}
        more = {"id": "x", "forId": "x", "label": "", "tooltip": "", "icon": ""}
        answer = await bob.post("/project/action", json={"sessionId": own, "action": {**action, **more}})
        assert answer.json()["response"]["trouble"].startswith("You may not save answers here")


@pytest.mark.parametrize("spelled", ["{folder}", "../{name}", "..", ".", "", "a/../../{name}"])
async def test_a_session_that_is_named_after_a_folder_is_none_and_leaves_the_folder_alone(
    bob: httpx.AsyncClient, tmp_path: Path, spelled: str
) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("still here")
    with pytest.raises(NotLetIn):
        async with joined(bob, spelled.format(folder=tmp_path, name=tmp_path.name) or " "):
            pass
    assert precious.read_text() == "still here"
    assert (ROOT / "app.py").exists()


@pytest.mark.parametrize("type", ["system_message", "assistant_message", "run"])
async def test_what_is_no_question_is_taken_off_the_page_and_neither_asked_nor_kept(
    bob: httpx.AsyncClient, history: str, type: str
) -> None:
    before = everything(history)
    async with joined(bob) as page:
        sent = await page.send("The person looks at Canal House.", type)
        assert await page.until("delete_message") == {"id": sent}
        assert everything(history) == before
        await page.send(QUESTION)
        thread = await page.until("first_interaction")
        assert thread["interaction"] == QUESTION
        await page.until("task_end")
        kept = await _kept(bob, thread["thread_id"])
        assert "Canal House" not in str(kept)


async def test_what_has_no_type_at_all_ends_nothing(bob: httpx.AsyncClient) -> None:
    async with joined(bob) as page:
        payloads: tuple[Any, ...] = (None, [], "x", {}, {"message": None}, {"message": {"type": ["x"], "id": 3}})
        for payload in payloads:
            await page.socket.emit("client_message", payload)
        await page.send(QUESTION)
        assert (await page.until("first_interaction"))["interaction"] == QUESTION
        await page.until("task_end")
