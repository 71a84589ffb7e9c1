"""Writes the steps of a query as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.steps import rows_in_words
from chat.table import table
from tools.breakdown import Step


def steps_shown(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return an object for each step; its `table` is None where it could not be run, see chat.table."""
    return [
        {
            "words": step.words,
            "part": step.part,
            "takes": list(step.takes),
            "rows": rows_in_words(step),
            "table": table(step.rows) if step.rows else None,
            "sql": step.sql,
            "trouble": step.trouble,
        }
        for step in steps
    ]
