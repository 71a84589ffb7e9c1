"""Writes the steps of a query as JSON, and says how many rows each leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.answer import values_as_json
from tools.breakdown import Step


def rows_in_words(step: Step) -> str:
    """Return how many rows a step leaves: "12 rows", or "1,204 rows → 5" where so many came in; "" if unknown."""
    if step.count is None:
        return f"more than {_rows(len(step.rows.values))}" if step.rows and step.rows.truncated else ""
    if step.before is None or step.before == step.count:
        return _rows(step.count)
    return f"{_rows(step.before)} → {step.count:,}"


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def steps_as_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return an object for each step; `columns` and `rows` are empty where it could not be run."""
    return [
        {
            "words": step.words,
            "part": step.part,
            "takes": list(step.takes),
            "before": step.before,
            "count": step.count,
            "columns": list(step.rows.columns) if step.rows else [],
            "rows": values_as_json(step.rows) if step.rows else [],
            "sql": step.sql,
            "trouble": step.trouble,
        }
        for step in steps
    ]
