"""Writes the steps of a query as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.answer import values_as_json
from tools.breakdown import Step


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
