"""The SQLite database that the SCRIPT of a test file makes, and the offline analyst over it.

A test file asks for them with `pytest_plugins = ("tests.scripted_database",)`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from tests.sqlite_files import write
from tools.reflection import read_catalog


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("scripted") / "database.sqlite", request.module.SCRIPT)


@pytest.fixture(scope="module")
def analyst(database: Path) -> Analyst:
    return Analyst(read_catalog(f"sqlite:///{database}"))
