"""The chat as `chainlit run` serves it, without the server that stands before it otherwise: the same guards do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets import Origin
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.browser.conftest import Served, serve
from tests.login_fixture import joined
from tests.ports import kept_port
from tests.servers import ROOT
from tests.web_fixture import small_shop
from web.guards import LONGEST_OTHER

BUILT = """
import chainlit.server
from server import build_app
from settings import read_settings
from web.guards import OriginCheck

app = build_app(read_settings())
print(*(sum(each.cls is OriginCheck for each in each_app.user_middleware) for each_app in (app, chainlit.server.app)))
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("alone")
    (folder / "home").mkdir()
    command = ("-m", "chainlit", "run", "app.py", "--headless")
    with serve(folder / "home", *command, QUAESTOR_DATABASE_URL=small_shop(folder)) as served:
        yield served


@pytest.mark.parametrize("origin", ["https://evil.example", "http://rebound.example"])
async def test_a_page_of_another_origin_neither_sends_nor_joins(alone: Served, origin: str) -> None:
    host = origin.removeprefix("http://") if origin.startswith("http:") else httpx.URL(alone.url).netloc.decode()
    async with httpx.AsyncClient(base_url=alone.url, headers={"origin": origin, "host": host}) as stranger:
        assert (await stranger.post("/set-session-cookie", json={"session_id": "x"})).status_code == 403
        assert (await stranger.get("/ws/socket.io/?transport=polling&EIO=4")).status_code == 403
    async with httpx.AsyncClient(base_url=alone.url) as client, joined(client) as page:
        assert page.socket.connected


def test_a_body_that_is_too_long_is_turned_away_before_it_is_looked_at(alone: Served) -> None:
    address = httpx.URL(alone.url)
    with socket.create_connection((address.host, address.port or 80), timeout=30) as caller:
        head = f"POST /project/action HTTP/1.1\r\nHost: {address.netloc.decode()}\r\n"
        caller.sendall(f"{head}Content-Length: {LONGEST_OTHER + 1}\r\n\r\n".encode())
        assert caller.recv(65_536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/project/element"), ("POST", "/project/file"), ("POST", "/mcp"), ("DELETE", "/mcp")]
)
async def test_what_no_page_asks_for_is_not_there(alone: Served, method: str, path: str) -> None:
    async with httpx.AsyncClient(base_url=alone.url) as client:
        answer = await client.request(method, path, json={})
        assert (answer.status_code, answer.json()["detail"]) == (404, "There is nothing here.")


async def test_below_another_path_the_guards_stand_too(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    command = ("-m", "chainlit", "run", "app.py", "--headless", "--root-path", "/below")
    settings = {"QUAESTOR_DATABASE_URL": small_shop(tmp_path)}
    with serve(tmp_path / "home", *command, **settings) as served:
        async with httpx.AsyncClient(base_url=f"{served.url}/below") as client:
            assert (await client.post("/project/file", json={})).json()["detail"] == "There is nothing here."
            client.headers["origin"] = "https://evil.example"
            assert (await client.get("/ws/socket.io/?transport=polling&EIO=4")).status_code == 403
            socket = f"{served.url.replace('http', 'ws', 1)}/below/ws/socket.io/?transport=websocket&EIO=4"
            with pytest.raises(InvalidStatus, match="403"):
                await connect(socket, origin=Origin("https://evil.example"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_open_address_needs_a_login_here_too(tmp_path: Path, host: str) -> None:
    strange = ("QUAESTOR_", "OPENAI_", "CHAINLIT_")
    with kept_port() as port:
        ended = subprocess.run(
            [sys.executable, "-m", "chainlit", "run", "app.py", "--headless", "--host", host, "--port", str(port)],
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith(strange)} | {"QUAESTOR_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    assert f"does not serve {host} without a login" in ended.stderr


def test_behind_the_server_the_guards_stand_once(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", BUILT],
        cwd=ROOT,
        env=os.environ | {"QUAESTOR_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[-1]
    assert told == "1 0"


async def test_a_page_may_load_nothing_from_strangers(alone: Served) -> None:
    async with httpx.AsyncClient(base_url=alone.url) as client:
        page = await client.get("/")
    assert len(page.headers.get_list("content-security-policy")) == 1
