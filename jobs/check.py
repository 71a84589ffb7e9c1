"""`python -m jobs check`: tells of each statement on standard input whether the guard lets it through."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import aclosing
from typing import Annotated, Any, BinaryIO

import anyio
import typer

from errors import SQLRefused
from tools.catalog import Dialect
from tools.guard_text import MAX_CHARACTERS
from tools.sql_guard import Guard

MAX_LINE = 12 * MAX_CHARACTERS + 1_000
"""Bytes of a line; a character of JSON takes twelve at most (two \\uXXXX)."""


def check(
    dialect: Annotated[Dialect, typer.Option(help="The dialect that the statements are written in.")],
) -> None:
    """Check SQL without running it.

    Reads {"sql": "…"} a line from standard input; prints {"sql", "allowed", "reason"} a line, in the same order.
    """
    anyio.run(_check_lines, dialect, sys.stdin.buffer)


async def _check_lines(dialect: Dialect, lines: BinaryIO) -> None:
    async with aclosing(Guard(dialect, None)) as guard:
        for line in _lines(lines):
            print(json.dumps(await _verdict(guard, line)), flush=True)


def _lines(source: BinaryIO) -> Iterator[bytes | None]:
    """Yield each line, or None for one that is too long."""
    while line := source.readline(MAX_LINE + 1):
        too_long = len(line) > MAX_LINE
        while too_long and not line.endswith(b"\n") and (line := source.readline(MAX_LINE + 1)):
            pass
        yield None if too_long else line


async def _verdict(guard: Guard, line: bytes | None) -> dict[str, Any]:
    try:
        sql = _sql(line)
    except SQLRefused as refused:
        return {"sql": None, "allowed": False, "reason": str(refused)}
    try:
        await guard.check(sql)
    except SQLRefused as refused:
        return {"sql": sql, "allowed": False, "reason": str(refused)}
    return {"sql": sql, "allowed": True, "reason": None}


def _sql(line: bytes | None) -> str:
    """Return the line's statement; raises SQLRefused where the line holds none."""
    if line is None:
        raise SQLRefused(
            f"The line is longer than {MAX_LINE:,} bytes: a statement may have {MAX_CHARACTERS:,} characters."
        )
    try:
        entry = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise SQLRefused('The line is not JSON: write {"sql": "SELECT …"}.') from None
    if not isinstance(entry, dict) or not isinstance(entry.get("sql"), str):
        raise SQLRefused('The line holds no "sql": write {"sql": "SELECT …"}.')
    return str(entry["sql"])
