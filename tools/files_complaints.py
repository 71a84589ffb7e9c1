"""Says in one sentence what is wrong with a file that DuckDB does not read, and what to do."""

from __future__ import annotations

import csv
import re
from itertools import islice

from tools.files_found import File
from tools.files_text import Text


def why(file: File, complaint: str, text: Text | None = None) -> str:
    """Return the sentence for DuckDB's complaint; `text` is how a file of lines was read."""
    name = file.path.name
    if text and (row := re.search(r"CSV Error on Line: (\d+)", complaint)):
        return _why_line(f"{name}, line {_line_of(text, int(row[1]))}", complaint)
    if "memory" in complaint.lower():
        return f"{name} needs more memory than the import may use. Part it into several files, or save it as Parquet."
    if "No space left" in complaint or "disk" in complaint.lower():
        return f"There is no space left for the copy of {name}. Make some, or name another QUAESTOR_HOME."
    what = {"json": "JSON, or JSON of one object a line", "parquet": "Parquet"}.get(file.kind, "a table of text")
    return f"{name} cannot be read as {what}. Export it again, or save it as CSV."


def _why_line(line: str, complaint: str) -> str:
    if widths := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", complaint):
        values = f"{widths[2]} value{'s' * (widths[2] != '1')}"
        advice = "Put a value that holds the separator in double quotes, or mend the line."
        return f"{line}: {values} where the other lines have {widths[1]}. {advice}"
    if "quote" in complaint:
        return f"{line}: a double quote is opened and not closed. Close it, or double it within a value."
    return f"{line} cannot be read. Look at that line, or export the file again."


def _line_of(text: Text, row: int) -> int:
    """Return the line on which a row ends: DuckDB counts a row as one, however many line ends are in its quotes."""
    with text.path.open(encoding="utf-8", newline="") as opened:
        rows = csv.reader(opened, delimiter=text.delimiter)
        try:
            for _ in islice(rows, row):
                pass
        except csv.Error:  # A value of the rest of the file, whose quote is open.
            return row
        return rows.line_num
