"""The guard's worker: a process that inspects statements, a line of JSON each, and can be killed.

It reads its database from the first line of its input, `{"dialect", "catalog"}`, answers `{"ready": true}`, and then
answers each statement (a JSON string) with `{"sql", "tables", "premises"}` or `{"refused", "unknown"}`. It ends when
its input does.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from typing import Any

from errors import NameUnknown, SQLRefused
from tools.catalog import Catalog, Column, Table
from tools.guard_inspection import Inspector

MEMORY = 1 << 30
"""Bytes of address space; sqlglot's largest allowed statement needs a tenth of it."""
CPU_SECONDS = 2.0
"""What one statement may take of the processor before the kernel ends the worker."""


def describe(dialect: str, catalog: Catalog | None) -> dict[str, Any]:
    """Return what a worker must know of a database, as plain JSON."""
    if catalog is None:
        return {"dialect": dialect, "catalog": None}
    tables = [[table.name, [column.name for column in table.columns]] for table in catalog]
    return {"dialect": dialect, "catalog": {"name": catalog.name, "tables": tables}}


def _inspector(described: dict[str, Any]) -> Inspector:
    known = described["catalog"]
    if known is None:
        return Inspector(described["dialect"], None)
    tables = (Table(name, tuple(Column(c, "") for c in columns)) for name, columns in known["tables"])
    return Inspector(described["dialect"], Catalog(known["name"], described["dialect"], tuple(tables)))


def _answer(inspector: Inspector, sql: str) -> dict[str, Any]:
    try:
        text, tables, premises = inspector.inspect(sql)
    except SQLRefused as refused:
        return {"refused": str(refused), "unknown": isinstance(refused, NameUnknown)}
    return {"sql": text, "tables": tables, "premises": premises}


def main() -> None:
    """Answer until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    inspector = _inspector(json.loads(sys.stdin.readline()))
    # The first statement of a process pays for the grammar's tables; pay before saying that we are ready.
    _answer(inspector, "SELECT 1")
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        answer = _answer(inspector, json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
