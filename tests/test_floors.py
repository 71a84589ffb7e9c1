"""A file imports only from the floors below it, as docs/architecture.md draws them."""

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent

FLOORS = {
    "errors": 0,
    "settings": 0,
    "beat": 0,
    "endpoints": 0,
    "tools": 1,
    "llm": 1,
    "agents": 2,
    "bootstrap": 3,
    "logs": 3,
    "app": 4,
    "chat": 4,
    "server": 4,
    "jobs": 4,
    "web": 4,
    "benchmarks": 4,
    "data": 1,
}

# Floor 1 is made of families: a file and its parts (`schema.py`, `schema_store.py`), or a folder. A family may import
# itself, what everybody may, and the families named here.
EVERYBODY = {"catalog", "address", "wording", "recent", "conditions", "quoted"}
BESIDE = {
    "runner": {"guard", "line"},
    "columns": {"runner"},
    "chart": {"columns", "runner"},
    "schema": {"reflection"},
    "knowledge": {"saved", "schema"},
    "embeddings": {"local", "batcher", "pool", "wire"},
    "guard": {"batcher"},
    "zero": {"guard", "runner"},
    "trials": {"guard", "runner"},
    "breakdown": {"guard", "runner", "trials"},
    "freshness": {"guard", "runner", "trials"},
    "chat": {"spending", "pool", "wire"},
    "wire": {"pool"},
    "requester": {"pool", "spending", "wire"},
}
NAMED = {
    "tools.sql_guard": "guard",
    "tools.sql_runner": "runner",
    "tools.connections.address": "address",
    "tools.connections": "runner",
}

FILES = sorted(
    file
    for room in FLOORS
    for file in ([HOUSE / f"{room}.py"] if (HOUSE / f"{room}.py").exists() else (HOUSE / room).rglob("*.py"))
)


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


def imports_of(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module}
    return {name for name in names if name.split(".")[0] in FLOORS}


def family_of(module: str) -> str:
    """Return the family of a module of floor 1: "schema" of `tools.schema_store`, "data" of `data.rows`."""
    named = next((family for beginning, family in NAMED.items() if module.startswith(beginning)), None)
    room, _, name = module.partition(".")
    return named or (room if room == "data" else name.split("_")[0].split(".")[0])


def may_import(module: str, other: str) -> bool:
    room, other_room = module.split(".")[0], other.split(".")[0]
    if other == "errors":
        return room != "errors"
    if FLOORS[other_room] < FLOORS[room]:
        return other_room != "settings" or FLOORS[room] >= 3
    if FLOORS[other_room] > FLOORS[room]:
        return False
    if FLOORS[room] != 1:
        return room == other_room or room in ("app", "server", "jobs", "benchmarks")
    family, other_family = family_of(module), family_of(other)
    return other_family in {family, *EVERYBODY, *BESIDE.get(family, ())}


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_file_imports_only_from_the_floors_below(file: Path) -> None:
    broken = {other for other in imports_of(file) if not may_import(module_of(file), other)}
    assert not broken, f"{module_of(file)} may not import {sorted(broken)}"


def test_the_floor_rule_can_fail() -> None:
    assert not may_import("tools.chart", "agents.ask")
    assert not may_import("tools.sql_guard", "tools.sql_runner")
    assert not may_import("agents.ask", "settings")
    assert may_import("agents.ask", "tools.chart")
