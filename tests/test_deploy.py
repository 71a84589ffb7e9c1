"""The image, the services and the history's tables hold what a deployment relies on."""

from __future__ import annotations

import ast
import fnmatch
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

with warnings.catch_warnings():
    # A package that Chainlit brings still uses pydantic's older ways.
    warnings.simplefilter("ignore")
    from chainlit.context import init_http_context
    from chainlit.data.chainlit_data_layer import ChainlitDataLayer
    from chainlit.element import CustomElement
    from chainlit.types import Feedback, Pagination, ThreadFilter
    from chainlit.user import User

HOUSE = Path(__file__).resolve().parent.parent
DOCKERFILE = (HOUSE / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((HOUSE / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NOW = "2026-11-20T10:00:00.000000Z"


def in_image(path: str) -> bool:
    """Whether .dockerignore lets a path into the image: its last matching line decides."""
    kept = True
    for line in (HOUSE / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if line and not line.startswith("#"):
            parts = path.split("/")
            ways = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)] if "**" not in line else parts
            if any("/" not in way.removeprefix(pattern) and fnmatch.fnmatch(way, pattern) for way in ways):
                kept = line.startswith("!")
    return kept


def modules_needed_by(module: str) -> set[Path]:
    """Return our files that a module imports, directly or through others."""
    found: set[Path] = set()
    waiting = [HOUSE / f"{module}.py"]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
            for name in names:
                path = HOUSE / name.replace(".", "/")
                waiting += [f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()]
    return found


# --- the image


def test_the_image_holds_every_file_that_the_server_and_the_command_line_import() -> None:
    needed = modules_needed_by("server") | modules_needed_by("app") | modules_needed_by("jobs/__main__")
    assert HOUSE / "agents/offline/writer.py" in needed
    assert [f for f in needed if not in_image(str(f.relative_to(HOUSE)))] == []


def test_the_image_holds_what_the_page_is_made_of() -> None:
    for path in ("chainlit.md", ".chainlit/config.toml", "public/copilot.html", "public/elements/Evidence.jsx"):
        assert (HOUSE / path).is_file(), path
        assert in_image(path), path


@pytest.mark.parametrize(
    "path", [".env", ".env.production", ".git/config", ".venv/bin/pip", ".quaestor/sample.sqlite", "shop.sqlite",
             "key.pem", "tests/test_deploy.py", "tools/__pycache__/chart.cpython-312.pyc"]
)  # fmt: skip
def test_no_secret_and_no_database_enters_the_image(path: str) -> None:
    assert not in_image(path)


def test_the_image_runs_as_a_user_who_is_not_root() -> None:
    instructions = re.findall(r"^(USER|CMD) (.+)$", DOCKERFILE, re.MULTILINE)
    assert instructions[0] == ("USER", "quaestor")
    assert instructions[-1] == ("CMD", '["python", "server.py"]')
    assert "--chown" not in DOCKERFILE  # The code stays root's.


def test_nothing_is_left_for_chainlit_to_write_where_the_images_user_may_not(tmp_path: Path) -> None:
    command = re.search(r'^RUN python (-c) "(.+)"$', DOCKERFILE, re.MULTILINE)
    assert command is not None
    # As a fresh clone has it: git knows one language.
    (tmp_path / ".chainlit" / "translations").mkdir(parents=True)
    for file in ("config.toml", "translations/en-US.json"):
        shutil.copy(HOUSE / ".chainlit" / file, tmp_path / ".chainlit" / file)

    def written_by(code: str) -> set[Path]:
        before = set(tmp_path.rglob("*"))
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
        return set(tmp_path.rglob("*")) - before - {tmp_path / ".files"}  # The app's own.

    assert written_by(command[2])
    assert not written_by("import chainlit.server")


def test_the_image_installs_as_the_makefile_does() -> None:
    makefile = (HOUSE / "Makefile").read_text()
    for install in ("-r requirements.txt", "--no-deps -r requirements-embeddings.txt"):
        assert re.search(rf"pip install .*{re.escape(install)}", makefile)
        assert f"pip install {install}" in DOCKERFILE
    copied = re.findall(r"^COPY (.+) \./$", DOCKERFILE, re.MULTILINE)[0].split()
    assert all((HOUSE / path).is_file() and in_image(path) for path in copied)


def test_the_image_asks_for_its_own_health() -> None:
    command = re.search(r"HEALTHCHECK .*\n\s+CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    assert command is not None
    words = ast.literal_eval(command[1])
    assert "/healthz" in words[2]
    # Nothing listens on port 9, so a healthy answer here would mean that the check checks nothing.
    asked = subprocess.run([sys.executable, *words[1:]], env={"QUAESTOR_PORT": "9"}, capture_output=True, check=False)
    assert asked.returncode != 0
    assert b"refused" in asked.stderr


# --- the services


def test_no_service_has_a_password_of_its_own() -> None:
    secrets = [
        (service, name, value)
        for service, about in SERVICES.items()
        for name, value in about["environment"].items()
        if re.search(r"PASSWORD|SECRET|USERS|KEY", name) and value is not None
    ]
    assert {name for _, name, _ in secrets} >= {"QUAESTOR_USERS", "CHAINLIT_AUTH_SECRET", "POSTGRES_PASSWORD"}
    for service, name, value in secrets:
        assert re.fullmatch(r"\$\{\w+:\?[A-Z][^}]+\.\}", value), f"{service}: {name} has a value, or no sentence"
    assert re.search(
        r"//quaestor:\$\{HISTORY_PASSWORD:\?[^}]+\}@history", SERVICES["app"]["environment"]["DATABASE_URL"]
    )


def test_only_the_app_publishes_a_port_and_only_on_this_machine() -> None:
    published = {name: about["ports"] for name, about in SERVICES.items() if "ports" in about}
    assert list(published) == ["app"]
    assert all(port.startswith("127.0.0.1:") for port in published["app"])
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert SERVICES["qdrant"]["networks"] == SERVICES["history"]["networks"] == ["inside"]


def test_the_app_waits_until_its_servers_are_healthy() -> None:
    for name in ("qdrant", "history"):
        assert SERVICES["app"]["depends_on"][name] == {"condition": "service_healthy"}
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_the_app_can_write_its_volume_and_nothing_else() -> None:
    app = SERVICES["app"]
    assert app["read_only"] is True
    assert app["cap_drop"] == ["ALL"]
    assert app["volumes"] == ["app:/app/.quaestor"]
    assert all("no-new-privileges:true" in about["security_opt"] for about in SERVICES.values())


def test_what_is_kept_is_kept_in_named_volumes() -> None:
    named = {volume.split(":")[0] for about in SERVICES.values() for volume in about["volumes"]}
    assert set(COMPOSE["volumes"]) == named - {"./deploy/history.sql"}
    assert "./deploy/history.sql:/docker-entrypoint-initdb.d/history.sql:ro" in SERVICES["history"]["volumes"]


def test_compose_passes_on_every_setting_and_no_other() -> None:
    settings = set(re.findall(r"^\| `([A-Z_]+)` \|", (HOUSE / "README.md").read_text(), re.MULTILINE))
    assert "QUAESTOR_ROW_LIMIT" in settings
    # These three belong to the image: where it listens, and where its volume lies.
    own = {"QUAESTOR_HOST", "QUAESTOR_PORT", "QUAESTOR_HOME"}
    passed_on = set(SERVICES["app"]["environment"])
    assert settings - own <= passed_on
    assert passed_on <= settings | {"CHAINLIT_AUTH_SECRET"}


# --- the packages of the tests


def test_another_browser_of_playwrights_is_not_taken_for_the_one_the_tests_need(tmp_path: Path) -> None:
    commands = tmp_path / "commands"
    stubs = {
        commands / "id": "echo 0",
        commands / "apt-get": ":",
        tmp_path / ".venv/bin/python": 'echo "$@"',
    }
    for stub, line in stubs.items():
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text(f"#!/bin/sh\n{line}\n")
        stub.chmod(0o755)
    (commands / "grep").symlink_to(shutil.which("grep") or "/bin/grep")
    (tmp_path / ".cache/ms-playwright/chromium-1").mkdir(parents=True)
    ran = subprocess.run(
        ["/bin/sh", HOUSE / "deploy/install-test-packages.sh"],
        cwd=tmp_path, env={"PATH": str(commands), "HOME": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "-m playwright install chromium\n-m playwright install-deps chromium\n" in ran.stdout


# --- the history


@pytest.fixture
async def history(postgres_url: str) -> AsyncIterator[ChainlitDataLayer]:
    """Chainlit's own data layer over the tables of deploy/history.sql, in a database of their own."""
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS chat_history WITH (FORCE)")
        server.execute("CREATE DATABASE chat_history")
    url = re.sub(r"/postgres(?=\?|$)", "/chat_history", postgres_url)
    assert url != postgres_url
    with psycopg.connect(url, autocommit=True) as fresh:
        # Loaded twice: an operator may run it on a database that has the tables already.
        for _ in range(2):
            fresh.execute((HOUSE / "deploy/history.sql").read_bytes())
    init_http_context()
    layer = ChainlitDataLayer(url)
    yield layer
    await layer.close()


def a_step(id: str, thread: str, **more: Any) -> Any:
    return {"id": id, "threadId": thread, "type": "user_message", "name": "ann", "createdAt": NOW, **more}


async def a_conversation(history: ChainlitDataLayer) -> str:
    """Store one question with its answer, an element and a thumb; returns the user's id."""
    user = await history.create_user(User(identifier="ann", metadata={"role": "analyst"}))
    assert user is not None
    await history.update_thread("t1", name="How many stores?", user_id=user.id, metadata={"turns": []}, tags=["a", "b"])
    await history.create_step(a_step("s1", "t1", output="How many stores?"))
    await history.create_step(
        a_step("s2", "t1", parentId="s1", type="assistant_message", output="There are 12 stores.", metadata={"n": 1})
    )
    element = CustomElement(
        name="Evidence", props={"sql": "SELECT 1", "rows": [[1, None]]}, thread_id="t1", for_id="s2"
    )
    await history.create_element(element)
    await history.upsert_feedback(Feedback(forId="s2", value=1, id="f1", comment="Right."))
    return user.id


async def test_a_conversation_comes_back_with_its_answer_evidence_and_thumb(history: ChainlitDataLayer) -> None:
    user_id = await a_conversation(history)
    thread = await history.get_thread("t1")
    assert thread is not None
    assert (thread["name"], thread["userId"], thread["userIdentifier"]) == ("How many stores?", user_id, "ann")
    assert thread["metadata"] == {"turns": []}
    question, answer = sorted(thread["steps"], key=lambda step: step["id"])
    assert question["output"] == "How many stores?"
    assert (answer["parentId"], answer["output"], answer["metadata"]) == ("s1", "There are 12 stores.", {"n": 1})
    assert answer["feedback"] == {"forId": "s2", "id": "f1", "value": 1.0, "comment": "Right."}
    [element] = thread["elements"] or []
    assert element["forId"] == "s2"
    assert element["props"] == {"sql": "SELECT 1", "rows": [[1, None]]}


async def test_a_user_who_returns_is_the_same_user(history: ChainlitDataLayer) -> None:
    first = await history.create_user(User(identifier="ann", metadata={}))
    again = await history.create_user(User(identifier="ann", metadata={"role": "owner"}))
    assert first is not None and again is not None
    assert again.id == first.id
    stored = await history.get_user("ann")
    assert stored is not None
    assert stored.metadata == {"role": "owner"}
    assert await history.get_user("nobody") is None


async def test_a_person_lists_their_own_threads_newest_first_a_page_at_a_time(history: ChainlitDataLayer) -> None:
    user_id = await a_conversation(history)
    other = await history.create_user(User(identifier="bo", metadata={}))
    assert other is not None
    await history.update_thread("t2", name="Revenue per store", user_id=user_id)
    await history.update_thread("t3", name="Not Ann's", user_id=other.id)
    first = await history.list_threads(Pagination(first=1), ThreadFilter(userId=user_id))
    assert [t["id"] for t in first.data] == ["t2"]
    assert first.pageInfo.hasNextPage
    rest = await history.list_threads(
        Pagination(first=1, cursor=first.pageInfo.endCursor), ThreadFilter(userId=user_id)
    )
    assert [t["id"] for t in rest.data] == ["t1"]
    found = await history.list_threads(Pagination(first=9), ThreadFilter(userId=user_id, search="stores"))
    assert [t["id"] for t in found.data] == ["t1"]


async def test_an_answer_that_grows_keeps_its_place_and_its_text(history: ChainlitDataLayer) -> None:
    await a_conversation(history)
    await history.update_step(a_step("s2", "t1", type="run", output="There are 13 stores."))
    step = await history.get_step("s2")
    assert step is not None
    assert (step["output"], step["type"], step["parentId"]) == ("There are 13 stores.", "assistant_message", "s1")


async def test_a_step_may_come_before_its_thread_and_its_parent(history: ChainlitDataLayer) -> None:
    await history.create_step(a_step("child", "early", parentId="parent"))
    assert await history.get_step("parent") is not None
    assert await history.get_thread("early") is not None


async def test_a_thumb_can_be_changed_and_taken_back(history: ChainlitDataLayer) -> None:
    await a_conversation(history)
    await history.upsert_feedback(Feedback(forId="s2", value=0, id="f1", comment=None))
    step = await history.get_step("s2")
    assert step is not None and step["feedback"] is not None
    assert step["feedback"]["value"] == 0
    await history.delete_feedback("f1")
    step = await history.get_step("s2")
    assert step is not None and step["feedback"] is None


async def test_the_favourites_of_a_person_are_found(history: ChainlitDataLayer) -> None:
    user_id = await a_conversation(history)
    await history.update_step(a_step("s1", "t1", metadata={"favorite": True}))
    assert [step["id"] for step in await history.get_favorite_steps(user_id)] == ["s1"]


async def test_a_deleted_thread_leaves_nothing_behind(history: ChainlitDataLayer) -> None:
    await a_conversation(history)
    assert await history.get_thread_author("t1") == "ann"
    await history.delete_thread("t1")
    assert await history.get_thread("t1") is None
    for table in ("Thread", "Step", "Element", "Feedback"):
        assert await history.execute_query(f'SELECT id FROM "{table}"') == [], table


async def test_a_deleted_step_takes_its_evidence_along(history: ChainlitDataLayer) -> None:
    await a_conversation(history)
    await history.delete_step("s2")
    thread = await history.get_thread("t1")
    assert thread is not None
    assert [step["id"] for step in thread["steps"]] == ["s1"]
    assert thread["elements"] == []
