"""The SQLite database that the SCRIPT of a test file makes, and the offline analyst over it.

A test file asks for them with `pytest_plugins = ("tests.scripted_database",)`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agents.offline.analyst import Analyst
from tools.reflection import read_catalog


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scripted") / "database.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(request.module.SCRIPT)
    return path


@pytest.fixture(scope="module")
def analyst(database: Path) -> Analyst:
    return Analyst(read_catalog(f"sqlite:///{database}"))
