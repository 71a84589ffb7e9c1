"""The process that opens a DuckDB file: it answers statements until its parent is gone or kills it.

DuckDB's own memory_limit and interrupt do not bound every function (one scalar took 20 GB and answered an
interrupt after minutes), so the process has a bounded address space and the parent's SIGKILL for a deadline.
"""

from __future__ import annotations

import os
import pickle
import resource
import shutil
import signal
import sys
import threading
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from typing import TypedDict

import duckdb

from tools.connections.values import fetched

_ADDRESS_SPACE = 3 * 2**30
"""DuckDB itself maps about 0.8 GiB, and three times its memory_limit when it sorts."""

_SETTINGS: dict[str, str | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    "memory_limit": "1GB",
    "max_temp_directory_size": "4GB",
    "threads": max(1, min(4, os.cpu_count() or 1)),
    "lock_configuration": True,
}

_PIECE = 2_000
"""Rows that the parent unpickles at once: nothing else can run there for as long, and a hundred thousand took 0.1 s."""

_READS = {duckdb.StatementType.SELECT}

_BY_NAME = (duckdb.CatalogException, duckdb.BinderException)


class Ask(TypedDict):
    verb: str
    """`fetch` or `plan`."""
    sql: str
    limit: int


class Reply(TypedDict, total=False):
    """`columns`, `values` and `truncated`, or a complaint about the SQL (`failed`) or the file (`unavailable`)."""

    columns: tuple[str, ...]
    values: tuple[bytes, ...]
    """Pieces of the rows, each pickled for itself."""
    truncated: bool
    failed: str
    missing: bool
    """Whether it failed by a name: of a table, a column, or what else DuckDB looks up."""
    unavailable: str


def main(path: str, spill: str, channel: int) -> None:
    """Answer until the parent closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    watcher = threading.Thread(target=_end_with_parent, args=(spill,), daemon=True)
    watcher.start()
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(channel) as parent, suppress(EOFError, OSError):  # either: the parent is gone
        while True:
            ask: Ask = pickle.loads(parent.recv_bytes())
            parent.send_bytes(pickle.dumps(_answer(path, spill, ask)))
    watcher.join()


def _end_with_parent(spill: str) -> None:
    sys.stdin.read()
    shutil.rmtree(spill, ignore_errors=True)
    os._exit(0)


def _answer(path: str, spill: str, ask: Ask) -> Reply:
    try:
        connection = duckdb.connect(path, read_only=True, config={**_SETTINGS, "temp_directory": spill})
    except (duckdb.Error, OSError) as error:
        return Reply(unavailable=str(error))
    with closing(connection):
        try:
            return _carried_out(connection, ask)
        except (duckdb.Error, ValueError, OverflowError, MemoryError) as error:
            return Reply(failed=_complaint(error), missing=isinstance(error, _BY_NAME))


def _carried_out(connection: duckdb.DuckDBPyConnection, ask: Ask) -> Reply:
    statements = connection.extract_statements(ask["sql"])
    if len(statements) != 1 or statements[0].type not in _READS:
        return Reply(failed="Only a single statement that reads can run.")
    if ask["verb"] == "plan":
        connection.execute("EXPLAIN " + ask["sql"])
        return Reply()
    cursor = connection.execute(statements[0])
    columns = [column[0] for column in cursor.description or ()]
    found = fetched(columns, iter(cursor.fetchone, None), ask["limit"])
    pieces = range(0, len(found.values), _PIECE)
    values = tuple(pickle.dumps(found.values[start : start + _PIECE]) for start in pieces)
    return Reply(columns=found.columns, values=values, truncated=found.truncated)


def _complaint(error: Exception) -> str:
    """Return what DuckDB says, less the excerpt of the SQL and advice about settings that nobody can change."""
    if isinstance(error, (duckdb.OutOfMemoryException, MemoryError)):
        return "The query needed more memory than it may use. Ask for less at once."
    said = str(error).split("\n\n")[0]
    return " ".join(said.split())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
