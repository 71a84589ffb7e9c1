"""Keeps the vectors of texts in a file, so that only what changed is embedded again."""

from __future__ import annotations

import logging
import sqlite3
from array import array
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

log = logging.getLogger(__name__)

WAIT_SECONDS = 5
_TABLE = "CREATE TABLE IF NOT EXISTS vectors (digest TEXT PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"


class VectorFile:
    """Vectors by their texts' digests. Several processes may share it; where it cannot be used, nothing is kept."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, list[float]]:
        """Return every vector kept."""
        try:
            with closing(self._open()) as connection:
                rows = connection.execute("SELECT digest, vector FROM vectors").fetchall()
        except (sqlite3.Error, OSError) as error:
            log.warning("the kept vectors cannot be read, texts are embedded anew: %s", error)
            if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                self._file.unlink(missing_ok=True)  # Nothing in it is lost that cannot be made again.
            return {}
        return {digest: array("f", vector).tolist() for digest, vector in rows}

    def replace(self, vectors: Mapping[str, list[float]]) -> None:
        """Keep these vectors, and forget every other."""
        rows = [(digest, array("f", vector).tobytes()) for digest, vector in vectors.items()]
        try:
            with closing(self._open()) as connection, connection:
                connection.execute("DELETE FROM vectors")
                connection.executemany("INSERT INTO vectors VALUES (?, ?)", rows)
        except (sqlite3.Error, OSError) as error:
            log.warning("the vectors cannot be kept for the next start: %s", error)

    def _open(self) -> sqlite3.Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = sqlite3.connect(self._file, timeout=WAIT_SECONDS)
        try:
            connection.execute(_TABLE)
        except sqlite3.Error:
            connection.close()
            raise
        return connection
