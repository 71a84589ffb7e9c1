"""The error tree that errors.py draws is the whole tree."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import errors
from errors import AskError

HOUSE = Path(__file__).resolve().parent.parent


def tree(kind: type[AskError]) -> dict[str, object]:
    return {below.__name__: tree(below) for below in kind.__subclasses__() if below.__module__ == "errors"}


def test_the_tree_drawn_is_the_tree_there_is() -> None:
    drawn: dict[str, object] = {}
    path = [drawn]
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ((?:│|    | )*)[├└]── (\w+)", line):
            depth = len(found[1]) // 4
            path = path[: depth + 1]
            branch: dict[str, object] = {}
            path[depth][found[2]] = branch
            path.append(branch)
    assert drawn == tree(AskError)
    assert "RequestRejected" in str(drawn)


def test_no_other_file_grows_the_tree() -> None:
    names = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, AskError)}
    grown = [
        f"{file.name}: {node.name}"
        for room in (".", "agents", "tools", "llm", "jobs", "chat", "web", "data", "benchmarks")
        for file in (HOUSE.glob("*.py") if room == "." else (HOUSE / room).rglob("*.py"))
        if file.name != "errors.py"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and names & {base.id for base in node.bases if isinstance(base, ast.Name)}
    ]
    assert grown == []
