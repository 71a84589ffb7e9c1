"""Writes rows as CSV, for a spreadsheet to open."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from agents.answer import as_json
from tools.sql_runner import Rows

_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d\s().,/-]*$)")
"""How a text begins that a spreadsheet would work out; "-20" and "+49 30 1234" it leaves as they are."""


def as_csv(rows: Rows) -> str:
    """Return the rows under the names of their columns, whole and unrounded; what has no value is empty.

    A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, "CSV Injection"): anybody
    who writes into the database could otherwise have it worked out on the reader's machine.
    """
    written = io.StringIO()
    lines = csv.writer(written)
    lines.writerow(map(_cell, rows.columns))
    lines.writerows(map(_cell, row) for row in rows.values)
    return written.getvalue()


def _cell(value: Any) -> Any:
    match as_json(value):
        case bool(truth):
            return "true" if truth else "false"
        case str(text) if _FORMULA.match(text):
            return f"'{text}"
        case plain:
            return plain
