"""Writes the SQLite files that tests ask questions of."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def write(file: Path, script: str) -> Path:
    """Make a SQLite file of a script, and return it."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(script)
    return file
