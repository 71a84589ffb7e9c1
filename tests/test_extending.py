"""A deployment's own agents: the setting that names them, and the page that shows how, whose every block runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agents.ask import Asker
from agents.events import Event, Finished, TextChunk
from agents.extension import extend
from agents.question import Question
from benchmarks.model_wire import ToolCall
from bootstrap import open_asker
from errors import QuestionDeclined, SettingsInvalid
from settings import Settings
from tests.asked import offline_settings

if TYPE_CHECKING:
    from tests.model_fixture import StandIn

pytest_plugins = ("tests.model_fixture",)

TODAY = date(2026, 11, 20)
PAGE = (Path(__file__).resolve().parent.parent / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = {
    name: code for code, name in re.findall(r"^```python\n(# (\w+)\.py\n.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of the test's own; what was imported from it is forgotten."""
    (folder := tmp_path / "deployment").mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def page(folder: Path) -> Path:
    for name, code in BLOCKS.items():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    return folder


def settings_with(home: Path, extension: str) -> Settings:
    return offline_settings(home).model_copy(update={"extension": extension})


@pytest.fixture
def model(model_server: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    return model_server


async def told(settings: Settings, text: str = "How many customers are there?") -> list[str]:
    """Ask a question of a whole Asker, and return the pieces of its answer."""
    events: list[Event] = []
    async with open_asker(settings) as asker, aclosing(asker.ask(Question(text, TODAY))) as stream:
        events = [event async for event in stream]
    assert isinstance(events[-1], Finished) and events[-1].status == "answered", events
    return [event.text for event in events if isinstance(event, TextChunk)]


def test_every_block_of_the_page_is_run_by_a_test() -> None:
    assert PAGE.count("```python") == len(BLOCKS)
    assert set(BLOCKS) == {"no_salaries", "chain_narrator", "agent_narrator", "test_no_salaries"}


async def test_the_pages_guardrail_passes_the_pages_test(page: Path, tmp_path: Path) -> None:
    sys.path.append(str(page))
    await import_module("test_no_salaries").test_salaries_are_refused(tmp_path)


async def test_the_pages_sync_chain_answers_in_pieces(page: Path, tmp_path: Path, model: StandIn) -> None:
    model.will_say("There are many customers here.")
    model.speaks(tokens_per_second=10)
    pieces = await told(settings_with(tmp_path, "chain_narrator:extend"))
    assert "".join(pieces) == "There are many customers here."
    assert len(pieces) > 2
    assert "<rows>" in model.requests[0].body["messages"][-1]["content"]


async def test_the_pages_agent_uses_both_tools(page: Path, tmp_path: Path, model: StandIn) -> None:
    model.will_say(
        ToolCall("exchange_rate", '{"currency": "USD"}'), ToolCall("weather", '{"city": "Rome"}'), "1.16, and rain."
    )
    assert "".join(await told(settings_with(tmp_path, "agent_narrator:extend"))) == "1.16, and rain."
    said = [message["content"] for message in model.requests[-1].body["messages"] if message["role"] == "tool"]
    assert said == ["1.16", "It rains in Rome."]


EXTENSIONS = """\
from contextlib import asynccontextmanager
from dataclasses import replace

from errors import QuestionDeclined

closed = []

def sync(asker):
    return replace(asker, analyst="sync")

async def awaited(asker):
    return replace(asker, analyst="awaited")

@asynccontextmanager
async def opened(asker):
    yield replace(asker, analyst="opened")
    closed.append(True)

def nothing(asker):
    pass

def failing(asker):
    raise ValueError("password=secret")

async def failing_later(asker):
    raise ValueError("password=secret")

def explaining(asker):
    raise QuestionDeclined("said by the extension")

number = 3
"""


@pytest.fixture
async def asker(folder: Path) -> Asker:
    """An Asker that is only passed on, never asked."""
    (folder / "extras.py").write_text(EXTENSIONS, encoding="utf-8")
    (folder / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    parts = dict.fromkeys(
        ("catalog", "guardrails", "schema", "saved", "writer", "guard", "runner", "narrator", "suggester")
    )
    return Asker(**parts, analyst="before")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["sync", "awaited", "opened"])
async def test_a_function_may_be_sync_async_or_a_context(asker: Asker, name: str) -> None:
    async with AsyncExitStack() as closing:
        extended = await extend(asker, f"extras:{name}", closing)
        assert extended.analyst == name
        assert not sys.modules["extras"].closed
    assert sys.modules["extras"].closed == [True] * (name == "opened")


@pytest.mark.parametrize(
    ("extension", "reason"),
    [
        ("absent:extend", r"the module absent cannot be imported \(No module named 'absent'\)"),
        ("broken:extend", r"the module broken cannot be imported \(ZeroDivisionError; the log has the details\)"),
        (".extras:sync", r"the module \.extras cannot be imported \(TypeError; the log has the details\)"),
        ("extras..sync:sync", r"the module extras\.\.sync cannot be imported"),
        ("extras:absent", "the module extras has no function absent"),
        ("extras:number", "the module extras has no function number"),
        ("extras:nothing", "extras:nothing returned NoneType, and not the Asker to use"),
        ("extras:failing", r"extras:failing raised ValueError \(the log has the details\)"),
        ("extras:failing_later", r"extras:failing_later raised ValueError \(the log has the details\)"),
    ],
)
async def test_an_extension_that_cannot_work_is_named_in_a_sentence(asker: Asker, extension: str, reason: str) -> None:
    async with AsyncExitStack() as closing:
        with pytest.raises(SettingsInvalid, match=reason) as invalid:
            await extend(asker, extension, closing)
    text = str(invalid.value)
    assert text.startswith("The setting QUAESTOR_EXTENSION cannot be used: ") and text.endswith(".")
    assert "secret" not in text


async def test_what_the_extension_itself_says_to_the_person_passes(asker: Asker) -> None:
    async with AsyncExitStack() as closing:
        with pytest.raises(QuestionDeclined, match="said by the extension"):
            await extend(asker, "extras:explaining", closing)
