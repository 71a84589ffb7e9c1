"""docs/api.md names what there is, and nothing else."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from agents import events
from agents.events import Event
from agents.question import Draft
from agents.receipt import Receipt
from tools.catalog import Found
from tools.chart import Chart
from tools.sql_runner import Rows
from web.api import Told
from web.app import VERSION
from web.brake import Brake
from web.events import about, name_of
from web.metrics import Metrics

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs" / "api.md").read_text()


ROWS = Rows(("n",), ((1,),), truncated=False, seconds=0.0)
CHART = Chart("number", "N", "n", ("n",))

ONE_OF_EACH: tuple[Event, ...] = (
    events.Waiting(1, "questions"),
    events.TablesFound(Found(())),
    events.FellBack("offline analyst", "words", "The model is away."),
    events.SQLWritten(Draft("SELECT 1", "x"), 1),
    events.SQLComplained("no such column", 1),
    events.RowsFound(ROWS),
    events.ChartDrawn(CHART),
    events.QueryRan(1, "", "SELECT 1", ROWS),
    events.QueryDrawn(1, CHART),
    events.TextChunk("One."),
    events.FollowupsSuggested(("And two?",)),
    events.ReceiptWritten(Receipt((), (), None, trusted=False)),
    events.Declined("What is x?"),
    events.Refused("No."),
    events.Failed("Away."),
    events.Finished("answered"),
)


def row(name: str) -> set[str]:
    """Return the names that stand beside this one."""
    return set(re.findall(r"`(\w+)`", GUIDE.split(f"| `{name}` |", 1)[1].split("\n", 1)[0]))


def first_column(head: str) -> set[str]:
    """Return the names in the first column of the table under this head."""
    table = GUIDE.split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    rows = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)", row)}


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("field", {field.name for field in fields(Told)}),
        ("event", {name_of(event) for event in get_args(Event)}),
    ],
)
def test_every_name_stands_in_the_guide(head: str, names: set[str]) -> None:
    assert first_column(head) == names


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: name_of(type(event)))
def test_all_that_an_event_holds_stands_beside_its_name(event: Event) -> None:
    assert set(about(event)) <= row(name_of(type(event)))


def test_the_guide_tells_that_an_answer_is_whole_before_its_next_questions_come() -> None:
    rows = [
        GUIDE.index(f"| `{name}` |") for name in ("text_chunk", "receipt_written", "followups_suggested", "finished")
    ]
    assert rows == sorted(rows)
    assert "**Once `receipt_written` has come the answer is whole.**" in GUIDE


def test_no_event_is_left_out() -> None:
    assert {type(event) for event in ONE_OF_EACH} == set(get_args(Event))


def test_all_that_a_chart_holds_stands_beside_its_name() -> None:
    assert {field.name for field in fields(Chart)} <= row("chart")


def test_every_metric_stands_in_the_guide() -> None:
    metrics = Metrics()
    metrics.watch_brake(Brake())
    text = metrics.as_text("")[0].decode()
    ours = set(re.findall(r"^# TYPE (quaestor_\w+)", text, re.MULTILINE))
    assert first_column("metric") - {"process_"} == ours


def test_the_api_has_the_projects_version() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()
