"""What a person's assistant gets at /mcp: the protocol's own client over real HTTP, and messages as they go by wire."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from blockbuster import blockbuster_ctx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from pydantic import SecretStr

from tests.asked import offline_settings
from web.brake import ON_A_NAME
from web.guards import LONGEST_BODY, MCP
from web.mcp import MODERN, WITH_HELLO
from web.mcp_tools import EVIDENCE, LONGEST_VALUE, MOST_ROWS

if TYPE_CHECKING:
    from tests.web_fixture import Web

pytest_plugins = ("tests.web_fixture",)
pytestmark = pytest.mark.asyncio(loop_scope="module")

HOW_MANY = "How many products are there?"
LONG = "REPLACE(REPLACE('aaaaaaaaaa', 'a', 'bbbbbbbbbb'), 'b', 'cccccccccccccccccccccccccccccccccccccccccccccccccc')"
"""5,000 characters, in SQL."""
MANY = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "
    f"SELECT i, SUBSTR({LONG}, 1, {{length}}) AS long FROM n"
)
GUIDE = (Path(__file__).resolve().parent.parent / "docs" / "api.md").read_text()
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@asynccontextmanager
async def assistant(web: Web, **about: Any) -> AsyncIterator[ClientSession]:
    """Connect as assistants do."""
    async with (
        httpx.AsyncClient(timeout=120, **about) as client,
        streamable_http_client(f"{web.client.base_url}/mcp", http_client=client) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        yield session


async def ask(web: Web, question: str, **more: Any) -> CallToolResult:
    async with assistant(web) as session:
        return await session.call_tool("ask", {"question": question, **more})


def words_of(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


def evidence_of(result: CallToolResult) -> dict[str, Any]:
    assert not result.isError, words_of(result)
    assert result.structuredContent is not None
    return result.structuredContent


def message(method: str, number: object = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def calling(question: str, **about: Any) -> dict[str, Any]:
    return message("tools/call", name="ask", arguments={"question": question}, **about)


async def send(web: Web, sent: dict[str, Any], **headers: str) -> httpx.Response:
    return await web.client.post("/mcp", json=sent, headers={**JSON, **headers})


async def test_an_assistant_gets_the_right_number_with_its_evidence(web: Web) -> None:
    result = await ask(web, HOW_MANY)
    evidence = evidence_of(result)
    assert (evidence["status"], evidence["columns"], evidence["rows"]) == ("answered", ["number_of_products"], [[2]])
    assert evidence["sql"].startswith("SELECT")
    assert (evidence["tables"], evidence["analyst"]) == (["products"], "offline analyst")
    assert set(evidence) == set(EVIDENCE)
    # Some assistants read the text alone.
    for part in (evidence["answer"], evidence["sql"], "number_of_products\n2"):
        assert part in words_of(result)


async def test_the_tools_say_that_they_read_only_and_what_to_do_with_what_comes(web: Web) -> None:
    async with assistant(web) as session:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    assert set(tools) == {"ask", "tables"}
    for tool in tools.values():
        assert tool.annotations is not None and tool.annotations.readOnlyHint
    assert all(
        name in (tools["ask"].description or "") for name in ("`status`", "`suggestions`", "`turns`", "`truncated`")
    )


async def test_the_tables_are_told_as_a_model_is_shown_them(web: Web) -> None:
    async with assistant(web) as session:
        told = words_of(await session.call_tool("tables", {}))
        unknown = words_of(await session.call_tool("tables", {"names": ["unicorns"]}))
        twice = words_of(await session.call_tool("tables", {"names": ["products", "products"]}))
    assert "table products (2 rows)" in told
    assert "price REAL" in told
    assert twice.count("table products") == 1
    assert "There is no table unicorns." in unknown
    assert "price" not in unknown


async def test_of_too_many_tables_the_others_are_named_and_can_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.web_fixture import running

    monkeypatch.setattr("web.mcp_tools.MOST_COLUMNS", 5)
    with closing(sqlite3.connect(tmp_path / "wide.db")) as connection:
        for n in range(4):
            connection.execute(f"CREATE TABLE wide_{n} (height INTEGER, width INTEGER)")
        connection.execute("CREATE TABLE wide_4 (a INTEGER, b INTEGER, c INTEGER, d INTEGER, e INTEGER, depth INTEGER)")
    settings = offline_settings(tmp_path / "home", database_url=f"sqlite:///{tmp_path}/wide.db")
    async with running(settings) as web, assistant(web) as session:
        told = words_of(await session.call_tool("tables", {}))
        other = words_of(await session.call_tool("tables", {"names": ["wide_4"]}))
    assert "table wide_0" in told and "table wide_1" in told and "table wide_2" not in told
    assert told.endswith("Without room for their columns: wide_2, wide_3, wide_4.")
    assert "table wide_4" in other and "depth INTEGER" in other and "wide_3" not in other


async def test_a_question_follows_the_turns_that_are_sent_with_it(web: Web) -> None:
    first = evidence_of(await ask(web, HOW_MANY))
    turn = {name: first[name] for name in ("question", "reading", "sql")}
    assert evidence_of(await ask(web, "with a price below 3", turns=[turn]))["rows"] == [[1]]


async def test_a_question_that_is_declined_says_so_and_offers_others(web: Web) -> None:
    result = await ask(web, "How many unicorns are there?")
    evidence = evidence_of(result)
    assert (evidence["status"], evidence["rows"], evidence["sql"]) == ("declined", [], None)
    assert "unicorns" in evidence["answer"]
    assert evidence["suggestions"]
    assert all(one in words_of(result) for one in evidence["suggestions"])


@pytest.mark.parametrize("sql", ["DELETE FROM products", "DROP TABLE products", "UPDATE products SET price = 0"])
async def test_sql_that_writes_is_refused(web: Web, sql: str) -> None:
    result = await ask(web, sql)
    assert result.isError
    assert "only queries that read" in words_of(result)
    assert evidence_of(await ask(web, HOW_MANY))["rows"] == [[2]]


@pytest.mark.parametrize(
    ("rows", "length", "kept", "truncated"),
    [
        (MOST_ROWS, 10, MOST_ROWS, False),
        (MOST_ROWS + 1, 10, MOST_ROWS, True),
        (5, 5_000, 5, False),
        (90, 900, 21, True),
    ],
)
async def test_no_more_comes_than_an_assistant_can_use_and_that_is_said(
    web: Web, rows: int, length: int, kept: int, truncated: bool
) -> None:
    result = await ask(web, MANY.format(rows=rows, length=length))
    evidence = evidence_of(result)
    assert (len(evidence["rows"]), evidence["truncated"]) == (kept, truncated)
    assert ("the query finds more" in words_of(result)) is truncated
    long = evidence["rows"][0][1]
    assert (len(long), long.endswith("…")) == (
        (length, False) if length <= LONGEST_VALUE else (LONGEST_VALUE + 1, True)
    )


async def test_how_far_it_has_got_is_told_to_who_wants_to_know(web: Web) -> None:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with assistant(web) as session:
        result = await session.call_tool("ask", {"question": HOW_MANY}, progress_callback=hear)
    assert evidence_of(result)["rows"] == [[2]]
    assert heard == [(1, "found 1 table"), (2, "wrote the SQL"), (3, "found 1 row")]


@pytest.mark.parametrize("token", ["[7]", '{"a": 7}', "true", "1.5", "[" * 1_000 + "]" * 1_000])
async def test_what_is_no_progress_token_is_sent_no_progress(web: Web, token: str) -> None:
    text = json.dumps(calling(HOW_MANY, _meta={"progressToken": "?"})).replace('"?"', token)
    response = await web.client.post("/mcp", content=text, headers=JSON)
    assert response.headers["content-type"] == "application/json"
    assert response.json()["result"]["structuredContent"]["rows"] == [[2]]


async def test_questions_are_counted_like_all_others(web: Web) -> None:
    answered = await web.counted('quaestor_questions_total{status="answered"}')
    await ask(web, HOW_MANY)
    assert await web.counted('quaestor_questions_total{status="answered"}') == answered + 1


async def test_two_assistants_are_answered_side_by_side_and_each_gets_its_own(web: Web) -> None:
    questions = [HOW_MANY, "Which product has the highest price?", "DELETE FROM products"] * 4
    results = await asyncio.gather(*(ask(web, question) for question in questions))
    for question, result in zip(questions, results, strict=True):
        if question.startswith("DELETE"):
            assert result.isError
        else:
            assert evidence_of(result)["question"] == question
            assert evidence_of(result)["rows"][0] == ([2] if question == HOW_MANY else ["Tea", 3.5])


async def test_nothing_blocks_the_event_loop(web: Web) -> None:
    async with assistant(web) as session:
        await session.call_tool("ask", {"question": HOW_MANY})
        with blockbuster_ctx():
            results = [
                await session.call_tool("ask", {"question": MANY.format(rows=90, length=900)}),
                await session.call_tool("ask", {"question": HOW_MANY}),
                await session.call_tool("tables", {}),
            ]
    assert not any(result.isError for result in results)


async def test_others_are_answered_while_a_statement_runs_and_the_clients_leaving_stops_it(web: Web) -> None:
    from tests.web_fixture import FOREVER

    stopped = await web.counted('quaestor_questions_total{status="stopped"}')
    for about in ({}, {"_meta": {"progressToken": "t"}}):
        asking = asyncio.create_task(send(web, calling(FOREVER, **about)))
        await web.comes_to('quaestor_queue_in_turn{line="database"}', 1)
        async with assistant(web) as session:
            assert (await session.call_tool("tables", {})).content
        asking.cancel()
        stopped += 1
        await web.comes_to('quaestor_questions_total{status="stopped"}', stopped)
        await web.comes_to('quaestor_queue_in_turn{line="database"}', 0)
        assert await web.counted("quaestor_questions_in_flight") == 0
    assert evidence_of(await ask(web, HOW_MANY))["rows"] == [[2]]


async def test_an_older_client_takes_its_own_request_back_and_nobody_elses(web: Web) -> None:
    from tests.web_fixture import FOREVER

    hello = message(
        "initialize", protocolVersion=WITH_HELLO[0], capabilities={}, clientInfo={"name": "x", "version": "1"}
    )
    mine, other, third = [{"mcp-session-id": (await send(web, hello)).headers["mcp-session-id"]} for _ in range(3)]
    assert mine != other != third
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    others = asyncio.create_task(send(web, calling(FOREVER), **other))
    await web.comes_to('quaestor_queue_in_turn{line="database"}', 1)
    asking = asyncio.create_task(send(web, calling(FOREVER), **mine))
    await web.comes_to('quaestor_queue_length{line="database"}', 1)
    for headers in (third, {}, mine):
        assert (await send(web, cancelled, **headers)).status_code == 202
    async with asyncio.timeout(20):
        assert (await asking).json()["error"]["message"] == "The request was cancelled."
    await web.comes_to("quaestor_questions_in_flight", 1)
    assert not others.done()
    await send(web, cancelled, **other)
    assert (await others).json()["error"]["message"] == "The request was cancelled."
    await web.comes_to("quaestor_questions_in_flight", 0)


async def test_a_page_of_another_origin_may_not_ask_also_not_under_a_name_made_to_point_here(web: Web) -> None:
    here = str(web.client.base_url).rstrip("/")
    port = web.client.base_url.port
    for headers, status in (
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": f"http://evil.example:{port}", "host": f"evil.example:{port}"}, 403),
        ({"origin": here}, 200),
        ({}, 200),
    ):
        response = await send(web, message("ping"), **headers)
        assert response.status_code == status, headers
        assert (await web.client.get("/mcp", headers=headers)).status_code == (405 if status == 200 else 403)
    assert not any(name.startswith("access-control") for name in response.headers)


async def test_who_has_no_login_gets_nothing_and_who_guesses_waits(tmp_path: Path) -> None:
    from tests.web_fixture import running, small_shop

    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    async with running(settings.model_copy(update={"users": SecretStr("ann:plum")})) as web:
        for path in ("/mcp", "/mcp/"):
            refused = await web.client.post(path, json=calling(HOW_MANY), headers=JSON)
            assert (refused.status_code, refused.headers["www-authenticate"][:5]) == (401, "Basic")
        async with assistant(web, auth=("ann", "plum")) as session:
            result = await session.call_tool("ask", {"question": HOW_MANY})
        assert evidence_of(result)["rows"] == [[2]]
        statuses = [
            (await web.client.post("/mcp", json=calling(HOW_MANY), headers=JSON, auth=("ann", f"plum{n}"))).status_code
            for n in range(ON_A_NAME + 1)
        ]
        assert statuses == [401] * ON_A_NAME + [429]
        # The same brake as the API's.
        waiting = await web.client.post("/api/ask", json={"question": HOW_MANY}, auth=("ann", "plum"))
        assert (waiting.status_code, waiting.headers["retry-after"]) == (429, "2")
        # Where an assistant then looks for another way to log in stands no page.
        looked = await web.client.get("/.well-known/oauth-protected-resource/mcp")
        assert (looked.status_code, looked.json()) == (404, {"detail": "There is nothing here."})


async def test_where_no_model_may_see_data_an_assistant_sees_names_alone(tmp_path: Path) -> None:
    from tests.web_fixture import running, small_shop

    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    async with running(settings.model_copy(update={"model_sees": "names"})) as web, assistant(web) as session:
        refused = await session.call_tool("ask", {"question": "Which product has the highest price?"})
        told = words_of(await session.call_tool("tables", {}))
    assert refused.isError
    assert "QUAESTOR_MODEL_SEES=names" in words_of(refused)
    assert "price REAL" in told
    assert "Tea" not in words_of(refused) + told and "3.5" not in told and "2 rows" not in told


async def test_who_finds_the_line_full_is_told_when_to_come_again(tmp_path: Path) -> None:
    from tests.web_fixture import FOREVER, running, small_shop

    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    async with running(settings.model_copy(update={"questions_at_once": 1, "queue_limit": 0})) as web:
        asking = asyncio.create_task(web.ask(FOREVER))
        await web.comes_to('quaestor_queue_in_turn{line="questions"}', 1)
        result = await ask(web, HOW_MANY)
        asking.cancel()
        await web.comes_to("quaestor_questions_in_flight", 0)
    assert result.isError
    assert words_of(result).startswith("Too many questions are being asked right now.")


async def test_a_database_that_is_away_and_a_fault_of_ours_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.web_fixture import running

    async def broken(_: object) -> None:
        raise RuntimeError("postgres://ann:plum@db")

    settings = offline_settings(tmp_path / "home", database_url=f"sqlite:///{tmp_path}/none.db")
    async with running(settings) as web:
        away = await ask(web, HOW_MANY)
        monkeypatch.setattr(type(web.desk), "asker", broken)
        fault = await ask(web, HOW_MANY)
    assert away.isError and "none.db" in words_of(away)
    assert words_of(away).endswith("Ask again in 5 seconds.")
    assert fault.isError and words_of(fault).startswith("Something went wrong on our side.")
    assert "\n" not in words_of(away) + words_of(fault) and "plum" not in words_of(fault)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "The request holds no “question”."),
        ({"question": ""}, "“question” cannot be used"),
        ({"question": 7}, "“question” cannot be used"),
        ({"question": HOW_MANY, "sql": "x"}, "holds “sql”, which means nothing here"),
        ({"question": HOW_MANY, "turns": [{"question": "x"}]}, "holds no “turns.0.sql”"),
        ({"question": HOW_MANY, "turns": [{"question": "x", "sql": "y"}] * 6}, "“turns” cannot be used"),
        (["x"], "Send a JSON object"),
    ],
)
async def test_arguments_that_cannot_be_used_are_told_to_the_model_which_can_mend_them(
    web: Web, arguments: object, words: str
) -> None:
    result = (await send(web, message("tools/call", name="ask", arguments=arguments))).json()["result"]
    assert result["isError"]
    assert words in result["content"][0]["text"]
    assert "\n" not in result["content"][0]["text"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"", 400, -32700),
        (b"{", 400, -32700),
        (b"\xff", 400, -32700),
        (b"[" * 60_000, 400, -32700),
        (b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}', 400, -32700),
        (b"[]", 400, -32600),
        (b"7", 400, -32600),
        (b'{"id": 1, "method": "ping"}', 400, -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', 400, -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', 400, -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', 400, -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}', 400, -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "resources/list"}', 200, -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call"}', 200, -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "drop"}}', 200, -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": ["ask"], "_meta": 7}}', 200, -32602),
    ],
)  # fmt: skip
async def test_a_message_that_cannot_be_used_is_told_why_in_one_sentence(
    web: Web, sent: bytes, status: int, code: int
) -> None:
    response = await web.client.post("/mcp", content=sent, headers=JSON)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    sentence = response.json()["error"]["message"]
    assert sentence.endswith(".") and "\n" not in sentence


@pytest.mark.parametrize(
    "sent",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": [1]}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": [1]},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
    ],
)
async def test_what_wants_no_answer_gets_none(web: Web, sent: dict[str, Any]) -> None:
    response = await send(web, sent)
    assert (response.status_code, response.content) == (202, b"")


async def test_only_json_is_taken_and_not_too_much_of_it_by_post_alone(web: Web) -> None:
    assert (await web.client.post("/mcp", content=b"{}", headers={"content-type": "text/plain"})).status_code == 415
    long = json.dumps(calling("x" * LONGEST_BODY)).encode()
    assert (await web.client.post("/mcp", content=long, headers=JSON)).status_code == 413
    for method in ("GET", "DELETE", "PUT"):
        response = await web.client.request(method, "/mcp")
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("wanted", [*WITH_HELLO, "1999-01-01", None])
async def test_an_older_client_is_answered_in_the_version_it_knows(web: Web, wanted: str | None) -> None:
    hello = (await send(web, message("initialize", protocolVersion=wanted))).json()["result"]
    assert hello["protocolVersion"] == (wanted if wanted in WITH_HELLO else WITH_HELLO[0])
    assert set(hello["capabilities"]) == {"tools"}
    assert hello["serverInfo"]["name"] == "quaestor"


SAYS = {"io.modelcontextprotocol/protocolVersion": MODERN}


async def send_modern(web: Web, method: str, *, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    """Send a request that says its version itself, as clients do since 2026-07-28."""
    said = {"mcp-protocol-version": MODERN, "mcp-method": method}
    if "name" in params:
        said["mcp-name"] = params["name"]
    return await send(web, message(method, **{"_meta": SAYS, **params}), **{**said, **(headers or {})})


async def test_a_newer_client_asks_without_a_hello(web: Web) -> None:
    found = (await send_modern(web, "server/discover")).json()["result"]
    assert found["supportedVersions"][0] == MODERN
    assert {"resultType", "capabilities", "ttlMs", "cacheScope"} <= set(found)
    tools = (await send_modern(web, "tools/list")).json()["result"]
    assert (tools["resultType"], [tool["name"] for tool in tools["tools"]]) == ("complete", ["ask", "tables"])
    told = await send_modern(web, "tools/call", name="ask", arguments={"question": HOW_MANY})
    assert told.headers["content-type"] == "application/json"
    assert told.json()["result"]["resultType"] == "complete"
    assert told.json()["result"]["structuredContent"]["rows"] == [[2]]
    meta = {**SAYS, "progressToken": 7}
    stream = await send_modern(web, "tools/call", name="ask", arguments={"question": HOW_MANY}, _meta=meta)
    assert stream.headers["content-type"].startswith("text/event-stream")
    came = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: ")]
    assert [one["params"]["progressToken"] for one in came[:-1]] == [7, 7, 7]
    assert came[-1]["result"]["structuredContent"]["rows"] == [[2]]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda: {"headers": {"mcp-protocol-version": "2025-11-25"}}, 400, -32020),
        (lambda: {"headers": {"mcp-method": "tools/list"}}, 400, -32020),
        (lambda: {"headers": {"mcp-name": "tables"}}, 400, -32020),
        (lambda: {"headers": {"mcp-name": "=?base64?!?="}}, 400, -32020),
        (lambda: {"_meta": {}}, 400, -32020),
        (
            lambda: {
                "headers": {"mcp-protocol-version": "1900-01-01"},
                "_meta": {"io.modelcontextprotocol/protocolVersion": "1900-01-01"},
            },
            400,
            -32022,
        ),
    ],
)
async def test_a_newer_client_whose_headers_say_something_else_is_turned_away(
    web: Web, change: Callable[[], dict[str, Any]], status: int, code: int
) -> None:
    call = {"name": "ask", "arguments": {"question": HOW_MANY}}
    response = await send_modern(web, "tools/call", **{**call, **change()})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert (await send_modern(web, "tools/call", **call, headers={"mcp-name": "=?base64?YXNr?="})).status_code == 200


async def test_a_newer_client_is_told_with_a_404_of_a_method_that_is_not_there(web: Web) -> None:
    for method in ("initialize", "ping", "resources/list"):
        response = await send_modern(web, method)
        assert (response.status_code, response.json()["error"]["code"]) == (404, -32601)


async def test_the_guide_has_the_configuration_that_works_and_every_part_of_the_evidence(tmp_path: Path) -> None:
    from tests.web_fixture import running, small_shop

    table = GUIDE.split("| evidence |", 1)[1].split("\n\n", 1)[0]
    assert {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split(" | ")[0])} == set(EVIDENCE)
    pasted = json.loads(GUIDE.split("```json\n", 1)[1].split("```", 1)[0])["mcpServers"]["quaestor"]
    assert httpx.URL(pasted["url"]).path == MCP
    settings = offline_settings(tmp_path / "home", database_url=small_shop(tmp_path))
    settings = settings.model_copy(update={"users": SecretStr("ann:plum")})
    async with running(settings) as web, assistant(web, headers=pasted["headers"]) as session:
        result = await session.call_tool("ask", {"question": HOW_MANY})
    assert evidence_of(result)["rows"] == [[2]]
