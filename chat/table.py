"""Formats rows for a reader: what a cell says, and on which side of its column it stands."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from tools.sql_runner import Rows
from tools.wording import with_unit

CELL_LENGTH = 300
"""Characters of a cell that the page shows."""

ROWS_SHOWN = 1_000
"""Rows that the page shows; the answer may have been told from more."""

_NAMES_A_THING = re.compile(r"(^|_)(id|key|code|number|year|zip|phone)$|[a-z](Id|ID|Key|Code|Year)$")
"""Columns whose numbers are names rather than amounts: 2026 is a year, not 2,026."""

_TELLS_A_PERIOD = re.compile(r"(this|last|previous|prior|current)_year$")
"""Columns that say how much there was in a year, not which year it was."""


def table(rows: Rows) -> dict[str, Any]:
    """Return the rows as the page's table: `columns` (name, label, numeric), `cells` and a `note` on their number.

    A cell is text that is ready to be shown, or None where the database had no value.
    """
    shown = rows.values[:ROWS_SHOWN]
    columns = [_column(name, [row[i] for row in shown]) for i, name in enumerate(rows.columns)]
    return {
        "columns": [{"name": c.name, "label": _label(c), "numeric": c.numeric} for c in columns],
        "cells": [[c.text(value) for c, value in zip(columns, row, strict=True)] for row in shown],
        "note": count(rows) if len(shown) == len(rows.values) else f"{count(rows)}, {ROWS_SHOWN:,} of them shown",
    }


def count(rows: Rows) -> str:
    """Return how many rows there are, in words: "5 rows", or "first 1,000 rows" where there were more."""
    number = len(rows.values)
    words = f"{number:,} row" if number == 1 else f"{number:,} rows"
    return f"first {words}" if rows.truncated else words


@dataclass(frozen=True)
class _Column:
    """How the values of one column are written."""

    name: str
    numeric: bool
    decimals: int

    def text(self, value: Any) -> str | None:
        match value:
            case None:
                return None
            case bool():
                return "true" if value else "false"
            case int() | float() | Decimal():
                return self._number(value) if self.numeric else str(value)
            case datetime():
                return value.isoformat(" ", "seconds" if value.second else "minutes")
            case date() | time():
                return value.isoformat()
            case bytes():
                return f"{len(value):,} bytes"
        text = str(value)
        return text if len(text) <= CELL_LENGTH else text[:CELL_LENGTH] + "…"

    def _number(self, value: float | Decimal) -> str:
        if not self.decimals and _NAMES_A_THING.search(self.name) and not _TELLS_A_PERIOD.search(self.name):
            return f"{value:.0f}"
        return f"{value:,.{self.decimals}f}"


def _label(column: _Column) -> str:
    words = re.sub(r"\bid\b", "ID", column.name.replace("_", " "))
    return with_unit(words) if column.numeric else words


def _column(name: str, values: Sequence[Any]) -> _Column:
    known = [v for v in values if v is not None]
    numeric = bool(known) and all(_is_number(v) for v in known)
    return _Column(name, numeric, _decimals(known) if numeric else 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _decimals(numbers: Sequence[float | Decimal]) -> int:
    """Return how many decimals a column deserves: none for whole numbers, four where all are small, else two."""
    broken = [abs(float(n)) for n in numbers if not isinstance(n, int) and math.isfinite(n) and n % 1]
    if not broken:
        return 0
    return 4 if max(broken) < 1 else 2
