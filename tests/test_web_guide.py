"""docs/api.md names what there is, and nothing else."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from agents.events import Event
from web.api import Told
from web.app import VERSION
from web.events import name_of
from web.metrics import Metrics

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs" / "api.md").read_text()


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


def test_every_metric_stands_in_the_guide() -> None:
    text = Metrics().as_text("")[0].decode()
    ours = set(re.findall(r"^# TYPE (quaestor_\w+)", text, re.MULTILINE))
    assert first_column("metric") - {"process_"} == ours


def test_the_api_has_the_projects_version() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()
