"""A file imports only from the floors below it, as docs/architecture.md draws them."""

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent

FLOORS = {
    "errors": 0,
    "settings": 0,
    "tools": 1,
    "llm": 1,
    "agents": 2,
    "bootstrap": 3,
    "logs": 3,
    "app": 4,
    "chat": 4,
    "server": 4,
    "jobs": 4,
    "benchmarks": 4,
    "data": 1,
}

# Inside a room of floor 1: who may import whom. Everybody there may import tools.catalog.
BESIDE = {
    "tools.sql_guard": {"tools.guard"},
    "tools.connections": set(),
    "tools.sql_runner": {"tools.sql_guard", "tools.connections"},
    "tools.breakdown": {"tools.sql_guard", "tools.sql_runner"},
    "tools.columns": {"tools.sql_runner", "tools.wording"},
    "tools.chart": {"tools.sql_runner", "tools.columns", "tools.wording"},
    "tools.export": {"tools.sql_runner"},
    "tools.schema": {"tools.reflection", "llm.embeddings"},
    "llm.chat": {"llm.pool"},
    "llm.requester": {"llm.pool"},
    "llm.embeddings": {"llm.batcher", "llm.local_model"},
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
    return other == "tools.catalog" or any(
        module.startswith(beginning) and other.startswith(allowed)
        for beginning, allowed_modules in BESIDE.items()
        for allowed in {beginning, *allowed_modules}
    )


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_file_imports_only_from_the_floors_below(file: Path) -> None:
    broken = {other for other in imports_of(file) if not may_import(module_of(file), other)}
    assert not broken, f"{module_of(file)} may not import {sorted(broken)}"


def test_the_floor_rule_can_fail() -> None:
    assert not may_import("tools.chart", "agents.ask")
    assert not may_import("tools.sql_guard", "tools.sql_runner")
    assert not may_import("agents.ask", "settings")
    assert may_import("agents.ask", "tools.chart")
